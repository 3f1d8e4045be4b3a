package dev.espalier.task;

import dev.espalier.model.TokenClassifier;
import dev.espalier.nn.Stack;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.ExampleText.Piece;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Stretches of text whose words have a tag each, padded on the right to one length.
///
/// @param rows the stretches
/// @param labels the class of each word of each
/// @param loss the loss of a word
public record TokenLabelBatch(
        TokenClassifier model,
        List<TaggedTokens> rows,
        List<int[]> labels,
        double weight,
        CrossEntropy loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "token-labelling";

    public TokenLabelBatch {
        rows = List.copyOf(rows);
        labels = List.copyOf(labels);
    }

    @Override
    public String term() {
        return TERM;
    }

    /// Words.
    @Override
    public long count() {
        return rows.stream().mapToLong(TaggedTokens::words).sum();
    }

    @Override
    public long tokens() {
        return rows.stream().mapToLong(r -> r.ids().length).sum();
    }

    @Override
    public List<String> where() {
        return rows.stream().map(TaggedTokens::where).toList();
    }

    /// A piece a word, with its tag.
    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return IntStream.range(0, rows.size())
                .mapToObj(r -> example(tokenizer, rows.get(r), labels.get(r)))
                .toList();
    }

    private ExampleText example(Tokenizer tokenizer, TaggedTokens row, int[] tags) {
        var ids = row.ids();
        var from = 0; // what stands around the text
        while (from < row.places()[0] && tokenizer.isSpecial(ids[from])) {
            from++;
        }
        var to = ids.length;
        while (to - 1 > row.places()[tags.length - 1] && tokenizer.isSpecial(ids[to - 1])) {
            to--;
        }
        var byLast = TokenLabeller.byLast(model);
        var pieces = new ArrayList<Piece>();
        for (var word = 0; word < tags.length; word++) {
            var end =
                    word + 1 == tags.length
                            ? to
                            : byLast ? row.places()[word] + 1 : row.places()[word + 1];
            pieces.add(
                    new Piece(
                            tokenizer.decode(Arrays.copyOfRange(ids, from, end)),
                            Mark.READ,
                            model.labels().get(tags[word])));
            from = end;
        }
        return new ExampleText(row.where(), List.of(new ExampleText.Field("words", pieces)));
    }

    @Override
    public Loss forward() {
        var wanted = labels.stream().flatMapToInt(Arrays::stream).toArray();
        var n = wanted.length;
        var sum = loss.sum(scores(model, rows), Tensor.of(wanted, n, 1), Tensor.full(1, n, 1));
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    /// The scores (words, classes) of the words of `rows`, in the scope that is open.
    static Tensor scores(TokenClassifier model, List<TaggedTokens> rows) {
        var ids =
                model.body()
                        .padded(
                                rows.stream().map(TaggedTokens::ids).toList(),
                                model.body().padding()); // (B, T)
        var lengths = rows.stream().mapToLong(row -> row.ids().length).toArray();
        var places = new long[rows.stream().mapToInt(TaggedTokens::words).sum()];
        var found = 0;
        for (var r = 0; r < lengths.length; r++) {
            for (var place : rows.get(r).places()) {
                places[found++] = r * ids.size(1) + place;
            }
        }
        return model.scores(ids, lengths, Tensor.of(places, found));
    }
}
