package dev.espalier.train;

import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.model.DecoderClassifier;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.PretrainRecipe;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// The pages that runs leave behind.
final class RunReports {
    private RunReports() {}

    static void pretraining(
            Path file,
            PretrainRecipe recipe,
            Decoder model,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            JsonNode data) {}

    static void finetuning(
            Path file,
            FinetuneRecipe recipe,
            List<String> labels,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            Finetuning.Records test,
            DecoderClassifier model) {}
}
