package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.Split;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Drawing;
import dev.espalier.image.ShownImage;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.VitMae;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.MaskedPatchesBatch;
import dev.espalier.objective.Pixels;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.SourceRecipe;
import dev.espalier.report.Block;
import dev.espalier.task.PictureClassifier;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Pre-training a ViT-MAE on pictures without labels.
final class PictureMasking implements Job {
    /// Pictures that are measured at once.
    private static final int BATCH = 32;

    /// How much what is hidden is paled where a person is to see both it and that it is hidden.
    private static final double PALE = 0.8;

    private final PretrainRecipe recipe;
    private final Vision.Ready<VitMae> ready;
    private final List<LabelledImage> validation;
    private final ObjectNode passport;
    private final Learner learner;

    private PictureMasking(
            PretrainRecipe recipe,
            Vision.Ready<VitMae> ready,
            List<LabelledImage> validation,
            ObjectNode passport,
            Learner learner) {
        this.recipe = recipe;
        this.ready = ready;
        this.validation = validation;
        this.passport = passport;
        this.learner = learner;
    }

    static Job prepare(
            PretrainRecipe recipe,
            ObjectiveRecipe.MaskedImage objective,
            Path folder,
            Watcher watcher) {
        var passport = JsonNodeFactory.instance.objectNode();
        var split = read(recipe, folder, passport, watcher);
        var ready = Vision.mae(recipe.model(), recipe.seed());
        var model = ready.model();
        model.hide(objective.ratio(), objective.normalised());
        var patches = patches(model);
        if (model.config().seen(patches) < 1) {
            throw EspalierException.usage(
                    "objective.ratio: of %d patches none is left to be seen".formatted(patches));
        }
        var batch = recipe.training().batch();
        var load = Vision.load(model, ready.preprocessor());
        var microBatch = load.microBatch(ready, recipe.training());
        var changed =
                new Vision.Changed(
                        split.train(), objective.augment(), ready.fit(), false, recipe.seed());
        var learner =
                Vision.learner(
                        model,
                        split.train().size(),
                        batch,
                        microBatch,
                        recipe.seed(),
                        (epoch, places) ->
                                new MaskedPatchesBatch(
                                        model,
                                        changed.at(epoch, places).stream()
                                                .map(Vision.Changed.Seen::pixels)
                                                .toList(),
                                        places.stream()
                                                .map(place ->
                                                        MaskedPatchesBatch.order(
                                                                patches,
                                                                Rng.at(
                                                                        recipe.seed(),
                                                                        epoch,
                                                                        place,
                                                                        2)))
                                                .toList()));
        var completed =
                new PretrainRecipe(
                        recipe.name(),
                        recipe.seed(),
                        recipe.output(),
                        recipe.data(),
                        null,
                        recipe.model(),
                        recipe.objective(),
                        Run.completed(recipe.training(), microBatch),
                        recipe.evaluate(),
                        recipe.save());
        return new PictureMasking(completed, ready, split.validation(), passport, learner);
    }

    private static int patches(VitMae model) {
        return (int) model.positions(model.imageHeight(), model.imageWidth()) - 1;
    }

    private static Split<LabelledImage> read(
            PretrainRecipe recipe, Path folder, ObjectNode passport, Watcher watcher) {
        var images = new ArrayList<LabelledImage>();
        var limit = new Ledger.Limit.Count(recipe.data().maxRejects());
        var room = new ImageReader.Room();
        var files = passport.putArray("sources");
        try (var ledger = new Ledger(folder.resolve("rejects.jsonl"), limit)) {
            for (var source : recipe.data().sources()) {
                var path = ((SourceRecipe.Images) source).path();
                images.addAll(ImageReader.unlabelled(path, ledger, room));
                files.addObject()
                        .put("path", path.toString())
                        .put("sha256", AtomicFiles.sha256(path));
            }
            ledger.finish();
            passport.set("counts", Json.mapper().valueToTree(ledger.counts()));
        }
        var split =
                Split.stratified(
                        images,
                        r -> r.picture().content(),
                        _ -> List.<String>of(),
                        recipe.data().validation(),
                        recipe.seed());
        if (split.train().isEmpty() || split.validation().isEmpty()) {
            throw EspalierException.data(
                    "data.validation: of %d pictures %s leaves nothing to train or to validate on"
                            .formatted(images.size(), recipe.data().validation()));
        }
        watcher.said(
                "%,d pictures to train on, %,d to validate on"
                        .formatted(split.train().size(), split.validation().size()));
        return split;
    }

    @Override
    public PretrainRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public List<ExampleText> examples(long step) {
        return learner.step(step).stream()
                .flatMap(batch -> examples((MaskedPatchesBatch) batch).stream())
                .toList();
    }

    /// The pictures with what is hidden of them paled.
    private List<ExampleText> examples(MaskedPatchesBatch batch) {
        var model = ready.model();
        var pictures = batch.pictures();
        int n = pictures.size(), patches = patches(model);
        int height = pictures.getFirst().height(), width = pictures.getFirst().width();
        var hidden = batch.hidden();
        float[] values;
        try (var scope = new Scope()) {
            values =
                    Torch.noGrad(() -> {
                        var rows = model.patches(Pixels.stacked(pictures)); // (B, P, n)
                        var pale = Tensor.of(hidden, n, patches, 1).mul(PALE);
                        return model.pictures(rows.sub(rows.mul(pale)), height, width).floats();
                    });
        }
        var examples = new ArrayList<ExampleText>();
        var paled = new ArrayList<Pixels>();
        var each = values.length / n;
        for (var i = 0; i < n; i++) {
            var where = pictures.get(i).where();
            var count = 0;
            for (var p = 0; p < patches; p++) {
                count += (int) hidden[i * patches + p];
            }
            examples.add(
                    new ExampleText(
                            where,
                            List.of(
                                    ExampleText.field(
                                            "hidden",
                                            "%d of %d patches".formatted(count, patches),
                                            ExampleText.Mark.TARGET))));
            paled.add(
                    new Pixels(
                            Arrays.copyOfRange(values, i * each, (i + 1) * each),
                            pictures.get(i).channels(),
                            height,
                            width,
                            where));
        }
        return Vision.shown(examples, paled, ready.preprocessor());
    }

    /// Of a picture, since it stands for a token here.
    @Override
    public double flopsPerToken() {
        return Vision.load(ready.model(), ready.preprocessor()).flops();
    }

    /// Validation pictures of which the patches that are hidden are the same each time.
    private MaskedPatchesBatch hidden(List<Integer> places) {
        var patches = patches(ready.model());
        return new MaskedPatchesBatch(
                ready.model(),
                places.stream()
                        .map(validation::get)
                        .map(r ->
                                PictureClassifier.pixels(
                                        ready.preprocessor(), r.picture().image(), r.where()))
                        .toList(),
                places.stream()
                        .map(i -> MaskedPatchesBatch.order(patches, Rng.at(recipe.seed(), -1, i)))
                        .toList());
    }

    /// The sums of the squared errors of hidden patches of each picture, and how many these are.
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    private record Errors(double[] sums, double[] patches) {}

    private Errors errors() {
        var model = ready.model();
        var patches = patches(model);
        var sums = new double[validation.size()];
        var hidden = new double[validation.size()];
        for (var start = 0; start < sums.length; start += BATCH) {
            var first = start;
            var places = IntStream.range(start, Math.min(sums.length, start + BATCH)).boxed();
            var batch = hidden(places.toList());
            var masks = batch.hidden();
            float[] each;
            try (var scope = new Scope()) {
                each =
                        Torch.noGrad(() -> {
                            var pixels = Pixels.stacked(batch.pictures());
                            return model.errors(batch.told(pixels).pixels(), pixels).floats();
                        });
            }
            for (var i = 0; i < each.length; i++) {
                sums[first + i / patches] += masks[i] * each[i];
                hidden[first + i / patches] += masks[i];
            }
        }
        return new Errors(sums, hidden);
    }

    @Override
    public List<Score> validate(long tokens) {
        var errors = errors();
        return List.of(
                Score.of(
                        "validation",
                        "loss",
                        Interval.loss(errors.sums(), errors.patches()),
                        validation.size()));
    }

    @Override
    public @Nullable String chosenBy() {
        return Pretraining.chosenBy(recipe);
    }

    @Override
    public long validated(long tokens) {
        return validation.size();
    }

    /// The pictures whose hidden patches were told best, and worst.
    private List<Block> cases() {
        var errors = errors();
        return Vision.cases(
                validation.size(),
                i -> -errors.sums()[i] / errors.patches()[i],
                i ->
                        new Block.Picture(
                                Drawing.sheet(reconstructed(i), 3),
                                String.format(
                                        Locale.ROOT,
                                        "%s%nerror %.3f",
                                        validation.get(i).where(),
                                        errors.sums()[i] / errors.patches()[i])));
    }

    /// A picture, what of it is seen, and what is told of the rest.
    private List<ShownImage> reconstructed(int place) {
        var model = ready.model();
        var batch = hidden(List.of(place));
        var read = batch.pictures().getFirst();
        try (var scope = new Scope()) {
            return Torch.noGrad(() -> {
                var pixels = Pixels.stacked(batch.pictures());
                var patches = model.patches(pixels); // (1, P, n)
                var hidden = Tensor.of(batch.hidden(), 1, patches.size(1), 1);
                var seen = patches.sub(patches.mul(hidden));
                var told = model.restored(batch.told(pixels).pixels(), pixels);
                return List.of(
                        shown(patches, read, "the picture"),
                        shown(seen, read, "what is seen"),
                        shown(
                                seen.add(told.mul(hidden)),
                                read,
                                // It tells neither mean nor deviation of a patch.
                                model.config().normalised()
                                        ? "what is told, brightness given"
                                        : "what is told"));
            });
        }
    }

    private ShownImage shown(Tensor patches, Pixels read, String caption) {
        var values = ready.model().pictures(patches, read.height(), read.width()).floats();
        return new ShownImage(
                ready.preprocessor().picture(values, read.height(), read.width()), caption);
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        HuggingFace.write(folder, ready.model(), ready.config());
        ready.preprocessor().write(folder);
    }

    @Override
    public JsonNode dataPassport() {
        return passport;
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        RunReports.seeing(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores,
                "loss",
                List.of(),
                cases(),
                dataPassport());
    }
}
