package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Bart;
import dev.espalier.model.BartConfig;
import dev.espalier.model.Decoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.objective.CausalBatch;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.SequencePair;
import dev.espalier.objective.SequenceToSequenceBatch;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StackTest {
    private static Decoder model(String family, double dropout) {
        return family.equals("gpt2")
                ? new Gpt2(Gpt2Config.of(40, 16, 24, 3, 2, dropout)).initialize(1)
                : new Llama(
                                LlamaConfig.of(
                                        LlamaConfig.Kind.QWEN2,
                                        40,
                                        16,
                                        24,
                                        3,
                                        4,
                                        2,
                                        32,
                                        10_000,
                                        dropout,
                                        false,
                                        null))
                        .initialize(1);
    }

    private static int[][] windows(int rows, int length) {
        return IntStream.range(0, rows)
                .mapToObj(r ->
                        IntStream.range(0, length + 1).map(i -> (7 * r + i * i) % 40).toArray())
                .toArray(int[][]::new);
    }

    private static EncoderDecoder pairModel(String family) {
        return switch (family) {
            case "bart" -> new Bart(BartConfig.of(40, 16, 24, 3, 2, 0, 1, 2)).initialize(1);
            default ->
                    new T5(
                                    T5Config.of(
                                            40,
                                            16,
                                            24,
                                            3,
                                            2,
                                            10,
                                            32,
                                            family.equals("t5-gated"),
                                            0,
                                            0,
                                            1))
                            .initialize(1);
        };
    }

    private static float[] pairGradients(EncoderDecoder model, boolean recompute) {
        try (var parameters = new FlatParameters(model);
                var scope = new Scope()) {
            model.training(true);
            Stack.recompute(model, recompute);
            var pairs =
                    List.of(
                            new SequencePair(new int[] {5, 6, 7, 8, 2}, new int[] {9, 3, 2}, ""),
                            new SequencePair(new int[] {11, 2}, new int[] {4, 8, 15, 16, 2}, ""));
            new SequenceToSequenceBatch(model, "x", 1, pairs, CrossEntropy.PLAIN)
                    .forward()
                    .backward(1);
            return parameters.gradients().floats();
        }
    }

    /// Through what all blocks share, the memory and the bias of distances, gradients flow too.
    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5", "t5-gated"})
    void recomputedGradientsOfEncoderAndDecoderAreTheSame(String family) {
        var expected = pairGradients(pairModel(family), false);
        var recomputed = pairGradients(pairModel(family), true);
        var largest = 0f;
        for (var value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(largest).isGreaterThan(1e-3f);
        assertThat(recomputed).containsExactly(expected, within(1e-6f * largest));
    }

    private static double backward(Decoder model, boolean bf16, int[][] windows) {
        try (var scope = new Scope()) {
            Torch.seed(5);
            var batch = new CausalBatch(model, "x", 1, windows);
            return Torch.bf16(bf16, batch::forward).backward(1).item();
        }
    }

    private static float[] gradients(Decoder model, boolean recompute, boolean bf16) {
        try (var parameters = new FlatParameters(model)) {
            model.training(true);
            Stack.recompute(model, recompute);
            backward(model, bf16, windows(2, 12));
            return parameters.gradients().floats();
        }
    }

    @ParameterizedTest
    @CsvSource({"gpt2, false", "qwen2, false", "gpt2, true", "qwen2, true"})
    void recomputedGradientsAreTheSameBits(String family, boolean bf16) {
        var kept = gradients(model(family, 0), false, bf16);
        assertThat(gradients(model(family, 0), true, bf16)).isEqualTo(kept);
        assertThat(kept).isNotEqualTo(new float[kept.length]);
    }

    /// Only if both passes drop the same is the gradient that of the loss.
    @ParameterizedTest
    @CsvSource({"gpt2", "qwen2"})
    void dropoutIsReplayed(String family) {
        var model = model(family, 0.3);
        try (var parameters = new FlatParameters(model)) {
            model.training(true);
            Stack.recompute(model, true);
            var windows = windows(2, 12);
            var loss = backward(model, false, windows);
            assertThat(backward(model, false, windows)).isEqualTo(loss);
            parameters.zeroGradients();
            backward(model, false, windows);
            var gradient = parameters.gradients().copy();
            var norm = gradient.norm().item();
            // Along the gradient the loss rises by its norm.
            var step = 4e-3 / norm;
            Torch.noGrad(() -> parameters.weights().addcmulInPlace(gradient, one(gradient), step));
            var up = backward(model, false, windows);
            Torch.noGrad(
                    () -> parameters.weights().addcmulInPlace(gradient, one(gradient), -2 * step));
            var down = backward(model, false, windows);
            assertThat((up - down) / (2 * 4e-3)).isCloseTo(norm, within(0.01 * norm));
        }
    }

    private static dev.espalier.torch.Tensor one(dev.espalier.torch.Tensor like) {
        return dev.espalier.torch.Tensor.full(1, like.shape());
    }

    @Test
    void aForwardPassWithoutItsBackwardPassIsNoticed() {
        var model = model("gpt2", 0);
        try (var parameters = new FlatParameters(model);
                var scope = new Scope()) {
            model.training(true);
            Stack.recompute(model, true);
            var batch = new CausalBatch(model, "x", 1, windows(1, 8));
            var loss = batch.forward();
            assertThatThrownBy(batch::forward).isInstanceOf(IllegalStateException.class);
            loss.backward(1);
            batch.forward().backward(1);
            assertThat(parameters.gradientNorm()).isPositive();
        }
    }

    @Test
    void memoryFalls() {
        var model = new Gpt2(Gpt2Config.of(40, 128, 64, 16, 2, 0)).initialize(1);
        try (var parameters = new FlatParameters(model)) {
            model.training(true);
            backward(model, false, windows(1, 128)); // what is loaded once
            var windows = windows(12, 128);
            Stack.recompute(model, true);
            var before = Torch.residentBytes();
            backward(model, false, windows);
            var recomputed = Torch.residentBytes() - before;
            Stack.recompute(model, false);
            // The allocator keeps what it has got: this is what more is needed.
            backward(model, false, windows);
            var more = Torch.residentBytes() - before - recomputed;
            // Kept are some 16 numbers a token, layer and unit of width.
            var kept = 16L * 12 * 128 * 16 * 64 * 4;
            assertThat(more).isGreaterThan(kept / 2);
            assertThat(parameters.count()).isPositive();
        }
    }
}
