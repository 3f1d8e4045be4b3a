package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.data.LabelledImage;
import dev.espalier.image.Drawing;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Sample;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Problem;
import dev.espalier.model.Vit;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.Answers;
import dev.espalier.task.Commonest;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.PictureLabelBatch;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The label, or the labels, of pictures, as they are learnt.
final class PictureLabelling implements Seeing.Sight {
    private final TaskRecipe.ImageClassification task;
    private final Vit model;
    private final Preprocessor preprocessor;
    private final List<double[]> truth;
    private final double[] constant;
    private final float @Nullable [] weights;
    private final CrossEntropy loss;
    private final long seed;
    private final Forgetting forgetting;

    private PictureLabelling(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Vision.Ready<Vit> ready,
            List<LabelledImage> train) {
        this.task = task;
        model = ready.model();
        preprocessor = ready.preprocessor();
        seed = recipe.seed();
        loss = Run.loss(recipe.training());
        var problem = model.problem();
        truth = train.stream().map(r -> PictureClassifier.truth(problem, r.labels())).toList();
        constant = Answers.constant(problem, truth.toArray(double[][]::new));
        Commonest.tell(ready.config(), Answers.labels(problem, constant));
        weights =
                task.classWeights() == TaskRecipe.Classification.ClassWeights.BALANCED
                        ? Finetuning.balanced(problem, truth)
                        : null;
        forgetting = Forgetting.of(recipe.forgetting(), model);
    }

    static Job prepare(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Path folder,
            Watcher watcher) {
        var data = PictureData.labelled(recipe, task, folder, watcher);
        var train = data.train();
        var problem = problem(recipe.data().train(), task.problem(), train);
        PictureClassifier.requireKnown(data.all().toList(), problem.labels());
        var ready = Vision.vit(recipe.model(), problem, recipe.seed());
        var lora = Vision.adapt(recipe, ready);
        watcher.said(
                "%,d pictures to train on, %,d to validate on, %d labels"
                        .formatted(
                                train.size(), data.validation().size(), problem.labels().size()));
        return Seeing.prepare(
                recipe,
                ready,
                lora,
                data,
                new Seeing.Lesson(train, task.augment(), false),
                Vision.load(ready.model(), ready.preprocessor()),
                new PictureLabelling(recipe, task, ready, train));
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
    public MicroBatch batch(List<Vision.Changed.Seen> pictures) {
        return new PictureLabelBatch(
                model,
                pictures.stream().map(Vision.Changed.Seen::pixels).toList(),
                pictures.stream().map(s -> told(s.sample())).toList(),
                weights,
                loss);
    }

    private List<PictureLabelBatch.Share> told(Sample sample) {
        return sample.parts().stream()
                .map(part -> new PictureLabelBatch.Share(truth.get(part.index()), part.share()))
                .toList();
    }

    @Override
    public Stream<ExampleText> examples(MicroBatch part) {
        var batch = (PictureLabelBatch) part;
        return Vision.shown(batch.examples(), batch.pictures(), preprocessor).stream();
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

    @Override
    public void settle(List<LabelledImage> validation) {
        if (task.problem() instanceof ProblemRecipe.MultiLabel several
                && several.threshold() == null) {
            model.threshold(Answers.bestThreshold(truth(validation), answers(validation)));
        }
    }

    @Override
    public Seeing.Judged tell(String data, List<LabelledImage> records) {
        var problem = model.problem();
        var answers = answers(records);
        var right = truth(records);
        var others = new LinkedHashMap<String, double[][]>();
        others.put(Answers.constantName(problem), Answers.always(constant, records.size()));
        return new Seeing.Judged(
                Answers.scores(data, problem, right, answers, others, seed),
                Answers.judge(problem, right, answers),
                List.of(),
                () -> cases(records, right, answers));
    }

    @Override
    public Metric metric() {
        return Finetuning.usual(task.problem());
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    /// The pictures whose labels were thought likeliest, and those whose were thought least likely.
    private List<Block> cases(List<LabelledImage> records, double[][] truth, double[][] answers) {
        return Vision.cases(
                records.size(),
                i -> PictureClassifier.likelihood(model.problem(), truth[i], answers[i]),
                i -> {
                    var record = records.get(i);
                    var told = PictureClassifier.told(model.problem(), answers[i]);
                    return new Block.Picture(
                            Drawing.sheet(
                                    List.of(
                                            new ShownImage(record.picture().image(), "the picture"),
                                            new ShownImage(
                                                    PictureClassifier.attention(
                                                            model, preprocessor, record.picture()),
                                                    "what it looks at")),
                                    2),
                            "%s%ntold: %s".formatted(String.join(", ", record.labels()), told));
                });
    }
}
