package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Rows;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.model.Problem;
import dev.espalier.task.Assistant;
import dev.espalier.task.TextClassifier;
import dev.espalier.task.TextClassifier.Input;
import dev.espalier.task.TextRewriter;
import dev.espalier.task.TokenLabeller;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "predict",
        description =
                "Tells the label or the labels of pictures, which things are where in them, the classes of their pixels,"
                        + " or what they show in words; pictures are named by their files. Or tells the label, the labels"
                        + " or the number of texts or pairs of texts, or the labels of their words, "
                        + "writes others from them, or answers them by the chat template: arguments, the lines of a file, "
                        + "the records of a CSV, TSV or JSONL file, the texts of CoNLL or CoNLL-U whose words are to be labelled, "
                        + "or the lines of standard input.",
        footerHeading = "%nExample:%n",
        footer = {
            "  espalier predict runs/reviews/model \"The plot was thin.\"",
            "  espalier predict runs/digits/model seven.png eight.jpg",
            "  espalier predict runs/yard/model yard.jpg --draw seen --coco boxes.json",
            "  espalier predict runs/nuclei/model cells.png --draw seen --masks masks",
            "  espalier predict runs/same-topic/model \"It rained.\" --pair \"The hail broke panes.\"",
            "  espalier predict runs/same-topic/model --file pairs.csv --field first --pair second",
            "  espalier predict runs/names/model --file words.conllu --json"
        })
final class Predict implements Callable<Integer> {
    /// Lines that are told together: enough to fill batches of like length.
    private static final int CHUNK = 256;

    private final Main.Context context;

    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            description = "The folder of a fine-tuned model.")
    private Path model = Path.of("");

    @Parameters(index = "1..*", paramLabel = "TEXT", arity = "0..*", description = "Texts to tell.")
    private List<String> texts = new ArrayList<>();

    @Option(
            names = "--pair",
            paramLabel = "TEXT|COLUMN",
            description =
                    "The second text of a pair, whose first one is the argument; with --file the column or"
                            + " key of the second texts.")
    private @Nullable String pair;

    @Option(
            names = "--words",
            description =
                    "The texts are cut into words already, by white space; for a model that labels words. Those of"
                            + " a --file in .conll or .conllu are in any case: a word a line, whose first column, or"
                            + " FORM, is read.")
    private boolean words;

    @Mixin private SeenPictures pictures = new SeenPictures();

    @Mixin private TextLines lines = new TextLines("text");

    @Mixin private ToldDate date = new ToldDate();

    Predict(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var console = context.console();
        if (SeenPictures.tells(Given.folder(model, "a fine-tuned model"))) {
            date.refuse();
            if (pair != null) {
                throw EspalierException.usage("--pair: this model tells pictures");
            }
            refuseWords();
            pictures.tell(console, model, texts, lines);
            return 0;
        }
        pictures.refuse();
        if (HuggingFace.isTokenClassifier(model)) {
            date.refuse();
            if (pair != null) {
                throw EspalierException.usage("--pair: this model labels the words of one text");
            }
            try (var labeller = TokenLabeller.load(model)) {
                label(console, labeller);
            }
            return 0;
        }
        refuseWords();
        if (HuggingFace.isEncoderDecoder(model)) {
            date.refuse();
            if (pair != null) {
                throw EspalierException.usage("--pair: this model writes from one text");
            }
            try (var rewriter = TextRewriter.load(model)) {
                lines.forEach(texts, CHUNK, (first, chunk) -> print(console, rewriter, chunk));
            }
            return 0;
        }
        if (Assistant.isIn(model)) {
            if (pair != null) {
                throw EspalierException.usage("--pair: this model answers one text");
            }
            try (var assistant = Assistant.load(model, t -> date.of(console, t))) {
                answer(console, assistant);
            }
            return 0;
        }
        date.refuse();
        if (!HuggingFace.isClassifier(model)) {
            throw EspalierException.usage(
                    model
                            + ": no classifier, so it tells no labels; 'espalier finetune' makes one of it,"
                            + " 'espalier generate' lets it write");
        }
        try (var classifier = TextClassifier.load(model)) {
            if (pair == null) {
                lines.forEach(
                        texts,
                        CHUNK,
                        (first, chunk) ->
                                print(
                                        console,
                                        classifier,
                                        chunk.stream().map(t -> new Input(t, null)).toList()));
            } else if (texts.size() == 1) {
                lines.refuseFile();
                print(console, classifier, List.of(new Input(texts.getFirst(), pair)));
            } else if (texts.isEmpty() && lines.file().isPresent()) {
                pairs(console, classifier, Given.file(lines.file().get()), pair);
            } else {
                throw EspalierException.usage(
                        "--pair takes one text as the argument beside it, or a --file of records");
            }
        }
        return 0;
    }

    private void refuseWords() {
        if (words) {
            throw EspalierException.usage("--words: this model labels no words");
        }
    }

    private void label(Console console, TokenLabeller labeller) {
        var truncated = new LongAdder();
        var conll = lines.file().filter(TaggedReader::isConll);
        try {
            if (texts.isEmpty() && conll.isPresent()) {
                lines.refuseField(
                        "words of .conll and .conllu have no key; they are read from the"
                                + " first column, or FORM");
                var ledger = Ledger.counting();
                var read = TaggedReader.words(Given.file(conll.get()), ledger);
                for (var start = 0; start < read.size(); start += CHUNK) {
                    var chunk = read.subList(start, Math.min(start + CHUNK, read.size()));
                    print(console, labeller.labelWords(chunk), truncated);
                }
                TextLines.requireWhole(ledger);
            } else {
                lines.forEach(
                        texts,
                        CHUNK,
                        (first, chunk) -> print(console, label(labeller, chunk), truncated));
            }
        } finally {
            if (truncated.sum() > 0) {
                console.note(
                        "%d texts have words longer than the model sees at once, which are told by their first tokens"
                                .formatted(truncated.sum()));
            }
        }
    }

    private List<TokenLabeller.Prediction> label(TokenLabeller labeller, List<String> chunk) {
        return words
                ? labeller.labelWords(chunk.stream().map(TaggedReader::spaced).toList())
                : labeller.label(chunk);
    }

    /// Tells the pairs of a CSV, TSV or JSONL file.
    private void pairs(Console console, TextClassifier classifier, Path file, String second) {
        var fields = new Rows.Fields(List.of(lines.key(), second), null, false);
        var ledger = Ledger.counting();
        var chunk = new ArrayList<Input>();
        try (var rows = Rows.open(file, Rows.Format.of(file), null, fields, ledger)) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                if (!rows.hasTexts(row)) {
                    continue;
                }
                ledger.keep();
                chunk.add(new Input(row.values().getFirst(), row.values().getLast()));
                if (chunk.size() == CHUNK) {
                    print(console, classifier, chunk);
                    chunk.clear();
                }
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        if (!chunk.isEmpty()) {
            print(console, classifier, chunk);
        }
        if (!ledger.counts().dropped().isEmpty()) {
            console.note(file + ": not all records are used" + ledger.leftOut());
        }
        TextLines.requireWhole(ledger);
    }

    /// The entities of each text or, where its tags are others, each word with its tag.
    private static void print(
            Console console, List<TokenLabeller.Prediction> predictions, LongAdder truncated) {
        for (var prediction : predictions) {
            var found = prediction.spans().isEmpty() ? prediction.words() : prediction.spans();
            var line =
                    found.stream()
                            .filter(s -> !s.label().equals("O"))
                            .map(s ->
                                    prediction.text().substring(s.start(), s.end())
                                            + "/"
                                            + s.label())
                            .collect(Collectors.joining(" "));
            console.result(line, prediction);
            truncated.add(prediction.truncated() ? 1 : 0);
        }
    }

    private void answer(Console console, Assistant assistant) {
        var refusals = new Refusals(console, "text", "an answer");
        lines.forEach(
                texts,
                CHUNK,
                (first, chunk) -> {
                    var from = 0;
                    for (var i = 0; i < chunk.size(); i++) {
                        try {
                            assistant.check(chunk.get(i));
                        } catch (EspalierException e) {
                            // Each draws by its number, so those behind are asked apart.
                            print(console, assistant, first + from, chunk.subList(from, i));
                            refusals.refuse(first + i, chunk.get(i), e);
                            from = i + 1;
                        }
                    }
                    print(console, assistant, first + from, chunk.subList(from, chunk.size()));
                    refusals.taken(chunk.size());
                });
        refusals.end();
    }

    private static void print(
            Console console, Assistant assistant, long first, List<String> texts) {
        var answers = assistant.answer(texts, first - 1);
        for (var i = 0; i < texts.size(); i++) {
            var json = new LinkedHashMap<String, Object>();
            json.put("text", texts.get(i));
            json.put("answer", answers.get(i).text());
            json.put("ending", answers.get(i).ending().word());
            console.result(answers.get(i).text(), json);
        }
    }

    private static void print(Console console, TextRewriter rewriter, List<String> texts) {
        var written = rewriter.rewrite(texts);
        for (var i = 0; i < texts.size(); i++) {
            var json = new LinkedHashMap<String, Object>();
            json.put("input", texts.get(i));
            json.put("text", written.get(i).text());
            json.put("truncated", written.get(i).truncated());
            console.result(written.get(i).text(), json);
        }
    }

    private static void print(Console console, TextClassifier classifier, List<Input> inputs) {
        var predictions = classifier.predict(inputs);
        for (var i = 0; i < inputs.size(); i++) {
            var input = inputs.get(i);
            var prediction = predictions.get(i);
            var json = new LinkedHashMap<String, Object>();
            json.put("text", input.text());
            if (input.second() != null) {
                json.put("pair", input.second());
            }
            var shown = new StringBuilder();
            switch (classifier.problem()) {
                case Problem.SingleLabel _ -> {
                    json.put("label", prediction.label());
                    json.put("probabilities", prediction.probabilities());
                    shown.append(shown(prediction, prediction.label()));
                }
                case Problem.MultiLabel _ -> {
                    json.put("labels", prediction.labels());
                    json.put("probabilities", prediction.probabilities());
                    shown.append(
                            prediction.labels().stream()
                                    .map(label -> shown(prediction, label))
                                    .collect(Collectors.joining("\t")));
                    if (prediction.labels().isEmpty()) {
                        shown.append("(none)");
                    }
                }
                case Problem.Regression _ -> {
                    json.put("number", prediction.number());
                    shown.append(String.format(Locale.ROOT, "%.6g", prediction.number()));
                }
            }
            json.put("truncated", prediction.truncated());
            json.put("windows", prediction.windows());
            shown.append('\t').append(inOneLine(input.text()));
            if (input.second() != null) {
                shown.append('\t').append(inOneLine(input.second()));
            }
            console.result(shown.toString(), json);
        }
    }

    static String inOneLine(String text) {
        return text.replaceAll("[\\t\\r\\n]+", " ");
    }

    private static String shown(TextClassifier.Prediction prediction, String label) {
        return String.format(Locale.ROOT, "%s\t%.3f", label, prediction.probabilities().get(label));
    }
}
