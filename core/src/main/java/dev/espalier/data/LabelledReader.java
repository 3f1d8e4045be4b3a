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
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Reads labelled records from CSV, TSV and JSONL files, plain or packed by gzip or zstd.
public final class LabelledReader {
    private static final Pattern NUMBER =
            Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");

    private LabelledReader() {}

    /// How a record is labelled.
    public sealed interface Labels {
        /// With one of several labels.
        record One() implements Labels {}

        /// With any number of labels: a list in JSONL, or a text in which `separator` stands
        /// between them.
        ///
        /// @param orNone whether a record may have none of them
        record Several(String separator, boolean orNone) implements Labels {}

        /// With a number.
        record Number() implements Labels {}
    }

    /// Where the parts of a record are: columns of a table, keys of JSON.
    ///
    /// @param pair that of the second text, null where there is one text only
    public record Columns(String text, @Nullable String pair, String label, Labels labels) {
        /// Of one text with one label.
        public Columns(String text, String label) {
            this(text, null, label, new Labels.One());
        }

        /// Those of the texts alone.
        public List<String> texts() {
            return pair == null ? List.of(text) : List.of(text, pair);
        }
    }

    /// The records of `file` in order. Records with an empty text or label are dropped and counted,
    /// broken ones set aside: half a pair, a number that is none, and where a label is needed none.
    ///
    /// @param charset null to tell it from the content
    /// @throws EspalierException (DATA) if there is no such column, or no record
    public static List<LabelledText> read(
            Path file, Columns columns, @Nullable Charset charset, Ledger ledger) {
        var records = new ArrayList<LabelledText>();
        var format = Rows.Format.of(file);
        var fields =
                new Rows.Fields(
                        columns.texts(),
                        columns.label(),
                        columns.labels() instanceof Labels.Several);
        try (var rows = Rows.open(file, format, charset, fields, ledger)) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                if (!rows.hasTexts(row)) {
                    continue;
                }
                var labels = labels(file, row, columns, ledger);
                if (labels != null) {
                    ledger.keep();
                    records.add(
                            new LabelledText(
                                    row.values().getFirst(),
                                    columns.pair() == null ? null : row.values().get(1),
                                    labels,
                                    file + ":" + row.line()));
                }
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        if (records.isEmpty()) {
            throw EspalierException.data(file + ": holds no labelled text" + ledger.leftOut());
        }
        return records;
    }

    /// The labels of a record; null where it is left out.
    private static @Nullable List<String> labels(
            Path file, Rows.Row row, Columns columns, Ledger ledger) {
        var value = row.values().getLast().strip();
        if (columns.labels() instanceof Labels.Several several) {
            var listed =
                    row.list() == null
                            ? List.of(value.split(Pattern.quote(several.separator()), -1))
                            : row.list();
            var labels = listed.stream().map(String::strip).filter(l -> !l.isEmpty()).toList();
            if (labels.isEmpty() && !several.orNone()) {
                ledger.reject(
                        file,
                        row.line(),
                        "no label",
                        "`"
                                + columns.label()
                                + "` names no label; that a record may have none of them must be"
                                + " allowed");
                return null;
            }
            var different = List.copyOf(new TreeSet<>(labels));
            if (different.size() < labels.size()) {
                ledger.change("label named twice", labels.size() - different.size());
            }
            return different;
        }
        if (value.isEmpty()) {
            ledger.drop("empty label");
            return null;
        }
        if (columns.labels() instanceof Labels.Number
                && !(NUMBER.matcher(value).matches()
                        && Double.isFinite(Double.parseDouble(value)))) {
            ledger.reject(
                    file,
                    row.line(),
                    "not a number",
                    "`"
                            + columns.label()
                            + "` is `"
                            + value
                            + "`, not a number; allowed: such as 12, -0.5, 3e4");
            return null;
        }
        return List.of(value);
    }

    /// The labels that occur, in the order of their characters: the classes of a model.
    public static List<String> labels(List<LabelledText> records) {
        SortedSet<String> labels = new TreeSet<>();
        for (var record : records) {
            labels.addAll(record.labels());
        }
        return List.copyOf(labels);
    }

    /// Checks that validation or test records have no label that training has not.
    ///
    /// @throws EspalierException (DATA) naming the first record that has
    public static void requireKnown(List<LabelledText> records, List<String> known) {
        var set = new TreeSet<>(known);
        for (var record : records) {
            for (var label : record.labels()) {
                if (!set.contains(label)) {
                    var shown = known.stream().limit(50).map(l -> "`" + l + "`").toList();
                    throw EspalierException.data(
                            "%s: the label `%s` does not occur in the training records; they have %s%s"
                                    .formatted(
                                            record.where(),
                                            label,
                                            String.join(", ", shown),
                                            known.size() > 50
                                                    ? " and " + (known.size() - 50) + " more"
                                                    : ""));
                }
            }
        }
    }
}
