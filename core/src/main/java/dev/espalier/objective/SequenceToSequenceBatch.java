package dev.espalier.objective;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Inputs from which each token of a target is to be told, those of the target before it being
/// known (Sutskever, Vinyals and Le 2014, arXiv:1409.3215).
///
/// @param term what the step's figures call this loss
/// @param loss the loss of a token of a target
public record SequenceToSequenceBatch(
        EncoderDecoder model,
        String term,
        double weight,
        List<SequencePair> pairs,
        CrossEntropy loss)
        implements MicroBatch {
    public SequenceToSequenceBatch {
        pairs = List.copyOf(pairs);
    }

    @Override
    public long count() {
        return pairs.stream().mapToLong(pair -> pair.target().length).sum();
    }

    @Override
    public long tokens() {
        return count() + pairs.stream().mapToLong(pair -> pair.input().length).sum();
    }

    @Override
    public List<String> where() {
        return pairs.stream().map(SequencePair::where).toList();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return pairs.stream()
                .map(pair ->
                        new ExampleText(
                                pair.where(),
                                List.of(
                                        ExampleText.field(
                                                "input",
                                                tokenizer,
                                                pair.input(),
                                                i ->
                                                        standsForText(tokenizer, pair.input()[i])
                                                                ? Mark.HIDDEN
                                                                : Mark.READ),
                                        ExampleText.field(
                                                "target",
                                                tokenizer,
                                                pair.target(),
                                                _ -> Mark.TARGET))))
                .toList();
    }

    /// Whether `id` is a mask or a sentinel, rather than text or what stands around texts.
    private static boolean standsForText(Tokenizer tokenizer, int id) {
        var s = tokenizer.specials();
        return tokenizer.isSpecial(id)
                && Stream.of(
                                s.beginOfText(),
                                s.endOfText(),
                                s.unknown(),
                                s.separator(),
                                s.padding(),
                                s.classification())
                        .noneMatch(role -> role.isPresent() && role.getAsInt() == id);
    }

    @Override
    public VocabularyLoss forward() {
        var inputs = pairs.stream().map(SequencePair::input).toList();
        var ids = padded(inputs, model.padding()); // (B, S)
        var keep = keep(inputs, ids.size(1));
        var labels =
                padded(pairs.stream().map(SequencePair::target).toList(), Tensor.IGNORE); // (B, T)
        var memory = model.encode(ids, keep); // (B, S, D)
        var hidden = model.decode(model.shiftedRight(labels), memory, keep); // (B, T, D)
        return new VocabularyLoss(model, hidden, labels, loss);
    }

    private static Tensor padded(List<int[]> rows, int padding) {
        var longest = rows.stream().mapToInt(row -> row.length).max().orElseThrow();
        var ids = new int[rows.size() * longest];
        Arrays.fill(ids, padding);
        for (var r = 0; r < rows.size(); r++) {
            System.arraycopy(rows.get(r), 0, ids, r * longest, rows.get(r).length);
        }
        return Tensor.of(ids, rows.size(), longest);
    }

    private static @Nullable Tensor keep(List<int[]> rows, long longest) {
        if (rows.stream().allMatch(row -> row.length == longest)) {
            return null;
        }
        var keep = new long[Math.toIntExact(rows.size() * longest)];
        for (var r = 0; r < rows.size(); r++) {
            var start = (int) (r * longest);
            Arrays.fill(keep, start, start + rows.get(r).length, 1);
        }
        return Tensor.of(keep, rows.size(), longest);
    }
}
