package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Preprocessor.Size;
import dev.espalier.model.Problem;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.task.PictureClassifier;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The model of pictures that a recipe names, made or read.
final class Vision {
    private Vision() {}

    /// A model, how it reads pictures, and its `config.json`.
    record Ready<M extends VisionModel>(M model, Preprocessor preprocessor, ObjectNode config) {}

    /// A ViT that tells `problem`.
    static Ready<Vit> vit(ModelRecipe recipe, Problem problem, long seed) {
        return switch (recipe) {
            case ModelRecipe.Vit v ->
                    new Ready<>(
                            new Vit(
                                            VitConfig.of(
                                                    v.image(),
                                                    v.patch(),
                                                    v.width(),
                                                    v.layers(),
                                                    v.heads(),
                                                    v.dropout()),
                                            problem)
                                    .initialize(seed),
                            Preprocessor.vit(v.image(), v.image()),
                            JsonNodeFactory.instance.objectNode());
            case ModelRecipe.Saved saved -> {
                var loaded = HuggingFace.readVit(saved.path(), problem, saved.dropout());
                if (!loaded.missing().isEmpty()) {
                    loaded.model().initializeHead(seed);
                }
                yield new Ready<>(
                        loaded.model(),
                        PictureClassifier.preprocessor(saved.path(), loaded.model()),
                        loaded.config());
            }
            default -> throw EspalierException.usage("model: a vit is needed to see pictures");
        };
    }

    /// The micro-batch of a step of `batch` pictures that `auto` stands for.
    static int microBatch(VisionModel model, Preprocessor preprocessor, int batch) {
        var size = size(model, preprocessor);
        return CausalLearner.autoMicroBatch(
                model, batch, (int) model.positions(size.height(), size.width()));
    }

    private static Size.Exact size(VisionModel model, Preprocessor preprocessor) {
        var size = preprocessor.fixed();
        return size == null ? new Size.Exact(model.imageHeight(), model.imageWidth()) : size;
    }

    /// Operations of the forward and the backward pass of a picture of the size that the model
    /// reads.
    static double flops(VisionModel model, Preprocessor preprocessor) {
        var size = size(model, preprocessor);
        return 6 * model.multiplications(size.height(), size.width());
    }
}
