package dev.espalier.recipe;

import dev.espalier.EspalierException;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What must hold between the values of a recipe, beyond each value's own type and range.
final class Checks {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}");

    /// What tells how well labels are told.
    private static final Set<Metric> LABELLED =
            EnumSet.of(Metric.LOSS, Metric.ACCURACY, Metric.MACRO_F1);

    private static final Set<Metric> TAGGED =
            EnumSet.of(Metric.LOSS, Metric.ACCURACY, Metric.MACRO_F1, Metric.F1);

    private Checks() {}

    static void check(Recipe recipe, Problems problems) {
        if (!NAME.matcher(recipe.name()).matches()) {
            problems.add(
                    "name",
                    "`"
                            + recipe.name()
                            + "` is not a name; allowed: up to 100 letters, digits, `.`, `_` and `-`,"
                            + " starting with a letter or digit");
        }
        model(recipe, problems);
        sight(recipe, problems);
        training(recipe.training(), problems);
        switch (recipe) {
            case PretrainRecipe pretrain -> {
                sources(pretrain.data().sources(), problems);
                kinds(pretrain, problems);
                switch (pretrain.objective()) {
                    case ObjectiveRecipe.Causal causal ->
                            withinContext(
                                    causal.length(), "objective.length", recipe.model(), problems);
                    case ObjectiveRecipe.Masked masked -> masked(masked, pretrain, problems);
                    case ObjectiveRecipe.Denoising denoising ->
                            withinContext(
                                    denoising.length(),
                                    "objective.length",
                                    recipe.model(),
                                    problems);
                    case ObjectiveRecipe.SpanCorruption spans -> {
                        withinContext(spans.length(), "objective.length", recipe.model(), problems);
                        withinContext(
                                spans.targetLength(),
                                "objective.target-length",
                                recipe.model(),
                                problems);
                    }
                    case ObjectiveRecipe.Prefix prefix ->
                            withinContext(
                                    prefix.length(), "objective.length", recipe.model(), problems);
                    case ObjectiveRecipe.MaskedImage images ->
                            maskedImage(images, pretrain, problems);
                    case ObjectiveRecipe.FillInTheMiddle middle ->
                            withinContext(
                                    middle.length(), "objective.length", recipe.model(), problems);
                }
                var stopping = pretrain.training().earlyStopping();
                if (stopping != null && stopping.metric() != TrainingRecipe.Metric.LOSS) {
                    problems.add(
                            "training.early-stopping.metric",
                            "pre-training has no labels; allowed: loss");
                }
            }
            case FinetuneRecipe finetune -> {
                files(finetune.data(), finetune.task(), problems);
                switch (finetune.task()) {
                    case TaskRecipe.Classification task -> {
                        withinContext(
                                task.maxLength(), "task.max-length", recipe.model(), problems);
                        classification(task, finetune.training(), problems);
                    }
                    case TaskRecipe.TokenLabelling task -> {
                        stopping(finetune.training(), TAGGED, problems);
                        withinContext(
                                task.maxLength(), "task.max-length", recipe.model(), problems);
                    }
                    case TaskRecipe.Instruction task -> {
                        withinContext(
                                task.maxLength(), "task.max-length", recipe.model(), problems);
                        stopping(finetune.training(), EnumSet.of(Metric.LOSS), problems);
                        date(task.date(), problems);
                    }
                    case TaskRecipe.SequenceToSequence task ->
                            sequenceToSequence(task, finetune, problems);
                    case TaskRecipe.Preference task -> {
                        withinContext(
                                task.maxLength(), "task.max-length", recipe.model(), problems);
                        stopping(
                                finetune.training(),
                                EnumSet.of(Metric.LOSS, Metric.ACCURACY),
                                problems);
                        date(task.date(), problems);
                        plain(finetune.training(), "preferences", problems);
                    }
                    case TaskRecipe.Segmentation task -> segmentation(task, finetune, problems);
                    case TaskRecipe.ObjectDetection task -> detection(task, finetune, problems);
                    case TaskRecipe.Captioning task -> captioning(task, finetune, problems);
                    case TaskRecipe.ImageClassification task -> {
                        augment(task.augment(), problems);
                        if (task.image().equals(task.label())) {
                            problems.add(
                                    "task.label",
                                    "is the column of the picture as well, `" + task.image() + "`");
                        }
                        if (task.problem() instanceof ProblemRecipe.Regression) {
                            problems.add(
                                    "task.problem",
                                    "is regression; of pictures single-label and multi-label are told");
                        }
                        told(task.problem(), task.classWeights(), finetune.training(), problems);
                    }
                }
                if (finetune.adapter() instanceof AdapterRecipe.Lora lora) {
                    targets(lora.targets(), problems);
                }
                if (finetune.compare() != null) {
                    try {
                        if (finetune.compare().counts().isEmpty()) {
                            problems.add("compare.labels", "is empty; a study needs a number");
                        }
                    } catch (EspalierException e) {
                        problems.add("compare.labels", String.valueOf(e.getMessage()));
                    }
                }
                if (finetune.forgetting() != null) {
                    measured(finetune.forgetting().measure(), problems);
                    defence(finetune.forgetting().defence(), finetune, problems);
                }
            }
        }
    }

    private static void measured(ForgettingRecipe.Measure measure, Problems problems) {
        if (!measure.ofWords() && measure.tasks().isEmpty()) {
            problems.add(
                    "forgetting.measure",
                    "is empty; allowed: with corpus, domains, tasks or pairs");
        }
        for (var i = 0; i < measure.domains().size(); i++) {
            var name = measure.domains().get(i).name();
            if (!NAME.matcher(name).matches()
                    || Set.of("general", "pairs", "validation", "test").contains(name)) {
                problems.add(
                        "forgetting.measure.domains[" + i + "].name",
                        "`"
                                + name
                                + "` names something else, or is no name; allowed: letters, digits, `.`, `_` and `-`");
            }
        }
        distinct(
                measure.domains().stream().map(ForgettingRecipe.Domain::name).toList(),
                "forgetting.measure.domains",
                problems);
        distinct(
                measure.tasks().stream().map(Path::toString).toList(),
                "forgetting.measure.tasks",
                problems);
    }

    private static void defence(DefenceRecipe defence, FinetuneRecipe recipe, Problems problems) {
        var path = "forgetting.defence";
        if (defence instanceof DefenceRecipe.Cheapest) {
            if (Objects.requireNonNull(recipe.forgetting()).budget() == null) {
                problems.add("forgetting.budget", "is missing; `cheapest` goes by it");
            }
            if (!(recipe.task() instanceof TaskRecipe.Classification
                    || recipe.task() instanceof TaskRecipe.TokenLabelling
                    || recipe.task() instanceof TaskRecipe.ImageClassification)) {
                problems.add(
                        path, "is for classification, token-labelling and image-classification");
            }
        }
        var ofWeights = defence.ofWeights();
        if (ofWeights && !(recipe.adapter() instanceof AdapterRecipe.None)) {
            problems.add(
                    path,
                    "holds or mixes the model's weights, which the adapter keeps as they are; allowed with"
                            + " adapter {type: none}");
        }
        if (ofWeights && !(recipe.model() instanceof ModelRecipe.Saved)) {
            problems.add(
                    path, "holds on to a model that exists; allowed with a `path` under `model`");
        }
        if ((defence instanceof DefenceRecipe.Lwf || defence instanceof DefenceRecipe.Soup)
                && !(recipe.task() instanceof TaskRecipe.Classification)
                && !recipe.task().ofPictures()) {
            problems.add(
                    path, "is for classification; allowed here: none, replay, l2-sp, ewc, wise-ft");
        }
        if (defence instanceof DefenceRecipe.Soup soup && soup.models().isEmpty()) {
            problems.add(path + ".models", "is empty; allowed: the folders of one model or more");
        }
    }

    private static void forgottenOfPictures(ForgettingRecipe recipe, Problems problems) {
        if (recipe.measure().ofWords() || recipe.measure().head() != null) {
            problems.add(
                    "forgetting.measure",
                    "is of texts, and there are pictures here; allowed: tasks");
        }
        if (!(recipe.defence() instanceof DefenceRecipe.None
                || recipe.defence() instanceof DefenceRecipe.L2Sp
                || recipe.defence() instanceof DefenceRecipe.WiseFt
                || (recipe.defence() instanceof DefenceRecipe.Cheapest cheapest
                        && cheapest.corpus() == null))) {
            problems.add(
                    "forgetting.defence",
                    "is for texts, and there are pictures here; allowed: none, l2-sp, wise-ft, cheapest"
                            + " without a corpus; beside none an adapter {type: lora}, or"
                            + " {type: frozen, last-blocks: 25%}, training.layer-decay, a lower rate");
        }
    }

    private static void sequenceToSequence(
            TaskRecipe.SequenceToSequence task, FinetuneRecipe recipe, Problems problems) {
        withinContext(task.maxInput(), "task.max-input", recipe.model(), problems);
        withinContext(task.maxTarget(), "task.max-target", recipe.model(), problems);
        var generation = task.generation();
        if (generation.minNewTokens() != null
                && generation.maxNewTokens() != null
                && generation.minNewTokens() > generation.maxNewTokens()) {
            problems.add(
                    "task.generation.min-new-tokens",
                    "is more than max-new-tokens, " + generation.maxNewTokens());
        }
        if (task.input().equals(task.target())) {
            problems.add(
                    "task.target", "is the column of the input as well, `" + task.input() + "`");
        }
        if (recipe.forgetting() != null) {
            problems.add(
                    "forgetting",
                    "is measured on models that go on with a text; an encoder with a decoder is none");
        }
        stopping(
                recipe.training(),
                EnumSet.complementOf(
                        EnumSet.of(
                                Metric.MEAN_IOU,
                                Metric.MEAN_DICE,
                                Metric.MAP,
                                Metric.MAP_50,
                                Metric.CIDER,
                                Metric.ACCURACY,
                                Metric.MACRO_F1,
                                Metric.MICRO_F1,
                                Metric.F1,
                                Metric.SPEARMAN)),
                problems);
    }

    private static void classification(
            TaskRecipe.Classification task, TrainingRecipe training, Problems problems) {
        if (task.label().equals(task.text()) || task.label().equals(task.pair())) {
            problems.add("task.label", "is a column of text as well, `" + task.label() + "`");
        }
        if (task.text().equals(task.pair())) {
            problems.add("task.pair", "is the column of the text as well, `" + task.text() + "`");
        }
        told(task.problem(), task.classWeights(), training, problems);
    }

    private static void detection(
            TaskRecipe.ObjectDetection task, FinetuneRecipe recipe, Problems problems) {
        unmixed(task.augment(), "boxes", problems);
        stopping(recipe.training(), EnumSet.of(Metric.LOSS, Metric.MAP, Metric.MAP_50), problems);
        plain(recipe.training(), "object-detection", problems);
    }

    private static void captioning(
            TaskRecipe.Captioning task, FinetuneRecipe recipe, Problems problems) {
        unmixed(task.augment(), "captions", problems);
        if (task.augment().mosaic() > 0) {
            problems.add(
                    "task.augment.mosaic",
                    "puts pictures together, of which no caption tells; allowed: 0");
        }
        if (task.image().equals(task.caption())) {
            problems.add(
                    "task.caption", "is the column of the picture as well, `" + task.image() + "`");
        }
        // What joins parts that exist begins here, and is trained.
        if (recipe.adapter() instanceof AdapterRecipe.Frozen f
                && f.lastBlocks() == 0
                && recipe.model() instanceof ModelRecipe.Saved) {
            problems.add(
                    "adapter",
                    "frozen leaves nothing to train here; allowed: none, lora, frozen with last-blocks");
        }
        stopping(
                recipe.training(),
                EnumSet.of(Metric.LOSS, Metric.EXACT_MATCH, Metric.BLEU, Metric.CIDER),
                problems);
    }

    /// What cannot be mixed must not be.
    private static void unmixed(AugmentRecipe augment, String what, Problems problems) {
        augment(augment, problems);
        if (augment.mixUp() > 0 || augment.cutMix() > 0) {
            problems.add(
                    "task.augment",
                    "mixes pictures, whose %s cannot be mixed; allowed: mix-up and cut-mix of 0"
                            .formatted(what));
        }
    }

    private static final Pattern COLOUR = Pattern.compile("#[0-9a-fA-F]{6}");

    private static void segmentation(
            TaskRecipe.Segmentation task, FinetuneRecipe recipe, Problems problems) {
        augment(task.augment(), problems);
        if (task.augment().mixUp() > 0) {
            problems.add(
                    "task.augment.mix-up",
                    "lets pictures shine through each other, where a pixel has no one class;"
                            + " allowed: 0");
        }
        stopping(
                recipe.training(),
                EnumSet.of(Metric.LOSS, Metric.MEAN_IOU, Metric.MEAN_DICE),
                problems);
        plain(recipe.training(), "segmentation", problems);
        distinct(task.classes(), "task.classes", problems);
        distinct(task.colours(), "task.colours", problems);
        if (task.classes().size() == 1 || task.classes().size() > 255) {
            problems.add(
                    "task.classes",
                    "are "
                            + task.classes().size()
                            + "; allowed: 2 to 255, the background included");
        }
        if (!task.colours().isEmpty() && task.colours().size() != task.classes().size()) {
            problems.add(
                    "task.colours",
                    "are %d for %d classes; allowed: one for each, or none"
                            .formatted(task.colours().size(), task.classes().size()));
        }
        for (var i = 0; i < task.colours().size(); i++) {
            if (!COLOUR.matcher(task.colours().get(i)).matches()) {
                problems.add(
                        "task.colours[" + i + "]",
                        "`%s` is no colour; allowed: such as \"#ff0000\""
                                .formatted(task.colours().get(i)));
            }
        }
        var loss = task.loss();
        if (loss.crossEntropy() + loss.dice() + loss.focal() <= 0) {
            problems.add("task.loss", "is nothing; one weight must be above 0");
        }
    }

    private static void augment(AugmentRecipe augment, Problems problems) {
        augment("task.augment", augment, problems);
    }

    private static void augment(String path, AugmentRecipe augment, Problems problems) {
        leastAndMost(augment.scale(), path + ".scale", problems);
        if (augment.crop() != null) {
            leastAndMost(augment.crop().area(), path + ".crop.area", problems);
        }
    }

    private static void leastAndMost(List<Double> numbers, String path, Problems problems) {
        if (numbers.size() != 2 || numbers.getFirst() > numbers.getLast()) {
            problems.add(
                    path,
                    numbers + " are not the least and the most; allowed: two, such as [0.5, 2]");
        }
    }

    /// What labels and numbers need.
    private static void told(
            ProblemRecipe asked,
            TaskRecipe.Classification.ClassWeights weights,
            TrainingRecipe training,
            Problems problems) {
        var figures =
                switch (asked) {
                    case ProblemRecipe.SingleLabel _ -> LABELLED;
                    case ProblemRecipe.MultiLabel _ ->
                            EnumSet.of(Metric.LOSS, Metric.MICRO_F1, Metric.MACRO_F1);
                    case ProblemRecipe.Regression _ -> EnumSet.of(Metric.LOSS, Metric.SPEARMAN);
                };
        stopping(training, figures, problems);
        var problem = Shape.kind(asked.getClass());
        if (training.zLoss() > 0 && !(asked instanceof ProblemRecipe.SingleLabel)) {
            problems.add("training.z-loss", problem + " has no softmax to hold; allowed: 0");
        }
        if (asked instanceof ProblemRecipe.Regression) {
            if (training.labelSmoothing() > 0) {
                problems.add("training.label-smoothing", "a number has no labels; allowed: 0");
            }
            if (weights != TaskRecipe.Classification.ClassWeights.NONE) {
                problems.add("task.class-weights", "a number has no classes; allowed: none");
            }
        }
    }

    private static void stopping(TrainingRecipe training, Set<Metric> figures, Problems problems) {
        var stopping = training.earlyStopping();
        if (stopping != null && !figures.contains(stopping.metric())) {
            problems.add(
                    "training.early-stopping.metric",
                    "this task has no "
                            + Shape.word(stopping.metric())
                            + "; allowed: "
                            + String.join(", ", figures.stream().map(Shape::word).toList()));
        }
    }

    /// Nothing to smooth here by the settings of other losses.
    private static void plain(TrainingRecipe training, String what, Problems problems) {
        if (training.labelSmoothing() > 0) {
            problems.add(
                    "training.label-smoothing",
                    "is not for "
                            + what
                            + (what.equals("preferences")
                                    ? "; task.loss of the type dpo has one of its own; allowed: 0"
                                    : "; allowed: 0"));
        }
        if (training.zLoss() > 0) {
            problems.add("training.z-loss", "is not for " + what + "; allowed: 0");
        }
    }

    private static void date(@Nullable String date, Problems problems) {
        try {
            if (date != null) {
                java.time.LocalDate.parse(date);
            }
        } catch (java.time.format.DateTimeParseException e) {
            problems.add("task.date", "`" + date + "` is no date such as 2026-01-31");
        }
    }

    private static void masked(
            ObjectiveRecipe.Masked masked, PretrainRecipe recipe, Problems problems) {
        withinContext(masked.length(), "objective.length", recipe.model(), problems);
        if (masked.masked() + masked.random() > 1 + 1e-9) {
            problems.add(
                    "objective.random",
                    masked.random()
                            + " and objective.masked of "
                            + masked.masked()
                            + " are more than all tokens to be told; allowed: up to "
                            + (1 - masked.masked()));
        }
        if (recipe.data().sampling() == PretrainData.Sampling.RANDOM_CROPS) {
            problems.add(
                    "data.sampling",
                    "`random-crops` would cut sentences; allowed with objective `masked`: shuffled");
        }
    }

    /// Pictures need a model that sees, texts one that reads.
    private static void sight(Recipe recipe, Problems problems) {
        var wanted = seeing(recipe);
        var model = recipe.model();
        if (wanted.isEmpty()) {
            if (model.sees() && !(model instanceof ModelRecipe.Saved)) {
                problems.add("model", "sees pictures, and there are texts to read here");
            }
            return;
        }
        if (!(model instanceof ModelRecipe.Saved) && !wanted.contains(model.getClass())) {
            problems.add(
                    "model",
                    "cannot do this; allowed: "
                            + wanted.stream().map(Shape::kind).collect(Collectors.joining(", "))
                            + ", or a path");
        }
        var writes =
                recipe instanceof FinetuneRecipe f && f.task() instanceof TaskRecipe.Captioning;
        if (recipe.tokenizer() != null && !writes) {
            problems.add("tokenizer", "is not for pictures; allowed: auto");
        }
        if (recipe instanceof FinetuneRecipe f && f.forgetting() != null) {
            if (f.task() instanceof TaskRecipe.ImageClassification) {
                forgottenOfPictures(f.forgetting(), problems);
            } else {
                problems.add("forgetting", "is measured on texts and in image-classification");
            }
        }
        if (model instanceof ModelRecipe.Unet && recipe.training().layerDecay() != 1) {
            problems.add(
                    "training.layer-decay",
                    "goes by blocks one behind the other, of which a unet has none; allowed: 1");
        }
        if (recipe instanceof FinetuneRecipe f
                && !(f.adapter() instanceof AdapterRecipe.None)
                && model.begins()) {
            problems.add(
                    "adapter",
                    "%s keeps a body as it is that begins here and has seen nothing; allowed: none, or a path under model"
                            .formatted(Shape.kind(f.adapter().getClass())));
        }
    }

    /// The new models that can do what a recipe wants of pictures; none where it wants nothing of
    /// them.
    private static List<Class<? extends ModelRecipe>> seeing(Recipe recipe) {
        return switch (recipe) {
            case PretrainRecipe p ->
                    p.objective() instanceof ObjectiveRecipe.MaskedImage
                            ? List.of(ModelRecipe.VitMae.class)
                            : List.of();
            case FinetuneRecipe f ->
                    switch (f.task()) {
                        case TaskRecipe.ImageClassification _ -> List.of(ModelRecipe.Vit.class);
                        case TaskRecipe.ObjectDetection _ -> List.of(ModelRecipe.Yolos.class);
                        case TaskRecipe.Segmentation _ ->
                                List.of(ModelRecipe.Segformer.class, ModelRecipe.Unet.class);
                        case TaskRecipe.Captioning _ ->
                                List.of(ModelRecipe.VisionEncoderDecoder.class);
                        default -> List.of();
                    };
        };
    }

    private static void maskedImage(
            ObjectiveRecipe.MaskedImage objective, PretrainRecipe recipe, Problems problems) {
        augment("objective.augment", objective.augment(), problems);
        if (objective.augment().mixUp() > 0 || objective.augment().cutMix() > 0) {
            problems.add("objective.augment", "mixes pictures; allowed: mix-up and cut-mix of 0");
        }
        plain(recipe.training(), "masked images", problems);
    }

    private static void model(Recipe recipe, Problems problems) {
        model(recipe.model(), "model", recipe, problems);
        tokenizer(recipe.tokenizer(), problems);
    }

    private static void model(ModelRecipe model, String path, Recipe recipe, Problems problems) {
        switch (model) {
            case ModelRecipe.Gpt2 gpt2 -> {
                heads(path + ".width", gpt2.width(), gpt2.heads(), 1, problems);
                tokenizer(recipe, problems);
            }
            case ModelRecipe.LlamaShape llama -> llama(llama, recipe, problems);
            case ModelRecipe.EncoderShape encoder -> {
                heads("model.width", encoder.width(), encoder.heads(), 1, problems);
                tokenizer(recipe, problems);
            }
            case ModelRecipe.Bart bart -> {
                heads("model.width", bart.width(), bart.heads(), 1, problems);
                tokenizer(recipe, problems);
            }
            case ModelRecipe.T5 _ -> tokenizer(recipe, problems);
            case ModelRecipe.Vit vit -> {
                heads(path + ".width", vit.width(), vit.heads(), 1, problems);
                if (vit.image() % vit.patch() != 0) {
                    problems.add(
                            path + ".patch",
                            "%d does not divide the picture's %d pixels; allowed: a divisor of them"
                                    .formatted(vit.patch(), vit.image()));
                }
            }
            case ModelRecipe.VitMae mae -> {
                heads("model.width", mae.width(), mae.heads(), 1, problems);
                heads("model.decoder-width", mae.decoderWidth(), mae.decoderHeads(), 1, problems);
                if (mae.image() % mae.patch() != 0) {
                    problems.add(
                            "model.patch",
                            "%d does not divide the picture's %d pixels; allowed: a divisor of them"
                                    .formatted(mae.patch(), mae.image()));
                }
                if (mae.width() % 4 != 0 || mae.decoderWidth() % 4 != 0) {
                    problems.add(
                            "model",
                            "has the widths %d and %d; allowed: multiples of 4"
                                    .formatted(mae.width(), mae.decoderWidth()));
                }
            }
            case ModelRecipe.Yolos yolos -> {
                heads("model.width", yolos.width(), yolos.heads(), 1, problems);
                if (yolos.image().size() != 2) {
                    problems.add(
                            "model.image",
                            yolos.image()
                                    + " are not height and width; allowed: such as [480, 640]");
                }
                for (var side : yolos.image()) {
                    if (side % yolos.patch() != 0) {
                        problems.add(
                                "model.patch",
                                "%d does not divide the picture's %d pixels; allowed: a divisor of both sides"
                                        .formatted(yolos.patch(), side));
                    }
                }
            }
            case ModelRecipe.Segformer s -> {
                if (s.image() % 32 != 0) {
                    problems.add("model.image", s.image() + " is no multiple of 32");
                }
                four(s.widths(), "model.widths", problems);
                four(s.layers(), "model.layers", problems);
                if (s.widths().stream().anyMatch(w -> w % 8 != 0)) {
                    problems.add("model.widths", s.widths() + " are no multiples of 8");
                }
            }
            case ModelRecipe.Unet u -> {
                if (u.width() % 8 != 0) {
                    problems.add("model.width", u.width() + " is no multiple of 8");
                }
                if (u.image() >> (u.levels() - 1) << (u.levels() - 1) != u.image()) {
                    problems.add(
                            "model.image",
                            "%d cannot be halved %d times".formatted(u.image(), u.levels() - 1));
                }
            }
            case ModelRecipe.VisionEncoderDecoder both -> {
                model((ModelRecipe) both.encoder(), path + ".encoder", recipe, problems);
                model(both.writer(), path + ".decoder", recipe, problems);
            }
            case ModelRecipe.Saved saved -> {
                distinct(saved.addTokens(), path + ".add-tokens", problems);
                if (recipe.tokenizer() != null && !saved.addTokens().isEmpty()) {
                    problems.add(
                            path + ".add-tokens",
                            "adds to the model's own tokenizer; allowed with `tokenizer: auto`");
                }
                var detects =
                        recipe instanceof FinetuneRecipe f
                                && f.task() instanceof TaskRecipe.ObjectDetection;
                if (saved.detections() != null && !detects) {
                    problems.add(
                            path + ".detections", "is for things in pictures; allowed here: auto");
                }
            }
        }
    }

    private static void tokenizer(@Nullable TokenizerRecipe tokenizer, Problems problems) {
        switch (tokenizer) {
            case TokenizerRecipe.Bpe bpe -> {
                distinct(bpe.specialTokens(), "tokenizer.special-tokens", problems);
                var least = 256 + bpe.specialTokens().size();
                if (bpe.vocabulary() < least) {
                    problems.add(
                            "tokenizer.vocabulary",
                            bpe.vocabulary()
                                    + " cannot hold the 256 bytes and the special tokens; allowed: "
                                    + least
                                    + " or more");
                }
            }
            case TokenizerRecipe.Characters characters ->
                    distinct(characters.specialTokens(), "tokenizer.special-tokens", problems);
            case TokenizerRecipe.WordPiece wordPiece -> {}
            case TokenizerRecipe.Unigram unigram -> withUnknown(unigram.specialTokens(), problems);
            case TokenizerRecipe.SentencePieceBpe bpe -> withUnknown(bpe.specialTokens(), problems);
            case TokenizerRecipe.Saved saved -> {}
            case null -> {}
        }
    }

    private static void withUnknown(List<String> specialTokens, Problems problems) {
        distinct(specialTokens, "tokenizer.special-tokens", problems);
        if (!specialTokens.contains("<unk>") && !specialTokens.contains("[UNK]")) {
            problems.add(
                    "tokenizer.special-tokens",
                    "have none for what is unknown; allowed: with `<unk>` or `[UNK]` among them");
        }
    }

    private static void llama(ModelRecipe.LlamaShape llama, Recipe recipe, Problems problems) {
        heads("model.width", llama.width(), llama.heads(), 2, problems);
        if (llama.heads() % llama.keyValueHeads() != 0) {
            problems.add(
                    "model.key-value-heads",
                    llama.keyValueHeads()
                            + " does not divide the "
                            + llama.heads()
                            + " heads; allowed: a divisor of them");
        }
        tokenizer(recipe, problems);
    }

    private static void four(List<Integer> numbers, String path, Problems problems) {
        if (numbers.size() != 4) {
            problems.add(path, numbers.size() + " numbers; allowed: 4, one for each stage");
        }
    }

    /// A head's width must be a multiple of `unit`, since rotation takes pairs.
    private static void heads(String path, int width, int heads, int unit, Problems problems) {
        if (width % (heads * unit) != 0) {
            problems.add(
                    path,
                    width
                            + " cannot be shared evenly by "
                            + heads
                            + " heads; allowed: a multiple of "
                            + heads * unit);
        }
    }

    private static void tokenizer(Recipe recipe, Problems problems) {
        if (recipe.tokenizer() == null) {
            problems.add(
                    "tokenizer",
                    "is missing; a new model has none beside it. Allowed: {type: bpe}, {type: characters} or"
                            + " {path: some/dir}");
        }
    }

    private static void training(TrainingRecipe training, Problems problems) {
        var micro = training.microBatch();
        if (micro != null && training.batch() % micro != 0) {
            problems.add(
                    "training.micro-batch",
                    micro
                            + " does not divide the batch of "
                            + training.batch()
                            + "; allowed: a divisor of it, or `auto`");
        }
        switch (training.optimizer()) {
            case OptimizerRecipe.AdamW a -> betas(a.betas(), "training.optimizer", problems);
            case OptimizerRecipe.Lion l -> betas(l.betas(), "training.optimizer", problems);
            case OptimizerRecipe.Muon muon ->
                    betas(muon.others().betas(), "training.optimizer.adamw", problems);
            case OptimizerRecipe.Adafactor _ -> {}
            case OptimizerRecipe.Sgd sgd -> {
                if (sgd.nesterov() && (sgd.momentum() == 0 || sgd.dampening() != 0)) {
                    problems.add(
                            "training.optimizer.nesterov",
                            "needs a momentum above 0 and a dampening of 0");
                }
            }
        }
        for (var i = 0; i < training.groups().size(); i++) {
            try {
                Pattern.compile(training.groups().get(i).match());
            } catch (PatternSyntaxException e) {
                problems.add(
                        "training.groups[" + i + "].match",
                        "`"
                                + training.groups().get(i).match()
                                + "` is not a regular expression: "
                                + e.getDescription());
            }
        }
        if (training.schedule().warmup() instanceof Duration warmup
                && warmup.unit() == training.duration().unit()
                && warmup.amount() > training.duration().amount()) {
            problems.add(
                    "training.schedule.warmup",
                    warmup + " is longer than the run of " + training.duration());
        }
    }

    private static void betas(List<Double> betas, String path, Problems problems) {
        if (betas.size() != 2) {
            problems.add(
                    path + ".betas",
                    "has " + betas.size() + " numbers; allowed: 2, such as [0.9, 0.95]");
        }
    }

    private static void sources(List<SourceRecipe> sources, Problems problems) {
        if (sources.isEmpty()) {
            problems.add("data.sources", "is empty; a run needs at least one source");
        }
        for (var i = 0; i < sources.size(); i++) {
            var charset =
                    switch (sources.get(i)) {
                        case SourceRecipe.Text s -> s.charset();
                        case SourceRecipe.Markdown s -> s.charset();
                        case SourceRecipe.Jsonl s -> s.charset();
                        case SourceRecipe.Csv s -> s.charset();
                        case SourceRecipe.Tsv s -> s.charset();
                        case SourceRecipe.Jdk _, SourceRecipe.Images _ -> null;
                    };
            if (charset != null && !supported(charset)) {
                problems.add(
                        "data.sources[" + i + "].charset",
                        "`"
                                + charset
                                + "` is not a character set that Java knows; allowed: `auto`, or one such as"
                                + " `UTF-8`, `UTF-16`, `ISO-8859-1`, `windows-1252`");
            }
        }
    }

    /// Pictures for the objective of pictures, and texts for the others.
    private static void kinds(PretrainRecipe recipe, Problems problems) {
        var images = recipe.objective() instanceof ObjectiveRecipe.MaskedImage;
        var sources = recipe.data().sources();
        for (var i = 0; i < sources.size(); i++) {
            if (images != sources.get(i) instanceof SourceRecipe.Images) {
                problems.add(
                        "data.sources[" + i + "]",
                        images
                                ? "holds texts; allowed with objective `masked-image`: {type: images}"
                                : "holds pictures; they are for the objective `masked-image`");
            }
        }
    }

    private static boolean supported(String charset) {
        try {
            return Charset.isSupported(charset);
        } catch (IllegalCharsetNameException e) {
            return false;
        }
    }

    private static void files(FinetuneData data, TaskRecipe task, Problems problems) {
        leak("validation", data.validation(), "train", data.train(), task, problems);
        leak("test", data.test(), "train", data.train(), task, problems);
        leak("test", data.test(), "validation", data.validation(), task, problems);
    }

    private static void leak(
            String name,
            @Nullable Path file,
            String other,
            @Nullable Path earlier,
            TaskRecipe task,
            Problems problems) {
        // A description of boxes names the pictures of each part.
        var described =
                task instanceof TaskRecipe.ObjectDetection
                        && String.valueOf(file).matches(".*\\.ya?ml");
        if (file != null && file.equals(earlier) && !described) {
            problems.add(
                    "data." + name,
                    file
                            + " is `data."
                            + other
                            + "` as well; figures on records that were used before mean nothing");
        }
    }

    private static void targets(List<String> targets, Problems problems) {
        if (targets.isEmpty()) {
            problems.add(
                    "adapter.targets",
                    "is empty; allowed: attention, all, or names such as [c_attn, c_proj]");
        }
        if (targets.size() > 1 && (targets.contains("attention") || targets.contains("all"))) {
            problems.add(
                    "adapter.targets",
                    "mixes names with `attention` or `all`; allowed: one of these words, or names");
        }
        distinct(targets, "adapter.targets", problems);
    }

    private static void withinContext(
            @Nullable Integer length, String path, ModelRecipe model, Problems problems) {
        var context =
                switch (model) {
                    case ModelRecipe.Gpt2 gpt2 -> gpt2.context();
                    case ModelRecipe.LlamaShape llama -> llama.context();
                    case ModelRecipe.EncoderShape encoder -> encoder.context();
                    case ModelRecipe.Bart bart -> bart.context();
                    case ModelRecipe.T5 t5 -> t5.context();
                    case ModelRecipe.VisionEncoderDecoder both ->
                            both.decoder() instanceof ModelRecipe.Gpt2 gpt2
                                    ? gpt2.context()
                                    : Integer.MAX_VALUE;
                    case ModelRecipe.Vit _,
                            ModelRecipe.VitMae _,
                            ModelRecipe.Yolos _,
                            ModelRecipe.Segformer _,
                            ModelRecipe.Unet _,
                            ModelRecipe.Saved _ ->
                            Integer.MAX_VALUE;
                };
        if (length != null && length > context) {
            problems.add(
                    path, length + " is more than the model's context; allowed: up to " + context);
        }
    }

    private static void distinct(List<String> words, String path, Problems problems) {
        var seen = new HashSet<String>();
        for (var i = 0; i < words.size(); i++) {
            if (!seen.add(words.get(i))) {
                problems.add(path + "[" + i + "]", "`" + words.get(i) + "` stands twice");
            }
        }
    }
}
