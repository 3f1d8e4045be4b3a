package dev.espalier.recipe;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

@Doc("Pre-training: a model learns from raw text by an `objective`.")
public record PretrainRecipe(
        @Doc(value = "Names the run.", byDefault = "the file's name without its ending")
                String name,
        @Doc(
                        value =
                                "Where all randomness of the run starts: the same seed gives the same run.",
                        byDefault = "1")
                long seed,
        @Doc(value = "The run's folder.", byDefault = "runs/NAME") Path output,
        @Doc("The raw text.") PretrainData data,
        @Doc(
                        value =
                                "How text becomes tokens; `auto` takes the tokenizer that lies beside the model, and is"
                                        + " possible only where `model` is a path.",
                        byDefault = "auto",
                        nothing = "auto")
                @Nullable TokenizerRecipe tokenizer,
        @Doc("The model: a new one, or one to train further.") ModelRecipe model,
        @Doc("What the model learns from the text.") ObjectiveRecipe objective,
        @Doc("How long and how it is trained.") TrainingRecipe training,
        @Doc(value = "When the validation text is measured.", byDefault = "{every: 500 steps}")
                EvaluateRecipe evaluate,
        @Doc(value = "When checkpoints are saved.", byDefault = "{every: 1000 steps}")
                SaveRecipe save)
        implements Recipe {
    @Override
    public boolean ofPictures() {
        return objective instanceof ObjectiveRecipe.MaskedImage;
    }
}
