package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Pre-training a decoder on raw text.
final class Pretraining implements Job {
    private final PretrainRecipe recipe;
    private final TextData text;
    private final Decoder model;
    private final ObjectNode config;
    private final CausalLearner learner;
    private final GeneralText validation;

    private Pretraining(
            PretrainRecipe recipe,
            TextData text,
            Decoder model,
            ObjectNode config,
            CausalLearner learner,
            GeneralText validation) {
        this.recipe = recipe;
        this.text = text;
        this.model = model;
        this.config = config;
        this.learner = learner;
        this.validation = validation;
    }

    static Job prepare(PretrainRecipe recipe, Path folder, Watcher watcher) {
        var text = TextData.pretraining(recipe, folder, watcher);
        var ready = Models.of(recipe.model(), text.tokenizer(), recipe.seed());
        if (!(ready.model() instanceof Decoder model)) {
            throw EspalierException.usage("objective: causal needs a decoder");
        }
        var asked =
                switch (recipe.objective()) {
                    case ObjectiveRecipe.Causal causal -> causal.length();
                };
        if (asked != null && asked > model.context()) {
            throw EspalierException.usage(
                    "objective.length: "
                            + asked
                            + " tokens are more than the model's context of "
                            + model.context());
        }
        var length = asked == null ? model.context() : asked;
        var windows = text.training(length);
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null
                        ? CausalLearner.autoMicroBatch(model, recipe.training().batch(), length)
                        : micro;
        var learner =
                new CausalLearner(
                        model,
                        length,
                        recipe.training().batch(),
                        microBatch,
                        Run.loss(recipe.training()),
                        windows.perEpoch(),
                        i -> windows.window(recipe.seed(), i));
        watcher.said(
                String.format(
                        java.util.Locale.ROOT,
                        "%,d windows of %d tokens an epoch; a model of %,d parameters",
                        windows.perEpoch(),
                        length,
                        model.parameterCount()));
        return new Pretraining(
                completed(recipe, microBatch, length),
                text,
                model,
                ready.config(),
                learner,
                text.validation(length));
    }

    private static PretrainRecipe completed(PretrainRecipe r, int microBatch, int length) {
        return new PretrainRecipe(
                r.name(),
                r.seed(),
                r.output(),
                r.data(),
                r.tokenizer(),
                r.model(),
                new ObjectiveRecipe.Causal(length),
                Run.completed(r.training(), microBatch),
                r.evaluate(),
                r.save());
    }

    @Override
    public PretrainRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public double flopsPerToken() {
        return Cost.flopsPerToken(model, learner.length());
    }

    @Override
    public List<Score> validate(long tokens) {
        return validation.first(tokens).loss(model, bf16()).scores("validation");
    }

    @Override
    public List<Score> finish() {
        return validate(Long.MAX_VALUE);
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        HuggingFace.write(folder, model, config);
        if (recipe.model() instanceof ModelRecipe.Saved saved) {
            HuggingFace.copyGenerationConfig(saved.path(), folder);
        }
        text.tokenizer().save(folder);
    }

    @Override
    public JsonNode dataPassport() {
        return text.passport();
    }

    @Override
    public void report(
            Path file, List<StepFigures> steps, List<Evaluation> evaluations, List<Score> scores) {
        RunReports.pretraining(file, recipe, steps, evaluations, scores, text.passport());
    }

    @Override
    public void close() {
        text.close();
    }
}
