package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.task.Assistant;
import dev.espalier.task.TextClassifier;
import dev.espalier.task.TextRewriter;
import dev.espalier.task.TokenLabeller;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "predict",
        description =
                "Tells the labels of texts, or of their words, writes others from them, or answers them by the"
                        + " chat template: arguments, the lines of a file, or those of standard input.",
        footer = {"", "Example: espalier predict runs/reviews/model \"The plot was thin.\""})
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

    @Mixin private TextLines lines = new TextLines("text");

    Predict(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var console = context.console();
        if (HuggingFace.isTokenClassifier(Given.folder(model, "a fine-tuned model"))) {
            try (var labeller = TokenLabeller.load(model)) {
                lines.forEach(
                        texts,
                        CHUNK,
                        (first, chunk) -> labeller.label(chunk).forEach(p -> print(console, p)));
            }
            return 0;
        }
        if (HuggingFace.isEncoderDecoder(model)) {
            try (var rewriter = TextRewriter.load(model)) {
                lines.forEach(texts, CHUNK, (first, chunk) -> print(console, rewriter, chunk));
            }
            return 0;
        }
        if (Assistant.isIn(model)) {
            try (var assistant = Assistant.load(model)) {
                lines.forEach(texts, CHUNK, (first, chunk) -> print(console, assistant, chunk));
            }
            return 0;
        }
        if (!HuggingFace.isClassifier(model)) {
            throw EspalierException.usage(
                    model
                            + ": no classifier, so it tells no labels; 'espalier finetune' makes one of it,"
                            + " 'espalier generate' lets it write");
        }
        try (var classifier = TextClassifier.load(model)) {
            lines.forEach(texts, CHUNK, (first, chunk) -> print(console, classifier, chunk));
        }
        return 0;
    }

    /// The entities of a text or, where its tags are others, each word with its tag.
    private static void print(Console console, TokenLabeller.Prediction prediction) {
        var found = prediction.spans().isEmpty() ? prediction.words() : prediction.spans();
        var line =
                found.stream()
                        .filter(s -> !s.label().equals("O"))
                        .map(s -> prediction.text().substring(s.start(), s.end()) + "/" + s.label())
                        .collect(java.util.stream.Collectors.joining(" "));
        console.result(line, prediction);
    }

    private static void print(Console console, Assistant assistant, List<String> texts) {
        var answers = assistant.answer(texts);
        for (var i = 0; i < texts.size(); i++) {
            var json = new LinkedHashMap<String, Object>();
            json.put("text", texts.get(i));
            json.put("answer", answers.get(i).text());
            json.put("ending", answers.get(i).ending());
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

    private static void print(Console console, TextClassifier classifier, List<String> texts) {
        var predictions = classifier.classify(texts);
        for (var i = 0; i < texts.size(); i++) {
            var prediction = predictions.get(i);
            var json = new LinkedHashMap<String, Object>();
            json.put("text", texts.get(i));
            json.put("label", prediction.label());
            json.put("probabilities", prediction.probabilities());
            json.put("truncated", prediction.truncated());
            console.result(
                    String.format(
                            Locale.ROOT,
                            "%s\t%.3f\t%s",
                            prediction.label(),
                            prediction.probabilities().firstEntry().getValue(),
                            texts.get(i)),
                    json);
        }
    }
}
