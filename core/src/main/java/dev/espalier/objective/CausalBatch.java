package dev.espalier.objective;

import dev.espalier.data.Window;
import dev.espalier.model.Decoder;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Windows of text from which each next token is to be told (causal language modelling, Radford et
/// al. 2018).
///
/// @param term what the step's figures call this loss
/// @param windows one row a window, of `length + 1` tokens: inputs are all but the last, labels all
///   but the first
/// @param acrossDocuments whether a token sees the documents before its own in the window. Where it
///   does not (intra-document causal masking, Zhao et al. 2024, arXiv:2402.13991, section 3),
///   positions begin anew with each document, and nothing is to tell a document's first token.
/// @param loss the loss of a token
public record CausalBatch(
        Decoder model,
        String term,
        double weight,
        List<Window> windows,
        boolean acrossDocuments,
        CrossEntropy loss)
        implements MicroBatch {
    public CausalBatch {
        windows = List.copyOf(windows);
    }

    /// Tokens that stand nowhere, with the plain loss.
    public CausalBatch(Decoder model, String term, double weight, int[][] windows) {
        this(
                model,
                term,
                weight,
                Arrays.stream(windows).map(tokens -> Window.of(tokens, "")).toList(),
                true,
                CrossEntropy.PLAIN);
    }

    /// The tokens to be told.
    @Override
    public long count() {
        var firsts =
                acrossDocuments
                        ? 0
                        : windows.stream()
                                .mapToLong(
                                        w -> Arrays.stream(w.starts()).filter(s -> s > 0).count())
                                .sum();
        return tokens() - firsts;
    }

    @Override
    public long tokens() {
        return (long) windows.size() * length();
    }

    @Override
    public List<String> where() {
        return windows.stream().map(Window::where).toList();
    }

    /// A field a document; nothing is to tell the first token of what a model sees. Sentinels,
    /// though told as well, are shown as what they are.
    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return windows.stream()
                .map(window -> {
                    var ids = window.tokens();
                    var fields = new ArrayList<ExampleText.Field>();
                    var borders =
                            IntStream.concat(
                                            IntStream.of(0, ids.length),
                                            Arrays.stream(window.starts()))
                                    .sorted()
                                    .distinct()
                                    .toArray();
                    for (var b = 0; b + 1 < borders.length; b++) {
                        var start = borders[b];
                        var told = acrossDocuments && start > 0;
                        var document = Arrays.copyOfRange(ids, start, borders[b + 1]);
                        fields.add(
                                ExampleText.field(
                                        "document " + (b + 1),
                                        tokenizer,
                                        document,
                                        i ->
                                                ExampleText.standsForText(tokenizer, document[i])
                                                        ? Mark.HIDDEN
                                                        : told || i > 0 ? Mark.TARGET : Mark.READ));
                    }
                    return new ExampleText(window.where(), fields);
                })
                .toList();
    }

    private int length() {
        return windows.getFirst().tokens().length - 1;
    }

    @Override
    public VocabularyLoss forward() {
        int rows = windows.size(), length = length();
        var inputs = new long[rows * length];
        var labels = new long[rows * length];
        var documents = new long[rows * length];
        var apart = false;
        for (var r = 0; r < rows; r++) {
            var tokens = windows.get(r).tokens();
            for (var t = 0; t < length; t++) {
                inputs[r * length + t] = tokens[t];
                labels[r * length + t] = tokens[t + 1];
            }
            for (var start : acrossDocuments ? new int[0] : windows.get(r).starts()) {
                if (start > 0) {
                    labels[r * length + start - 1] = Tensor.IGNORE;
                }
                for (var t = start; t < length; t++) {
                    documents[r * length + t]++;
                }
                apart |= start > 0 && start < length;
            }
        }
        var ids = Tensor.of(inputs, rows, length);
        var hidden =
                apart
                        ? model.hidden(ids, Tensor.of(documents, rows, length))
                        : model.hidden(ids); // (B, T, D)
        return new VocabularyLoss(model, hidden, Tensor.of(labels, rows, length), loss);
    }
}
