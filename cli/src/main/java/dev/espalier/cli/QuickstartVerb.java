package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.RunFolder;
import dev.espalier.evaluate.Interval;
import dev.espalier.study.Corpora;
import dev.espalier.study.Quickstart;
import dev.espalier.study.QuickstartPage;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "quickstart",
        description =
                "Makes the whole journey on this JDK's documentation in a few minutes, and writes a report.",
        footer = {"", "Example: espalier quickstart"})
final class QuickstartVerb implements Callable<Integer> {
    private final Main.Context context;

    @Option(
            names = "--corpus",
            paramLabel = "DIR",
            description =
                    "Another corpus: text files (*.txt), labelled by the first folder under DIR.")
    private @Nullable Path corpus;

    @Option(names = "--output", description = "The folder to write (default: ${DEFAULT-VALUE}).")
    private Path output = Path.of("runs", "quickstart");

    @Option(names = "--tokens", description = "Tokens of pre-training (default: ${DEFAULT-VALUE}).")
    private long tokens = 700_000;

    @Option(
            names = "--seed",
            description = "Where all randomness starts (default: ${DEFAULT-VALUE}).")
    private long seed = 1;

    QuickstartVerb(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        if (tokens < 10_000) {
            throw EspalierException.usage("--tokens must be at least 10000");
        }
        if (corpus != null) {
            Given.folder(corpus, "texts");
        }
        var console = context.console();
        var stop = context.stop();
        console.note("reading the corpus");
        var read = corpus == null ? Corpora.jdk() : Corpora.folder(corpus);
        console.note(
                String.format(
                        Locale.ROOT,
                        "%s: %,d documents, %,d labelled paragraphs to learn from, %,d to test on",
                        read.name(),
                        read.documents().size(),
                        read.train().size(),
                        read.test().size()));
        var listener = new Listener(console, stop);
        Quickstart.Result result;
        // A folder that cannot be written, or is in use, is told now and not after minutes.
        try (var _ = RunFolder.open(output)) {
            result =
                    new Quickstart(read, Quickstart.Sizes.STANDARD, tokens, seed, listener)
                            .run(output);
        } finally {
            listener.close();
        }
        var report = output.resolve("report.html");
        QuickstartPage.write(report, result);
        console.result(
                text(result) + "\nreport  " + report + "\nmodel   " + output.resolve("model"),
                result);
        return 0;
    }

    private static String text(Quickstart.Result result) {
        var out = new StringBuilder();
        out.append(
                String.format(
                        Locale.ROOT,
                        "%nA model of %,d parameters, pre-trained on %,d tokens of %s:%n",
                        result.parameters(),
                        result.tokens(),
                        result.corpus()));
        for (var i = 0; i < result.after().size(); i++) {
            out.append(
                    String.format(
                            Locale.ROOT,
                            "  %-14s %9.2f → %.2f%n",
                            result.after().get(i).metric(),
                            result.before().get(i).value(),
                            result.after().get(i).value()));
        }
        out.append(
                String.format(
                        Locale.ROOT,
                        "%nWhich of %d areas does a paragraph document? Accuracy on %,d of other files:%n",
                        result.labels().size(),
                        result.testRecords()));
        out.append(String.format("  %-20s %8s %22s%n", "", "labels", "accuracy, 95 % over seeds"));
        for (var cell : result.cells()) {
            out.append(
                    String.format(
                            Locale.ROOT,
                            "  %-20s %8d %9s%n",
                            cell.method(),
                            cell.labels(),
                            percent(cell.mean(), cell.accuracies().size())));
        }
        out.append(String.format("%nWhat became of the prose (perplexity, lower is better):%n"));
        for (var row : result.forgetting()) {
            out.append(
                    String.format(
                            Locale.ROOT,
                            "  %-20s %9.1f%s%n",
                            row.method(),
                            row.perplexity().value(),
                            row.rise() == null
                                    ? ""
                                    : String.format(
                                            Locale.ROOT,
                                            "   %+.1f %% [%+.1f, %+.1f]",
                                            100 * row.rise().value(),
                                            100 * row.rise().low(),
                                            100 * row.rise().high())));
        }
        return out.toString();
    }

    private static String percent(Interval mean, int seeds) {
        return seeds < 2
                ? String.format(Locale.ROOT, "%.1f %% (one seed)", 100 * mean.value())
                : String.format(
                        Locale.ROOT, "%.1f %% ± %.1f", 100 * mean.value(), 100 * mean.margin());
    }

    /// Shows the journey while it is made.
    private static final class Listener implements Quickstart.Listener, AutoCloseable {
        private final Console console;
        private final java.util.function.BooleanSupplier stop;
        private @Nullable Progress bar;
        private String part = "";

        Listener(Console console, java.util.function.BooleanSupplier stop) {
            this.console = console;
            this.stop = stop;
        }

        @Override
        public void begins(String name) {
            close();
            bar = null;
            part = name;
            console.note(name);
        }

        @Override
        public void step(long done, long total, String detail) {
            if (part.equals("fine-tuning")) {
                console.note("  " + detail);
                return;
            }
            if (bar == null) {
                bar = console.progress(part, done, total, "steps");
            }
            bar.at(done, detail);
        }

        @Override
        public void wrote(String prompt, String continuation) {
            close();
            bar = null;
            console.note("it continues: " + prompt + " […] " + continuation.replace('\n', ' '));
        }

        @Override
        public boolean stop() {
            return stop.getAsBoolean();
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
            }
        }
    }
}
