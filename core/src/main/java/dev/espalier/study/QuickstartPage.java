package dev.espalier.study;

import dev.espalier.report.Block;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.RunReport;
import dev.espalier.train.RunReports;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;

/// The page that [Quickstart] leaves behind.
public final class QuickstartPage {
    private QuickstartPage() {}

    public static void write(Path file, Quickstart.Result r) {
        var passport =
                List.of(
                        new Block.Definition(
                                "corpus",
                                String.format(
                                        Locale.ROOT,
                                        "%s: %,d documents, %,d characters",
                                        r.corpus(),
                                        r.documents(),
                                        r.corpusCharacters())),
                        new Block.Definition(
                                "tokenizer",
                                String.format(
                                        Locale.ROOT, "byte-level BPE, %,d tokens", r.vocabulary())),
                        new Block.Definition(
                                "model",
                                String.format(
                                        Locale.ROOT, "GPT-2, %,d parameters", r.parameters())),
                        new Block.Definition(
                                "machine",
                                String.format(
                                        Locale.ROOT,
                                        "%s, %.0f GFLOP/s of matrix products",
                                        r.processor(),
                                        r.matmulGflops())),
                        new Block.Definition("labels", String.join(", ", r.labels())));
        var heading =
                new RunReport.Heading(
                        "Espalier quickstart",
                        r.corpus() + ", " + LocalDate.now(ZoneId.systemDefault()),
                        passport,
                        "tokens");
        var costs =
                r.seconds().entrySet().stream()
                        .map(e ->
                                new Block.Definition(
                                        e.getKey(),
                                        String.format(Locale.ROOT, "%.1f s", e.getValue())))
                        .toList();
        HtmlReport.write(
                file,
                RunReport.quickstart(
                        new RunReport.Journey(
                                heading,
                                RunReports.steps(r.pretraining()),
                                r.before(),
                                r.after(),
                                List.of(
                                        new Block.Sample(
                                                r.prompt(),
                                                r.continuation(),
                                                "a held-out document")),
                                r.cells().stream()
                                        .map(c ->
                                                new RunReport.Cell(
                                                        c.method(),
                                                        c.labels(),
                                                        c.accuracies(),
                                                        c.seconds()))
                                        .toList(),
                                Quickstart.TUNED,
                                Quickstart.SCRATCH,
                                r.testRecords(),
                                r.confusion().getFirst().confusion(),
                                r.forgetting().stream()
                                        .map(f ->
                                                new RunReport.Forgetting(
                                                        f.method(),
                                                        f.perplexity(),
                                                        f.bitsPerByte(),
                                                        f.rise()))
                                        .toList(),
                                costs)));
    }
}
