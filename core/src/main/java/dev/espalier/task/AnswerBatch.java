package dev.espalier.task;

import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Decoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Conversations whose answers are to be told, token by token. Those of a row stand one behind the
/// other and know nothing of each other, as documents that are kept apart (decision 081); only the
/// states before the tokens to be told meet the vocabulary.
///
/// @param rows the conversations of each row
/// @param loss the loss of a token
public record AnswerBatch(
        Decoder model, double weight, List<List<Answered>> rows, CrossEntropy loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "answers";

    /// Conversations that are measured together hold about this many tokens.
    private static final int MEASURED_TOKENS = 4096;

    public AnswerBatch {
        rows = rows.stream().map(List::copyOf).toList();
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return rows.stream().flatMap(List::stream).mapToLong(Answered::count).sum();
    }

    @Override
    public long tokens() {
        return rows.stream().mapToLong(AnswerBatch::length).sum();
    }

    @Override
    public List<String> where() {
        return rows.stream().flatMap(List::stream).map(Answered::where).toList();
    }

    /// The last token of a conversation is to be told and nothing more.
    private static int length(List<Answered> row) {
        return row.stream().mapToInt(a -> a.ids().length - 1).sum();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return rows.stream()
                .flatMap(List::stream)
                .map(a ->
                        new ExampleText(
                                a.where(),
                                List.of(
                                        a.field(
                                                a.forgotten() == 0
                                                        ? "conversation"
                                                        : "conversation, its first %d messages forgotten"
                                                                .formatted(a.forgotten()),
                                                tokenizer))))
                .toList();
    }

    @Override
    public VocabularyLoss forward() {
        var length = model.paddedLength(rows.stream().mapToInt(AnswerBatch::length));
        var inputs = new long[rows.size() * length];
        var documents = new long[inputs.length];
        var places = new long[(int) count()];
        var labels = new long[places.length];
        var found = 0;
        var apart = false;
        for (var r = 0; r < rows.size(); r++) {
            var at = r * length;
            var document = 0;
            for (var answered : rows.get(r)) {
                var ids = answered.ids();
                for (var t = 0; t + 1 < ids.length; t++) {
                    inputs[at] = ids[t];
                    documents[at] = document;
                    if (answered.told()[t + 1]) {
                        places[found] = at;
                        labels[found++] = ids[t + 1];
                    }
                    at++;
                }
                document++;
            }
            // What fills the row up is a document of its own, which nothing looks at.
            for (; at < (r + 1) * length; at++) {
                documents[at] = document;
            }
            apart |= rows.get(r).size() > 1;
        }
        var ids = Tensor.of(inputs, rows.size(), length);
        var hidden =
                apart
                        ? model.hidden(ids, Tensor.of(documents, rows.size(), length))
                        : model.hidden(ids); // (B, T, D)
        var told =
                hidden.reshape(inputs.length, model.width())
                        .indexSelect(0, Tensor.of(places, places.length)); // (tokens to be told, D)
        return new VocabularyLoss(model, told, Tensor.of(labels, labels.length), loss);
    }

    /// The log-probability that `model` gives the answers of each example, the sum over its tokens
    /// to be told; without gradients.
    public static double[] logProbabilities(Decoder model, List<Answered> examples, boolean bf16) {
        var order =
                IntStream.range(0, examples.size())
                        .boxed()
                        .sorted(Comparator.comparingInt(i -> -examples.get(i).ids().length))
                        .toList();
        var sums = new double[examples.size()];
        for (var start = 0; start < order.size(); ) {
            var size = Math.max(1, MEASURED_TOKENS / examples.get(order.get(start)).ids().length);
            var part = order.subList(start, Math.min(order.size(), start + size));
            var rows = part.stream().map(i -> List.of(examples.get(i))).toList();
            var batch = new AnswerBatch(model, 1, rows, CrossEntropy.PLAIN);
            double[] found;
            try (var scope = new Scope()) {
                found = Torch.noGrad(() -> batch.sums(Torch.bf16(bf16, batch::forward)));
            }
            for (var i = 0; i < found.length; i++) {
                sums[part.get(i)] = found[i];
            }
            start += part.size();
        }
        return sums;
    }

    /// The log-probabilities of the answers of each example by `forward`, what [#forward] gave.
    double[] sums(VocabularyLoss forward) {
        var each = forward.each();
        var examples = rows.stream().flatMap(List::stream).toList();
        var sums = new double[examples.size()];
        var at = 0;
        for (var i = 0; i < sums.length; i++) {
            for (var n = examples.get(i).count(); n > 0; n--) {
                sums[i] -= each[at++];
            }
        }
        return sums;
    }

    /// How well `model` tells the answers of `examples`, conversation by conversation.
    public static TextLoss measure(
            Decoder model, List<Answered> examples, Tokenizer tokenizer, boolean bf16) {
        var sums = logProbabilities(model, examples, bf16);
        var loss = new TextLoss();
        for (var i = 0; i < sums.length; i++) {
            var a = examples.get(i);
            var bytes =
                    IntStream.range(0, a.ids().length)
                            .filter(t -> a.told()[t] && !tokenizer.isSpecial(a.ids()[t]))
                            .mapToLong(t -> tokenizer.bytes(a.ids()[t]).length)
                            .sum();
            loss.add(-sums[i], a.count(), bytes);
        }
        return loss;
    }
}
