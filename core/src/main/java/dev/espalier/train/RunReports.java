package dev.espalier.train;

import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.Score;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.report.Block;
import dev.espalier.report.Forgotten;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.RunReport;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// The pages that runs leave behind. How a run came to its end stands in the first lines of each.
public final class RunReports {
    private RunReports() {}

    static void pretraining(
            Path file,
            Recipe recipe,
            String ended,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            JsonNode data) {
        HtmlReport.write(
                file,
                RunReport.pretraining(
                        heading(recipe, "Pre-training", ended, data),
                        steps(steps),
                        evaluations(evaluations),
                        scores,
                        List.of()));
    }

    /// `first` are the metrics that say most.
    static void beforeAndAfter(
            Path file,
            Recipe recipe,
            String ended,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            List<String> first,
            JsonNode data) {
        HtmlReport.write(
                file,
                RunReport.beforeAndAfter(
                        heading(recipe, "Fine-tuning", ended, data),
                        steps(steps),
                        evaluations(evaluations),
                        scores,
                        first));
    }

    /// `scores` and `result` are those of the test, or of the validation records where there is no
    /// test.
    static void finetuning(
            Path file,
            Recipe recipe,
            String ended,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            Judgement result,
            Forgotten forgotten,
            List<Block> cases,
            JsonNode data) {
        HtmlReport.write(
                file,
                RunReport.finetuning(
                        heading(recipe, "Fine-tuning", ended, data),
                        steps(steps),
                        evaluations(evaluations),
                        scores,
                        result,
                        forgotten,
                        cases));
    }

    /// `scores` are those of the test, or of the validation pictures where there is no test; see
    /// [RunReport#seeing].
    static void seeing(
            Path file,
            Recipe recipe,
            String ended,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            String headline,
            List<Block> taken,
            List<Block> cases,
            JsonNode data) {
        HtmlReport.write(
                file,
                RunReport.seeing(
                        heading(
                                recipe,
                                recipe instanceof PretrainRecipe ? "Pre-training" : "Fine-tuning",
                                ended,
                                data),
                        steps(steps),
                        evaluations(evaluations),
                        scores,
                        headline,
                        taken,
                        cases));
    }

    /// `scores` are those of the test, or of the validation records where there is no test.
    static void rewriting(
            Path file,
            Recipe recipe,
            String ended,
            List<StepFigures> steps,
            List<Job.Evaluation> evaluations,
            List<Score> scores,
            List<Block.Sample> best,
            List<Block.Sample> worst,
            long tokensWritten,
            double secondsWriting,
            JsonNode data) {
        HtmlReport.write(
                file,
                RunReport.rewriting(
                        heading(recipe, "Fine-tuning", ended, data),
                        steps(steps),
                        evaluations(evaluations),
                        scores,
                        best,
                        worst,
                        new RunReport.Writing(tokensWritten, secondsWriting)));
    }

    private static RunReport.Heading heading(
            Recipe recipe, String kind, String ended, JsonNode data) {
        var passport = new ArrayList<Block.Definition>();
        passport.add(new Block.Definition("recipe", Recipes.write(recipe)));
        passport.add(
                new Block.Definition(
                        "machine", Machine.processor() + ", " + Machine.threads() + " threads"));
        passport.add(new Block.Definition("data", data.toPrettyString()));
        return new RunReport.Heading(
                recipe.name(),
                kind + ", " + LocalDate.now(java.time.ZoneId.systemDefault()) + "; " + ended,
                passport,
                recipe.unit());
    }

    /// Steps as the report draws them.
    public static List<RunReport.Step> steps(List<StepFigures> steps) {
        return steps.stream()
                .map(s ->
                        new RunReport.Step(
                                s.step(),
                                s.tokens(),
                                s.loss(),
                                s.rate(),
                                s.gradientNorm(),
                                s.tokensPerSecond(),
                                s.matmulShare(),
                                s.memory(),
                                s.seconds()))
                .toList();
    }

    private static List<RunReport.Evaluation> evaluations(List<Job.Evaluation> evaluations) {
        return evaluations.stream()
                .map(e -> new RunReport.Evaluation(e.step(), e.scores()))
                .toList();
    }
}
