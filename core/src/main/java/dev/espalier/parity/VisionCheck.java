package dev.espalier.parity;

import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.FlatParameters;
import dev.espalier.task.PictureLabelBatch;
import dev.espalier.task.Pixels;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/// Compares forward and backward passes of models of pictures over a reference's cases.
final class VisionCheck {
    private static final String PIXELS = "pixel_values";
    private static final String LABELS = "labels";

    private final JsonNode json;
    private final Golden golden;
    private final Tolerances tolerances;
    private final Findings findings;

    VisionCheck(JsonNode json, Golden golden, Tolerances tolerances, Findings findings) {
        this.json = json;
        this.golden = golden;
        this.tolerances = tolerances;
        this.findings = findings;
    }

    /// A case as the model takes it.
    ///
    /// @param named what the model makes of the case on the way, by the reference's names
    /// @param batch what it learns from
    private record Case(Map<String, Tensor> named, MicroBatch batch) {}

    void check(VisionModel model) {
        var cases = new CaseCheck(json, golden, tolerances, findings);
        try (var parameters = new FlatParameters(model)) {
            for (var entry : json.path("cases").properties()) {
                var name = entry.getKey();
                var reference = entry.getValue();
                parameters.zeroGradients();
                try (var scope = new Scope()) {
                    var batch = Torch.noGrad(() -> forward(model, name, reference));
                    var sum = batch.forward().backward(1.0 / batch.count()).item();
                    cases.compareLoss(name, reference, "loss", sum / batch.count());
                }
                cases.gradients(name, reference, parameters, "");
            }
        }
    }

    private MicroBatch forward(VisionModel model, String name, JsonNode reference) {
        var made =
                switch (model) {
                    case Vit vit -> classification(vit, name, reference);
                    default -> throw new IllegalArgumentException(model.task());
                };
        for (var tensor : golden.names(name + ".")) {
            if (tensor.equals(PIXELS) || tensor.equals(LABELS)) {
                continue;
            }
            var ours = made.named().get(tensor);
            if (ours == null) {
                findings.unchecked(tensor, name, "there is no check for this tensor");
            } else {
                compare(tensor, name, reference, ours, golden.tensor(name + "." + tensor));
            }
        }
        return made.batch();
    }

    private void compare(String part, String name, JsonNode reference, Tensor ours, Tensor theirs) {
        if (!Arrays.equals(ours.shape(), theirs.shape())) {
            findings.unchecked(part, name, "the reference's is a " + theirs + ", ours a " + ours);
            return;
        }
        findings.add(
                part,
                name,
                Findings.largest(ours.floats(), theirs.floats()),
                Golden.tolerance(tolerances.logits(), reference, "fp64_logits_max_abs_diff"));
    }

    private Tensor input(String name, JsonNode reference, String input) {
        return golden.tensor(
                reference.path("inputs").path(input).path("same_as").asString(name + "." + input));
    }

    private List<Pixels> pictures(String name, JsonNode reference) {
        var pixels = input(name, reference, PIXELS);
        var pictures = new ArrayList<Pixels>();
        for (var i = 0; i < pixels.size(0); i++) {
            pictures.add(
                    new Pixels(
                            pixels.select(0, i).floats(),
                            (int) pixels.size(1),
                            (int) pixels.size(2),
                            (int) pixels.size(3),
                            name + ", picture " + (i + 1)));
        }
        return pictures;
    }

    private Case classification(Vit model, String name, JsonNode reference) {
        var pictures = pictures(name, reference);
        var seen = model.seen(Pixels.stacked(pictures));
        var named = GoldenBatch.numbered("hidden_states.", seen.states());
        named.put("logits", seen.scores());
        var truth =
                Arrays.stream(input(name, reference, LABELS).longs())
                        .mapToObj(label -> new double[] {label})
                        .toList();
        return new Case(
                named, new PictureLabelBatch(model, pictures, truth, null, CrossEntropy.PLAIN));
    }
}
