package dev.espalier.image;

import dev.espalier.EspalierException;
import org.jspecify.annotations.Nullable;

/// Which pictures a model sees: those that its preprocessor leaves as large as it needs them.
///
/// @param least pixels that each side must have, such as those of a patch
public record Fit(Preprocessor preprocessor, int least) {
    /// Of a model that sees any picture.
    public static final Fit ANY = new Fit(Preprocessor.vit(1, 1), 1);

    /// Why a picture of this size is not seen; null where it is.
    public @Nullable String refusal(int width, int height) {
        var seen = preprocessor.seen(width, height);
        return Math.min(seen.width(), seen.height()) >= least
                ? null
                : "has %d x %d pixels, of which the model reads %d x %d; it needs %d at least each way"
                        .formatted(width, height, seen.width(), seen.height(), least);
    }

    /// @param where the picture stands; empty where that is not known
    /// @throws EspalierException (DATA) if it is not seen
    public void require(String where, Image image) {
        var refusal = refusal(image.width(), image.height());
        if (refusal != null) {
            throw EspalierException.data(where.isEmpty() ? refusal : where + ": " + refusal);
        }
    }
}
