package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.image.Drawing;
import dev.espalier.image.Image;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Segmenter;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.Commonest;
import dev.espalier.task.MaskBatch;
import dev.espalier.task.PictureSegmenter;
import dev.espalier.task.SegmentationLoss;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// The class of each pixel of pictures, as it is learnt.
record Segmenting(
        Segmenter model,
        Preprocessor preprocessor,
        PictureSegmenter segmenter,
        SegmentationLoss loss,
        long seed)
        implements Seeing.Sight {
    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Segmentation task, Path folder, Watcher watcher) {
        var read = PictureData.masked(recipe, task, folder, watcher);
        var data = read.records();
        var counts = PictureSegmenter.counts(data.train(), read.classes().size());
        requireTwo(recipe.data().train(), task, read.classes(), counts);
        var ready = Vision.segmenter(recipe.model(), read.classes(), recipe.seed());
        var model = ready.model();
        var lora = Vision.adapt(recipe, ready);
        var train = data.train();
        watcher.said(
                "%,d pictures to train on, %,d to validate on, %d classes of pixels"
                        .formatted(train.size(), data.validation().size(), read.classes().size()));
        // What an earlier task said of how it is used does not hold any more.
        ready.config().put(Segmenter.IGNORED, Mask.IGNORED);
        var own = ready.config().putObject(HuggingFace.OWN);
        if (task.windows() != null) {
            own.put(PictureSegmenter.WINDOWS, task.windows());
        }
        if (!task.colours().isEmpty()) {
            task.colours().forEach(own.putArray(PictureSegmenter.COLOURS)::add);
        }
        var majority = PictureSegmenter.majority(counts);
        Commonest.tell(ready.config(), List.of(read.classes().get(majority)));
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
        var segmenter =
                new PictureSegmenter(
                        model,
                        ready.preprocessor(),
                        task.windows(),
                        PictureData.colours(task),
                        majority);
        // Rather now than at the first validation.
        segmenter.requireRoom(data.validation());
        segmenter.requireRoom(data.judged());
        return Seeing.prepare(
                recipe,
                ready,
                lora,
                data,
                new Seeing.Lesson(train, task.augment(), task.windows() != null),
                Vision.load(model, ready.preprocessor()),
                new Segmenting(model, ready.preprocessor(), segmenter, loss, recipe.seed()));
    }

    /// Of one class alone nothing can be learnt, and yet it would be told without a fault.
    private static void requireTwo(
            Path data, TaskRecipe.Segmentation task, List<String> classes, long[] counts) {
        if (Arrays.stream(counts).filter(c -> c > 0).count() >= 2) {
            return;
        }
        var only = PictureSegmenter.majority(counts);
        throw EspalierException.data(
                "%s: the masks to train on have %s, where two classes are needed%s"
                        .formatted(
                                data,
                                counts[only] == 0
                                        ? "no pixel that has a class"
                                        : "no class but `%s`".formatted(classes.get(only)),
                                task.classes().isEmpty() || !task.colours().isEmpty()
                                        ? ""
                                        : "; 255 means none: of masks that are black and white, task.colours tells the classes, [\"#000000\", \"#ffffff\"]"));
    }

    /// The inverse of each class's frequency, 1 on average over the pixels that there are.
    private static float[] balanced(long[] counts) {
        var all = Arrays.stream(counts).sum();
        var present = Arrays.stream(counts).filter(c -> c > 0).count();
        var weights = new float[counts.length];
        for (var c = 0; c < weights.length; c++) {
            weights[c] = counts[c] == 0 ? 1 : (float) ((double) all / present / counts[c]);
        }
        return weights;
    }

    @Override
    public MicroBatch batch(List<Vision.Changed.Seen> pictures) {
        return new MaskBatch(
                model,
                pictures.stream().map(Vision.Changed.Seen::pixels).toList(),
                pictures.stream()
                        .map(s -> Objects.requireNonNull(s.sample().mask()))
                        .map(Mask::classes)
                        .toList(),
                loss);
    }

    @Override
    public Stream<ExampleText> examples(MicroBatch part) {
        var batch = (MaskBatch) part;
        return IntStream.range(0, batch.pictures().size())
                .mapToObj(i -> {
                    var p = batch.pictures().get(i);
                    var image = preprocessor.picture(p.values(), p.height(), p.width());
                    var mask = new Mask(p.width(), p.height(), batch.masks().get(i));
                    return new ExampleText(
                            p.where(),
                            List.of(
                                    ExampleText.field(
                                            "classes", shares(mask, model.labels()), Mark.TARGET)),
                            shown(image, mask, p.where()));
                });
    }

    /// How much of a picture each class has, so that a wrong list of classes shows before a run.
    static String shares(Mask mask, List<String> classes) {
        var counts = new int[256];
        for (var number : mask.classes()) {
            counts[number & 0xFF]++;
        }
        return IntStream.range(0, counts.length)
                .filter(number -> counts[number] > 0)
                .mapToObj(number ->
                        "%s %.1f %%"
                                .formatted(
                                        number == Mask.IGNORED ? "(ignored)" : classes.get(number),
                                        100.0 * counts[number] / mask.classes().length))
                .collect(Collectors.joining(", "));
    }

    @Override
    public Seeing.Judged tell(String data, List<LabelledImage> records) {
        var told = segmenter.evaluate(data, records, seed);
        return new Seeing.Judged(
                told.scores(),
                null,
                List.of(new Block.Matrix("What pixels are taken for", told.result().confusion())),
                () ->
                        Vision.cases(
                                told.result().bestFirst(),
                                i ->
                                        beside(
                                                records.get(i),
                                                segmenter.mask(records.get(i).picture()))));
    }

    @Override
    public Metric metric() {
        return Metric.MEAN_IOU;
    }

    /// What a picture's pixels are beside what was told of them.
    private Block.Picture beside(LabelledImage record, Mask told) {
        var image = record.picture().image();
        var truth = PictureSegmenter.mask(record);
        return new Block.Picture(
                Drawing.sheet(
                        List.of(
                                shown(image, truth, "what is there"),
                                shown(image, told, "what is told")),
                        2),
                record.where());
    }

    private ShownImage shown(Image image, Mask mask, String caption) {
        return new ShownImage(
                image, List.of(), new ShownImage.Areas(mask, model.labels()), caption);
    }
}
