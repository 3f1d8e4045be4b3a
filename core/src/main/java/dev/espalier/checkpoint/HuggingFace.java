package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Bart;
import dev.espalier.model.BartConfig;
import dev.espalier.model.Bert;
import dev.espalier.model.Decoder;
import dev.espalier.model.DistilBert;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.Family;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.Model;
import dev.espalier.model.Problem;
import dev.espalier.model.Roberta;
import dev.espalier.model.Segformer;
import dev.espalier.model.SegformerConfig;
import dev.espalier.model.Segmenter;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.model.TokenClassifier;
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
import dev.espalier.nn.Adapter;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/// Models as Hugging Face's `save_pretrained` lays them out in a folder (`config.json`,
/// `model.safetensors`, for language models `generation_config.json`) and adapters as PEFT does
/// (`adapter_config.json`, `adapter_model.safetensors`). May be called by many threads, each with
/// models and folders of its own; several may read one folder.
public final class HuggingFace {
    /// The key of `config.json` under which stands what the library has no key for.
    public static final String OWN = "espalier";

    /// What `config` says under [#OWN], to which more may be put.
    public static ObjectNode own(ObjectNode config) {
        return config.path(OWN) instanceof ObjectNode known ? known : config.putObject(OWN);
    }

    private static final Logger LOG = LoggerFactory.getLogger(HuggingFace.class);
    private static final String CONFIG = "config.json";
    private static final String GENERATION = "generation_config.json";
    private static final String ADAPTER_CONFIG = "adapter_config.json";
    private static final String ADAPTER_WEIGHTS = "adapter_model.safetensors";
    private static final int MOST_LABELS = 1_000_000;
    private static final String SINGLE_LABEL = "single_label_classification";
    private static final String MULTI_LABEL = "multi_label_classification";
    private static final String REGRESSION = "regression";
    private static final String LORA_A = ".lora_A.weight";
    private static final String SEQUENCES = "ForSequenceClassification";
    private static final String PICTURES = "ForImageClassification";
    private static final String WRITTEN = "VisionEncoderDecoderModel";
    private static final String THINGS = "ForObjectDetection";
    private static final String PIXELS = "ForSemanticSegmentation";
    private static final String TOKENS = "ForTokenClassification";
    private static final String CONDITIONAL = "ForConditionalGeneration";
    private static final List<String> ENCODERS = List.of("bert", "roberta", "distilbert");
    private static final List<String> VISION =
            List.of("vit", "vit_mae", "segformer", "yolos", "espalier-unet");
    private static final String PEFT_PREFIX = "base_model.model.";

    private HuggingFace() {}

    /// A model, and what its folder said of it.
    ///
    /// @param config all of `config.json`, the keys that we do not know too, so that they survive
    /// @param missing parameters that the file lacks and that start anew: heads alone
    /// @param extra tensors of the file that the model has no place for: other heads
    public record Loaded<M extends Module>(
            M model, ObjectNode config, List<String> missing, List<String> extra) {
        public Loaded {
            missing = List.copyOf(missing);
            extra = List.copyOf(extra);
        }
    }

    /// The decoder in `folder`.
    ///
    /// @throws EspalierException if a file is broken, a weight is missing, of another shape or not
    ///   a number, or the model is no decoder
    public static Loaded<Decoder> readDecoder(Path folder) {
        return readDecoder(folder, null);
    }

    /// The decoder in `folder` with every dropout set to `dropout`, if one is given.
    public static Loaded<Decoder> readDecoder(Path folder, @Nullable Double dropout) {
        var loaded = readWriter(folder, dropout);
        if (!(loaded.model() instanceof Decoder)) {
            loaded.model().free();
            throw EspalierException.data(
                    folder.resolve(CONFIG)
                            + ": a "
                            + type(loaded.config())
                            + " writes answers, and does not go on with a text; a decoder is"
                            + " needed");
        }
        return new Loaded<>(
                (Decoder) loaded.model(), loaded.config(), loaded.missing(), loaded.extra());
    }

    /// The model in `folder` if it writes text: a decoder, or an encoder and a decoder, with every
    /// dropout set to `dropout`, if one is given.
    public static Loaded<LanguageModel> readWriter(Path folder, @Nullable Double dropout) {
        var type = type(config(folder));
        if (ENCODERS.contains(type)) {
            throw EspalierException.data(
                    folder.resolve(CONFIG)
                            + ": a "
                            + type
                            + " is an encoder and cannot write text; a decoder is needed");
        }
        var loaded = readModel(folder, dropout);
        if (!loaded.missing().isEmpty()) {
            loaded.model().free();
            throw EspalierException.data(
                    "%s: %s is missing, so this model writes no text"
                            .formatted(folder, loaded.missing()));
        }
        return loaded;
    }

    /// The language model in `folder` with every dropout set to `dropout`, if one is given. An
    /// encoder may lack its head, as may what a classifier left. Where the folder holds an adapter,
    /// the model is that of the folder that `base_model_name_or_path` names, with the adapter added
    /// to its weights.
    public static Loaded<LanguageModel> readModel(Path folder, @Nullable Double dropout) {
        var adapter = isAdapter(folder);
        var base = adapter ? adapted(folder) : folder;
        var plan = plan(base, config(base), dropout, true);
        try (var weights = WeightFiles.open(base)) {
            var loaded = load(weights, plan.make(base, weights), config(folder));
            if (adapter) {
                adapt(folder, loaded.model());
                Lora.merge(loaded.model());
            }
            return loaded;
        }
    }

    /// As [#readAdapter], to be merged, of a model that nobody has yet: it is freed where the
    /// adapter is refused.
    private static Set<String> adapt(Path folder, Module model) {
        try {
            return readAdapter(folder, model, Set.of(), true);
        } catch (RuntimeException e) {
            model.free();
            throw e;
        }
    }

    /// The encoder with a decoder in `folder`, read as [#readModel] does.
    ///
    /// @throws EspalierException if it is another model
    public static Loaded<EncoderDecoder> readEncoderDecoder(Path folder) {
        var loaded = readModel(folder, null);
        if (!(loaded.model() instanceof EncoderDecoder model)) {
            loaded.model().free();
            throw EspalierException.data(
                    "%s: a %s does not write one text from another; an encoder with a decoder is needed"
                            .formatted(folder.resolve(CONFIG), type(loaded.config())));
        }
        return new Loaded<>(model, loaded.config(), loaded.missing(), loaded.extra());
    }

    /// Whether the model in `folder` is an encoder with a decoder that writes text.
    public static boolean isEncoderDecoder(Path folder) {
        return isFor(folder, CONDITIONAL);
    }

    /// The classifier in `folder`: its labels are those of `id2label`. Where the folder holds an
    /// adapter, its model is read from the folder that `base_model_name_or_path` names.
    public static Loaded<SequenceClassifier> readClassifier(Path folder) {
        var config = config(folder);
        if (!isAdapter(folder)) {
            return readClassifier(folder, config, problem(folder, config));
        }
        return readClassifier(folder, adapted(folder));
    }

    /// The classifier that the adapter in `folder` makes of the model in `base`.
    public static Loaded<SequenceClassifier> readClassifier(Path folder, Path base) {
        var config = config(folder);
        var loaded = readClassifier(base, config(base), problem(folder, config));
        var given = adapt(folder, loaded.model());
        var missing = loaded.missing().stream().filter(name -> !given.contains(name)).toList();
        return new Loaded<>(loaded.model(), config, missing, List.of());
    }

    /// The classifier that the adapter in `folder` makes of `body`, which was read from `base` and
    /// may be that of other classifiers too; see [dev.espalier.adapt.Adapters].
    ///
    /// @throws EspalierException if neither the adapter nor the base gives the head's weights
    public static SequenceClassifier readClassifier(Path folder, LanguageModel body, Path base) {
        var classifier = new SequenceClassifier(body, problem(folder, config(folder)));
        readHead(base, classifier);
        var head = new HashSet<>(classifier.head().parameters().keySet());
        head.removeIf(body.family()::isBody);
        readAdapter(folder, classifier, head, false);
        return classifier;
    }

    /// The folder of the model that the adapter in `folder` was made for.
    private static Path adapted(Path folder) {
        var file = folder.resolve(ADAPTER_CONFIG);
        var named = Json.read(file).path("base_model_name_or_path");
        try {
            var base = Path.of(named.asString(""));
            if (!base.toString().isEmpty()
                    && Files.isRegularFile(base.resolve(CONFIG))
                    && !isAdapter(base)) {
                return base;
            }
        } catch (InvalidPathException e) {
            throw EspalierException.data(
                    file + ": base_model_name_or_path is " + named + ", no path", e);
        }
        throw EspalierException.data(
                "%s: an adapter without its model: base_model_name_or_path %s is no model's folder; name the model's folder, or merge the adapter"
                        .formatted(folder, named));
    }

    /// The model of pictures in `folder`, with every dropout set to `dropout`, if one is given.
    /// What is its task's own may be missing.
    public static Loaded<VisionModel> readVision(Path folder, @Nullable Double dropout) {
        var config = config(folder);
        var plan = visionPlan(folder, config, dropout);
        try (var weights = WeightFiles.open(folder)) {
            return load(weights, plan.make(folder, weights), config);
        }
    }

    /// The ViT in `folder`, or what a ViT-MAE there has learnt, to tell `problem`, with every
    /// dropout set to `dropout`, if one is given. The head is the folder's where it tells the same
    /// labels, and else missing.
    ///
    /// @throws EspalierException if it is another model
    public static Loaded<Vit> readVit(Path folder, Problem problem, @Nullable Double dropout) {
        var config = config(folder);
        if (type(config).equals("vit_mae")) {
            config.remove(VitMaeConfig.OWN);
        } else if (!type(config).equals("vit")) {
            throw EspalierException.data(
                    "%s: model_type '%s' tells no labels of pictures; allowed: vit, vit_mae"
                            .formatted(folder.resolve(CONFIG), type(config)));
        }
        var same =
                isFor(folder, PICTURES)
                        && problem(folder, config).labels().equals(problem.labels());
        var shape = named(folder, () -> vitShape(config, dropout));
        var plan = new Plan<>(shape.bodyWeights(), () -> new Vit(shape, problem));
        try (var weights = WeightFiles.open(folder)) {
            var model = plan.make(folder, weights);
            return load(weights, model, config, path -> same || !model.isHead(path));
        }
    }

    /// The model in `folder` to tell the classes of pixels, with every dropout set to `dropout`, if
    /// one is given. The head is the folder's where it tells the same classes, and else missing.
    ///
    /// @throws EspalierException if it is another model
    public static Loaded<? extends Segmenter> readSegmenter(
            Path folder, List<String> labels, @Nullable Double dropout) {
        var config = config(folder);
        var same = isFor(folder, PIXELS) && labels(folder, config).equals(labels);
        var named = config.deepCopy();
        writeLabels(named, labels);
        var plan = visionPlan(folder, named, dropout);
        try (var weights = WeightFiles.open(folder)) {
            var made = plan.make(folder, weights);
            if (!(made instanceof Segmenter model)) {
                made.free();
                throw EspalierException.data(
                        "%s: model_type '%s' tells no classes of pixels, and its body is that of no model that does; allowed: segformer, espalier-unet"
                                .formatted(folder.resolve(CONFIG), type(config)));
            }
            return load(weights, model, named, path -> same || !model.isHead(path));
        }
    }

    /// Whether the model in `folder` tells the classes of pixels.
    public static boolean isSegmenter(Path folder) {
        return isFor(folder, PIXELS);
    }

    /// The YOLOS in `folder`, to tell things of these classes, with every dropout set to `dropout`,
    /// if one is given. The head is the folder's where it tells the same classes, and else missing.
    ///
    /// @throws EspalierException if it is another model
    public static Loaded<Yolos> readYolos(
            Path folder, List<String> classes, @Nullable Double dropout) {
        var config = config(folder);
        if (!type(config).equals("yolos")) {
            throw EspalierException.data(
                    "%s: model_type '%s' tells no things in pictures; allowed: yolos"
                            .formatted(folder.resolve(CONFIG), type(config)));
        }
        var read = named(folder, () -> YolosConfig.of(config));
        var shape = dropout == null ? read : read.withDropout(dropout);
        var same = labels(folder, config).equals(classes);
        var plan = new Plan<>(shape.bodyWeights(), () -> new Yolos(shape, classes));
        try (var weights = WeightFiles.open(folder)) {
            var model = plan.make(folder, weights);
            return load(weights, model, config, path -> same || !model.isHead(path));
        }
    }

    /// Whether the model in `folder` has the body of a YOLOS.
    public static boolean isYolos(Path folder) {
        return type(config(folder)).equals("yolos");
    }

    /// Whether the model in `folder` tells things in pictures.
    public static boolean isDetector(Path folder) {
        return isFor(folder, THINGS);
    }

    /// Whether the model in `folder` writes of pictures.
    public static boolean isCaptioner(Path folder) {
        return isFor(folder, WRITTEN);
    }

    /// Whether the model in `folder` tells the labels of pictures.
    public static boolean isPictureClassifier(Path folder) {
        return isFor(folder, PICTURES);
    }

    /// Whether the model in `folder` sees pictures.
    public static boolean isVision(Path folder) {
        return VISION.contains(type(config(folder)));
    }

    private static Loaded<SequenceClassifier> readClassifier(
            Path folder, ObjectNode config, Problem problem) {
        var plan = plan(folder, config, null, false);
        try (var weights = WeightFiles.open(folder)) {
            return load(
                    weights, new SequenceClassifier(plan.make(folder, weights), problem), config);
        }
    }

    /// The classifier of tokens in `folder`: its labels are those of `id2label`. Where the folder
    /// holds an adapter, its model is read from the folder that `base_model_name_or_path` names.
    public static Loaded<TokenClassifier> readTokenClassifier(Path folder) {
        var config = config(folder);
        return isAdapter(folder)
                ? readTokenClassifier(folder, adapted(folder))
                : readTokenClassifier(folder, config, labels(folder, config));
    }

    /// The classifier of tokens that the adapter in `folder` makes of the model in `base`.
    public static Loaded<TokenClassifier> readTokenClassifier(Path folder, Path base) {
        var config = config(folder);
        var loaded = readTokenClassifier(base, config(base), labels(folder, config));
        var given = adapt(folder, loaded.model());
        var missing = loaded.missing().stream().filter(name -> !given.contains(name)).toList();
        return new Loaded<>(loaded.model(), config, missing, List.of());
    }

    private static Loaded<TokenClassifier> readTokenClassifier(
            Path folder, ObjectNode config, List<String> labels) {
        var plan = plan(folder, config, null, false);
        try (var weights = WeightFiles.open(folder)) {
            return load(weights, new TokenClassifier(plan.make(folder, weights), labels), config);
        }
    }

    /// Copies into the head of `model` what the files in `folder` hold of it, such as BERT's
    /// pooler, which is trained before any task is; a head for other classes is passed over.
    public static void readHead(Path folder, SequenceClassifier model) {
        try (var weights = WeightFiles.open(folder)) {
            var inFile = new Names(weights, model.body().family());
            model.head()
                    .parameters()
                    .forEach((name, parameter) -> {
                        if (model.body().family().isBody(name)) {
                            inFile.find(name).ifPresent(e -> copy(weights.path(), e, parameter));
                        }
                    });
        }
    }

    /// The classifier in `folder` with its own head on the body of another model of its shape.
    ///
    /// @throws EspalierException (DATA) if the folder holds an adapter, or its model does not fit
    public static SequenceClassifier readClassifierOn(LanguageModel body, Path folder) {
        requireShape(body, folder);
        var model = new SequenceClassifier(body, problem(folder, config(folder)));
        readAll(folder, body.family(), model.head().parameters());
        return model;
    }

    /// As [#readClassifierOn] for a classifier of tokens.
    public static TokenClassifier readTokenClassifierOn(LanguageModel body, Path folder) {
        requireShape(body, folder);
        var model = new TokenClassifier(body, labels(folder, config(folder)));
        var head = new LinkedHashMap<>(model.parameters());
        head.keySet().retainAll(model.headPaths());
        readAll(folder, body.family(), head);
        return model;
    }

    /// As [#readClassifierOn] for a classifier of pictures.
    public static Vit readVitOn(Vit body, Path folder) {
        requireShape(body, folder);
        var model = body.telling(problem(folder, config(folder)));
        var head = new LinkedHashMap<>(model.parameters());
        head.keySet().removeIf(model.family()::isBody);
        readAll(folder, model.family(), head);
        return model;
    }

    private static void requireShape(Model body, Path folder) {
        if (isAdapter(folder)) {
            throw EspalierException.data(
                    "%s: holds an adapter, whose base differs from the model; allowed: a whole one, as `adapter.merge: true` leaves it"
                            .formatted(folder));
        }
        JsonNode own = config(folder), other = body.configJson();
        if (!type(own).equals(type(other))) {
            throw EspalierException.data(
                    "%s: a %s's head does not fit the %s"
                            .formatted(folder.resolve(CONFIG), type(own), type(other)));
        }
    }

    /// Copies into `model` the weights beside its body that the files in `folder` hold, such as an
    /// encoder's head for the vocabulary.
    ///
    /// @throws EspalierException (DATA) if one is missing, or of another shape
    public static void readVocabularyHead(Path folder, LanguageModel model) {
        requireShape(model, folder);
        var head = new LinkedHashMap<>(model.parameters());
        head.keySet().removeIf(model.family()::isBody);
        readAll(folder, model.family(), head);
    }

    private static void readAll(Path folder, Family family, SequencedMap<String, Parameter> into) {
        try (var weights = WeightFiles.open(folder)) {
            var inFile = new Names(weights, family);
            into.forEach((name, parameter) -> {
                var entry = inFile.find(name);
                if (entry.isEmpty()) {
                    throw EspalierException.data(
                            "%s: the head's tensor '%s' is missing"
                                    .formatted(weights.path(), inFile.of(name)));
                }
                copy(weights.path(), entry.get(), parameter);
            });
        }
    }

    /// Whether the model in `folder` is a sequence classifier.
    public static boolean isClassifier(Path folder) {
        return isFor(folder, SEQUENCES);
    }

    /// Whether the model in `folder` is a classifier of tokens.
    public static boolean isTokenClassifier(Path folder) {
        return isFor(folder, TOKENS);
    }

    private static boolean isFor(Path folder, String task) {
        return isFor(config(folder), task);
    }

    private static boolean isFor(JsonNode config, String task) {
        return config.path("architectures").path(0).asString("").endsWith(task);
    }

    /// What a classifier tells. Without `problem_type` a single label is a number, as the library
    /// takes it when it trains.
    private static Problem problem(Path folder, JsonNode config) {
        var file = folder.resolve(CONFIG);
        var labels = labels(folder, config);
        var type = config.path("problem_type");
        if (type.isMissingNode() || type.isNull()) {
            type = StringNode.valueOf(implied(labels));
        }
        var own = config.path(OWN);
        return switch (type.asString("")) {
            case SINGLE_LABEL -> new Problem.SingleLabel(labels);
            case MULTI_LABEL -> {
                var threshold = number(file, own, "threshold", 0.5);
                if (!(threshold > 0 && threshold < 1)) {
                    throw EspalierException.data(
                            file + ": " + OWN + ".threshold is " + threshold + ", not in (0, 1)");
                }
                yield new Problem.MultiLabel(labels, threshold);
            }
            case REGRESSION -> {
                if (labels.size() != 1) {
                    throw EspalierException.data(
                            file
                                    + ": problem_type is regression with "
                                    + labels.size()
                                    + " labels; allowed: 1");
                }
                var scale = number(file, own, "target_scale", 1);
                if (!(scale > 0)) {
                    throw EspalierException.data(
                            file + ": " + OWN + ".target_scale is " + scale + ", not above 0");
                }
                yield new Problem.Regression(number(file, own, "target_mean", 0), scale);
            }
            default ->
                    throw EspalierException.data(
                            file
                                    + ": problem_type is "
                                    + type
                                    + "; allowed: "
                                    + String.join(", ", SINGLE_LABEL, MULTI_LABEL, REGRESSION));
        };
    }

    private static String implied(List<String> labels) {
        return labels.size() == 1 ? REGRESSION : SINGLE_LABEL;
    }

    private static List<String> labels(Path folder, JsonNode config) {
        var names = config.path("id2label");
        if (names.isMissingNode()) {
            var count = config.path("num_labels").asInt(type(config).equals("bart") ? 3 : 2);
            if (count < 1 || count > MOST_LABELS) {
                throw EspalierException.data(
                        folder.resolve(CONFIG)
                                + ": num_labels is "
                                + config.path("num_labels")
                                + "; a whole number from 1 to "
                                + MOST_LABELS
                                + " is needed");
            }
            return java.util.stream.IntStream.range(0, count).mapToObj(i -> "LABEL_" + i).toList();
        }
        var labels = new ArrayList<String>();
        for (var i = 0; i < names.size(); i++) {
            var name = names.path(String.valueOf(i));
            if (!name.isString()) {
                throw EspalierException.data(
                        folder.resolve(CONFIG) + ": id2label has no name for class " + i);
            }
            labels.add(name.asString());
        }
        return labels;
    }

    /// A model that is still to be made, with at least so many weights.
    private record Plan<M extends Model>(double weights, Supplier<M> maker) {
        /// The model, with its weights zero. A description that asks for far more than there is
        /// must not take memory first.
        M make(Path folder, WeightFiles files) {
            if (weights > 4.0 * files.elements()) {
                throw EspalierException.data(
                        String.format(
                                Locale.ROOT,
                                "%s: asks for a model of at least %,.0f weights, but %s holds %,d",
                                folder.resolve(CONFIG),
                                weights,
                                files.path(),
                                files.elements()));
            }
            return maker.get();
        }
    }

    /// @param headed whether a head of its own is wanted, if the family has one
    private static Plan<LanguageModel> plan(
            Path folder, JsonNode config, @Nullable Double dropout, boolean headed) {
        try {
            return switch (type(config)) {
                case "gpt2" -> {
                    var read = Gpt2Config.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(shape.bodyWeights(), () -> new Gpt2(shape));
                }
                case "llama", "mistral", "qwen2" -> {
                    var read = LlamaConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(
                            shape.bodyWeights(),
                            () -> headed ? new Llama(shape) : Llama.withoutHead(shape));
                }
                case "bert", "roberta", "distilbert" -> {
                    var read = EncoderConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(
                            shape.bodyWeights(),
                            () ->
                                    switch (shape.kind()) {
                                        case BERT -> new Bert(shape, headed);
                                        case ROBERTA -> new Roberta(shape, headed);
                                        case DISTILBERT -> new DistilBert(shape, headed);
                                    });
                }
                case "bart" -> {
                    var read = BartConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(shape.bodyWeights(), () -> new Bart(shape, headed));
                }
                case "vision-encoder-decoder" -> {
                    var read = VisionEncoderDecoderConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(
                            shape.encoder().bodyWeights() + shape.decoder().bodyWeights(),
                            () -> new VisionEncoderDecoder(shape));
                }
                case "t5" -> {
                    var read = T5Config.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(shape.bodyWeights(), () -> new T5(shape));
                }
                default ->
                        throw EspalierException.data(
                                "model_type '"
                                        + type(config)
                                        + "' is not supported; allowed: gpt2, llama, mistral,"
                                        + " qwen2, bert, roberta, distilbert, bart, t5, vision-encoder-decoder");
            };
        } catch (EspalierException e) {
            throw EspalierException.data(folder.resolve(CONFIG) + ": " + e.getMessage(), e);
        }
    }

    private static Plan<VisionModel> visionPlan(
            Path folder, ObjectNode config, @Nullable Double dropout) {
        try {
            return switch (type(config)) {
                case "vit" -> {
                    var shape = vitShape(config, dropout);
                    var problem = problem(folder, config);
                    yield new Plan<>(shape.bodyWeights(), () -> new Vit(shape, problem));
                }
                case "vit_mae" -> {
                    var read = VitMaeConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    yield new Plan<>(shape.bodyWeights(), () -> new VitMae(shape));
                }
                case "segformer" -> {
                    var read = SegformerConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    var labels = labels(folder, config);
                    yield new Plan<>(shape.bodyWeights(), () -> new Segformer(shape, labels));
                }
                case "espalier-unet" -> {
                    var shape = UnetConfig.of(config);
                    var labels = labels(folder, config);
                    yield new Plan<>(shape.bodyWeights(), () -> new Unet(shape, labels));
                }
                case "yolos" -> {
                    var read = YolosConfig.of(config);
                    var shape = dropout == null ? read : read.withDropout(dropout);
                    var labels = labels(folder, config);
                    yield new Plan<>(shape.bodyWeights(), () -> new Yolos(shape, labels));
                }
                default ->
                        throw EspalierException.data(
                                "model_type '%s' does not see pictures; allowed: %s"
                                        .formatted(type(config), String.join(", ", VISION)));
            };
        } catch (EspalierException e) {
            throw EspalierException.data(folder.resolve(CONFIG) + ": " + e.getMessage(), e);
        }
    }

    /// A shape that is refused names the file that asks for it.
    private static <S> S named(Path folder, Supplier<S> shape) {
        try {
            return shape.get();
        } catch (EspalierException e) {
            throw EspalierException.data(folder.resolve(CONFIG) + ": " + e.getMessage(), e);
        }
    }

    /// The pixels that each side of a picture must have at the least for the model in `folder`.
    public static int leastSide(Path folder) {
        var config = config(folder);
        return named(
                folder,
                () ->
                        switch (type(config)) {
                            case "segformer" -> SegformerConfig.of(config).leastSide();
                            case "espalier-unet" -> UnetConfig.of(config).leastSide();
                            case "vision-encoder-decoder" ->
                                    VisionEncoderDecoderConfig.of(config).encoder().patch();
                            default -> VitConfig.of(config).patch();
                        });
    }

    private static VitConfig vitShape(JsonNode config, @Nullable Double dropout) {
        var shape = VitConfig.of(config);
        return dropout == null ? shape : shape.withDropout(dropout);
    }

    private static String type(JsonNode config) {
        return config.path("model_type").asString("");
    }

    /// The `config.json` of `folder`, or of its adapter's model where it has none of its own.
    public static ObjectNode config(Path folder) {
        var file = folder.resolve(CONFIG);
        if (!Files.isRegularFile(file) && isAdapter(folder)) {
            return config(adapted(folder));
        }
        if (!Files.isRegularFile(file)) {
            throw EspalierException.data(
                    folder
                            + ": not a model's folder, it has no "
                            + CONFIG
                            + (Files.isRegularFile(folder.resolve("model").resolve(CONFIG))
                                    ? "; did you mean " + folder.resolve("model") + "?"
                                    : ""));
        }
        if (!(Json.read(file) instanceof ObjectNode config)) {
            throw EspalierException.data(file + ": not a JSON object");
        }
        return config;
    }

    /// Where a file holds a weight: under its path, without the body's name in files of the bare
    /// body, or under the name that older files have.
    private static final class Names {
        private final WeightFiles weights;
        private final Family family;
        private final boolean bare;

        Names(WeightFiles weights, Family family) {
            this.weights = weights;
            this.family = family;
            bare = weights.entries().stream().noneMatch(e -> family.isBody(e.name()));
        }

        String of(String path) {
            return bare && family.isBody(path) ? path.substring(family.body().length() + 1) : path;
        }

        Optional<SafeTensors.Entry> find(String path) {
            var found = weights.find(of(path));
            for (var alias : family.aliases().entrySet()) {
                if (found.isEmpty() && path.endsWith(alias.getKey())) {
                    var end = path.length() - alias.getKey().length();
                    found = weights.find(of(path.substring(0, end) + alias.getValue()));
                }
            }
            return found;
        }
    }

    private static <M extends Module> Loaded<M> load(
            WeightFiles weights, M model, ObjectNode config) {
        return load(weights, model, config, path -> true);
    }

    /// The model's weights are freed where the file is refused.
    ///
    /// @param wanted the paths of the weights that are read if they are there
    private static <M extends Module> Loaded<M> load(
            WeightFiles weights, M model, ObjectNode config, Predicate<String> wanted) {
        try {
            return filled(weights, model, config, wanted);
        } catch (EspalierException e) {
            model.free();
            throw e;
        }
    }

    private static <M extends Module> Loaded<M> filled(
            WeightFiles weights, M model, ObjectNode config, Predicate<String> wanted) {
        var file = weights.path();
        var body = body(model);
        var family = body.family();
        var unused = new HashSet<String>();
        weights.entries().forEach(e -> unused.add(e.name()));
        var inFile = new Names(weights, family);
        var needed = body.parameters().keySet();
        var mayLack =
                body instanceof Encoder
                        || body instanceof VisionModel
                        || isFor(config, SEQUENCES)
                        || isFor(config, TOKENS);
        var missing = new ArrayList<String>();
        for (var parameter : model.parameters().entrySet()) {
            var path = parameter.getKey();
            var entry = inFile.find(path);
            if (!wanted.test(path)) {
                entry.ifPresent(e -> unused.remove(e.name()));
                missing.add(inFile.of(path));
            } else if (entry.isPresent()) {
                copy(file, entry.get(), parameter.getValue());
                unused.remove(entry.get().name());
            } else if (!needed.contains(path) || (mayLack && !family.isBody(path))) {
                missing.add(inFile.of(path));
            } else if (parameter.getValue().trained()) {
                throw EspalierException.data(
                        file
                                + ": the tensor '"
                                + inFile.of(path)
                                + "' is missing; the file is not of this model's family or shape");
            }
        }
        unused.removeIf(name -> family.buffers().matcher(name).matches());
        if (model instanceof LanguageModel) {
            family.copies()
                    .forEach((copy, original) -> {
                        if (unused.remove(inFile.of(copy))) {
                            requireSame(weights, inFile.of(copy), inFile.of(original), family);
                        }
                    });
        }
        // Heads of earlier tasks are left behind wherever a body goes on to another.
        var strange =
                unused.stream()
                        .filter(name -> inFile.bare || family.isBody(name))
                        .sorted()
                        .toList();
        if (!strange.isEmpty()) {
            LOG.warn("{}: passed over {} that this model has no place for", file, strange);
        }
        return new Loaded<>(model, config, missing, unused.stream().sorted().toList());
    }

    /// A file may hold what a model ties as a copy.
    private static void requireSame(
            WeightFiles weights, String copy, String original, Family family) {
        var other = weights.find(original);
        if (other.isPresent()
                && weights.find(copy).orElseThrow().data().mismatch(other.get().data()) >= 0) {
            throw EspalierException.data(
                    weights.path()
                            + ": "
                            + copy
                            + " differs from "
                            + original
                            + ", but config.json of this "
                            + family.architecture()
                            + " ties them");
        }
    }

    private static Model body(Module model) {
        return switch (model) {
            case SequenceClassifier classifier -> classifier.body();
            case TokenClassifier classifier -> classifier.body();
            case Model body -> body;
            default -> throw new IllegalArgumentException("of no family: " + model);
        };
    }

    private static void requireShape(Path file, SafeTensors.Entry entry, Parameter into) {
        if (!Arrays.equals(entry.shape(), into.value().shape())) {
            throw EspalierException.data(
                    file
                            + ": the tensor '"
                            + entry.name()
                            + "' has the shape "
                            + Arrays.toString(entry.shape())
                            + ", but config.json asks for "
                            + Arrays.toString(into.value().shape()));
        }
    }

    private static void copy(Path file, SafeTensors.Entry entry, Parameter into) {
        requireShape(file, entry, into);
        var type =
                switch (entry.dtype()) {
                    case F32 -> DType.FLOAT;
                    case F64 -> DType.DOUBLE;
                    case F16 -> DType.HALF;
                    case BF16 -> DType.BFLOAT16;
                    default -> {
                        if (entry.dtype() == SafeTensors.DType.I64
                                && into.value().dtype() == DType.LONG) {
                            yield DType.LONG;
                        }
                        throw EspalierException.data(
                                file
                                        + ": the tensor '"
                                        + entry.name()
                                        + "' is of "
                                        + entry.dtype()
                                        + ", no weight");
                    }
                };
        try (var scope = new Scope()) {
            var values = Tensor.of(type, entry.data(), entry.shape()).to(into.value().dtype());
            if (!values.allFinite()) {
                throw EspalierException.data(
                        file
                                + ": the tensor '"
                                + entry.name()
                                + "' holds values that are not numbers (NaN or infinite)");
            }
            Torch.noGrad(() -> into.value().copyInPlace(values));
        }
    }

    /// Writes `model` into `folder`, which exists: `config.json`, which is `config` brought up to
    /// date where `model` decides, for a language model `generation_config.json`, and
    /// `model.safetensors`, or beyond 5 GB several files and their index. Adapters must be merged
    /// or written apart.
    public static void write(Path folder, Module model, ObjectNode config) throws IOException {
        writeConfig(folder, model, config);
        writeGenerationConfig(folder, model, config);
        write(folder, model, model.parameters());
    }

    private static void writeGenerationConfig(Path folder, Module model, ObjectNode config)
            throws IOException {
        // The library writes one for BERT too, of all encoders.
        if (model instanceof LanguageModel
                && (!(model instanceof Encoder) || model instanceof Bert)) {
            writeGenerationConfig(folder, generationConfig(model, config));
        }
    }

    /// Writes `json` as the `generation_config.json` of `folder`.
    public static void writeGenerationConfig(Path folder, ObjectNode json) throws IOException {
        Files.writeString(folder.resolve(GENERATION), PythonJson.write(json, true));
    }

    /// For a language model what other libraries take the end of a text from, the keys of
    /// `generation_config.json`: the ids that `config` names.
    public static ObjectNode generationConfig(Module model, ObjectNode config) {
        var said = config.deepCopy();
        said.setAll(changed(config, body(model).configJson()));
        var json = JsonNodeFactory.instance.objectNode();
        if (!(model instanceof VisionEncoderDecoder)) {
            json.put("_from_model_config", true);
        }
        for (var key :
                List.of(
                        "bos_token_id",
                        "decoder_start_token_id",
                        "eos_token_id",
                        "forced_bos_token_id",
                        "forced_eos_token_id",
                        "pad_token_id",
                        "transformers_version")) {
            if (said.hasNonNull(key)) {
                json.set(key, said.get(key));
            }
        }
        return json;
    }

    /// Copies the `generation_config.json` of the model that training started from, if it has one.
    public static void copyGenerationConfig(Path from, Path to) throws IOException {
        if (Files.isRegularFile(from.resolve(GENERATION))) {
            Files.copy(
                    from.resolve(GENERATION),
                    to.resolve(GENERATION),
                    StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /// Makes these tokens end what is written, in the `generation_config.json` of `folder`.
    public static void writeEnds(Path folder, List<Integer> ends) {
        var file = folder.resolve(GENERATION);
        var json =
                Files.isRegularFile(file)
                        ? (ObjectNode) Json.read(file)
                        : JsonNodeFactory.instance.objectNode();
        // It is no longer what config.json says.
        json.remove("_from_model_config");
        json.remove("eos_token_id");
        ends.forEach(json.putArray("eos_token_id")::add);
        AtomicFiles.write(file, PythonJson.write(json, true));
    }

    private static void writeConfig(Path folder, Module model, ObjectNode config)
            throws IOException {
        var json = config.deepCopy();
        var body = body(model);
        json.setAll(changed(json, body.configJson()));
        if (model instanceof SequenceClassifier classifier) {
            writeProblem(json, classifier.problem());
        } else if (model instanceof Vit vit) {
            writeProblem(json, vit.problem());
        } else if (model instanceof Encoder) {
            json.remove(OWN);
        }
        json.putArray("architectures").add(body.family().architecture() + suffix(model));
        json.put(json.has("dtype") ? "dtype" : "torch_dtype", "float32");
        if (!labels(model).isEmpty()) {
            writeLabels(json, labels(model));
        }
        Files.writeString(folder.resolve(CONFIG), PythonJson.write(json, true));
    }

    /// A classifier's file that leaves out what follows from its labels goes on to do so.
    private static void writeProblem(ObjectNode json, Problem problem) {
        var task = json.path("architectures").path(0).asString("");
        var isClassifier = task.endsWith(SEQUENCES) || task.endsWith(PICTURES);
        if (!isClassifier
                || json.hasNonNull("problem_type")
                || !problem.type().equals(implied(problem.labels()))) {
            json.put("num_labels", problem.labels().size());
            json.put("problem_type", problem.type());
        }
        var own = json.path(OWN) instanceof ObjectNode o ? o : json.objectNode();
        own.remove(List.of("threshold", "target_mean", "target_scale"));
        switch (problem) {
            case Problem.SingleLabel _ -> {}
            case Problem.MultiLabel m -> own.put("threshold", m.threshold());
            case Problem.Regression r ->
                    own.put("target_mean", r.mean()).put("target_scale", r.scale());
        }
        if (own.isEmpty()) {
            json.remove(OWN);
        } else {
            json.set(OWN, own);
        }
    }

    private static String suffix(Module model) {
        return switch (model) {
            case SequenceClassifier _ -> SEQUENCES;
            case TokenClassifier _ -> TOKENS;
            case VisionModel vision -> vision.task();
            case Encoder _ -> "ForMaskedLM";
            case Gpt2 _ -> "LMHeadModel";
            case VisionEncoderDecoder _ -> "Model";
            case EncoderDecoder _ -> CONDITIONAL;
            default -> "ForCausalLM";
        };
    }

    private static List<String> labels(Module model) {
        return switch (model) {
            case SequenceClassifier classifier -> classifier.labels();
            case TokenClassifier classifier -> classifier.labels();
            case VisionModel vision -> vision.labels();
            default -> List.of();
        };
    }

    /// Two labels without names of their own are the library's default, which files leave out.
    private static void writeLabels(ObjectNode json, List<String> labels) {
        if (!json.has("id2label") && labels.equals(List.of("LABEL_0", "LABEL_1"))) {
            return;
        }
        var ids = json.putObject("id2label");
        var numbers = json.putObject("label2id");
        for (var i = 0; i < labels.size(); i++) {
            ids.put(String.valueOf(i), labels.get(i));
            numbers.put(labels.get(i), i);
        }
    }

    /// As [#write], with every adapter added to its weight in the file; the model stays as it is.
    public static void writeMerged(Path folder, Module model, ObjectNode config)
            throws IOException {
        writeConfig(folder, model, config);
        writeGenerationConfig(folder, model, config);
        try (var scope = new Scope()) {
            var merged = new java.util.LinkedHashMap<String, Parameter>(model.parameters());
            merged.keySet().removeIf(name -> name.contains(Lora.PREFIX));
            model.modules()
                    .forEach((path, part) -> {
                        if (part instanceof Linear linear
                                && linear.adapter() instanceof Adapter adapter) {
                            var sum =
                                    Torch.noGrad(() ->
                                            linear.weight()
                                                    .value()
                                                    .add(adapter.weightDelta())
                                                    .contiguous());
                            merged.put(path + ".weight", new Parameter(sum));
                        }
                    });
            write(folder, model, merged);
        }
    }

    /// A classifier's file has no head for the vocabulary.
    private static void write(
            Path folder, Module model, SequencedMap<String, Parameter> parameters) {
        var entries = entries("", parameters);
        if (model instanceof SequenceClassifier || model instanceof TokenClassifier) {
            var body = body(model);
            var bodys = body.parameters().keySet();
            entries.removeIf(e -> bodys.contains(e.name()) && !body.family().isBody(e.name()));
        }
        WeightFiles.write(folder, entries, WeightFiles.SHARD);
    }

    /// The entries of `ours` that say something else than `theirs` or than a default that they
    /// leave out. A new config, which does not name its family, has everything to learn.
    private static ObjectNode changed(ObjectNode theirs, ObjectNode ours) {
        var said =
                switch (type(theirs)) {
                    case "" -> JsonNodeFactory.instance.objectNode();
                    case "gpt2" -> Gpt2Config.of(theirs).json();
                    case "bert", "roberta", "distilbert" -> EncoderConfig.of(theirs).json();
                    case "bart" -> BartConfig.of(theirs).json();
                    case "t5" -> T5Config.of(theirs).json();
                    case "vision-encoder-decoder" -> VisionEncoderDecoderConfig.of(theirs).json();
                    case "vit" -> VitConfig.of(theirs).json("vit");
                    case "vit_mae" -> VitMaeConfig.of(theirs).json();
                    case "segformer" -> SegformerConfig.of(theirs).json();
                    case "espalier-unet" -> UnetConfig.of(theirs).json();
                    case "yolos" -> YolosConfig.of(theirs).json();
                    default -> LlamaConfig.of(theirs).json();
                };
        var changed = JsonNodeFactory.instance.objectNode();
        ours.forEachEntry((key, value) -> {
            if (!value.equals(said.get(key))) {
                changed.set(key, value);
            }
        });
        return changed;
    }

    private static List<SafeTensors.Entry> entries(
            String prefix, SequencedMap<String, Parameter> parameters) {
        var entries = new ArrayList<SafeTensors.Entry>();
        parameters.forEach((name, p) -> entries.add(entry(prefix + name, p.value())));
        return entries;
    }

    private static SafeTensors.Entry entry(String name, Tensor value) {
        var type = value.dtype() == DType.LONG ? SafeTensors.DType.I64 : SafeTensors.DType.F32;
        return new SafeTensors.Entry(name, type, value.shape(), value.segment());
    }

    /// Whether `folder` holds an adapter as PEFT writes it.
    public static boolean isAdapter(Path folder) {
        return Files.isRegularFile(folder.resolve(ADAPTER_CONFIG));
    }

    /// The settings of the adapter in `folder`. A setting that changes the mathematics and is not
    /// supported is refused by name. Without targets, they are the family's.
    public static Lora.Settings adapterSettings(Path folder) {
        var file = folder.resolve(ADAPTER_CONFIG);
        var json = Json.read(file);
        if (!json.path("peft_type").asString("").equals("LORA")) {
            throw EspalierException.data(
                    file
                            + ": peft_type "
                            + json.path("peft_type")
                            + " is not supported; allowed: LORA");
        }
        for (var key :
                List.of(
                        "alpha_pattern",
                        "rank_pattern",
                        "loftq_config",
                        "alora_invocation_tokens")) {
            if (!json.path(key).isEmpty()) {
                throw EspalierException.data(file + ": " + key + " is not supported");
            }
        }
        if (!json.path("bias").asString("none").equals("none")) {
            throw EspalierException.data(
                    file + ": bias " + json.path("bias") + " is not supported; allowed: none");
        }
        if (!json.path("layers_to_transform").isNull()
                && !json.path("layers_to_transform").isMissingNode()) {
            throw EspalierException.data(file + ": layers_to_transform is not supported");
        }
        // With these PEFT changes the base's own weights too when it loads the adapter.
        var begun = json.path("init_lora_weights").asString("");
        if (begun.matches("(?i)(pissa|olora|corda|loftq).*")) {
            throw EspalierException.data(
                    file
                            + ": init_lora_weights "
                            + begun
                            + " is not supported, since it goes with other weights of the base; save it as plain LoRA (path_initial_model_for_weight_conversion)");
        }
        var named = json.path("target_modules");
        if (!named.isArray() && !named.isNull()) {
            throw EspalierException.data(file + ": target_modules must be a list of names");
        }
        var rank = json.path("r").asInt(0);
        if (rank < 1 || rank > 65536) {
            throw EspalierException.data(
                    file
                            + ": r is "
                            + json.path("r")
                            + "; a whole number from 1 to 65536 is needed");
        }
        var targets = new ArrayList<String>();
        named.forEach(t -> targets.add(t.asString("")));
        var dropout = number(file, json, "lora_dropout", 0);
        if (!(dropout >= 0 && dropout < 1)) {
            throw EspalierException.data(file + ": lora_dropout is " + dropout + ", not in [0, 1)");
        }
        return new Lora.Settings(
                rank,
                number(file, json, "lora_alpha", 8),
                dropout,
                targets,
                flag(file, json, "use_rslora"),
                flag(file, json, "use_dora"));
    }

    private static boolean flag(Path file, JsonNode json, String key) {
        var node = json.path(key);
        if (!node.isMissingNode() && !node.isNull() && !node.isBoolean()) {
            throw EspalierException.data(
                    file + ": " + key + " is " + node + "; allowed: true, false");
        }
        return node.asBoolean(false);
    }

    private static double number(Path file, JsonNode json, String key, double otherwise) {
        var node = json.path(key);
        var value = node.isMissingNode() ? otherwise : node.asDouble(Double.NaN);
        if (!Double.isFinite(value)) {
            throw EspalierException.data(file + ": " + key + " is " + node + ", not a number");
        }
        return value;
    }

    /// The rank decides what is allocated, so it must be that of the file's own tensors.
    private static void requireRank(Path folder, int rank, SafeTensors tensors) {
        var a = tensors.entries().stream().filter(e -> e.name().endsWith(LORA_A)).toList();
        if (a.isEmpty()) {
            throw EspalierException.data(
                    folder.resolve(ADAPTER_WEIGHTS)
                            + ": holds no tensor of an adapter, *"
                            + LORA_A);
        }
        for (var entry : a) {
            if (entry.shape().length != 2 || entry.shape()[0] != rank) {
                throw EspalierException.data(
                        "%s: the tensor '%s' has the shape %s, but r is %d in %s"
                                .formatted(
                                        folder.resolve(ADAPTER_WEIGHTS),
                                        entry.name(),
                                        Arrays.toString(entry.shape()),
                                        rank,
                                        ADAPTER_CONFIG));
            }
        }
    }

    /// Attaches the adapter in `folder` to `model`, and loads a head that was trained with it. One
    /// that is refused leaves nothing on the model.
    ///
    /// @return the paths of the weights that the adapter gave
    public static Set<String> readAdapter(Path folder, Module model) {
        return readAdapter(folder, model, Set.of(), false);
    }

    /// @param head the paths of a head's weights, which must be there too
    /// @param merged whether it is added to the weights, where all of it acts
    private static Set<String> readAdapter(
            Path folder, Module model, Set<String> head, boolean merged) {
        var settings = adapterSettings(folder);
        var file = folder.resolve(ADAPTER_WEIGHTS);
        try (var tensors = SafeTensors.open(file)) {
            requireRank(folder, settings.rank(), tensors);
            List<String> adapted;
            try {
                adapted =
                        Lora.attach(
                                model,
                                settings.targets().isEmpty()
                                        ? settings.withTargets(body(model).family().adapted())
                                        : settings,
                                0);
            } catch (EspalierException e) {
                throw EspalierException.data(
                        folder.resolve(ADAPTER_CONFIG) + ": " + e.getMessage(), e);
            }
            try {
                if (!merged && adapted.contains(Decoder.HEAD_MAP)) {
                    throw EspalierException.data(
                            "%s: the adapter of `%s` acts only where it is merged; merge it first"
                                    .formatted(folder.resolve(ADAPTER_CONFIG), Decoder.HEAD_MAP));
                }
                return copyAdapter(file, tensors, model, adapted, head);
            } catch (RuntimeException e) {
                Lora.remove(model, adapted);
                throw e;
            }
        }
    }

    /// Looks at all before it changes anything, since others may use the model's own weights.
    private static Set<String> copyAdapter(
            Path file, SafeTensors tensors, Module model, List<String> adapted, Set<String> head) {
        var given = new LinkedHashMap<String, SafeTensors.Entry>();
        var known = new HashSet<String>();
        var parameters = model.parameters();
        parameters.forEach((name, parameter) -> {
            var entry = tensors.find(PEFT_PREFIX + name);
            entry.ifPresent(e -> {
                requireShape(file, e, parameter);
                given.put(name, e);
                known.add(e.name());
            });
            if (entry.isEmpty()
                    && (head.contains(name)
                            || adapted.stream()
                                    .anyMatch(path -> name.startsWith(path + Lora.PREFIX)))) {
                throw EspalierException.data(
                        "%s: the %stensor '%s' is missing"
                                .formatted(
                                        file,
                                        head.contains(name) ? "head's " : "",
                                        PEFT_PREFIX + name));
            }
        });
        for (var entry : tensors.entries()) {
            if (!known.contains(entry.name())) {
                throw EspalierException.data(
                        file + ": the tensor '" + entry.name() + "' has no place in the model");
            }
        }
        given.forEach((name, entry) -> {
            var parameter = Objects.requireNonNull(parameters.get(name));
            copy(file, entry, parameter);
            parameter.trained(true);
        });
        return Set.copyOf(given.keySet());
    }

    /// Adds the adapter in `folder` to the weights of `model`, and loads a head that was trained
    /// with it.
    public static void mergeAdapter(Path folder, Module model) {
        readAdapter(folder, model, Set.of(), true);
        Lora.merge(model);
    }

    /// Writes the adapters of `model`, and the head where it is a classifier's, into `folder`,
    /// which exists. The `config.json` of a classifier, of an encoder with a decoder, and of what
    /// says something of its own goes with them, since PEFT's files name neither classes nor how
    /// texts are read.
    public static void writeAdapter(
            Path folder, Module model, ObjectNode config, Lora.Settings settings, String base)
            throws IOException {
        var heads = new ArrayList<String>();
        var headPaths = new HashSet<String>();
        if (model instanceof TokenClassifier classifier) {
            heads.addAll(List.of("classifier", "score"));
            headPaths.addAll(classifier.headPaths());
        }
        if (model instanceof SequenceClassifier classifier) {
            heads.addAll(List.of("classifier", "score"));
            var head = classifier.head().parameters();
            headPaths.addAll(head.keySet());
            if (head.entrySet().stream()
                    .anyMatch(p -> p.getKey().contains(".pooler.") && p.getValue().trained())) {
                heads.add("pooler");
            }
            if (classifier.body() instanceof Bart) {
                heads.add("classification_head");
            }
        }
        var json = JsonNodeFactory.instance.objectNode();
        for (var key : List.of("alpha_pattern", "loftq_config", "rank_pattern")) {
            json.putObject(key);
        }
        for (var key :
                List.of(
                        "auto_mapping",
                        "layer_replication",
                        "layers_pattern",
                        "layers_to_transform",
                        "megatron_config",
                        "revision")) {
            json.putNull(key);
        }
        json.put("base_model_name_or_path", base);
        json.put("bias", "none");
        json.put("fan_in_fan_out", body(model) instanceof Gpt2);
        json.put("inference_mode", true);
        json.put("init_lora_weights", true);
        if (settings.alpha() == Math.rint(settings.alpha())) {
            json.put("lora_alpha", (long) settings.alpha());
        } else {
            json.put("lora_alpha", settings.alpha());
        }
        json.put("lora_dropout", settings.dropout());
        json.put("megatron_core", "megatron.core");
        if (heads.isEmpty()) {
            json.putNull("modules_to_save");
        } else {
            var saved = json.putArray("modules_to_save");
            heads.forEach(saved::add);
        }
        json.put("peft_type", "LORA");
        json.put("r", settings.rank());
        var targets = json.putArray("target_modules");
        settings.targets().stream().sorted().forEach(targets::add);
        json.put(
                "task_type",
                switch (model) {
                    case SequenceClassifier _ -> "SEQ_CLS";
                    case TokenClassifier _ -> "TOKEN_CLS";
                    case Decoder _ -> "CAUSAL_LM";
                    case EncoderDecoder _ -> "SEQ_2_SEQ_LM";
                    default -> null;
                });
        json.put("use_dora", settings.dora());
        json.put("use_rslora", settings.rslora());
        Files.writeString(folder.resolve(ADAPTER_CONFIG), PythonJson.write(json, false));
        var kept = new java.util.LinkedHashMap<String, Parameter>();
        model.parameters()
                .forEach((name, p) -> {
                    if (name.contains(Lora.PREFIX) || headPaths.contains(name) && p.trained()) {
                        kept.put(name, p);
                    }
                });
        SafeTensors.write(folder.resolve(ADAPTER_WEIGHTS), entries(PEFT_PREFIX, kept));
        if (!heads.isEmpty() || model instanceof EncoderDecoder || config.has(OWN)) {
            writeConfig(folder, model, config);
        }
    }

    /// As [#write], the folder whole or not at all: for programs that use the library. Runs write
    /// the tokenizer into the same folder aside.
    public static void save(Path folder, Module model, ObjectNode config) {
        AtomicFiles.writeFolder(folder, aside -> write(aside, model, config));
    }

    /// The `config.json` of a model that starts here, with the ids of its special tokens where it
    /// has them.
    public static ObjectNode newConfig(@Nullable Integer endOfText, @Nullable Integer padding) {
        var json = JsonNodeFactory.instance.objectNode();
        if (endOfText != null) {
            json.put("bos_token_id", endOfText);
            json.put("eos_token_id", endOfText);
        }
        if (padding != null) {
            json.put("pad_token_id", Objects.requireNonNull(padding));
        }
        json.put("use_cache", true);
        return json;
    }
}
