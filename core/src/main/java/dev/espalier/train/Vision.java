package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.image.Augmentation;
import dev.espalier.image.Fit;
import dev.espalier.image.Geometry;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Preprocessor.Size;
import dev.espalier.image.Sample;
import dev.espalier.image.ShownImage;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Model;
import dev.espalier.model.Problem;
import dev.espalier.model.Segformer;
import dev.espalier.model.SegformerConfig;
import dev.espalier.model.Segmenter;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.model.VisionEncoderDecoderConfig;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.nn.Module;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.Pixels;
import dev.espalier.recipe.AugmentRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.report.Block;
import dev.espalier.task.PictureClassifier;
import dev.espalier.tokenize.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The model of pictures that a recipe names, made or read.
final class Vision {
    /// Tokens for things that a ViT gets when it becomes a YOLOS unless the recipe says how many,
    /// as many as published ones have.
    private static final int DETECTIONS = 100;

    private Vision() {}

    /// A model, how it reads pictures, and its `config.json`.
    ///
    /// @param begun the paths of weights beside the task's own that no source of the model had,
    ///   which know nothing yet; none where all of it begins here
    record Ready<M extends Model>(
            M model, Preprocessor preprocessor, ObjectNode config, Set<String> begun) {
        Ready(M model, Preprocessor preprocessor, ObjectNode config) {
            this(model, preprocessor, config, Set.of());
        }

        /// Which pictures it sees.
        Fit fit() {
            return new Fit(
                    preprocessor,
                    switch (model) {
                        case VisionModel sees -> sees.leastSide();
                        case VisionEncoderDecoder both -> both.config().encoder().patch();
                        default -> 1;
                    });
        }
    }

    private static Set<String> begun(Model model, Set<String> given) {
        var begun = new HashSet<String>();
        model.parameters()
                .forEach((path, parameter) -> {
                    if (parameter.trained() && !given.contains(path)) {
                        begun.add(path);
                    }
                });
        return begun;
    }

    /// A ViT that tells `problem`.
    static Ready<Vit> vit(ModelRecipe recipe, Problem problem, long seed) {
        return switch (recipe) {
            case ModelRecipe.Vit v ->
                    new Ready<>(
                            new Vit(shape(v), problem).initialize(seed),
                            Preprocessor.vit(v.image(), v.image()),
                            JsonNodeFactory.instance.objectNode());
            case ModelRecipe.Saved saved ->
                    saved(
                            saved,
                            HuggingFace.readVit(saved.path(), problem, saved.dropout()),
                            seed,
                            UnaryOperator.identity());
            default -> throw EspalierException.usage("model: a vit is needed to see pictures");
        };
    }

    /// What was read from a folder, with new weights for what is the task's own where there are
    /// none.
    ///
    /// @param reading how pictures are read, of how the folder says that they are; what it throws
    ///   is passed on
    private static <M extends VisionModel> Ready<M> saved(
            ModelRecipe.Saved saved,
            HuggingFace.Loaded<? extends M> loaded,
            long seed,
            UnaryOperator<Preprocessor> reading) {
        var model = loaded.model();
        try {
            var preprocessor = reading.apply(PictureClassifier.preprocessor(saved.path(), model));
            if (!loaded.missing().isEmpty()) {
                model.initializeHead(seed);
            }
            return new Ready<>(model, preprocessor, loaded.config());
        } catch (EspalierException e) {
            model.free();
            throw e;
        }
    }

    /// A YOLOS that tells things of these classes.
    static Ready<Yolos> detector(ModelRecipe recipe, List<String> classes, long seed) {
        return switch (recipe) {
            case ModelRecipe.Yolos y -> {
                int height = y.image().getFirst(), width = y.image().getLast();
                var shape =
                        new VitConfig(
                                height,
                                width,
                                y.patch(),
                                3,
                                y.width(),
                                y.layers(),
                                y.heads(),
                                4 * y.width(),
                                "gelu",
                                y.dropout(),
                                y.dropout(),
                                1e-12,
                                0.02);
                yield new Ready<>(
                        new Yolos(YolosConfig.of(shape, y.detections()), classes).initialize(seed),
                        Preprocessor.imageNet("YolosImageProcessor", height, width),
                        JsonNodeFactory.instance.objectNode());
            }
            case ModelRecipe.Saved saved when HuggingFace.isYolos(saved.path()) -> {
                if (saved.detections() != null) {
                    throw EspalierException.usage(
                            "model.detections: %s holds a yolos, which has tokens of its own; allowed: auto"
                                    .formatted(saved.path()));
                }
                yield saved(
                        saved,
                        HuggingFace.readYolos(saved.path(), classes, saved.dropout()),
                        seed,
                        preprocessor -> preprocessor.whole(saved.path()));
            }
            case ModelRecipe.Saved saved ->
                    detectorOn(
                            eye(saved, "model"),
                            Objects.requireNonNullElse(saved.detections(), DETECTIONS),
                            classes,
                            seed);
            default -> throw EspalierException.usage("model: a yolos is needed to tell things");
        };
    }

    /// A YOLOS that sees as a ViT has learnt to; its tokens for things, their positions and what is
    /// told of them are new.
    private static Ready<Yolos> detectorOn(
            Eye eye, int detections, List<String> classes, long seed) {
        try {
            var preprocessor = eye.preprocessor().whole(eye.folder()).named("YolosImageProcessor");
            var model = new Yolos(YolosConfig.of(eye.shape(), detections), classes);
            var given = model.initialize(seed).see(eye.model());
            return new Ready<>(
                    model,
                    preprocessor,
                    JsonNodeFactory.instance.objectNode(),
                    begun(model, given));
        } finally {
            eye.model().free();
        }
    }

    /// A ViT that exists, or what a ViT-MAE has learnt.
    private record Eye(
            Path folder, VisionModel model, VitConfig shape, Preprocessor preprocessor) {}

    /// @param key of the recipe, for messages
    private static Eye eye(ModelRecipe.Saved saved, String key) {
        var model = HuggingFace.readVision(saved.path(), saved.dropout()).model();
        try {
            var shape =
                    switch (model) {
                        case Vit vit -> vit.config();
                        case VitMae mae -> mae.config().encoder();
                        default ->
                                throw EspalierException.usage(
                                        "%s: %s holds no ViT, which is needed to see"
                                                .formatted(key, saved.path()));
                    };
            return new Eye(
                    saved.path(),
                    model,
                    shape,
                    PictureClassifier.preprocessor(saved.path(), model));
        } catch (EspalierException e) {
            model.free();
            throw e;
        }
    }

    /// A model that writes of pictures with the tokens of `tokenizer`.
    ///
    /// @throws EspalierException if the tokenizer does not belong to the model
    static Ready<VisionEncoderDecoder> captioner(
            ModelRecipe recipe, Tokenizer tokenizer, long seed) {
        return switch (recipe) {
            case ModelRecipe.VisionEncoderDecoder both -> captioner(both, tokenizer, seed);
            case ModelRecipe.Saved saved -> {
                var loaded = Models.of(saved, tokenizer, seed);
                if (!(loaded.model() instanceof VisionEncoderDecoder model)) {
                    loaded.model().free();
                    throw EspalierException.usage(
                            saved.path()
                                    + ": writes of no pictures; allowed: a"
                                    + " vision-encoder-decoder");
                }
                var shape = model.config().encoder();
                yield new Ready<>(
                        model,
                        PictureClassifier.preprocessor(
                                saved.path(), shape.imageHeight(), shape.imageWidth()),
                        loaded.config());
            }
            default ->
                    throw EspalierException.usage(
                            "model: a vision-encoder-decoder is needed to write of pictures");
        };
    }

    private static Ready<VisionEncoderDecoder> captioner(
            ModelRecipe.VisionEncoderDecoder recipe, Tokenizer tokenizer, long seed) {
        var writer = Models.of(recipe.writer(), tokenizer, seed);
        if (!(writer.model() instanceof Gpt2 decoder)) {
            writer.model().free();
            throw EspalierException.usage("model.decoder: is no GPT-2, which is needed to write");
        }
        var eye =
                recipe.encoder() instanceof ModelRecipe.Saved saved
                        ? eye(saved, "model.encoder")
                        : null;
        var shape = eye == null ? shape((ModelRecipe.Vit) recipe.encoder()) : eye.shape();
        var end = Models.end(tokenizer);
        var model =
                new VisionEncoderDecoder(
                                new VisionEncoderDecoderConfig(
                                        shape,
                                        decoder.config(),
                                        end,
                                        end,
                                        tokenizer.specials().padding().orElse(end)))
                        .initialize(seed);
        var given = new HashSet<String>();
        var written = model.write(decoder);
        decoder.free();
        if (recipe.decoder() instanceof ModelRecipe.Saved) {
            given.addAll(written);
        }
        if (eye != null) {
            given.addAll(model.see(eye.model()));
            eye.model().free();
        }
        return new Ready<>(
                model,
                eye == null
                        ? Preprocessor.vit(shape.imageHeight(), shape.imageWidth())
                        : eye.preprocessor(),
                JsonNodeFactory.instance.objectNode(),
                given.isEmpty() ? Set.of() : begun(model, given));
    }

    private static VitConfig shape(ModelRecipe.Vit v) {
        return VitConfig.of(v.image(), v.patch(), v.width(), v.layers(), v.heads(), v.dropout());
    }

    /// A learner of `count` pictures, each once an epoch, whose steps are made ahead.
    static Learner learner(
            Module model,
            int count,
            int batch,
            int microBatch,
            long seed,
            ExamplesByLength.Make make) {
        var ones = new int[count];
        Arrays.fill(ones, 1);
        return new StepsAhead(new ExamplesByLength(model, ones, batch, microBatch, seed, make));
    }

    /// Training pictures, changed at random as a recipe asks.
    static final class Changed {
        private final List<LabelledImage> images;
        private final Augmentation augmentation;
        private final Fit fit;
        private final Preprocessor preprocessor;
        private final boolean windows;
        private final long seed;

        /// @param windows whether to see a part of the picture, at its own size
        Changed(
                List<LabelledImage> images,
                AugmentRecipe recipe,
                Fit fit,
                boolean windows,
                long seed) {
            this.windows = windows;
            this.seed = seed;
            this.images = images;
            this.fit = fit;
            preprocessor = fit.preprocessor();
            augmentation = Augmenting.of(recipe, seed);
        }

        /// A picture as the model sees it.
        record Seen(Sample sample, Pixels pixels) {}

        /// Those at `places` as `epoch` sees them. Made by all cores at once: a step's halves are
        /// computed at once too, and one of them would wait for the other where all that is made
        /// took one core's time.
        List<Seen> at(long epoch, List<Integer> places) {
            return places.stream()
                    .parallel()
                    .map(place -> {
                        var sample = atSize(changed(epoch, place), Rng.at(seed, epoch, place, 1));
                        var image = sample.image();
                        return new Seen(
                                sample,
                                new Pixels(
                                        preprocessor.normalize(image),
                                        3,
                                        image.height(),
                                        image.width(),
                                        images.get(place).where()));
                    })
                    .toList();
        }

        /// What changes have left too little of for the model to see is seen as it stands.
        private Sample changed(long epoch, int place) {
            var changed = augmentation.at(this::original, images.size(), epoch, place);
            var image = changed.image();
            return fit.refusal(image.width(), image.height()) == null ? changed : original(place);
        }

        private Sample atSize(Sample sample, Rng rng) {
            var size = preprocessor.fixed();
            if (!windows || size == null) {
                return sample.resized(preprocessor);
            }
            var image = sample.image();
            return Geometry.window(
                            sample,
                            rng.below(Math.max(1, image.width() - size.width() + 1)),
                            rng.below(Math.max(1, image.height() - size.height() + 1)),
                            size.width(),
                            size.height())
                    .resized(preprocessor);
        }

        private Sample original(int place) {
            var labelled = images.get(place);
            var mask = labelled.mask();
            return new Sample(
                    place,
                    labelled.picture().image(),
                    labelled.regions(),
                    mask == null ? null : mask.mask());
        }
    }

    /// Best and worst cases of a report: so many each.
    private static final int CASES = 8;

    /// `examples` with the pictures that they are of, as the model sees them.
    static List<ExampleText> shown(
            List<ExampleText> examples, List<Pixels> pictures, Preprocessor preprocessor) {
        return IntStream.range(0, examples.size())
                .mapToObj(i -> {
                    var example = examples.get(i);
                    var p = pictures.get(i);
                    var image = preprocessor.picture(p.values(), p.height(), p.width());
                    var caption =
                            example.fields().stream()
                                    .flatMap(field -> field.pieces().stream())
                                    .map(ExampleText.Piece::text)
                                    .collect(Collectors.joining(", "));
                    return new ExampleText(
                            example.where(), example.fields(), new ShownImage(image, caption));
                })
                .toList();
    }

    /// The best and the worst of `n` pictures.
    ///
    /// @param quality of each, higher being better
    static List<Block> cases(
            int n, IntToDoubleFunction quality, IntFunction<Block.Picture> picture) {
        var qualities = IntStream.range(0, n).mapToDouble(quality).toArray();
        var order =
                IntStream.range(0, n)
                        .boxed()
                        .sorted((a, b) -> Double.compare(qualities[b], qualities[a]))
                        .toList();
        return cases(order, picture);
    }

    /// The first and the last of pictures in the order of `bestFirst`.
    static List<Block> cases(List<Integer> bestFirst, IntFunction<Block.Picture> picture) {
        var few = Math.min(CASES, (bestFirst.size() + 1) / 2);
        return List.of(
                new Block.Pictures(
                        "Worst",
                        bestFirst.reversed().stream().limit(few).map(picture::apply).toList()),
                new Block.Pictures(
                        "Best", bestFirst.stream().limit(few).map(picture::apply).toList()));
    }

    /// As [Finetuning#adapt], with what is the task's own, and what knows nothing yet, trained in
    /// any case.
    static Lora.@Nullable Settings adapt(FinetuneRecipe recipe, Ready<?> ready) {
        var model = ready.model();
        var lora = Finetuning.adapt(recipe, model, model);
        if (model instanceof VisionModel vision) {
            vision.trainHead();
        }
        model.parameters()
                .forEach((path, parameter) ->
                        parameter.trained(parameter.trained() || ready.begun().contains(path)));
        return lora;
    }

    /// What a picture costs.
    ///
    /// @param positions of it in the model, which memory grows with
    /// @param flops operations of its forward and its backward pass
    record Load(int positions, double flops) {
        /// Pictures that pass through the model at once: one where they have several sizes.
        ///
        /// @throws EspalierException (USAGE) if the recipe asks for several that cannot
        int microBatch(Ready<?> ready, TrainingRecipe training) {
            var asked = training.microBatch();
            if (ready.preprocessor().fixed() == null) {
                if (asked != null && asked > 1) {
                    throw EspalierException.usage(
                            "training.micro-batch: %d pictures cannot pass through the model together, since its %s gives them no one size; allowed: 1"
                                    .formatted(asked, Preprocessor.FILE));
                }
                return 1;
            }
            return asked == null
                    ? CausalLearner.autoMicroBatch(ready.model(), training.batch(), positions)
                    : asked;
        }
    }

    /// Of a picture of the size that the model reads.
    static Load load(VisionModel model, Preprocessor preprocessor) {
        var size = size(model, preprocessor);
        return new Load(
                (int) model.positions(size.height(), size.width()),
                6 * model.multiplications(size.height(), size.width()));
    }

    private static Size.Exact size(VisionModel model, Preprocessor preprocessor) {
        var size = preprocessor.fixed();
        return size == null ? new Size.Exact(model.imageHeight(), model.imageWidth()) : size;
    }

    /// A ViT-MAE.
    static Ready<VitMae> mae(ModelRecipe recipe, long seed) {
        return switch (recipe) {
            case ModelRecipe.VitMae m ->
                    new Ready<>(
                            new VitMae(
                                            VitMaeConfig.of(
                                                    VitConfig.of(
                                                            m.image(),
                                                            m.patch(),
                                                            m.width(),
                                                            m.layers(),
                                                            m.heads(),
                                                            0),
                                                    m.decoderWidth(),
                                                    m.decoderLayers(),
                                                    m.decoderHeads()))
                                    .initialize(seed),
                            Preprocessor.vit(m.image(), m.image()),
                            JsonNodeFactory.instance.objectNode());
            case ModelRecipe.Saved saved -> {
                var loaded = HuggingFace.readVision(saved.path(), saved.dropout());
                if (!(loaded.model() instanceof VitMae model)) {
                    loaded.model().free();
                    throw EspalierException.usage(
                            saved.path() + ": no ViT-MAE, which masked images are for");
                }
                yield saved(
                        saved,
                        new HuggingFace.Loaded<>(
                                model, loaded.config(), loaded.missing(), loaded.extra()),
                        seed,
                        preprocessor -> exact(saved.path(), preprocessor, model));
            }
            default -> throw EspalierException.usage("model: a vit-mae is needed");
        };
    }

    /// A decoder's positions are those of one grid.
    private static Preprocessor exact(Path folder, Preprocessor preprocessor, VitMae model) {
        var size = new Size.Exact(model.imageHeight(), model.imageWidth());
        if (!size.equals(preprocessor.fixed())) {
            throw EspalierException.data(
                    "%s: pictures do not all become the %d x %d pixels that this model's patches are hidden of; allowed: `size` with this `height` and `width`"
                            .formatted(
                                    folder.resolve(Preprocessor.FILE),
                                    size.height(),
                                    size.width()));
        }
        return preprocessor;
    }

    /// A model that tells the classes `labels` of pixels.
    static Ready<Segmenter> segmenter(ModelRecipe recipe, List<String> labels, long seed) {
        return switch (recipe) {
            case ModelRecipe.Segformer s ->
                    new Ready<>(
                            new Segformer(
                                            SegformerConfig.of(
                                                    s.widths(),
                                                    s.layers(),
                                                    s.decoderWidth(),
                                                    s.dropPath()),
                                            labels)
                                    .initialize(seed),
                            Preprocessor.imageNet("SegformerImageProcessor", s.image(), s.image()),
                            JsonNodeFactory.instance.objectNode());
            case ModelRecipe.Unet u ->
                    new Ready<>(
                            new Unet(new UnetConfig(3, u.image(), u.width(), u.levels()), labels)
                                    .initialize(seed),
                            Preprocessor.imageNet("SegformerImageProcessor", u.image(), u.image()),
                            JsonNodeFactory.instance.objectNode());
            case ModelRecipe.Saved saved ->
                    saved(
                            saved,
                            HuggingFace.readSegmenter(saved.path(), labels, saved.dropout()),
                            seed,
                            // The masks at hand count the classes that are wanted from 0, whatever
                            // those did that the model was published for.
                            preprocessor -> preprocessor.whole(saved.path()).withoutReduction());
            default -> throw EspalierException.usage("model: tells no classes of pixels");
        };
    }
}
