package dev.espalier.generate;

import dev.espalier.model.Decoder;
import dev.espalier.nn.Crew;
import dev.espalier.nn.HalfMatrix;
import dev.espalier.nn.Linear;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Lets a decoder write single texts from weights in half precision, until it is closed: faster,
/// since a token takes as long as memory takes to give the weights, for half as much memory again.
///
///     try (var half = HalfPrecision.of(decoder, System.out::println)) {
///         new Generator(decoder, tokenizer).generate(prompt, sampling, limits);
///     }
///
/// What has several rows, as prompts and batches have, and what records gradients, is computed from
/// the weights in fp32 as ever. The copies are of the weights as they are: to merge an adapter drops
/// that of its map, and a model that has been trained since needs new ones. To be closed before the
/// model is freed.
public final class HalfPrecision implements AutoCloseable {
    private final Decoder decoder;
    private final List<Linear> maps = new ArrayList<>();
    private final List<HalfMatrix> matrices = new ArrayList<>();
    private final Crew crew = new Crew(Torch.threads());

    private HalfPrecision(Decoder decoder) {
        this.decoder = decoder;
    }

    /// Copies the matrices of `decoder`. Where one has a weight that half precision does not reach,
    /// beyond 65 504, or that is no number, all stays in fp32. `told` hears in one line how it
    /// went.
    public static HalfPrecision of(Decoder decoder, Consumer<String> told) {
        var start = System.nanoTime();
        var half = new HalfPrecision(decoder);
        var refused = half.halve();
        if (refused != null) {
            half.close();
            told.accept(
                    refused
                            + ": a weight is beyond the 65504 of half precision; all stays in"
                            + " fp32");
            return half;
        }
        told.accept(
                String.format(
                        Locale.ROOT,
                        "weights in half precision, for one text at a time: %.0f MiB, made in %.1f s",
                        half.matrices.stream().mapToLong(m -> m.weights().bytes()).sum() / 0x1p20,
                        (System.nanoTime() - start) / 1e9));
        return half;
    }

    /// Whether single texts are written from weights in half precision.
    public boolean isActive() {
        return !matrices.isEmpty();
    }

    /// The path of the matrix that cannot be halved, or null.
    private @Nullable String halve() {
        for (var part : decoder.modules().entrySet()) {
            // A head of its own is a map like the others, which nobody calls.
            if (part.getValue() instanceof Linear map && map.weight().value() != decoder.head()) {
                var bias = map.bias();
                var matrix =
                        made(
                                map.weight().value(),
                                map.transposed(),
                                bias == null ? null : bias.value());
                if (matrix == null) {
                    return part.getKey();
                }
                map.halve(matrix);
                maps.add(map);
            }
        }
        var head = made(decoder.head(), false, decoder.headBias());
        decoder.halveHead(head);
        return head == null ? "the head" : null;
    }

    /// @param transposed whether the weight is stored as (in, out)
    private @Nullable HalfMatrix made(Tensor stored, boolean transposed, @Nullable Tensor bias) {
        try (var scope = new Scope()) {
            var weight = transposed ? stored : stored.transpose(0, 1); // (in, out)
            var matrix = Torch.noGrad(() -> new HalfMatrix(weight, bias, crew));
            if (!matrix.weights().allFinite()) {
                return null;
            }
            scope.keep(matrix.weights());
            matrices.add(matrix);
            return matrix;
        }
    }

    @Override
    public void close() {
        maps.forEach(map -> map.halve(null));
        decoder.halveHead(null);
        matrices.forEach(matrix -> matrix.weights().close());
        matrices.clear();
        crew.close();
    }
}
