package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.nn.Positions.Grid;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.api.Test;

class PositionsTest {
    @Test
    void theOwnGridIsLeftAsItIs() {
        try (var scope = new Scope()) {
            var table = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 1, 6, 1);
            assertThat(Positions.interpolated(table, new Grid(2, 3), new Grid(2, 3)))
                    .isSameAs(table);
        }
    }

    /// Cubic convolution with A = -0.75 (Keys 1981), written out: the weights of the four nearest
    /// of a line, whose ends are repeated.
    @Test
    void othersAreCubicConvolutions() {
        var line = new float[] {1, 4, 2, 8, 5};
        try (var scope = new Scope()) {
            // A column beside each, so that rows and columns cannot be mistaken.
            var table = new float[2 * line.length];
            for (var i = 0; i < line.length; i++) {
                table[2 * i] = line[i];
                table[2 * i + 1] = -line[i];
            }
            var ours =
                    Positions.interpolated(
                            Tensor.of(table, 1, 5, 2), new Grid(1, 5), new Grid(1, 8));
            assertThat(ours.shape()).containsExactly(1, 8, 2);
            var values = ours.floats();
            for (var x = 0; x < 8; x++) {
                assertThat(values[2 * x]).isCloseTo((float) cubic(line, x, 8), within(1e-5f));
                assertThat(values[2 * x + 1]).isCloseTo(-values[2 * x], within(1e-5f));
            }
        }
    }

    private static org.assertj.core.data.Offset<Float> within(float value) {
        return org.assertj.core.data.Offset.offset(value);
    }

    private static double cubic(float[] line, int x, int length) {
        var at = (x + 0.5) * line.length / length - 0.5;
        var left = (int) Math.floor(at);
        var sum = 0.0;
        for (var i = left - 1; i <= left + 2; i++) {
            sum += weight(Math.abs(at - i)) * line[Math.clamp(i, 0, line.length - 1)];
        }
        return sum;
    }

    private static double weight(double d) {
        var a = -0.75;
        return d <= 1
                ? ((a + 2) * d - (a + 3)) * d * d + 1
                : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
}
