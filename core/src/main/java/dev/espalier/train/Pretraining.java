package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.MaskedText;
import dev.espalier.evaluate.PairedText;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.Denoising;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.FillInTheMiddle;
import dev.espalier.objective.Masking;
import dev.espalier.objective.PrefixSplit;
import dev.espalier.objective.SequencePair;
import dev.espalier.objective.SpanCorruption;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import dev.espalier.tokenize.Boundaries;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
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
    private interface Measure {
        List<Score> of(long tokens, boolean bf16);
    }

    /// @param tokens of all validation text
    private record Validation(long tokens, Measure measure) {}

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
        if (recipe.objective() instanceof ObjectiveRecipe.MaskedImage masked) {
            return PictureMasking.prepare(recipe, masked, folder, watcher);
        }
        var text = TextData.pretraining(recipe, needed(recipe), folder, watcher);
        var ready = Models.of(recipe.model(), text.tokenizer(), recipe.seed());
        ready.requireHead(recipe);
        // What it says of a task does not hold for another text.
        ready.config().remove(HuggingFace.OWN);
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
                    case ObjectiveRecipe.MaskedImage _ -> throw new IllegalStateException();
                    case ObjectiveRecipe.FillInTheMiddle middle ->
                            fillInTheMiddle(
                                    recipe,
                                    middle,
                                    length(middle.length(), model),
                                    text,
                                    of(Decoder.class, model, "fill-in-the-middle", "a decoder"),
                                    watcher);
                    case ObjectiveRecipe.Denoising denoising ->
                            pairs(
                                    recipe,
                                    denoising(
                                            denoising,
                                            length(denoising.length(), model),
                                            text.tokenizer()),
                                    text,
                                    both(model, "denoising"),
                                    watcher);
                    case ObjectiveRecipe.SpanCorruption spans ->
                            pairs(
                                    recipe,
                                    spans(
                                            spans,
                                            length(spans.length(), model),
                                            both(model, "span-corruption"),
                                            text.tokenizer()),
                                    text,
                                    both(model, "span-corruption"),
                                    watcher);
                    case ObjectiveRecipe.Prefix prefix ->
                            pairs(
                                    recipe,
                                    prefix(prefix, both(model, "prefix")),
                                    text,
                                    both(model, "prefix"),
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

    private static EncoderDecoder both(LanguageModel model, String objective) {
        return of(EncoderDecoder.class, model, objective, "an encoder with a decoder");
    }

    private static final List<String> MIDDLE =
            List.of("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>");

    /// The published T5's sentinels, which new tokenizers have at least.
    private static final int SENTINELS = 100;

    private static List<String> sentinels(int count) {
        return IntStream.range(0, count).mapToObj("<extra_id_%d>"::formatted).toList();
    }

    /// The special tokens that the objective needs beside those that a model needs.
    private static List<String> needed(PretrainRecipe recipe) {
        return switch (recipe.objective()) {
            case ObjectiveRecipe.FillInTheMiddle _ -> MIDDLE;
            case ObjectiveRecipe.SpanCorruption s -> {
                var raw = rawLength(s, Planning.anatomy(recipe, 0).context());
                var spans = raw == 0 ? 0 : SpanCorruption.spans(raw, s.density(), s.span());
                var isNew =
                        recipe.tokenizer() != null
                                && !(recipe.tokenizer() instanceof TokenizerRecipe.Saved);
                // In the published T5 the first sentinel has the last id.
                yield sentinels(isNew ? Math.max(SENTINELS, spans) : spans).reversed();
            }
            default -> List.of();
        };
    }

    /// Tokens of the longest text whose input and target are no longer than the recipe says; 0 if
    /// there is none. No shorter one has more spans.
    private static int rawLength(ObjectiveRecipe.SpanCorruption s, int context) {
        return SpanCorruption.rawLength(
                s.length() == null ? context : s.length(),
                s.targetLength() == null ? context : s.targetLength(),
                s.density(),
                s.span());
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
                new Validation(
                        validation.tokens(),
                        (tokens, bf16) ->
                                validation.first(tokens).loss(model, bf16).scores("validation")));
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
        var hidden = new ArrayList<Masking.Masked>();
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
                new Validation(
                        hidden.stream().mapToLong(row -> row.ids().length).sum(),
                        (tokens, bf16) ->
                                validation.first(tokens).scores("validation", model, bf16)));
    }

    private static Plan fillInTheMiddle(
            PretrainRecipe recipe,
            ObjectiveRecipe.FillInTheMiddle objective,
            int length,
            TextData text,
            Decoder model,
            Watcher watcher) {
        var ids = ids(text.tokenizer(), MIDDLE);
        var middle =
                new FillInTheMiddle(
                        objective.rate(),
                        objective.suffixFirst(),
                        text.tokenizer(),
                        ids[0],
                        ids[1],
                        ids[2]);
        var plain =
                causal(
                        recipe,
                        new ObjectiveRecipe.Causal(length, true),
                        length,
                        text,
                        model,
                        watcher);
        var windows = (CausalLearner) plain.learner();
        return new Plan(
                new ObjectiveRecipe.FillInTheMiddle(
                        length, objective.rate(), objective.suffixFirst()),
                windows.with(
                        i -> middle.of(windows.window().apply(i), Rng.at(recipe.seed(), 5, i))),
                plain.microBatch(),
                plain.flopsPerToken(),
                plain.validation());
    }

    private static int[] ids(Tokenizer tokenizer, List<String> names) {
        return names.stream()
                .mapToInt(name ->
                        tokenizer
                                .id(name)
                                .orElseThrow(() ->
                                        EspalierException.usage(
                                                "tokenizer: the objective needs the token "
                                                        + name)))
                .toArray();
    }

    /// What makes pairs of text.
    ///
    /// @param objective the recipe's, completed
    /// @param length tokens of a text
    /// @param input tokens of its input, nearly
    /// @param target tokens of its target, nearly
    private record Pairs(
            ObjectiveRecipe objective, int length, int input, int target, Maker maker) {}

    /// A pair of a text.
    private interface Maker {
        SequencePair of(int[] ids, String where, Rng rng);
    }

    private static Pairs denoising(ObjectiveRecipe.Denoising d, int length, Tokenizer tokenizer) {
        var mask = tokenizer.specials().mask();
        if (mask.isEmpty() || tokenizer.template().addedToOne() != 2) {
            throw EspalierException.usage(
                    "objective: denoising needs tokens that begin and end a text and hide others,"
                            + " such as `<s>`, `</s>` and `<mask>` among the tokenizer's special"
                            + " tokens");
        }
        var rates =
                new Denoising.Rates(
                        d.infilling(),
                        d.span(),
                        d.permuteSentences(),
                        d.masking(),
                        d.deletion(),
                        d.rotation());
        // Each span drawn puts a mask for its words, or where there are none while there is room.
        var input = 2 + (length - 2) * (1 - d.infilling() * (1 - 1 / d.span()) - d.deletion());
        return new Pairs(
                new ObjectiveRecipe.Denoising(
                        length,
                        d.infilling(),
                        d.span(),
                        d.permuteSentences(),
                        d.masking(),
                        d.deletion(),
                        d.rotation()),
                length - 2,
                Math.clamp(Math.round(input), 2, length),
                length,
                new Denoising(rates, tokenizer, mask.getAsInt())::of);
    }

    private static Pairs spans(
            ObjectiveRecipe.SpanCorruption s,
            int length,
            EncoderDecoder model,
            Tokenizer tokenizer) {
        var raw = rawLength(s, model.context());
        if (raw == 0) {
            throw EspalierException.usage(
                    "objective.target-length: no text makes an input of at most %d and a target of at most %d tokens"
                            .formatted(
                                    length,
                                    s.targetLength() == null ? model.context() : s.targetLength()));
        }
        var target = SpanCorruption.targetLength(raw, s.density(), s.span());
        var sentinels = ids(tokenizer, sentinels(SpanCorruption.spans(raw, s.density(), s.span())));
        return new Pairs(
                new ObjectiveRecipe.SpanCorruption(
                        length,
                        s.targetLength() == null ? Integer.valueOf(target) : s.targetLength(),
                        s.density(),
                        s.span()),
                raw,
                SpanCorruption.inputLength(raw, s.density(), s.span()),
                target,
                new SpanCorruption(s.density(), s.span(), sentinels, model.end())::of);
    }

    private static Pairs prefix(ObjectiveRecipe.Prefix prefix, EncoderDecoder model) {
        // Either part may be all but one token of the text, and has its end.
        var length = length(prefix.length(), model);
        return new Pairs(
                new ObjectiveRecipe.Prefix(length),
                length,
                length / 2 + 1,
                length / 2 + 1,
                new PrefixSplit(model.end())::of);
    }

    private static Plan pairs(
            PretrainRecipe recipe,
            Pairs pairs,
            TextData text,
            EncoderDecoder model,
            Watcher watcher) {
        var windows = text.training(pairs.length() - 1);
        var tokens = pairs.input() + pairs.target();
        var microBatch = microBatch(recipe, model, tokens);
        var learner =
                new SequenceToSequenceLearner(
                        model,
                        recipe.training().batch(),
                        microBatch,
                        Run.loss(recipe.training()),
                        windows.perEpoch(),
                        tokens,
                        i -> {
                            var window = windows.window(recipe.seed(), i);
                            return pairs.maker()
                                    .of(
                                            window.tokens(),
                                            window.where(),
                                            Rng.at(recipe.seed(), 5, i));
                        });
        say(
                watcher,
                "%,d texts of %d tokens an epoch, %d to read and %d to write"
                        .formatted(
                                windows.perEpoch(), pairs.length(), pairs.input(), pairs.target()),
                model);
        var kept = new ArrayList<SequencePair>();
        for (var window : text.validationWindows(pairs.length())) {
            kept.add(
                    pairs.maker()
                            .of(
                                    window.tokens(),
                                    window.where(),
                                    Rng.at(recipe.seed(), 6, kept.size())));
        }
        var validation = new PairedText(kept);
        return new Plan(
                pairs.objective(),
                learner,
                microBatch,
                Cost.flopsPerToken(model, pairs.input(), pairs.target()),
                new Validation(
                        kept.stream().mapToLong(p -> p.input().length + p.target().length).sum(),
                        (most, bf16) -> validation.first(most).scores("validation", model, bf16)));
    }

    static Masking masking(ObjectiveRecipe.Masked masked, Tokenizer tokenizer) {
        var mask =
                tokenizer
                        .specials()
                        .mask()
                        .orElseThrow(() ->
                                EspalierException.usage(
                                        "masked language modelling needs a token that hides others, such as `<mask>` among"
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
                masked.wholeWords() ? new Boundaries(tokenizer)::words : Masking.Units.TOKENS);
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
    public List<ExampleText> examples(long step) {
        return Job.examples(learner(), step, text.tokenizer());
    }

    @Override
    public double flopsPerToken() {
        return plan.flopsPerToken();
    }

    @Override
    public List<Score> validate(long tokens) {
        return plan.validation().measure().of(tokens, bf16());
    }

    @Override
    public long validated(long tokens) {
        return Math.min(tokens, plan.validation().tokens());
    }

    @Override
    public @Nullable String chosenBy() {
        return chosenBy(recipe);
    }

    /// The best weights are wanted where the recipe has early stopping; else the last are, with
    /// which the schedule ends.
    static @Nullable String chosenBy(PretrainRecipe recipe) {
        return recipe.training().earlyStopping() == null ? null : "loss";
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
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        RunReports.pretraining(file, recipe, ended, steps, evaluations, scores, text.passport());
    }

    @Override
    public void close() {
        text.close();
    }
}
