package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.image.Preprocessor.Size;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FitTest {
    // Of a nested type the class file does not say that it may be null.
    @SuppressWarnings("NullAway")
    private static Fit fit(@Nullable Size size, Size.@Nullable Exact crop) {
        var zeros = List.of(0.0, 0.0, 0.0);
        var ones = List.of(1.0, 1.0, 1.0);
        return new Fit(
                new Preprocessor("", size, Resampling.BILINEAR, crop, 1, zeros, ones, false), 16);
    }

    @Test
    void aNarrowPictureBecomesNarrower() {
        var fit = fit(new Size.Edge(800, 1333), null);
        assertThat(fit.refusal(2000, 10))
                .isEqualTo(
                        "has 2000 x 10 pixels, of which the model reads 1333 x 7; it needs 16 at least each way");
        assertThat(fit.refusal(10, 2000)).contains("reads 7 x 1333;");
        assertThat(fit.refusal(1000, 12)).isNull();
    }

    @Test
    void aPictureThatStaysAsItIsMustBeLargeEnough() {
        var fit = fit(null, null);
        assertThat(fit.refusal(16, 16)).isNull();
        assertThat(fit.refusal(15, 100)).isNotNull();
        // The middle has its size whatever it is cut from.
        assertThat(fit(null, new Size.Exact(16, 20)).refusal(3, 3)).isNull();
        assertThat(fit(null, new Size.Exact(16, 15)).refusal(300, 300)).isNotNull();
        assertThat(Fit.ANY.refusal(1, 1)).isNull();
    }

    @Test
    void whatIsRefusedIsNamedWhereItsPlaceIsKnown() {
        var small = new Image(8, 8, new byte[3 * 64]);
        assertThatThrownBy(() -> fit(null, null).require("a.png", small))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("a.png: has 8 x 8 pixels");
        assertThatThrownBy(() -> fit(null, null).require("", small))
                .hasMessageStartingWith("has 8 x 8 pixels");
    }
}
