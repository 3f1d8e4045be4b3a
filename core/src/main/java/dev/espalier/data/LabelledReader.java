package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Rows;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Reads labelled records from CSV, TSV and JSONL files, plain or packed by gzip or zstd.
public final class LabelledReader {
    private LabelledReader() {}

    /// The records of `file` in order. Records with an empty text or label are dropped and counted,
    /// broken ones set aside.
    ///
    /// @param text the column or key of the text
    /// @param label that of the label
    /// @param charset null to tell it from the content
    /// @throws EspalierException (DATA) if there is no such column, or no record
    public static List<LabelledText> read(
            Path file, String text, String label, @Nullable Charset charset, Ledger ledger) {
        var records = new ArrayList<LabelledText>();
        var format = Rows.Format.of(file);
        try (var rows = Rows.open(file, format, charset, List.of(text, label), ledger)) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                if (row.values().getFirst().isBlank()) {
                    ledger.drop("empty");
                    continue;
                }
                var name = row.values().get(1).strip();
                if (name.isEmpty()) {
                    ledger.drop("empty label");
                    continue;
                }
                ledger.keep();
                records.add(new LabelledText(row.values().get(0), name, file + ":" + row.line()));
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        if (records.isEmpty()) {
            throw EspalierException.data(
                    file + ": holds no labelled text " + ledger.counts().dropped());
        }
        return records;
    }

    /// The labels that occur, in the order of their characters: the classes of a model.
    public static List<String> labels(List<LabelledText> records) {
        SortedSet<String> labels = new TreeSet<>();
        for (var record : records) {
            labels.add(record.label());
        }
        return List.copyOf(labels);
    }

    /// Checks that validation or test records have no label that training has not.
    ///
    /// @throws EspalierException (DATA) naming the first record that has
    public static void requireKnown(List<LabelledText> records, List<String> known) {
        var set = new TreeSet<>(known);
        for (var record : records) {
            if (!set.contains(record.label())) {
                var shown = known.stream().limit(50).map(l -> "`" + l + "`").toList();
                throw EspalierException.data(
                        "%s: the label `%s` does not occur in the training records; they have %s%s"
                                .formatted(
                                        record.where(),
                                        record.label(),
                                        String.join(", ", shown),
                                        known.size() > 50
                                                ? " and " + (known.size() - 50) + " more"
                                                : ""));
            }
        }
    }
}
