package dev.espalier.train;

import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Detections;
import dev.espalier.image.Detection;
import dev.espalier.image.Drawing;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Region;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Yolos;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.BoxBatch;
import dev.espalier.task.ObjectDetector;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Which things are where in pictures, as it is learnt.
record Detecting(Yolos model, Preprocessor preprocessor, long seed) implements Seeing.Sight {
    /// From what score on a thing is drawn as seen.
    private static final double SEEN = 0.5;

    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.ObjectDetection task, Path folder, Watcher watcher) {
        var read = PictureData.boxed(recipe, task, folder, watcher);
        var data = read.records();
        var ready = Vision.detector(recipe.model(), read.classes(), recipe.seed());
        var model = ready.model();
        var lora = Vision.adapt(recipe, ready);
        var train = data.train();
        var most = train.stream().mapToInt(r -> r.regions().size()).max().orElse(0);
        watcher.said(
                "%,d pictures to train on, %,d to validate on, %,d things of %d classes, at most %d in a picture%s"
                        .formatted(
                                train.size(),
                                data.validation().size(),
                                train.stream().mapToLong(r -> r.regions().size()).sum(),
                                read.classes().size(),
                                most,
                                most > model.config().detections()
                                        ? "; the model tells no more than "
                                                + model.config().detections()
                                        : ""));
        return Seeing.prepare(
                recipe,
                ready,
                lora,
                data,
                new Seeing.Lesson(train, task.augment(), false),
                Vision.load(model, ready.preprocessor()),
                new Detecting(model, ready.preprocessor(), recipe.seed()));
    }

    @Override
    public MicroBatch batch(List<Vision.Changed.Seen> pictures) {
        return new BoxBatch(
                model,
                pictures.stream().map(Vision.Changed.Seen::pixels).toList(),
                pictures.stream()
                        // A crowd is not learnt, nor what it hides, nor what is too hard.
                        .map(s -> s.sample().regions().stream().filter(Region::counts).toList())
                        .toList());
    }

    /// The parts of a step know what the whole is divided by.
    @Override
    public List<MicroBatch> step(List<MicroBatch> parts) {
        return List.copyOf(BoxBatch.together(parts.stream().map(BoxBatch.class::cast).toList()));
    }

    @Override
    public Stream<ExampleText> examples(MicroBatch part) {
        var batch = (BoxBatch) part;
        return IntStream.range(0, batch.pictures().size())
                .mapToObj(i -> {
                    var pixels = batch.pictures().get(i);
                    var things = batch.things().get(i);
                    var image =
                            preprocessor.picture(pixels.values(), pixels.height(), pixels.width());
                    var told =
                            things.stream()
                                    .map(t ->
                                            "%s at %.0f, %.0f"
                                                    .formatted(
                                                            t.label(),
                                                            t.box().left(),
                                                            t.box().top()))
                                    .toList();
                    return new ExampleText(
                            pixels.where(),
                            List.of(
                                    ExampleText.field(
                                            "things", String.join("; ", told), Mark.TARGET)),
                            new ShownImage(
                                    image,
                                    ShownImage.marks(things, model.labels()),
                                    null,
                                    pixels.where()));
                });
    }

    @Override
    public Seeing.Judged tell(String data, List<LabelledImage> records) {
        var seen =
                ObjectDetector.detect(
                        model, preprocessor, records.stream().map(LabelledImage::picture).toList());
        var detections =
                new Detections(
                        model.labels(),
                        records.stream().map(LabelledImage::regions).toList(),
                        seen);
        var scores = new ArrayList<>(detections.scores(data, seed));
        scores.addAll(detections.labelScores(data));
        return new Seeing.Judged(
                scores,
                null,
                List.of(
                        new Block.Matrix(
                                "What things are taken for, by detections of a score of a half that overlap them by a half",
                                detections.confusion(SEEN))),
                () ->
                        Vision.cases(
                                detections.bestFirst(SEEN),
                                i -> beside(records.get(i), seen.get(i))));
    }

    @Override
    public Metric metric() {
        return Metric.MAP_50;
    }

    /// What is in a picture beside what was seen in it.
    private Block.Picture beside(LabelledImage record, List<Detection> seen) {
        var image = record.picture().image();
        var labels = model.labels();
        return new Block.Picture(
                Drawing.sheet(
                        List.of(
                                new ShownImage(
                                        image,
                                        ShownImage.marks(record.regions(), labels),
                                        null,
                                        "what is there"),
                                new ShownImage(
                                        image,
                                        ShownImage.seen(seen, labels, SEEN),
                                        null,
                                        "what is seen"),
                                new ShownImage(
                                        ObjectDetector.attention(
                                                model, preprocessor, record.picture(), SEEN),
                                        "what it looks at")),
                        3),
                record.where());
    }
}
