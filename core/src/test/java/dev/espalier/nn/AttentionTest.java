package dev.espalier.nn;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AttentionTest {
    private static Tensor random(long... shape) {
        return Tensor.zeros(DType.FLOAT, shape).normalInPlace(1);
    }

    /// The formula of the class comment, one number at a time.
    private static double[] byHand(float[] q, float[] k, float[] v, int t, int d, double scale) {
        var out = new double[t * d];
        for (var i = 0; i < t; i++) {
            var weights = new double[i + 1];
            var total = 0.0;
            for (var j = 0; j <= i; j++) {
                var dot = 0.0;
                for (var c = 0; c < d; c++) {
                    dot += q[i * d + c] * k[j * d + c];
                }
                weights[j] = Math.exp(scale * dot / Math.sqrt(d));
                total += weights[j];
            }
            for (var j = 0; j <= i; j++) {
                for (var c = 0; c < d; c++) {
                    out[i * d + c] += weights[j] / total * v[j * d + c];
                }
            }
        }
        return out;
    }

    @Test
    void everyPathIsTheFormula() {
        try (var scope = new Scope()) {
            Torch.seed(3);
            int t = 7, d = 4;
            var q = random(1, 1, t, d);
            var k = random(1, 1, t, d);
            var v = random(1, 1, t, d);
            for (var scale : new double[] {1, 0.5}) {
                var want = byHand(q.floats(), k.floats(), v.floats(), t, d, scale);
                var fused = Attention.attend(q, k, v, null, scale, 0).floats();
                var masked = Attention.attend(q, k, v, Attention.causal(t, t), scale, 0).floats();
                var bf16 =
                        Torch.bf16(true, () -> Attention.attend(q, k, v, null, scale, 0).floats());
                for (var i = 0; i < want.length; i++) {
                    assertThat((double) fused[i]).isCloseTo(want[i], within(1e-5));
                    assertThat((double) masked[i]).isCloseTo(want[i], within(1e-5));
                    assertThat((double) bf16[i]).isCloseTo(want[i], within(0.05));
                }
            }
        }
    }

    @Test
    void paddingIsNotLookedAtAndMakesNoNaN() {
        try (var scope = new Scope()) {
            var keep = Tensor.of(new long[] {0, 1, 1}, 1, 3);
            var mask = Attention.causal(3, keep).floats();
            var least = (float) Attention.LEAST;
            assertThat(mask).containsExactly(least, least, least, least, 0, least, least, 0, 0);
            var x = random(1, 1, 3, 4);
            assertThat(Attention.attend(x, x, x, Attention.causal(3, keep), 1, 0).allFinite())
                    .isTrue();
        }
    }

    @Test
    void theLastOfMorePositionsSeesThemAll() {
        try (var scope = new Scope()) {
            assertThat(Attention.causal(2, 4).floats())
                    .containsExactly(0, 0, 0, (float) Attention.LEAST, 0, 0, 0, 0);
        }
    }

    @Test
    void groupsOfQueriesShareKeysAndValues() {
        try (var scope = new Scope()) {
            Torch.seed(4);
            var q = random(2, 6, 5, 4);
            var k = random(2, 2, 5, 4);
            var v = random(2, 2, 5, 4);
            var got = Attention.attend(q, k, v, null, 1, 0);
            for (var head = 0; head < 6; head++) {
                var alone =
                        Attention.attend(
                                q.narrow(1, head, 1),
                                k.narrow(1, head / 3, 1),
                                v.narrow(1, head / 3, 1),
                                null,
                                1,
                                0);
                assertThat(got.narrow(1, head, 1).floats())
                        .containsExactly(alone.floats(), within(1e-6f));
            }
        }
    }

    @Test
    void oneQueryAlikeSharesKeysAndValuesInACache() {
        try (var scope = new Scope()) {
            Torch.seed(5);
            var q = random(3, 6, 1, 4);
            var k = random(3, 2, 9, 4).narrow(2, 0, 7);
            var v = random(3, 2, 9, 4).narrow(2, 0, 7);
            var keep = Tensor.of(new long[] {1, 1, 1, 1, 1, 1, 1}, 1, 7);
            var padded =
                    Tensor.of(
                            new long[] {
                                0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1
                            },
                            3,
                            7);
            for (var mask :
                    new @Nullable Tensor[] {
                        null,
                        Attention.causal(1, 7),
                        Attention.causal(1, keep),
                        Attention.causal(1, padded),
                        Attention.within(3, Attention.causal(1, padded), 1, 7)
                    }) {
                for (var bf16 : new boolean[] {false, true}) {
                    var got =
                            Torch.bf16(bf16, () -> Attention.attend(q, k, v, mask, 1, 0))
                                    .to(DType.FLOAT);
                    assertThat(got.shape()).containsExactly(3, 6, 1, 4);
                    for (var head = 0; head < 6; head++) {
                        var its = head;
                        var alone =
                                Torch.bf16(
                                        bf16,
                                        () ->
                                                Attention.attendToAll(
                                                        q.narrow(1, its, 1),
                                                        k.narrow(1, its / 3, 1),
                                                        v.narrow(1, its / 3, 1),
                                                        mask,
                                                        1,
                                                        0));
                        assertThat(got.narrow(1, head, 1).floats())
                                .containsExactly(alone.floats(), within(bf16 ? 0.02f : 1e-6f));
                    }
                }
            }
        }
    }

    @Test
    void aWindowHidesWhatIsFartherBack() {
        try (var scope = new Scope()) {
            var o = 0f;
            var x = (float) Attention.LEAST;
            assertThat(window(null, 4, 4))
                    .containsExactly(o, x, x, x, o, o, x, x, x, o, o, x, x, x, o, o);
            assertThat(window(null, 1, 4)).containsExactly(x, x, o, o);
            assertThat(Attention.within(4, null, 4, 4)).isNull();
            var padded = Attention.causal(3, Tensor.of(new long[] {0, 1, 1}, 1, 3));
            assertThat(window(padded, 3, 3)).containsExactly(x, x, x, x, o, x, x, o, o);
        }
    }

    private static float[] window(@Nullable Tensor mask, int t, int s) {
        return requireNonNull(Attention.within(2, mask, t, s)).floats();
    }
}
