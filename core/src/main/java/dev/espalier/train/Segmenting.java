package dev.espalier.train;

import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Drawing;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Segmenter;
import dev.espalier.objective.ExampleText;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.MaskBatch;
import dev.espalier.task.PictureSegmenter;
import dev.espalier.task.SegmentationLoss;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to tell the class of each pixel of pictures.
final class Segmenting implements Job {
    private final FinetuneRecipe recipe;
    private final Segmenter model;
    private final Preprocessor preprocessor;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final TextData.Labelled<LabelledImage> data;
    private final PictureSegmenter segmenter;
    private final int majority;
    private final Learner learner;

    private Segmenting(
            FinetuneRecipe recipe,
            TaskRecipe.Segmentation task,
            Vision.Ready<Segmenter> ready,
            Lora.@Nullable Settings lora,
            TextData.Labelled<LabelledImage> data,
            int majority,
            Learner learner) {
        this.recipe = recipe;
        model = ready.model();
        preprocessor = ready.preprocessor();
        config = ready.config();
        this.lora = lora;
        this.data = data;
        this.majority = majority;
        this.learner = learner;
        segmenter = new PictureSegmenter(model, preprocessor, task.windows());
        if (task.windows() != null) {
            config.putObject(HuggingFace.OWN).put(PictureSegmenter.WINDOWS, task.windows());
        }
    }

    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Segmentation task, Path folder, Watcher watcher) {
        var read = PictureData.masked(recipe.data(), task, recipe.seed(), folder, watcher);
        var data = read.records();
        var ready = Vision.segmenter(recipe.model(), read.classes(), recipe.seed());
        var model = ready.model();
        var lora = Finetuning.adapt(recipe, model, model);
        model.trainHead();
        var train = data.train();
        watcher.said(
                "%,d pictures to train on, %,d to validate on, %d classes of pixels"
                        .formatted(train.size(), data.validation().size(), read.classes().size()));
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null ? Vision.microBatch(model, ready.preprocessor(), batch) : micro;
        var counts = counts(train, read.classes().size());
        var asked = task.loss();
        var loss =
                new SegmentationLoss(
                        asked.crossEntropy(),
                        asked.dice(),
                        asked.focal(),
                        asked.gamma(),
                        task.classWeights() == TaskRecipe.Classification.ClassWeights.BALANCED
                                ? balanced(counts)
                                : null);
        var changed =
                new Vision.Changed(
                        train,
                        task.augment(),
                        ready.preprocessor(),
                        task.windows() != null,
                        recipe.seed());
        var learner =
                Vision.learner(
                        model,
                        train.size(),
                        batch,
                        microBatch,
                        recipe.seed(),
                        (epoch, places) -> {
                            var samples = changed.at(epoch, places);
                            return new MaskBatch(
                                    model,
                                    samples.stream().map(Vision.Changed.Seen::pixels).toList(),
                                    samples.stream()
                                            .map(s -> Objects.requireNonNull(s.sample().mask()))
                                            .map(Mask::classes)
                                            .toList(),
                                    loss);
                        });
        var majority = 0;
        for (var c = 1; c < counts.length; c++) {
            majority = counts[c] > counts[majority] ? c : majority;
        }
        return new Segmenting(
                Finetuning.completed(recipe, microBatch),
                task,
                ready,
                lora,
                data,
                majority,
                learner);
    }

    /// How many pixels of each class the training pictures have.
    private static long[] counts(List<LabelledImage> records, int classes) {
        var counts = new long[256];
        for (var record : records) {
            for (var label : PictureSegmenter.mask(record).classes()) {
                counts[label & 0xFF]++;
            }
        }
        return java.util.Arrays.copyOf(counts, classes);
    }

    /// The inverse of each class's frequency, 1 on average over the pixels that there are.
    private static float[] balanced(long[] counts) {
        var all = java.util.Arrays.stream(counts).sum();
        var present = java.util.Arrays.stream(counts).filter(c -> c > 0).count();
        var weights = new float[counts.length];
        for (var c = 0; c < weights.length; c++) {
            weights[c] = counts[c] == 0 ? 1 : (float) ((double) all / present / counts[c]);
        }
        return weights;
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
        var examples = new ArrayList<ExampleText>();
        for (var part : learner.step(step)) {
            var batch = (MaskBatch) part;
            for (var i = 0; i < batch.pictures().size(); i++) {
                var p = batch.pictures().get(i);
                var image = preprocessor.picture(p.values(), p.height(), p.width());
                var mask = new Mask(p.width(), p.height(), batch.masks().get(i));
                examples.add(
                        new ExampleText(
                                p.where(),
                                List.of(),
                                new ShownImage(image, List.of(), mask, p.where())));
            }
        }
        return examples;
    }

    /// Of a picture, since it stands for a token here.
    @Override
    public double flopsPerToken() {
        return Vision.flops(model, preprocessor);
    }

    private List<Score> scores(String name, List<LabelledImage> records) {
        return segmenter.evaluate(name, records, majority, recipe.seed()).scores();
    }

    @Override
    public List<Score> validate(long tokens) {
        return scores("validation", data.validation());
    }

    @Override
    public @Nullable Double selection(List<Score> scores) {
        return Finetuning.selection(recipe, scores, Metric.MEAN_IOU);
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", data.validation()));
        if (data.test() != null) {
            all.addAll(scores("test", data.test()));
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
        var told = segmenter.evaluate(name, shown, majority, recipe.seed());
        RunReports.seeing(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                "mean-iou",
                Vision.cases(
                        told.result().bestFirst(), i -> beside(shown.get(i), told.masks().get(i))),
                dataPassport());
    }

    /// What a picture's pixels are beside what was told of them.
    private static Block.Picture beside(LabelledImage record, Mask told) {
        var image = record.picture().image();
        var truth = PictureSegmenter.mask(record);
        return new Block.Picture(
                Drawing.sheet(
                        List.of(
                                new ShownImage(image, List.of(), truth, "what is there"),
                                new ShownImage(image, List.of(), told, "what is told")),
                        2),
                record.where());
    }

    @Override
    public void close() {}
}
