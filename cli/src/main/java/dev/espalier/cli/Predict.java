package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.task.TextClassifier;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "predict",
        description =
                "Tells the labels of texts: arguments, the lines of a file, or those of standard input.",
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

    @Option(names = "--file", description = "A file with one text a line, in UTF-8.")
    private @Nullable Path file;

    Predict(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        var console = context.console();
        try (var classifier = TextClassifier.load(model)) {
            if (!texts.isEmpty()) {
                print(console, classifier, texts);
            } else if (file != null) {
                if (!Files.isReadable(file)) {
                    throw EspalierException.data(file + ": cannot be read");
                }
                try (var reader = Files.newBufferedReader(file)) {
                    lines(console, classifier, reader);
                }
            } else {
                lines(
                        console,
                        classifier,
                        new InputStreamReader(System.in, StandardCharsets.UTF_8));
            }
        }
        return 0;
    }

    private void lines(Console console, TextClassifier classifier, Reader reader)
            throws IOException {
        var lines = new BufferedReader(reader);
        var chunk = new ArrayList<String>();
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            chunk.add(line);
            // A person who types wants an answer to each line; a file is told in chunks.
            if (chunk.size() == CHUNK || !lines.ready()) {
                print(console, classifier, chunk);
                chunk.clear();
            }
        }
        print(console, classifier, chunk);
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
