package dev.espalier.task;

import dev.espalier.model.Decoder;
import dev.espalier.nn.Stack;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.List;

/// Texts that a decoder is to go on with as another did, the one that it was before: learning without
/// forgetting (Li and Hoiem 2016, arXiv:1606.09282, eq. 2 to 4), whose old task is here to tell the
/// next token. Of each place the loss is
///
///     -Σ p'ᵥ log p̂'ᵥ,  p' = softmax(z / T)
///
/// with the scores z of the old model, and those of the new one in p̂'.
///
/// @param model the new one
/// @param old the one that it was, whose weights stay
/// @param temperature T
/// @param texts tokens of each
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record DistillationBatch(
        Decoder model,
        Decoder old,
        double weight,
        double temperature,
        List<int[]> texts,
        List<String> where)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "distillation";

    public DistillationBatch {
        texts = List.copyOf(texts);
        where = List.copyOf(where);
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return texts.stream().mapToLong(text -> text.length).sum();
    }

    /// None: they are the task's own, and counted there.
    @Override
    public long tokens() {
        return 0;
    }

    @Override
    public Loss forward() {
        var rows = texts.size();
        var longest = texts.stream().mapToInt(text -> text.length).max().orElse(1);
        var ids = new long[rows * longest];
        var kept = new float[rows * longest];
        for (var r = 0; r < rows; r++) {
            for (var t = 0; t < texts.get(r).length; t++) {
                ids[r * longest + t] = texts.get(r)[t];
                kept[r * longest + t] = 1;
            }
        }
        // Nothing sees what follows it, so that what fills up rows need not be hidden.
        var read = Tensor.of(ids, rows, longest);
        var wanted =
                Torch.noGrad(() ->
                        old.logits(old.hidden(read))
                                .to(dev.espalier.torch.DType.FLOAT)
                                .mul(1 / temperature)
                                .softmax(-1)
                                .mul(Tensor.of(kept, rows, longest, 1))); // (B, T, V)
        var scores =
                model.logits(model.hidden(read))
                        .to(dev.espalier.torch.DType.FLOAT)
                        .mul(1 / temperature)
                        .logSoftmax(-1);
        var sum = scores.mul(wanted).sum().mul(-1);
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    @Override
    public boolean equals(@org.jspecify.annotations.Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(texts.getFirst());
    }
}
