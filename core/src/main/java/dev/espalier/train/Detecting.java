package dev.espalier.train;

import dev.espalier.adapt.Lora;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Detections;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Detection;
import dev.espalier.image.Drawing;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Yolos;
import dev.espalier.nn.Module;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.BoxBatch;
import dev.espalier.task.ObjectDetector;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to tell which things are where in pictures.
final class Detecting implements Job {
    /// From what score on a thing is drawn as seen.
    private static final double SEEN = 0.5;

    private final FinetuneRecipe recipe;
    private final Yolos model;
    private final Preprocessor preprocessor;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final TextData.Labelled<LabelledImage> data;
    private final Learner learner;

    private Detecting(
            FinetuneRecipe recipe,
            Vision.Ready<Yolos> ready,
            Lora.@Nullable Settings lora,
            TextData.Labelled<LabelledImage> data,
            Learner learner) {
        this.recipe = recipe;
        model = ready.model();
        preprocessor = ready.preprocessor();
        config = ready.config();
        this.lora = lora;
        this.data = data;
        this.learner = learner;
    }

    /// The parts of a step know what the whole is divided by.
    private record Steps(Learner parts) implements Learner {
        @Override
        public Module model() {
            return parts.model();
        }

        @Override
        public double stepsPerEpoch() {
            return parts.stepsPerEpoch();
        }

        @Override
        public double tokensPerStep() {
            return parts.tokensPerStep();
        }

        @Override
        public List<MicroBatch> step(long step) {
            return List.copyOf(
                    BoxBatch.together(
                            parts.step(step).stream().map(BoxBatch.class::cast).toList()));
        }
    }

    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.ObjectDetection task, Path folder, Watcher watcher) {
        var read = PictureData.boxed(recipe.data(), task, recipe.seed(), folder, watcher);
        var data = read.records();
        var ready = Vision.detector(recipe.model(), read.classes(), recipe.seed());
        var model = ready.model();
        var lora = Finetuning.adapt(recipe, model, model);
        model.trainHead();
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
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null ? Vision.microBatch(model, ready.preprocessor(), batch) : micro;
        var changed =
                new Vision.Changed(
                        train, task.augment(), ready.preprocessor(), false, recipe.seed());
        var learner =
                new Steps(
                        Vision.learner(
                                model,
                                train.size(),
                                batch,
                                microBatch,
                                recipe.seed(),
                                (epoch, places) -> {
                                    var samples = changed.at(epoch, places);
                                    return new BoxBatch(
                                            model,
                                            samples.stream()
                                                    .map(Vision.Changed.Seen::pixels)
                                                    .toList(),
                                            samples.stream()
                                                    // A crowd is not learnt, nor what it hides.
                                                    .map(s ->
                                                            s.sample().regions().stream()
                                                                    .filter(r -> !r.crowd())
                                                                    .toList())
                                                    .toList());
                                }));
        return new Detecting(Finetuning.completed(recipe, microBatch), ready, lora, data, learner);
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
            var batch = (BoxBatch) part;
            for (var i = 0; i < batch.pictures().size(); i++) {
                var pixels = batch.pictures().get(i);
                var things = batch.things().get(i);
                var image = preprocessor.picture(pixels.values(), pixels.height(), pixels.width());
                var told =
                        things.stream()
                                .map(t ->
                                        "%s at %.0f, %.0f"
                                                .formatted(
                                                        t.label(), t.box().left(), t.box().top()))
                                .toList();
                examples.add(
                        new ExampleText(
                                pixels.where(),
                                List.of(
                                        ExampleText.field(
                                                "things", String.join("; ", told), Mark.TARGET)),
                                new ShownImage(
                                        image,
                                        ShownImage.marks(things, model.labels()),
                                        null,
                                        pixels.where())));
            }
        }
        return examples;
    }

    /// Of a picture, since it stands for a token here.
    @Override
    public double flopsPerToken() {
        return Vision.flops(model, preprocessor);
    }

    private List<List<Detection>> seen(List<LabelledImage> records) {
        return ObjectDetector.detect(
                model, preprocessor, records.stream().map(LabelledImage::picture).toList());
    }

    private Detections detections(List<LabelledImage> records) {
        return new Detections(
                model.labels(),
                records.stream().map(LabelledImage::regions).toList(),
                seen(records));
    }

    @Override
    public List<Score> validate(long tokens) {
        return detections(data.validation()).scores("validation", recipe.seed());
    }

    @Override
    public @Nullable Double selection(List<Score> scores) {
        return Finetuning.selection(recipe, scores, Metric.MAP_50);
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", data.validation()));
        if (data.test() != null) {
            all.addAll(scores("test", data.test()));
        }
        return all;
    }

    private List<Score> scores(String name, List<LabelledImage> records) {
        var detections = detections(records);
        var scores = new ArrayList<>(detections.scores(name, recipe.seed()));
        scores.addAll(detections.labelScores(name));
        return scores;
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
        var seen = seen(shown);
        var detections =
                new Detections(
                        model.labels(), shown.stream().map(LabelledImage::regions).toList(), seen);
        RunReports.seeing(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                "map-50",
                Vision.cases(detections.bestFirst(SEEN), i -> beside(shown.get(i), seen.get(i))),
                dataPassport());
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
                                        "what is seen")),
                        2),
                record.where());
    }

    @Override
    public void close() {}
}
