package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.io.Json;
import dev.espalier.model.LlamaConfig;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

class RotaryEmbeddingTest {
    private static final Path ROPE =
            Path.of(System.getProperty("espalier.goldens")).resolve("misc/rope.json");

    static Stream<String> variants() {
        return Json.read(ROPE).propertyNames().stream();
    }

    /// Of every kind of scaling, through the keys of `config.json`.
    @ParameterizedTest
    @MethodSource("variants")
    void anglesAreTheReferences(String name) {
        var variant = Json.read(ROPE).path(name);
        var config = LlamaConfig.of((ObjectNode) variant.path("config"));
        var rotary =
                new RotaryEmbedding(
                        config.headWidth(), config.theta(), config.scaling(), config.context());
        var got = rotary.inverseFrequencies(variant.path("seq_len").asLong(0));
        var want = variant.path("inv_freq");
        assertThat(got).hasSize(want.size());
        for (var i = 0; i < got.length; i++) {
            var expected = want.path(i).asDouble();
            assertThat((double) got[i])
                    .as("pair " + i)
                    .isCloseTo(expected, within(4e-7 * expected));
        }
        assertThat(rotary.attentionFactor())
                .isCloseTo(variant.path("attention_factor").asDouble(), within(1e-12));
    }

    @Test
    void productsDependOnTheDistanceAlone() {
        try (var scope = new Scope()) {
            Torch.seed(1);
            var rotary = new RotaryEmbedding(8, 100, new RotaryEmbedding.None(), 64);
            var q = Tensor.zeros(DType.FLOAT, 1, 1, 1, 8).normalInPlace(1);
            var k = Tensor.zeros(DType.FLOAT, 1, 1, 1, 8).normalInPlace(1);
            var near = product(rotary, q, 5, k, 2);
            assertThat(product(rotary, q, 40, k, 37)).isCloseTo(near, within(1e-4));
            assertThat(product(rotary, q, 5, k, 3)).isNotCloseTo(near, within(1e-3));
            // Position 0 is not turned.
            assertThat(product(rotary, q, 0, k, 0)).isCloseTo(q.mul(k).sum().item(), within(1e-6));
        }
    }

    private static double product(RotaryEmbedding rotary, Tensor q, int m, Tensor k, int n) {
        return at(rotary, m).apply(q).mul(at(rotary, n).apply(k)).sum().item();
    }

    private static RotaryEmbedding.Rotation at(RotaryEmbedding rotary, int position) {
        return rotary.at(Tensor.of(new int[] {position}, 1, 1));
    }

    @Test
    void aDynamicThetaGrowsOnlyBeyondTheContext() {
        try (var scope = new Scope()) {
            var plain = new RotaryEmbedding(8, 100, new RotaryEmbedding.None(), 16);
            var dynamic = new RotaryEmbedding(8, 100, new RotaryEmbedding.Dynamic(2), 16);
            var within = Tensor.arange(0, 16).unsqueeze(0);
            assertThat(dynamic.at(within).cos().floats())
                    .isEqualTo(plain.at(within).cos().floats());
            var beyond = Tensor.arange(0, 17).unsqueeze(0);
            assertThat(dynamic.at(beyond).cos().floats())
                    .isNotEqualTo(plain.at(beyond).cos().floats());
        }
    }
}
