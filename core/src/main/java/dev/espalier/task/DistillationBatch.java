package dev.espalier.task;

import dev.espalier.model.LanguageModel;
import dev.espalier.nn.Stack;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MaskedBatch;
import dev.espalier.objective.Masking;
import dev.espalier.objective.MicroBatch;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import java.util.stream.IntStream;

/// Texts of which a model is to tell tokens as another did, the one that it was before: learning
/// without forgetting (Li and Hoiem 2016, arXiv:1606.09282, eq. 2 to 4), whose old task is here that
/// of pre-training, of a decoder to tell the next token, of an encoder the hidden ones. Of each place
/// the loss is
///
///     -Σ p'ᵥ log p̂'ᵥ,  p' = softmax(z / T)
///
/// with the scores z of the old model, and those of the new one in p̂'.
///
/// @param model the new one, a decoder or an encoder
/// @param old the one that it was, whose weights stay
/// @param temperature T
/// @param rows the tokens of each text as they are read, and the places that count
public record DistillationBatch(
        LanguageModel model,
        LanguageModel old,
        double weight,
        double temperature,
        List<Masking.Masked> rows)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "distillation";

    public DistillationBatch {
        rows = List.copyOf(rows);
    }

    /// A text that a decoder goes on with: all its places count.
    public static Masking.Masked whole(int[] ids, String where) {
        return new Masking.Masked(ids, IntStream.range(0, ids.length).toArray(), ids, where);
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return rows.stream().mapToLong(row -> row.places().length).sum();
    }

    /// None: they are the task's own, and counted there.
    @Override
    public long tokens() {
        return 0;
    }

    @Override
    public List<String> where() {
        return rows.stream().map(Masking.Masked::where).toList();
    }

    @Override
    public Loss forward() {
        var wanted = Torch.noGrad(() -> scores(old).softmax(-1)); // (places, V)
        var sum = scores(model).logSoftmax(-1).mul(wanted).sum().mul(-1);
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    private Tensor scores(LanguageModel of) { // (places, V)
        return of.logits(MaskedBatch.states(of, rows)).to(DType.FLOAT).mul(1 / temperature);
    }
}
