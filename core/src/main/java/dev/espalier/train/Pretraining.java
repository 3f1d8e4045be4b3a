package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.MaskedText;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.Masking;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.tokenize.Boundaries;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Pre-training on raw text.
final class Pretraining implements Job {
    private final PretrainRecipe recipe;
    private final TextData text;
    private final LanguageModel model;
    private final ObjectNode config;
    private final Plan plan;

    /// What an objective makes of a model and a text.
    ///
    /// @param objective the recipe's, completed
    /// @param flopsPerToken see [Cost#flopsPerToken]
    private record Plan(
            ObjectiveRecipe objective,
            Learner learner,
            int microBatch,
            double flopsPerToken,
            Validation validation) {}

    /// Measures the model on at most so many tokens of the validation text.
    private interface Validation {
        List<Score> measure(long tokens, boolean bf16);
    }

    private Pretraining(
            PretrainRecipe recipe,
            TextData text,
            LanguageModel model,
            ObjectNode config,
            Plan plan) {
        this.recipe = recipe;
        this.text = text;
        this.model = model;
        this.config = config;
        this.plan = plan;
    }

    static Job prepare(PretrainRecipe recipe, Path folder, Watcher watcher) {
        var text = TextData.pretraining(recipe, folder, watcher);
        var ready = Models.of(recipe.model(), text.tokenizer(), recipe.seed());
        var model = ready.model();
        var plan =
                switch (recipe.objective()) {
                    case ObjectiveRecipe.Causal causal ->
                            causal(
                                    recipe,
                                    causal,
                                    length(causal.length(), model),
                                    text,
                                    of(Decoder.class, model, "causal", "a decoder"),
                                    watcher);
                    case ObjectiveRecipe.Masked masked ->
                            masked(
                                    recipe,
                                    masked,
                                    length(masked.length(), model),
                                    text,
                                    of(Encoder.class, model, "masked", "an encoder"),
                                    watcher);
                };
        return new Pretraining(completed(recipe, plan), text, model, ready.config(), plan);
    }

    private static <M> M of(Class<M> kind, LanguageModel model, String objective, String needed) {
        if (!kind.isInstance(model)) {
            throw EspalierException.usage(
                    "objective: %s needs %s, and %s is none"
                            .formatted(objective, needed, model.family().architecture()));
        }
        return kind.cast(model);
    }

    private static int length(@Nullable Integer asked, LanguageModel model) {
        if (asked != null && asked > model.context()) {
            throw EspalierException.usage(
                    "objective.length: "
                            + asked
                            + " tokens are more than the model's context of "
                            + model.context());
        }
        return asked == null ? model.context() : asked;
    }

    private static int microBatch(PretrainRecipe recipe, LanguageModel model, int length) {
        var micro = recipe.training().microBatch();
        return micro == null
                ? CausalLearner.autoMicroBatch(model, recipe.training().batch(), length)
                : micro;
    }

    private static void say(Watcher watcher, String what, LanguageModel model) {
        watcher.said(
                String.format(
                        Locale.ROOT,
                        "%s; a model of %,d parameters",
                        what,
                        model.parameterCount()));
    }

    private static Plan causal(
            PretrainRecipe recipe,
            ObjectiveRecipe.Causal causal,
            int length,
            TextData text,
            Decoder model,
            Watcher watcher) {
        var across = causal.acrossDocuments();
        var windows = text.training(length);
        var microBatch = microBatch(recipe, model, length);
        var learner =
                new CausalLearner(
                        model,
                        length,
                        recipe.training().batch(),
                        microBatch,
                        across,
                        Run.loss(recipe.training()),
                        windows.perEpoch(),
                        i -> windows.window(recipe.seed(), i));
        say(
                watcher,
                "%,d windows of %d tokens an epoch".formatted(windows.perEpoch(), length),
                model);
        var validation = text.validation(length, across);
        return new Plan(
                new ObjectiveRecipe.Causal(length, across),
                learner,
                microBatch,
                Cost.flopsPerToken(model, length),
                (tokens, bf16) -> validation.first(tokens).loss(model, bf16).scores("validation"));
    }

    private static Plan masked(
            PretrainRecipe recipe,
            ObjectiveRecipe.Masked masked,
            int length,
            TextData text,
            Encoder model,
            Watcher watcher) {
        var tokenizer = text.tokenizer();
        var masking = masking(masked, tokenizer);
        var template = tokenizer.template();
        var room = length - template.addedToOne();
        if (room < 1) {
            throw EspalierException.usage(
                    "objective.length: %d tokens leave no room for text beside the %d special ones"
                            .formatted(length, template.addedToOne()));
        }
        var across = masked.blocks() == ObjectiveRecipe.Masked.Blocks.FULL_SENTENCES;
        var training = text.blocks(room, across);
        var blocks = training.windows();
        var mean = training.mean() + template.addedToOne();
        var microBatch = microBatch(recipe, model, length);
        var learner =
                new MaskedLearner(
                        model,
                        recipe.training().batch(),
                        microBatch,
                        Run.loss(recipe.training()),
                        blocks.perEpoch(),
                        mean,
                        i -> {
                            var block = blocks.window(recipe.seed(), i);
                            return masking.of(
                                    template.apply(block.tokens()),
                                    block.where(),
                                    Rng.at(recipe.seed(), 5, i));
                        });
        say(
                watcher,
                String.format(
                        Locale.ROOT,
                        "%,d blocks of at most %d tokens an epoch, %.1f on average",
                        blocks.perEpoch(),
                        length,
                        mean),
                model);
        var hidden = new java.util.ArrayList<Masking.Masked>();
        for (var block : text.validationBlocks(room, across)) {
            var row =
                    masking.of(
                            template.apply(block.tokens()),
                            block.where(),
                            Rng.at(recipe.seed(), 6, hidden.size()));
            if (row.places().length > 0) {
                hidden.add(row);
            }
        }
        if (hidden.isEmpty()) {
            throw EspalierException.data(
                    "data.validation: no text was kept back; give more text or a larger share");
        }
        var validation = new MaskedText(hidden);
        return new Plan(
                new ObjectiveRecipe.Masked(
                        length,
                        masked.rate(),
                        masked.masked(),
                        masked.random(),
                        masked.wholeWords(),
                        masked.blocks()),
                learner,
                microBatch,
                Cost.flopsPerToken(model, length, masked.rate()),
                (tokens, bf16) -> validation.first(tokens).scores("validation", model, bf16));
    }

    private static Masking masking(ObjectiveRecipe.Masked masked, Tokenizer tokenizer) {
        var mask =
                tokenizer
                        .specials()
                        .mask()
                        .orElseThrow(() ->
                                EspalierException.usage(
                                        "objective: masked needs a token that hides others, such as `<mask>` among"
                                                + " the tokenizer's special tokens"));
        var ordinary = new BitSet();
        ordinary.set(0, tokenizer.vocabularySize());
        for (var id = 0; id < tokenizer.vocabularySize(); id++) {
            if (tokenizer.isSpecial(id)) {
                ordinary.clear(id);
            }
        }
        return new Masking(
                masked.rate(),
                masked.masked(),
                masked.random(),
                mask,
                ordinary,
                masked.wholeWords()
                        ? new Boundaries(tokenizer)::continuesWord
                        : Masking.Continuation.NONE);
    }

    private static PretrainRecipe completed(PretrainRecipe r, Plan plan) {
        return new PretrainRecipe(
                r.name(),
                r.seed(),
                r.output(),
                r.data(),
                r.tokenizer(),
                r.model(),
                plan.objective(),
                Run.completed(r.training(), plan.microBatch()),
                r.evaluate(),
                r.save());
    }

    @Override
    public PretrainRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return plan.learner();
    }

    @Override
    public double flopsPerToken() {
        return plan.flopsPerToken();
    }

    @Override
    public List<Score> validate(long tokens) {
        return plan.validation().measure(tokens, bf16());
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
