package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.data.ConversationReader;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.MinimalPairReader;
import dev.espalier.data.PairReader;
import dev.espalier.data.PreferenceReader;
import dev.espalier.evaluate.Bleu;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Detections;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.MinimalPairs;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.task.Assistant;
import dev.espalier.task.ObjectDetector;
import dev.espalier.task.PictureCaptioner;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.PictureSegmenter;
import dev.espalier.task.TextClassifier;
import dev.espalier.task.TextRewriter;
import dev.espalier.task.TokenLabeller;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.GeneralText;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "evaluate",
        description = {
            "Measures a model, each figure with its 95 %% interval.",
            "A classifier on labelled records in CSV, TSV or JSONL: accuracy, F1, precision, recall, "
                    + "beside what always answering the most frequent label would reach; of several "
                    + "labels micro- and macro-F1 and the share of records with all right; of a "
                    + "number the squared and the absolute error and the correlations.",
            "A detector of things on COCO, YOLO or Pascal VOC. A classifier of pictures on a folder for each label, a table, COCO, or IDX."
                    + " A segmenter on pictures and masks, Pascal VOC or COCO. A model that writes of pictures on a"
                    + " table or COCO: BLEU, CIDEr-D, exact matches, beside the commonest caption.",
            "A model that writes one text from another on pairs of texts: exact matches, error rates, BLEU,"
                    + " chrF and ROUGE, beside what copying the input would reach.",
            "A language model on text files, or on the texts of CSV, TSV or JSONL: loss, perplexity"
                    + " and bits a byte of each domain; with --answers on the answers of"
                    + " conversations alone, with --preferences how often the chosen of two answers is"
                    + " likelier to it than the rejected one. An encoder: how well it tells hidden"
                    + " tokens.",
            "Any decoder or encoder with --pairs: in how many minimal pairs the acceptable sentence is the likelier one.",
            "A labeller of words on CoNLL, CoNLL-U, or spans in JSONL: entity F1, or accuracy."
        },
        footerHeading = "%nExample:%n",
        footer = {
            "  espalier evaluate runs/reviews/model --data test.csv",
            "  espalier evaluate runs/same-topic/model --data pairs.tsv --pair second",
            "  espalier evaluate runs/assistant/model --answers --data held-out.jsonl",
            "  espalier evaluate runs/summaries/model --data pairs.csv --input article --target summary",
            "  espalier evaluate runs/books/model --pairs --data blimp/*.jsonl",
            "  espalier evaluate runs/java-prose/model --data news=news/**/*.txt --data law=law.txt"
        })
final class Evaluate implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(
            paramLabel = "MODEL",
            description = "The folder of a language model, a classifier, or its adapter.")
    private Path model = Path.of("");

    @Option(
            names = "--data",
            required = true,
            paramLabel = "[NAME=]FILE",
            description =
                    "Labelled records, or texts by a glob. Repeatable; a name each if wanted.")
    private List<String> data = new ArrayList<>();

    @Option(
            names = "--text",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "Where a record's text is. Default: ${DEFAULT-VALUE}.")
    private String text = "";

    @Option(
            names = "--image",
            defaultValue = "image",
            paramLabel = "COLUMN",
            description = "Where a table names a picture. Default: ${DEFAULT-VALUE}.")
    private String image = "";

    @Option(
            names = "--pictures",
            paramLabel = "DIR",
            description =
                    "The folder from which a table, COCO or YOLO's description names its pictures. Default: the one"
                            + " that it lies in.")
    private @Nullable Path pictures;

    @Option(
            names = "--caption",
            defaultValue = "caption",
            paramLabel = "COLUMN",
            description = "Where a table has a picture's caption. Default: ${DEFAULT-VALUE}.")
    private String caption = "";

    @Option(
            names = "--pair",
            paramLabel = "COLUMN",
            description = "Where the second text of a pair is. Default: there is one text.")
    private @Nullable String pair;

    @Option(
            names = "--label",
            defaultValue = "label",
            paramLabel = "COLUMN",
            description = "Where a record's label is. Default: ${DEFAULT-VALUE}.")
    private String label = "";

    @Option(
            names = "--separator",
            defaultValue = ";",
            paramLabel = "TEXT",
            description =
                    "What stands between several labels of a record. Default: ${DEFAULT-VALUE}.")
    private String separator = "";

    @Option(
            names = "--column",
            defaultValue = "",
            paramLabel = "COLUMN",
            description =
                    "Where a word's tag is, in CoNLL by number, in CoNLL-U by name. Default: the last"
                            + " column, and upos.")
    private String column = "";

    @Option(
            names = "--spans",
            defaultValue = "spans",
            paramLabel = "KEY",
            description = "Where in JSONL a text's spans are. Default: ${DEFAULT-VALUE}.")
    private String spans = "";

    @Option(
            names = "--answers",
            description =
                    "The data are conversations in .jsonl or .json, told by the model's chat template;"
                            + " what is measured is the loss on the answers.")
    private boolean answers;

    @Option(
            names = "--preferences",
            description =
                    "The data are pairs of a chosen and a rejected answer in .jsonl or .json, told by the"
                            + " model's chat template.")
    private boolean preferences;

    @Option(
            names = "--pairs",
            description =
                    "The data are minimal pairs as BLiMP has them, in .jsonl; what is measured is how often"
                            + " the acceptable sentence is the likelier one.")
    private boolean pairs;

    @Option(
            names = "--input",
            defaultValue = "input",
            paramLabel = "COLUMN",
            description = "Where a pair's input is. Default: ${DEFAULT-VALUE}.")
    private String input = "";

    @Option(
            names = "--target",
            defaultValue = "target",
            paramLabel = "COLUMN",
            description = "Where a pair's target is. Default: ${DEFAULT-VALUE}.")
    private String target = "";

    @Option(
            names = "--words",
            defaultValue = "wmt_13a",
            description =
                    "What a word is to BLEU: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private Bleu.Tokens words = Bleu.Tokens.WMT_13A;

    @Option(
            names = "--stemming",
            description = "Whether ROUGE compares the stems of English words.")
    private boolean stemming;

    @Option(
            names = "--max-tokens",
            defaultValue = "2147483647",
            paramLabel = "N",
            description = "Measure the first N tokens of each domain only. Default: all.")
    private int maxTokens;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description =
                    "The seed of the intervals' bootstrap, and of which tokens are hidden. Default:"
                            + " ${DEFAULT-VALUE}.")
    private long seed;

    @Mixin private ToldDate date = new ToldDate();

    Evaluate(Main.Context context) {
        this.context = context;
    }

    /// What to measure on, and what to call it.
    private record Data(String name, String files) {
        static Data of(String argument) {
            var equals = argument.indexOf('=');
            return equals <= 0 || Files.exists(Path.of(argument))
                    ? new Data(argument, argument)
                    : new Data(argument.substring(0, equals), argument.substring(equals + 1));
        }
    }

    @Override
    public Integer call() {
        if (maxTokens < 2) {
            throw EspalierException.usage("--max-tokens must be at least 2");
        }
        var console = context.console();
        var sets = data.stream().map(Data::of).toList();
        Given.folder(model, "a model");
        if ((answers ? 1 : 0) + (preferences ? 1 : 0) + (pairs ? 1 : 0) > 1) {
            throw EspalierException.usage(
                    "--answers, --preferences and --pairs exclude each other");
        }
        if (!answers && !preferences) {
            date.refuse();
        }
        if (answers || preferences) {
            assistant(console, sets);
        } else if (pairs) {
            pairs(console, sets);
        } else if (HuggingFace.isDetector(model)) {
            detector(console, sets);
        } else if (HuggingFace.isSegmenter(model)) {
            segmenter(console, sets);
        } else if (HuggingFace.isCaptioner(model)) {
            captioner(console, sets);
        } else if (HuggingFace.isPictureClassifier(model)) {
            pictures(console, sets);
        } else if (HuggingFace.isClassifier(model)) {
            classifier(console, sets);
        } else if (HuggingFace.isEncoderDecoder(model)) {
            rewriter(console, sets);
        } else if (HuggingFace.isTokenClassifier(model)) {
            labeller(console, sets);
        } else {
            languageModel(console, sets);
        }
        return 0;
    }

    private void classifier(Console console, List<Data> sets) {
        try (var classifier = TextClassifier.load(model)) {
            for (var set : sets) {
                var records =
                        records(
                                console,
                                set,
                                (file, ledger) ->
                                        LabelledReader.read(
                                                file, columns(classifier.problem()), null, ledger));
                var result = classifier.evaluate(set.name(), records, seed);
                if (result.truncated() > 0) {
                    console.note(
                            "%s: %d of %d texts are longer than the model sees and were cut"
                                    .formatted(set.files(), result.truncated(), records.size()));
                }
                if (result.windowed() > 0) {
                    console.note(
                            "%s: %d of %d texts are longer than the model sees at once and were read in windows"
                                    .formatted(set.files(), result.windowed(), records.size()));
                }
                print(console, set, result.scores(), result.judgement());
            }
        }
    }

    /// The records of a set, with a note of those that are not used, or not as they stand there.
    private static <T> T records(Console console, Data set, BiFunction<Path, Ledger, T> reader) {
        var ledger = Ledger.strict();
        var records = reader.apply(Given.file(Path.of(set.files())), ledger);
        if (!ledger.leftOut().isEmpty()) {
            console.note(set.files() + ": not all records are used" + ledger.leftOut());
        }
        ledger.counts()
                .changed()
                .forEach((what, count) ->
                        console.note("%s: %s (%d)".formatted(set.files(), what, count)));
        return records;
    }

    private ImageData read(Console console, Data set, ImageData.Wanted wanted) {
        var ledger = Ledger.strict();
        var place =
                new ImageData.Place(
                        Given.path(Path.of(set.files())), pictures, ImageData.Part.HELD_OUT);
        var read =
                ImageReader.read(
                        place,
                        wanted,
                        ledger,
                        new ImageReader.Room(),
                        PictureClassifier.fit(model));
        if (!ledger.leftOut().isEmpty()) {
            console.note(set.files() + ": not all is used" + ledger.leftOut());
        }
        return read;
    }

    private void detector(Console console, List<Data> sets) {
        try (var detector = ObjectDetector.load(model)) {
            for (var set : sets) {
                var records = read(console, set, new ImageData.Wanted.Boxes()).images();
                PictureClassifier.requireKnown(records, detector.labels());
                var detections =
                        new Detections(
                                detector.labels(),
                                records.stream().map(LabelledImage::regions).toList(),
                                detector.detect(
                                        records.stream().map(LabelledImage::picture).toList()));
                print(console, detections.scores(set.name(), seed));
                print(console, detections.labelScores(set.name()));
            }
        }
    }

    private void segmenter(Console console, List<Data> sets) {
        try (var segmenter = PictureSegmenter.load(model)) {
            var classes = segmenter.classes();
            for (var set : sets) {
                var named = set.files().endsWith(".json");
                var read = read(console, set, new ImageData.Wanted.Masks(named ? null : classes));
                if (!read.classes().equals(classes.names())) {
                    throw EspalierException.data(
                            "%s: has the classes %s, but the model tells %s"
                                    .formatted(set.files(), read.classes(), classes.names()));
                }
                print(console, segmenter.evaluate(set.name(), read.images(), seed).scores());
            }
        }
    }

    private void captioner(Console console, List<Data> sets) {
        try (var captioner = PictureCaptioner.load(model)) {
            for (var set : sets) {
                var records =
                        read(console, set, new ImageData.Wanted.Captions(image, caption)).images();
                print(console, captioner.evaluate(set.name(), records, seed).scores());
            }
        }
    }

    private void pictures(Console console, List<Data> sets) {
        try (var classifier = PictureClassifier.load(model)) {
            for (var set : sets) {
                var labels = columns(classifier.problem()).labels();
                var records =
                        read(console, set, new ImageData.Wanted.Labels(image, label, labels))
                                .images();
                var result = classifier.evaluate(set.name(), records, seed);
                print(console, set, result.scores(), result.judgement());
            }
        }
    }

    private void assistant(Console console, List<Data> sets) {
        try (var assistant = Assistant.load(model, t -> date.of(console, t))) {
            for (var set : sets) {
                if (answers) {
                    var records = records(console, set, ConversationReader::read);
                    var measured = assistant.loss(records);
                    note(console, set, "conversations", records.size(), measured);
                    print(console, measured.figures().scores(set.name()));
                } else {
                    var records = records(console, set, PreferenceReader::read);
                    var measured = assistant.preferences(records);
                    note(console, set, "pairs", records.size(), measured);
                    print(console, measured.figures().scores(set.name()));
                }
            }
        }
    }

    private static void note(
            Console console, Data set, String what, int records, Assistant.Measured<?> measured) {
        if (measured.forgotten() > 0) {
            console.note(
                    "%s: %,d of %,d %s are longer than %,d tokens and lost their oldest turns"
                            .formatted(
                                    set.files(),
                                    measured.forgotten(),
                                    records,
                                    what,
                                    measured.length()));
        }
        if (measured.leftOut() > 0) {
            console.note(
                    "%s: %,d of %,d %s are longer than %,d tokens and are left out"
                            .formatted(
                                    set.files(),
                                    measured.leftOut(),
                                    records,
                                    what,
                                    measured.length()));
        }
    }

    private void rewriter(Console console, List<Data> sets) {
        try (var rewriter = TextRewriter.load(model)) {
            for (var set : sets) {
                var pairs =
                        records(
                                console,
                                set,
                                (file, ledger) -> PairReader.read(file, input, target, ledger));
                var result =
                        rewriter.evaluate(
                                set.name(),
                                pairs,
                                new WrittenTexts.Settings(words, stemming),
                                seed);
                if (result.truncated() > 0) {
                    console.note(
                            "%s: %d of %d inputs are longer than the model sees and were cut"
                                    .formatted(
                                            set.files(),
                                            result.truncated(),
                                            result.texts().written().size()));
                }
                if (result.targetsCut() > 0) {
                    console.note(
                            "%s: %d of %d targets are longer than the model was trained to tell and were cut for the loss"
                                    .formatted(set.files(), result.targetsCut(), pairs.size()));
                }
                console.note(
                        String.format(
                                java.util.Locale.ROOT,
                                "%,d tokens written in %.1f s",
                                result.output().tokens(),
                                result.output().seconds()));
                print(console, result.scores());
            }
        }
    }

    private LabelledReader.Columns columns(Problem problem) {
        if (separator.isEmpty()) {
            throw EspalierException.usage("--separator is empty");
        }
        return new LabelledReader.Columns(
                text,
                pair,
                label,
                switch (problem) {
                    case Problem.SingleLabel _ -> new LabelledReader.Labels.One();
                    case Problem.MultiLabel _ -> new LabelledReader.Labels.Several(separator, true);
                    case Problem.Regression _ -> new LabelledReader.Labels.Number();
                });
    }

    private void labeller(Console console, List<Data> sets) {
        try (var labeller = TokenLabeller.load(model)) {
            for (var set : sets) {
                var records =
                        records(
                                console,
                                set,
                                (file, ledger) ->
                                        TaggedReader.read(file, column, text, spans, ledger));
                var result = labeller.evaluate(set.name(), records, seed);
                if (result.cut() > 0) {
                    console.note(
                            "%s: %,d words are longer than the model sees at once and are told by their first tokens"
                                    .formatted(set.files(), result.cut()));
                }
                if (!result.truth().unknown().isEmpty()) {
                    console.note(set.files() + ": " + result.truth().aboutUnknown());
                }
                print(console, result.scores());
            }
        }
    }

    private void languageModel(Console console, List<Data> sets) {
        var sources = sets.stream().map(set -> source(set.files())).toList();
        var loaded = HuggingFace.readModel(model, null);
        try {
            var tokenizer = Tokenizers.read(model).plain();
            TextClassifier.checkVocabulary(model, tokenizer, loaded.model().vocabulary());
            for (var i = 0; i < sets.size(); i++) {
                var name = sets.get(i).name();
                print(
                        console,
                        switch (loaded.model()) {
                            case Decoder decoder ->
                                    GeneralText.read(sources.get(i), tokenizer, decoder, maxTokens)
                                            .loss(decoder, false)
                                            .scores(name);
                            case Encoder encoder -> {
                                requireHead(loaded);
                                yield GeneralText.read(
                                                sources.get(i), tokenizer, encoder, maxTokens)
                                        .hidden(tokenizer, seed)
                                        .scores(name, encoder, false);
                            }
                            case EncoderDecoder _ ->
                                    throw EspalierException.data(
                                            model + ": lacks the head by which it writes texts");
                        });
            }
        } finally {
            loaded.model().free();
        }
    }

    private void pairs(Console console, List<Data> sets) {
        sets.forEach(set -> source(set.files()));
        var loaded = HuggingFace.readModel(model, null);
        try {
            var tokenizer = Tokenizers.read(model).plain();
            TextClassifier.checkVocabulary(model, tokenizer, loaded.model().vocabulary());
            requireHead(loaded);
            for (var set : sets) {
                var read = MinimalPairReader.read(set.files(), Integer.MAX_VALUE, Ledger.strict());
                var measured = new MinimalPairs(read, tokenizer);
                print(
                        console,
                        measured.scores(set.name(), measured.margins(loaded.model(), false)));
            }
        } finally {
            loaded.model().free();
        }
    }

    private void requireHead(HuggingFace.Loaded<LanguageModel> loaded) {
        if (!loaded.missing().isEmpty()) {
            throw EspalierException.data(
                    "%s: %s is missing, so this model tells no tokens"
                            .formatted(model, loaded.missing()));
        }
    }

    private FileSource source(String files) {
        var source = FileSource.of(files, text);
        try {
            source.files();
        } catch (EspalierException e) {
            // Said in one go, before the model is read.
            throw new EspalierException(Kind.USAGE, String.valueOf(e.getMessage()), e);
        }
        return source;
    }

    private static void print(Console console, List<Score> scores) {
        if (console.json()) {
            scores.forEach(score -> console.result("", score));
        } else {
            console.print(Scores.table(scores));
        }
    }

    /// With the confusions of a single label.
    private static void print(Console console, Data set, List<Score> scores, Judgement judgement) {
        print(console, scores);
        if (judgement instanceof Classification one) {
            var confusion = one.confusion();
            console.result(table(confusion), json(set.name(), confusion));
        }
    }

    private static String table(ConfusionMatrix confusion) {
        var labels = confusion.labels();
        var width = labels.stream().mapToInt(String::length).max().orElse(0);
        return IntStream.range(0, labels.size())
                .mapToObj(truth ->
                        ("  %-" + width + "s  %s")
                                .formatted(labels.get(truth), cells(confusion, truth)))
                .collect(
                        Collectors.joining(
                                "\n",
                                "confusion: a row for each true label, a column for each told one, "
                                        + "in the same order\n",
                                "\n"));
    }

    private static String cells(ConfusionMatrix confusion, int truth) {
        return IntStream.range(0, confusion.labels().size())
                .mapToObj(told -> "%6d".formatted(confusion.count(truth, told)))
                .collect(Collectors.joining());
    }

    private static Object json(String name, ConfusionMatrix confusion) {
        var classes = confusion.labels().size();
        var json = new LinkedHashMap<String, Object>();
        json.put("data", name);
        json.put("labels", confusion.labels());
        json.put(
                "confusion",
                IntStream.range(0, classes)
                        .mapToObj(truth ->
                                IntStream.range(0, classes)
                                        .mapToLong(told -> confusion.count(truth, told))
                                        .toArray())
                        .toList());
        return json;
    }
}
