package dev.espalier.parity;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.model.Decoder;
import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.ScheduleRecipe;
import dev.espalier.recipe.Share;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import dev.espalier.train.Learner;
import dev.espalier.train.Trainer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;

/// Repeats a reference's training with the training loop itself, and compares each step's loss and
/// gradient norm, and the weights at the end.
final class TrajectoryCheck {
    private final JsonNode json;
    private final Path golden;
    private final Tolerances tolerances;
    private final Findings findings;

    TrajectoryCheck(JsonNode json, Path golden, Tolerances tolerances, Findings findings) {
        this.json = json;
        this.golden = golden;
        this.tolerances = tolerances;
        this.findings = findings;
    }

    private record Batches(Module model, List<GoldenBatch> batches) implements Learner {
        @Override
        public double stepsPerEpoch() {
            return batches.size();
        }

        @Override
        public double tokensPerStep() {
            return batches.getFirst().tokens();
        }

        @Override
        public List<MicroBatch> step(long step) {
            return List.of(batches.get((int) step));
        }
    }

    void check(Path folder) {
        var optimizer = json.path("optimizer").asString("");
        if (!optimizer.equals("torch.optim.AdamW")
                || !json.path("decay_rule").asString("").startsWith("p.dim()>=2")) {
            findings.unchecked(
                    "trajectory",
                    optimizer,
                    "only AdamW with decay on matrices and tables can be repeated");
            return;
        }
        var keys =
                StreamSupport.stream(json.path("batch_keys").spliterator(), false)
                        .map(k -> k.asString(""))
                        .toList();
        var model = HuggingFace.readModel(folder, 0.0).model();
        var inputs = Set.of("input_ids", "attention_mask", "token_type_ids", "labels");
        if (!inputs.containsAll(keys) || model instanceof Decoder && keys.size() > 2) {
            findings.unchecked(
                    "trajectory", optimizer, "the model does not take the inputs " + keys);
            return;
        }
        var learner = new Batches(model, batches(model));
        try (var trainer = new Trainer(learner, recipe(), false, 0, Trainer.Speeds.UNKNOWN)) {
            steps(trainer, learner.batches().size());
            Torch.noGrad(() -> afterwards(learner));
        }
    }

    private TrainingRecipe recipe() {
        return new TrainingRecipe(
                Duration.steps(json.path("steps").asLong(1)),
                1,
                null,
                new OptimizerRecipe.AdamW(
                        json.path("lr").asDouble(Double.NaN),
                        List.of(
                                json.path("betas").path(0).asDouble(Double.NaN),
                                json.path("betas").path(1).asDouble(Double.NaN)),
                        json.path("eps").asDouble(Double.NaN),
                        json.path("weight_decay").asDouble(Double.NaN)),
                new ScheduleRecipe.Constant(new Share(0)),
                json.path("grad_clip").asDouble(0),
                TrainingRecipe.Precision.FP32,
                false,
                null);
    }

    private List<GoldenBatch> batches(Module model) {
        var batches = new ArrayList<GoldenBatch>();
        try (var file = new Golden(golden.resolve("batches.safetensors"));
                var scope = new Scope()) {
            var ids = file.tensor("input_ids"); // (steps, B, T)
            var labels = file.tensor("labels");
            var masks = file.has("attention_mask") ? file.tensor("attention_mask") : null;
            var segments = file.has("token_type_ids") ? file.tensor("token_type_ids") : null;
            for (var step = 0; step < ids.size(0); step++) {
                batches.add(
                        new GoldenBatch(
                                model,
                                (int) ids.size(2),
                                ids.select(0, step).longs(),
                                masks == null ? null : masks.select(0, step).longs(),
                                segments == null ? null : segments.select(0, step).longs(),
                                labels.select(0, step).longs(),
                                null,
                                0));
            }
        }
        return batches;
    }

    private void steps(Trainer trainer, int batches) {
        var steps = json.path("steps").asInt(0);
        if (steps < 1 || steps > batches || json.path("losses").size() != steps) {
            findings.unchecked(
                    "trajectory",
                    "steps",
                    "%d steps, %d batches and %d losses do not fit together"
                            .formatted(steps, batches, json.path("losses").size()));
            return;
        }
        for (var step = 0; step < steps; step++) {
            var figures = trainer.step();
            var name = "step " + (step + 1);
            findings.add(
                    "loss",
                    name,
                    Math.abs(figures.loss() - at("losses", step)),
                    Golden.tolerance(tolerances.losses(), json, "max_abs_loss_diff_fp32_fp64"));
            findings.add(
                    "gradient-norm",
                    name,
                    relative(figures.gradientNorm(), at("grad_norm_before_clip", step)),
                    tolerances.gradients());
        }
    }

    private static double relative(double ours, double theirs) {
        return Math.abs(ours - theirs) / Math.max(1, theirs);
    }

    private double at(String key, int step) {
        var exact = json.path("fp64_" + key);
        return (exact.isArray() ? exact : json.path(key)).path(step).asDouble(Double.NaN);
    }

    private void afterwards(Batches learner) {
        findings.add(
                "loss",
                "batch 1 after the last step",
                Math.abs(
                        CaseCheck.loss(learner.batches().getFirst())
                                - Golden.number(json, "loss_on_batch0_after")),
                tolerances.losses());
        var after =
                golden.resolve("after" + json.path("steps").asInt(0)).resolve("model.safetensors");
        if (Files.exists(after)) {
            try (var file = new Golden(after)) {
                // AdamW divides a key bias's gradient, which is nothing but rounding, by its own
                // size.
                CaseCheck.weights(
                        "weight",
                        learner.model(),
                        file,
                        json.path("params_after_fp64_max_abs_diff"),
                        tolerances,
                        findings);
            }
        } else {
            findings.unchecked("weight", after.toString(), "there is no such file");
        }
    }
}
