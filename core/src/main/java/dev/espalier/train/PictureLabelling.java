package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Drawing;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Sample;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Problem;
import dev.espalier.model.Vit;
import dev.espalier.objective.ExampleText;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.Answers;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.PictureLabelBatch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to tell the label, or the labels, of pictures.
final class PictureLabelling implements Job {
    private final FinetuneRecipe recipe;
    private final TaskRecipe.ImageClassification task;
    private final Vit model;
    private final Preprocessor preprocessor;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final TextData.Labelled<LabelledImage> data;
    private final Learner learner;

    private PictureLabelling(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Vision.Ready<Vit> ready,
            Lora.@Nullable Settings lora,
            TextData.Labelled<LabelledImage> data,
            Learner learner) {
        this.recipe = recipe;
        this.task = task;
        model = ready.model();
        preprocessor = ready.preprocessor();
        config = ready.config();
        this.lora = lora;
        this.data = data;
        this.learner = learner;
    }

    static Job prepare(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Path folder,
            Watcher watcher) {
        var data = PictureData.labelled(recipe.data(), task, recipe.seed(), folder, watcher);
        var problem = problem(recipe.data().train(), task.problem(), data.train());
        PictureClassifier.requireKnown(data.all().toList(), problem.labels());
        var ready = Vision.vit(recipe.model(), problem, recipe.seed());
        var model = ready.model();
        var lora = Finetuning.adapt(recipe, model, model);
        model.trainHead();
        watcher.said(
                "%,d pictures to train on, %,d to validate on, %d labels"
                        .formatted(
                                data.train().size(),
                                data.validation().size(),
                                problem.labels().size()));
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null ? Vision.microBatch(model, ready.preprocessor(), batch) : micro;
        var train = data.train();
        var truth = train.stream().map(r -> PictureClassifier.truth(problem, r.labels())).toList();
        var weights =
                task.classWeights() == TaskRecipe.Classification.ClassWeights.BALANCED
                        ? Finetuning.balanced(problem, truth)
                        : null;
        var changed =
                new Vision.Changed(
                        train, task.augment(), ready.preprocessor(), false, recipe.seed());
        var learner =
                Vision.learner(
                        model,
                        train.size(),
                        batch,
                        microBatch,
                        recipe.seed(),
                        (epoch, places) -> {
                            var samples = changed.at(epoch, places);
                            return new PictureLabelBatch(
                                    model,
                                    samples.stream().map(Vision.Changed.Seen::pixels).toList(),
                                    samples.stream().map(s -> told(s.sample(), truth)).toList(),
                                    weights,
                                    Run.loss(recipe.training()));
                        });
        return new PictureLabelling(
                Finetuning.completed(recipe, microBatch), task, ready, lora, data, learner);
    }

    private static List<PictureLabelBatch.Told> told(Sample sample, List<double[]> truth) {
        return sample.parts().stream()
                .map(part -> new PictureLabelBatch.Told(truth.get(part.index()), part.share()))
                .toList();
    }

    /// What is to be told, by the labels that the training pictures have.
    private static Problem problem(Path file, ProblemRecipe recipe, List<LabelledImage> records) {
        var labels = new TreeSet<String>();
        records.forEach(r -> labels.addAll(r.labels()));
        if (records.stream().map(LabelledImage::labels).distinct().count() < 2) {
            throw EspalierException.data(
                    "%s: all pictures have the label %s; there is nothing to tell apart"
                            .formatted(file, records.getFirst().labels()));
        }
        return recipe instanceof ProblemRecipe.MultiLabel several
                ? new Problem.MultiLabel(
                        List.copyOf(labels),
                        several.threshold() == null ? 0.5 : several.threshold())
                : new Problem.SingleLabel(List.copyOf(labels));
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public List<ExampleText> examples(long step) {
        return learner.step(step).stream()
                .map(PictureLabelBatch.class::cast)
                .flatMap(batch ->
                        Vision.shown(batch.examples(), batch.pictures(), preprocessor).stream())
                .toList();
    }

    /// Of a picture, since it stands for a token here.
    @Override
    public double flopsPerToken() {
        return Vision.flops(model, preprocessor);
    }

    private double[][] answers(List<LabelledImage> records) {
        return PictureClassifier.answers(
                model, preprocessor, records.stream().map(LabelledImage::picture).toList());
    }

    private double[][] truth(List<LabelledImage> records) {
        return records.stream()
                .map(r -> PictureClassifier.truth(model.problem(), r.labels()))
                .toArray(double[][]::new);
    }

    private List<Score> scores(
            String name, List<LabelledImage> records, Problem problem, double[][] answers) {
        var others = new LinkedHashMap<String, double[][]>();
        others.put(
                Answers.constantName(problem),
                Answers.always(Answers.constant(problem, truth(data.train())), records.size()));
        return Answers.scores(name, problem, truth(records), answers, others, recipe.seed());
    }

    /// What the model tells, with the threshold that is best for these answers to the validation
    /// pictures where the recipe asks for that.
    private Problem told(double[][] answers) {
        return Finetuning.told(
                task.problem(), model.problem(), () -> truth(data.validation()), answers);
    }

    @Override
    public List<Score> validate(long tokens) {
        var answers = answers(data.validation());
        return scores("validation", data.validation(), told(answers), answers);
    }

    @Override
    public @Nullable Double selection(List<Score> scores) {
        return Finetuning.selection(
                recipe,
                scores,
                model.problem() instanceof Problem.MultiLabel ? Metric.MICRO_F1 : Metric.ACCURACY);
    }

    @Override
    public List<Score> finish() {
        var answers = answers(data.validation());
        if (told(answers) instanceof Problem.MultiLabel several) {
            model.threshold(several.threshold());
        }
        var all =
                new ArrayList<>(scores("validation", data.validation(), model.problem(), answers));
        if (data.test() != null) {
            all.addAll(scores("test", data.test(), model.problem(), answers(data.test())));
        }
        return all;
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        Finetuning.writeModel(folder, recipe, model, config, lora);
        preprocessor.write(folder);
    }

    @Override
    public JsonNode dataPassport() {
        return data.passport();
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        var name = data.judgedName();
        var shown = data.judged();
        var answers = answers(shown);
        RunReports.finetuning(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                Answers.judge(model.problem(), truth(shown), answers),
                List.of(),
                cases(shown, answers),
                dataPassport());
    }

    /// The pictures whose labels were thought likeliest, and those whose were thought least likely.
    private List<Block> cases(List<LabelledImage> records, double[][] answers) {
        var truth = truth(records);
        return Vision.cases(
                records.size(),
                i -> PictureClassifier.likelihood(model.problem(), truth[i], answers[i]),
                i -> {
                    var record = records.get(i);
                    var told = PictureClassifier.told(model.problem(), answers[i]);
                    return new Block.Picture(
                            Drawing.png(new ShownImage(record.picture().image(), "")),
                            "%s%ntold: %s".formatted(String.join(", ", record.labels()), told));
                });
    }

    @Override
    public void close() {}
}
