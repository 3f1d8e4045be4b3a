package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.nn.Module;
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
/// @param texts the task's examples of a step; null unless they are said again
record Defending(
        Learner task,
        DefenceRecipe defence,
        LanguageModel words,
        Tokenizer tokenizer,
        long seed,
        int microBatch,
        @Nullable Decoder old,
        @Nullable LongFunction<List<Example>> texts)
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
                if (!(model instanceof Decoder)) {
                    throw EspalierException.usage(
                            "forgetting.defence: lwf goes on with texts as before, which this %s does not; allowed here: none, replay, l2-sp, ewc, wise-ft, soup"
                                    .formatted(model.family().architecture()));
                }
                var asItWas =
                        new ModelRecipe.Saved(
                                ((ModelRecipe.Saved) recipe.model()).path(), List.of(), 0.0);
                yield new Defending(
                        task,
                        defence,
                        model,
                        tokenizer,
                        recipe.seed(),
                        microBatch,
                        (Decoder)
                                Forgetting.withHead(
                                        recipe, Models.of(asItWas, tokenizer, recipe.seed())),
                        texts);
            }
            case DefenceRecipe.None _,
                    DefenceRecipe.Replay _,
                    DefenceRecipe.WiseFt _,
                    DefenceRecipe.Cheapest _,
                    DefenceRecipe.Soup _ ->
                    task;
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
        var examples = texts.apply(step);
        for (var start = 0; start < examples.size(); start += microBatch) {
            var part = examples.subList(start, Math.min(examples.size(), start + microBatch));
            all.add(
                    new DistillationBatch(
                            (Decoder) words,
                            old,
                            lwf.weight(),
                            lwf.temperature(),
                            part.stream().map(e -> e.tokens().ids()).toList(),
                            part.stream().map(Example::where).toList()));
        }
        return all;
    }

    /// The model as it is now is what it will be held to.
    @Override
    public @Nullable Anchor anchor(FlatParameters parameters) {
        return switch (defence) {
            case DefenceRecipe.L2Sp l -> {
                var start = parameters.weights().copy();
                var strength = Tensor.full(l.alpha(), parameters.count());
                for (var slot : parameters.slots()) {
                    if (!isOfParent(model(), slot.name())) {
                        Torch.noGrad(() -> {
                            start.narrow(0, slot.offset(), slot.count()).zeroInPlace();
                            strength.narrow(0, slot.offset(), slot.count())
                                    .copyInPlace(Tensor.full(l.beta(), slot.count()));
                        });
                    }
                }
                yield new Anchor(start, strength);
            }
            case DefenceRecipe.Ewc e -> {
                var text = TextData.general(e.corpus(), tokenizer, words);
                var next = TextData.shuffled(text, seed);
                var windows = new ArrayList<int[]>();
                for (var i = 0; i < Math.min(e.windows(), text.windows().size()); i++) {
                    windows.add(next.apply(i));
                }
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

    /// Whether the weight at `path` of `model` was there before it was fine-tuned.
    static boolean isOfParent(Module model, String path) {
        return switch (model) {
            case SequenceClassifier m -> m.body().family().isBody(path);
            case TokenClassifier m -> m.body().family().isBody(path);
            default -> true;
        };
    }
}
