package dev.espalier.task;

import dev.espalier.model.Decoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Pairs of answers of which the model is to come to prefer the chosen ones.
///
/// The loss is made of sums of log-probabilities. Its derivative by such a sum is a number, so the
/// gradient is that of the cross-entropy of each answer's tokens times this number: the
/// log-probabilities are computed first, and the vocabulary's gradient after, block by block.
///
/// [PreferenceLoss.Kto] couples the pairs of a batch by their estimate of the divergence, so its
/// batches must not be split into several of these; `chunk` bounds the memory instead.
///
/// @param chunk pairs that pass through the model at once
public record PreferenceBatch(
        Decoder model, double weight, List<AnswerPair> pairs, PreferenceLoss loss, int chunk)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "preferences";

    public PreferenceBatch {
        pairs = List.copyOf(pairs);
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return pairs.size();
    }

    @Override
    public long tokens() {
        return pairs.stream().mapToLong(AnswerPair::length).sum();
    }

    @Override
    public List<String> where() {
        return pairs.stream().map(p -> p.chosen().where()).toList();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return pairs.stream()
                .map(p ->
                        new ExampleText(
                                p.chosen().where(),
                                List.of(
                                        p.chosen().field("chosen", tokenizer),
                                        p.rejected().field("rejected", tokenizer))))
                .toList();
    }

    @Override
    public Loss forward() {
        var bf16 = Torch.inBf16();
        return scale -> backward(scale, bf16);
    }

    private Tensor backward(double scale, boolean bf16) {
        var divergence = divergence(model, pairs, bf16);
        var sum = 0.0;
        for (var start = 0; start < pairs.size(); start += chunk) {
            var part = pairs.subList(start, Math.min(pairs.size(), start + chunk));
            try (var scope = new Scope()) {
                sum += backward(part, scale, bf16, divergence);
            }
        }
        return Tensor.full(sum);
    }

    private double backward(List<AnswerPair> part, double scale, boolean bf16, double divergence) {
        var rows =
                part.stream()
                        .flatMap(p -> Stream.of(List.of(p.chosen()), List.of(p.rejected())))
                        .toList();
        var answers = new AnswerBatch(model, 1, rows, CrossEntropy.PLAIN);
        var forward = Torch.bf16(bf16, answers::forward);
        var policy = answers.sums(forward);
        var scales = new float[(int) answers.count()];
        var at = 0;
        var sum = 0.0;
        for (var i = 0; i < part.size(); i++) {
            var pair = part.get(i);
            var value = pair.value(loss, policy[2 * i], policy[2 * i + 1], divergence);
            sum += value.loss();
            // Of the cross-entropy, which is less the log-probability.
            var end = at + (int) pair.chosen().count();
            Arrays.fill(scales, at, end, (float) (-scale * value.byChosen()));
            at = end + (int) pair.rejected().count();
            Arrays.fill(scales, end, at, (float) (-scale * value.byRejected()));
        }
        var unused = forward.backward(Tensor.of(scales, scales.length));
        return sum;
    }

    /// max(0, the mean log-ratio of the pairs' other answers); 0 where there are none.
    private static double divergence(Decoder model, List<AnswerPair> pairs, boolean bf16) {
        var others = pairs.stream().flatMap(p -> p.others().stream()).toList();
        if (others.isEmpty()) {
            return 0;
        }
        var policy = Arrays.stream(AnswerBatch.logProbabilities(model, others, bf16)).sum();
        var reference =
                pairs.stream().flatMapToDouble(p -> Arrays.stream(p.reference()).skip(2)).sum();
        return Math.max(0, (policy - reference) / others.size());
    }

    /// What `model` makes of pairs.
    public static PreferenceScores measure(
            Decoder model, List<AnswerPair> pairs, PreferenceLoss loss, boolean bf16) {
        var both = new ArrayList<Answered>();
        pairs.forEach(p -> both.addAll(List.of(p.chosen(), p.rejected())));
        var policy = AnswerBatch.logProbabilities(model, both, bf16);
        return PreferenceScores.of(pairs, loss, policy, divergence(model, pairs, bf16));
    }
}
