package dev.espalier.recipe;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// What a run is to do. With an `objective` it is pre-training, with a `task` fine-tuning.
public sealed interface Recipe permits PretrainRecipe, FinetuneRecipe {
    /// The run's name.
    String name();

    /// Where all randomness of the run starts.
    long seed();

    /// The run's folder.
    Path output();

    /// The tokenizer; null for the one that lies beside the model.
    @Nullable TokenizerRecipe tokenizer();

    ModelRecipe model();

    TrainingRecipe training();

    EvaluateRecipe evaluate();

    SaveRecipe save();

    /// Whether the model sees pictures, which count where others count tokens.
    boolean ofPictures();

    /// What passes through the model, for rates: `tokens` or `images`.
    default String unit() {
        return ofPictures() ? "images" : "tokens";
    }
}
