package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A language model's body with a head that tells the class, the labels or a number of a text, as
/// Hugging Face's `…ForSequenceClassification` of the families have it: by the state of the last
/// token for decoders, of the first for encoders, and for BART, which reads the text twice, by that
/// of its last end.
public final class SequenceClassifier extends Module {
    private final LanguageModel body;
    private final ClassificationHead head;
    private Problem problem;

    /// Of one of several labels.
    public SequenceClassifier(LanguageModel body, List<String> labels) {
        this(body, new Problem.SingleLabel(labels));
    }

    /// A head of its own that `body` has for the vocabulary is trained no more and not saved, but
    /// goes on scoring general text.
    public SequenceClassifier(LanguageModel body, Problem problem) {
        body.parameters()
                .forEach((name, p) -> p.trained(p.trained() && body.family().isBody(name)));
        this.body = child("", body);
        this.head = child("", body.classificationHead(problem.labels().size()));
        this.problem = problem;
    }

    /// New weights for the head: N(0, 0.02²), as the families' other weights start. A pure function
    /// of `seed`.
    public void initializeHead(long seed) {
        var i = 0;
        for (var parameter : head.parameters().values()) {
            if (parameter.isMatrix()) {
                var rng = i == 0 ? Rng.at(seed, 2) : Rng.at(seed, 2, i);
                var values = new float[Math.toIntExact(parameter.value().count())];
                for (var j = 0; j < values.length; j++) {
                    values[j] = (float) (0.02 * rng.nextGaussian());
                }
                parameter.value().segment().copyFrom(MemorySegment.ofArray(values));
                i++;
            }
        }
    }

    /// Has the head trained, whatever else is frozen.
    public void trainHead() {
        head.parameters().values().forEach(p -> p.trained(true));
    }

    /// The scores (B, classes) of texts of `lengths` tokens, the rows of `ids` (B, T), which are
    /// filled up on the right with [LanguageModel#padding].
    ///
    /// @param types (B, T) 1 for what belongs to the second text of a pair, 0 for the rest; null
    ///   for all 0. Families that do not tell texts apart so pass over it.
    public Tensor scores(Tensor ids, @Nullable Tensor types, long[] lengths) {
        var at =
                switch (body) {
                    case Decoder _ -> Arrays.stream(lengths).map(length -> length - 1).toArray();
                    case Encoder _ -> new long[lengths.length];
                    case EncoderDecoder both -> lastEnds(ids.longs(), lengths, both.end());
                };
        return forward(hidden(ids, types, lengths), Tensor.of(at, at.length));
    }

    /// Where in each text, a row of `ids`, `end` stands for the last time; its last token where it
    /// does not.
    static long[] lastEnds(long[] ids, long[] lengths, int end) {
        var longest = ids.length / lengths.length;
        var last = new long[lengths.length];
        for (var row = 0; row < last.length; row++) {
            var at = lengths[row] - 1;
            while (at > 0 && ids[(int) (row * longest + at)] != end) {
                at--;
            }
            last[row] = ids[(int) (row * longest + at)] == end ? at : lengths[row] - 1;
        }
        return last;
    }

    /// As [#scores] by the state of each token: (B, T, classes).
    public Tensor scoresOfAll(Tensor ids, @Nullable Tensor types, long[] lengths) {
        return head.forward(hidden(ids, types, lengths));
    }

    private Tensor hidden(Tensor ids, @Nullable Tensor types, long[] lengths) { // (B, T, D)
        return switch (body) {
            // Padding behind the last token changes nothing, since no token sees what follows.
            case Decoder decoder -> decoder.hidden(ids);
            case Encoder encoder ->
                    encoder.hidden(
                            ids,
                            encoder.config().segments() > 1 ? types : null,
                            keep(lengths, (int) ids.size(1)));
            case EncoderDecoder both -> {
                var keep = keep(lengths, (int) ids.size(1));
                yield both.decode(both.shiftedRight(ids), both.encode(ids, keep), keep);
            }
        };
    }

    /// 1 for tokens and 0 for padding (B, T), null where there is no padding.
    static @Nullable Tensor keep(long[] lengths, int longest) {
        if (Arrays.stream(lengths).allMatch(length -> length == longest)) {
            return null;
        }
        var keep = new long[lengths.length * longest];
        for (var r = 0; r < lengths.length; r++) {
            Arrays.fill(keep, r * longest, r * longest + (int) lengths[r], 1);
        }
        return Tensor.of(keep, lengths.length, longest); // (B, T)
    }

    /// The scores (B, classes) by the states of `hidden` (B, T, D) at the places `at` (B).
    public Tensor forward(Tensor hidden, Tensor at) {
        long b = hidden.size(0), d = hidden.size(2);
        var index = at.view(b, 1, 1).expand(b, 1, d); // (B, 1, D)
        return head.forward(hidden.gather(1, index).view(b, d)); // (B, classes)
    }

    public LanguageModel body() {
        return body;
    }

    /// The body, to go on learning and foreseeing general text with.
    ///
    /// @throws EspalierException if it is no decoder
    public Decoder decoder() {
        if (body instanceof Decoder decoder) {
            return decoder;
        }
        throw EspalierException.usage(
                "forgetting: is measured and held off on decoders alone, and this "
                        + body.family().architecture()
                        + " is none");
    }

    public ClassificationHead head() {
        return head;
    }

    /// What the scores tell.
    public Problem problem() {
        return problem;
    }

    /// Has labels told from another probability on.
    public void threshold(double threshold) {
        problem = new Problem.MultiLabel(labels(), threshold);
    }

    /// The classes' names, in the order of the scores.
    public List<String> labels() {
        return problem.labels();
    }
}
