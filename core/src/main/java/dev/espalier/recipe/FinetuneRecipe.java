package dev.espalier.recipe;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

@Doc("Fine-tuning: a model learns a `task` from labelled records.")
public record FinetuneRecipe(
        @Doc(value = "Names the run.", byDefault = "the file's name without its ending")
                String name,
        @Doc(
                        value =
                                "Where all randomness of the run starts: the same seed gives the same run.",
                        byDefault = "1")
                long seed,
        @Doc(value = "The run's folder.", byDefault = "runs/NAME") Path output,
        @Doc("The labelled records.") FinetuneData data,
        @Doc(
                        value =
                                "How text becomes tokens; `auto` takes the tokenizer that lies beside the model, and is"
                                        + " possible only where `model` is a path. Another one is trained on the"
                                        + " training records.",
                        byDefault = "auto",
                        nothing = "auto")
                @Nullable TokenizerRecipe tokenizer,
        @Doc(
                        "The model: a pre-trained one by its path, or a new one, which then learns from scratch.")
                ModelRecipe model,
        @Doc("What the model learns from the labels.") TaskRecipe task,
        @Doc(value = "Which weights are trained.", byDefault = "{type: none}")
                AdapterRecipe adapter,
        @Doc(
                        value = "How long and how it is trained.",
                        byDefault =
                                "{for: 20 epochs, batch: 16, optimizer: {type: adamw, rate: 5e-4, betas: [0.9, 0.999],"
                                        + " weight-decay: 0.01}, schedule: {type: cosine, warmup: 10%, floor: 0},"
                                        + " early-stopping: {patience: 5}}")
                TrainingRecipe training,
        @Doc(value = "When the validation records are measured.", byDefault = "{every: 1 epoch}")
                EvaluateRecipe evaluate,
        @Doc(value = "When checkpoints are saved.", byDefault = "{every: 1 epoch, keep: 1}")
                SaveRecipe save,
        @Doc(
                        value = "Whether to measure what fine-tuning forgets, and to defend it.",
                        byDefault = "none")
                @Nullable ForgettingRecipe forgetting,
        @Doc(value = "What `compare` studies with this recipe.", byDefault = "none")
                @Nullable CompareRecipe compare)
        implements Recipe {
    @Override
    public boolean ofPictures() {
        return task.ofPictures();
    }

    /// The same with these parts.
    public FinetuneRecipe with(ModelRecipe model, TaskRecipe task, TrainingRecipe training) {
        return new FinetuneRecipe(
                name,
                seed,
                output,
                data,
                tokenizer,
                model,
                task,
                adapter,
                training,
                evaluate,
                save,
                forgetting,
                compare);
    }

    /// The same without what `compare` studies.
    public FinetuneRecipe alone() {
        return new FinetuneRecipe(
                name,
                seed,
                output,
                data,
                tokenizer,
                model,
                task,
                adapter,
                training,
                evaluate,
                save,
                forgetting,
                null);
    }
}
