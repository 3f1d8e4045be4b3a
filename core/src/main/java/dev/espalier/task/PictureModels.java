package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Picture;
import dev.espalier.image.Fit;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.VisionModel;
import dev.espalier.objective.Pixels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;

/// Models of pictures that are used: read from their folders, and shown many pictures.
final class PictureModels {
    private PictureModels() {}

    /// Makes what is used of a model and of what its folder says.
    @FunctionalInterface
    interface Make<M, T> {
        T of(M model, Preprocessor preprocessor, JsonNode config);
    }

    /// What `make` makes of the model of a certain kind that a fine-tuning run left in `folder`.
    ///
    /// @param purpose what such a model is fine-tuned to do
    /// @throws EspalierException (DATA) if there is none, or one whose head was never trained, or
    ///   `make` refuses it; its weights are freed
    static <M extends VisionModel, T> T load(
            Path folder, Class<M> kind, String purpose, Make<M, T> make) {
        var loaded = HuggingFace.readVision(folder, null);
        try {
            if (!kind.isInstance(loaded.model()) || !loaded.missing().isEmpty()) {
                throw EspalierException.data(
                        "%s: this model was not fine-tuned to %s".formatted(folder, purpose));
            }
            var model = kind.cast(loaded.model());
            return make.of(model, PictureClassifier.preprocessor(folder, model), loaded.config());
        } catch (EspalierException e) {
            loaded.model().free();
            throw e;
        }
    }

    /// A picture and what the model reads of it.
    ///
    /// @param width the picture's own, in pixels
    record Read(int width, int height, Pixels pixels) {}

    /// What `tell` tells of each of `pictures`, in their order.
    ///
    /// @param fit how the model reads them
    /// @param most how many it is shown together; pictures of several sizes one by one
    /// @throws EspalierException (DATA) if one is too small for the model
    static <A> List<A> each(
            List<Picture> pictures, Fit fit, int most, Function<List<Read>, List<A>> tell) {
        var told = new ArrayList<A>();
        var together = fit.preprocessor().fixed() == null ? 1 : most;
        for (var start = 0; start < pictures.size(); start += together) {
            var read =
                    pictures
                            .subList(start, Math.min(pictures.size(), start + together))
                            .parallelStream()
                            .map(picture -> read(fit, picture))
                            .toList();
            told.addAll(tell.apply(read));
        }
        return told;
    }

    private static Read read(Fit fit, Picture picture) {
        var image = picture.image();
        fit.require(picture.where(), image);
        return new Read(
                image.width(),
                image.height(),
                PictureClassifier.pixels(fit.preprocessor(), image, picture.where()));
    }

    /// What the model reads of these, behind one another.
    static List<Pixels> pixels(List<Read> pictures) {
        return pictures.stream().map(Read::pixels).toList();
    }
}
