package dev.espalier.train;

import dev.espalier.Rng;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.model.Vit;
import dev.espalier.nn.Module;
import dev.espalier.objective.Masking;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.Anchor;
import dev.espalier.optim.FlatParameters;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.task.DistillationBatch;
import dev.espalier.task.Example;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// A task whose model is held to what it was, by its weights (L2-SP, EWC) or by what it says of the
/// task's texts (learning without forgetting). [Replaying] and [Averaging] are the other defences.
///
/// @param words the model, or its body
/// @param old the model as it was; null unless it is asked
/// @param texts the task's texts of a step as they are asked of; null unless they are
record Defending(
        Learner task,
        DefenceRecipe defence,
        LanguageModel words,
        Tokenizer tokenizer,
        long seed,
        int microBatch,
        @Nullable LanguageModel old,
        @Nullable LongFunction<List<Masking.Masked>> texts)
        implements Learner {
    /// `task` defended as the recipe has it, if this class knows how.
    ///
    /// @param texts the examples of a step; null where the task has none to say again
    static Learner of(
            FinetuneRecipe recipe,
            Learner task,
            LanguageModel model,
            Tokenizer tokenizer,
            int microBatch,
            @Nullable LongFunction<List<Example>> texts) {
        if (recipe.forgetting() == null) {
            return task;
        }
        var defence = recipe.forgetting().defence();
        return switch (defence) {
            case DefenceRecipe.L2Sp _, DefenceRecipe.Ewc _ ->
                    new Defending(
                            task, defence, model, tokenizer, recipe.seed(), microBatch, null, null);
            case DefenceRecipe.Lwf _ -> {
                var asItWas =
                        new ModelRecipe.Saved(
                                ((ModelRecipe.Saved) recipe.model()).path(), List.of(), 0.0, null);
                yield new Defending(
                        task,
                        defence,
                        model,
                        tokenizer,
                        recipe.seed(),
                        microBatch,
                        Forgetting.withHead(recipe, Models.of(asItWas, tokenizer, recipe.seed())),
                        texts == null ? null : asked(model, texts, tokenizer, recipe.seed()));
            }
            case DefenceRecipe.None _,
                    DefenceRecipe.Replay _,
                    DefenceRecipe.WiseFt _,
                    DefenceRecipe.Cheapest _,
                    DefenceRecipe.Soup _ ->
                    task;
        };
    }

    /// The texts of a step with what is asked of them: of a decoder all, of an encoder tokens that
    /// are hidden by BERT's rule, others each time.
    private static LongFunction<List<Masking.Masked>> asked(
            LanguageModel model,
            LongFunction<List<Example>> texts,
            Tokenizer tokenizer,
            long seed) {
        if (model instanceof Decoder) {
            return step ->
                    texts.apply(step).stream()
                            .map(e -> DistillationBatch.whole(e.tokens().ids(), e.where()))
                            .toList();
        }
        var masking = Pretraining.masking(GeneralText.BERTS, tokenizer);
        return step -> {
            var rows = new ArrayList<Masking.Masked>();
            for (var e : texts.apply(step)) {
                var rng = Rng.at(seed, 9, step, rows.size());
                var row = masking.of(e.tokens().ids(), e.where(), rng);
                if (row.places().length > 0) {
                    rows.add(row);
                }
            }
            return rows;
        };
    }

    @Override
    public Module model() {
        return task.model();
    }

    @Override
    public double stepsPerEpoch() {
        return task.stepsPerEpoch();
    }

    @Override
    public double tokensPerStep() {
        return task.tokensPerStep();
    }

    @Override
    public List<MicroBatch> step(long step) {
        if (old == null || texts == null || !(defence instanceof DefenceRecipe.Lwf lwf)) {
            return task.step(step);
        }
        var all = new ArrayList<>(task.step(step));
        var rows = texts.apply(step);
        for (var start = 0; start < rows.size(); start += microBatch) {
            all.add(
                    new DistillationBatch(
                            words,
                            old,
                            lwf.weight(),
                            lwf.temperature(),
                            rows.subList(start, Math.min(rows.size(), start + microBatch))));
        }
        return all;
    }

    /// The model as it is now is what it will be held to.
    @Override
    public @Nullable Anchor anchor(FlatParameters parameters) {
        return switch (defence) {
            case DefenceRecipe.L2Sp l -> held(l, model(), parameters);
            case DefenceRecipe.Ewc e -> {
                var windows = windows(e);
                var fisher =
                        switch (words) {
                            case Decoder d -> Fisher.of(d, windows, parameters, seed);
                            case Encoder d ->
                                    Fisher.of(
                                            d,
                                            GeneralText.of(windows, tokenizer)
                                                    .hidden(tokenizer, seed),
                                            parameters,
                                            seed);
                            case EncoderDecoder _ -> throw new IllegalStateException();
                        };
                fisher.mulInPlace(e.strength());
                yield new Anchor(parameters.weights().copy(), fisher);
            }
            default -> null;
        };
    }

    /// The windows of general text that EWC asks how much they depend on each weight.
    List<int[]> windows(DefenceRecipe.Ewc ewc) {
        var text = TextData.general(ewc.corpus(), tokenizer, words);
        var next = TextData.shuffled(text, seed);
        var windows = new ArrayList<int[]>();
        for (var i = 0; i < Math.min(ewc.windows(), text.windows().size()); i++) {
            windows.add(next.apply(i));
        }
        return windows;
    }

    /// What L2-SP holds `model` to: its weights as they are now, and its head's to 0.
    static Anchor held(DefenceRecipe.L2Sp l, Module model, FlatParameters parameters) {
        var start = parameters.weights().copy();
        var strength = Tensor.full(l.alpha(), parameters.count());
        for (var slot : parameters.slots()) {
            if (!isOfParent(model, slot.name())) {
                Torch.noGrad(() -> {
                    start.narrow(0, slot.offset(), slot.count()).zeroInPlace();
                    strength.narrow(0, slot.offset(), slot.count())
                            .copyInPlace(Tensor.full(l.beta(), slot.count()));
                });
            }
        }
        return new Anchor(start, strength);
    }

    /// Whether the weight at `path` of `model` was there before it was fine-tuned.
    static boolean isOfParent(Module model, String path) {
        return switch (model) {
            case SequenceClassifier m -> m.body().family().isBody(path);
            case TokenClassifier m -> m.body().family().isBody(path);
            case Vit m -> m.family().isBody(path);
            default -> true;
        };
    }
}
