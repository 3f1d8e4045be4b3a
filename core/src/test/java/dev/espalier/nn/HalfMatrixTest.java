package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HalfMatrixTest {
    /// From tiny, which half precision has as subnormal numbers or 0, to large.
    private static float[] values(Rng rng, int count) {
        var values = new float[count];
        for (var i = 0; i < count; i++) {
            var scale = Math.pow(2, Math.floor(30 * rng.nextDouble()) - 26);
            values[i] = (float) ((2 * rng.nextDouble() - 1) * scale);
        }
        return values;
    }

    private static float[] product(Crew crew, Tensor weight, float[] bias, float[] x) {
        var matrix = new HalfMatrix(weight, Tensor.of(bias, bias.length), crew);
        var y = matrix.times(Tensor.of(x, 1, 1, x.length));
        assertThat(y.shape()).containsExactly(1, 1, bias.length);
        return y.floats();
    }

    /// The sums are of n + 1 terms in fp32, each of which is rounded when it is multiplied and when
    /// it is added: off by (n + 2) 2⁻²⁴ of what the terms are without their signs, at the most.
    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "5, 7",
        "1, 40",
        "40, 1",
        "3, 16",
        "17, 33",
        "32, 96",
        "30, 256",
        "31, 257",
        "65, 513",
        "96, 1000",
        "770, 300"
    })
    void theProductIsThatOfTheRoundedWeights(int inputs, int outputs) {
        for (var seed = 0; seed < 3; seed++) {
            var rng = Rng.at(seed, inputs * 1000 + outputs);
            var w = values(rng, inputs * outputs); // (in, out)
            var b = values(rng, outputs);
            var x = values(rng, inputs);
            try (var scope = new Scope();
                    var alone = new Crew(1);
                    var two = new Crew(2);
                    var three = new Crew(3)) {
                var stored = Tensor.of(w, inputs, outputs);
                var other = stored.transpose(0, 1).contiguous().transpose(0, 1);
                var got = product(alone, stored, b, x);
                for (var j = 0; j < outputs; j++) {
                    double want = b[j], size = Math.abs(b[j]);
                    for (var i = 0; i < inputs; i++) {
                        var half = Float.float16ToFloat(Float.floatToFloat16(w[i * outputs + j]));
                        want += (double) x[i] * half;
                        size += Math.abs((double) x[i] * half);
                    }
                    assertThat((double) got[j])
                            .isCloseTo(want, within((inputs + 2) * 0x1p-24 * size + 1e-40));
                }
                // Neither layout nor threads change a bit.
                assertThat(product(two, other, b, x)).isEqualTo(got);
                assertThat(product(three, stored, b, x)).isEqualTo(got);
            }
        }
    }

    @Test
    void whatHalfPrecisionDoesNotReachIsSeen() {
        try (var scope = new Scope();
                var crew = new Crew(1)) {
            for (var value : new float[] {65504, -65504, 65520, -1e9f, Float.NaN}) {
                var matrix = new HalfMatrix(Tensor.of(new float[] {1, value}, 1, 2), null, crew);
                assertThat(matrix.weights().allFinite()).isEqualTo(Math.abs(value) == 65504);
            }
        }
    }

    @Test
    void withoutABiasAndWithoutThreadsToSpareItIsThePlainProduct() {
        try (var scope = new Scope();
                var crew = new Crew(1)) {
            var x = Tensor.of(new float[] {1, 2, 3}, 3);
            var w = Tensor.of(new float[] {1, 0.5f, 2, -1, 0.25f, 4}, 3, 2);
            var y = Torch.noGrad(() -> new HalfMatrix(w, null, crew).times(x));
            assertThat(y.floats()).containsExactly(5.75f, 10.5f);
        }
    }
}
