package dev.espalier.objective;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
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
                                        input(tokenizer, pair),
                                        ExampleText.field(
                                                "target",
                                                tokenizer,
                                                pair.target(),
                                                _ -> Mark.TARGET))))
                .toList();
    }

    /// Of a text that was spoilt what disappeared too, and what stands elsewhere than before.
    private static ExampleText.Field input(Tokenizer tokenizer, SequencePair pair) {
        var places = pair.places();
        if (places == null) {
            var ids = pair.input();
            return ExampleText.field(
                    "input",
                    tokenizer,
                    ids,
                    i -> ExampleText.standsForText(tokenizer, ids[i]) ? Mark.HIDDEN : Mark.READ);
        }
        var left = Arrays.stream(places).filter(p -> p >= 0).sorted().toArray();
        var ids = new int[places.length];
        var marks = new Mark[places.length];
        int input = 0, read = 0;
        for (var i = 0; i < ids.length; i++) {
            if (places[i] < Denoising.MASK) {
                ids[i] = pair.target()[Denoising.gone(places[i])];
                marks[i] = Mark.CUT;
                continue;
            }
            ids[i] = pair.input()[input++];
            marks[i] =
                    places[i] == Denoising.MASK
                            ? Mark.HIDDEN
                            : places[i] == left[read++] ? Mark.READ : Mark.MOVED;
        }
        return ExampleText.field("input", tokenizer, ids, i -> marks[i]);
    }

    @Override
    public VocabularyLoss forward() {
        var inputs = pairs.stream().map(SequencePair::input).toList();
        var ids = model.padded(inputs, model.padding()); // (B, S)
        var keep = keep(inputs, ids.size(1));
        var labels =
                model.padded(
                        pairs.stream().map(SequencePair::target).toList(), Tensor.IGNORE); // (B, T)
        var memory = model.encode(ids, keep); // (B, S, D)
        var hidden = model.decode(model.shiftedRight(labels), memory, keep); // (B, T, D)
        return new VocabularyLoss(model, hidden, labels, loss);
    }

    private static @Nullable Tensor keep(List<int[]> rows, long length) {
        if (rows.stream().allMatch(row -> row.length == length)) {
            return null;
        }
        var keep = new long[Math.toIntExact(rows.size() * length)];
        for (var r = 0; r < rows.size(); r++) {
            var start = (int) (r * length);
            Arrays.fill(keep, start, start + rows.get(r).length, 1);
        }
        return Tensor.of(keep, rows.size(), length);
    }
}
