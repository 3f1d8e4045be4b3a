package dev.espalier.parity;

import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.nn.Attention;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/// A reference's batch: a decoder's positions count from 0 whatever the mask, as the reference has
/// it outside of generation. Of an encoder-decoder the input is `ids`, and it writes the labels.
///
/// @param ids row-major, rows of `length`
/// @param mask 1 for tokens, 0 for padding; null for no padding
/// @param segments the text of a pair that each token belongs to, of a decoder the document, of
///   which none sees another; null for all 0
/// @param labels of each position, which for a decoder are shifted here; for a classifier of
///   sequences one a row
/// @param pooled for a classifier on a decoder the position in each row whose state is scored; else
///   null
/// @param smoothing the share of a label's probability that all classes get
@SuppressWarnings("ArrayRecordComponent") // batches are passed on, never compared
record GoldenBatch(
        Module model,
        int length,
        long[] ids,
        long @Nullable [] mask,
        long @Nullable [] segments,
        long[] labels,
        long @Nullable [] pooled,
        double smoothing)
        implements MicroBatch {
    int rows() {
        return ids.length / length;
    }

    private @Nullable Tensor tensor(long @Nullable [] values) {
        return values == null ? null : Tensor.of(values, rows(), length);
    }

    LanguageModel body() {
        return switch (model) {
            case SequenceClassifier classifier -> classifier.body();
            case TokenClassifier classifier -> classifier.body();
            default -> (LanguageModel) model;
        };
    }

    /// States of a forward pass, all (B, T, D).
    ///
    /// @param named by what references call them
    /// @param last what is scored
    record States(Map<String, Tensor> named, Tensor last) {}

    States states() {
        var tokens = Tensor.of(ids, rows(), length);
        var keep = tensor(mask);
        return switch (body()) {
            case Decoder decoder -> states(decoder.states(tokens, positions(), visible(keep)));
            case Encoder encoder -> states(encoder.states(tokens, tensor(segments), keep));
            case EncoderDecoder both -> {
                var read = both.encoderStates(tokens, keep);
                var written =
                        both.decoderStates(
                                both.shiftedRight(model == both ? labelRows() : tokens),
                                read.getLast(),
                                keep);
                var named = numbered(ENCODER + "hidden_states.", read);
                named.putAll(numbered("decoder_hidden_states.", written));
                named.put(ENCODER + "last_hidden_state", read.getLast());
                yield new States(named, written.getLast());
            }
        };
    }

    /// What the names of an encoder's states begin with beside a decoder's.
    static final String ENCODER = "encoder_";

    private Tensor labelRows() {
        return Tensor.of(labels, rows(), labels.length / rows()); // (B, T)
    }

    private static States states(List<Tensor> states) {
        return new States(numbered("hidden_states.", states), states.getLast());
    }

    static Map<String, Tensor> numbered(String name, List<Tensor> states) {
        var named = new TreeMap<String, Tensor>();
        for (var i = 0; i < states.size(); i++) {
            named.put(name + i, states.get(i));
        }
        return named;
    }

    /// A decoder's positions (B|1, T).
    Tensor positions() {
        var documents = tensor(segments);
        return documents == null
                ? Tensor.arange(0, length).unsqueeze(0)
                : Decoder.positionsWithin(documents);
    }

    private @Nullable Tensor visible(@Nullable Tensor keep) {
        var documents = tensor(segments);
        return documents == null
                ? keep == null ? null : Attention.causal(length, keep)
                : Attention.causalWithin(documents);
    }

    /// Which positions a decoder lets each see (B, T, T), 1 or 0.
    Tensor allowed() {
        return Objects.requireNonNull(visible(tensor(mask))).eq(0).view(rows(), length, length);
    }

    Tensor hidden() {
        return states().last(); // (B, T, D)
    }

    /// The scores (B, classes) of a classifier of sequences, (B, T, classes or V) of others.
    Tensor scores(Tensor hidden) {
        return switch (model) {
            case SequenceClassifier classifier -> classifier.forward(hidden, pooledTensor());
            case TokenClassifier classifier -> classifier.forward(hidden);
            default -> body().logits(hidden);
        };
    }

    private Tensor pooledTensor() {
        var at = pooled == null ? pooledPositions() : pooled;
        return Tensor.of(at, at.length);
    }

    private long[] pooledPositions() {
        return switch (body()) {
            case Decoder _ -> lastTokens(id -> true);
            case Encoder _ -> new long[rows()];
            case EncoderDecoder both -> lastTokens(id -> id == both.end());
        };
    }

    private long[] lastTokens(LongPredicate counts) {
        var last = new long[rows()];
        for (var row = 0; row < last.length; row++) {
            for (var t = 0; t < length; t++) {
                if ((mask == null || mask[row * length + t] != 0)
                        && counts.test(ids[row * length + t])) {
                    last[row] = t;
                }
            }
        }
        return last;
    }

    @Override
    public String term() {
        return "golden";
    }

    @Override
    public List<String> where() {
        return List.of();
    }

    @Override
    public long count() {
        return Arrays.stream(targets()).filter(l -> l != Tensor.IGNORE).count();
    }

    @Override
    public long tokens() {
        return ids.length;
    }

    /// The label of what each position, or each row, is scored for.
    private long[] targets() {
        if (!(model instanceof Decoder)) {
            return labels;
        }
        var shifted = new long[labels.length];
        for (var i = 0; i < labels.length; i++) {
            shifted[i] = (i + 1) % length == 0 ? Tensor.IGNORE : labels[i + 1];
        }
        return shifted;
    }

    @Override
    public Loss forward() {
        var targets = Tensor.of(targets(), labels.length);
        if (model instanceof LanguageModel language) {
            return new VocabularyLoss(language, hidden(), targets, new CrossEntropy(smoothing, 0));
        }
        var sum = crossEntropy();
        return scale -> {
            sum.mul(scale).backward();
            return sum.detach();
        };
    }

    /// Of a classifier, summed.
    private Tensor crossEntropy() {
        var scores = scores(hidden());
        return scores.view(-1, scores.size(-1))
                .crossEntropySum(Tensor.of(labels, labels.length), null);
    }

    /// The mean loss of the batch, without gradients.
    double loss() {
        if (!(model instanceof LanguageModel)) {
            return crossEntropy().item() / count();
        }
        var sum = 0.0;
        for (var loss : ((VocabularyLoss) forward()).each()) {
            sum += loss;
        }
        return sum / count();
    }
}
