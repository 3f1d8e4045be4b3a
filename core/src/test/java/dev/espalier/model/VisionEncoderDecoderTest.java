package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class VisionEncoderDecoderTest {
    private static final int WIDTH = 32;
    private static final int SEEN = 17;

    /// By hand for the first token, which sees but itself in the text: in each block
    ///
    ///     y = x + Wᵒ Wᵛ LN(x);  softmax(Wᵠ LN(y) · Wᵏ memory / √d)
    @Test
    void tokensLookWhereTheirBlocksAttend() {
        var folder = Path.of(System.getProperty("espalier.goldens"), "vision_encdec");
        var model = (VisionEncoderDecoder) HuggingFace.readEncoderDecoder(folder).model();
        float[] values;
        try (var golden = SafeTensors.open(folder.resolve("golden.safetensors"))) {
            values =
                    golden.find("full.pixel_values")
                            .orElseThrow()
                            .data()
                            .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
        try (var scope = new Scope()) {
            Torch.noGrad(() -> {
                var pixels = Tensor.of(values, 2, 3, 16, 16).narrow(0, 0, 1);
                var ids = Tensor.of(new long[] {model.start(), 7, 18}, 1, 3);
                var looks = model.looks(ids, pixels);
                assertThat(looks.shape()).containsExactly(1, 3, 4, 4);
                var memory = model.encode(pixels, null);
                var states = model.decoderStates(ids.narrow(1, 0, 1), memory, null);
                var expected = new double[SEEN];
                for (var block = 0; block < 2; block++) {
                    var weights = weights(model, block, states.get(block), memory);
                    Arrays.setAll(expected, s -> expected[s] + weights[s] / 2);
                }
                assertThat(Arrays.stream(expected).sum()).isCloseTo(1, within(1e-6));
                var found = looks.floats();
                for (var patch = 0; patch < 16; patch++) {
                    assertThat((double) found[patch]).isCloseTo(expected[1 + patch], within(1e-6));
                }
                // Each token looks for itself.
                assertThat(Arrays.copyOfRange(found, 16, 32))
                        .isNotEqualTo(Arrays.copyOfRange(found, 0, 16));
                return looks;
            });
        }
    }

    /// The mean over the heads of what the one token `x` (1, 1, D) attends to in `memory` (1, S,
    /// D).
    private static double[] weights(Module model, int block, Tensor x, Tensor memory) {
        var at = "decoder.transformer.h." + block + ".";
        var qkv = linear(model, at + "attn.c_attn", norm(model, at + "ln_1", x));
        var told = linear(model, at + "attn.c_proj", qkv.narrow(2, 2 * WIDTH, WIDTH));
        var y = norm(model, at + "ln_cross_attn", x.add(told));
        var q = linear(model, at + "crossattention.q_attn", y).floats();
        var keys = linear(model, at + "crossattention.c_attn", memory).narrow(2, 0, WIDTH).floats();
        var mean = new double[SEEN];
        for (var head = 0; head < 4; head++) {
            var weights = new double[SEEN];
            for (var s = 0; s < SEEN; s++) {
                var score = 0.0;
                for (var d = 8 * head; d < 8 * head + 8; d++) {
                    score += q[d] * keys[s * WIDTH + d];
                }
                weights[s] = Math.exp(score / Math.sqrt(8));
            }
            var sum = Arrays.stream(weights).sum();
            Arrays.setAll(mean, s -> mean[s] + weights[s] / sum / 4);
        }
        return mean;
    }

    private static Tensor linear(Module model, String name, Tensor x) {
        return ((Linear) Objects.requireNonNull(model.modules().get(name))).forward(x);
    }

    private static Tensor norm(Module model, String name, Tensor x) {
        return ((LayerNorm) Objects.requireNonNull(model.modules().get(name))).forward(x);
    }
}
