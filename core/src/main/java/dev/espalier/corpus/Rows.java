package dev.espalier.corpus;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// The records of a JSONL, CSV or TSV file, of each the values of some named fields. A broken
/// record is set aside in the ledger, and reading goes on at the next line.
///
/// CSV is that of RFC 4180: fields may be quoted, and hold line ends then. TSV knows no quotes but
/// those around a whole field, in which each quote is doubled. Both begin with a line of the
/// columns' names. In JSONL a string, a number or a truth value is a value; in a field of text only
/// a string is, and in one of labels a list of values too.
public final class Rows implements AutoCloseable {
    /// A record longer than this is set aside.
    private static final int LONGEST = 1 << 26;

    /// How records lie in a file.
    public enum Format {
        JSONL,
        CSV,
        TSV;

        /// The format that a file's name tells, without `.gz` and `.zst`.
        ///
        /// @throws EspalierException (DATA) if it tells none
        public static Format of(Path file) {
            return told(Globs.name(file))
                    .orElseThrow(() ->
                            EspalierException.data(
                                    file
                                            + ": records are read from .csv, .tsv and .jsonl files, packed"
                                            + " as .gz or .zst or not"));
        }

        /// As [#of], of a name or glob; empty if it tells none.
        public static Optional<Format> told(String file) {
            var name = file.toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst)$", "");
            if (name.endsWith(".csv")) {
                return Optional.of(CSV);
            } else if (name.endsWith(".tsv") || name.endsWith(".tab")) {
                return Optional.of(TSV);
            } else if (name.endsWith(".jsonl") || name.endsWith(".ndjson")) {
                return Optional.of(JSONL);
            }
            return Optional.empty();
        }
    }

    /// What is wanted of a record.
    ///
    /// @param texts the fields that hold text, one or the two of a pair
    /// @param label the field of its label, if one is wanted
    /// @param listed whether that may be a list in JSONL
    public record Fields(List<String> texts, @Nullable String label, boolean listed) {
        public Fields {
            texts = List.copyOf(texts);
        }

        /// One text alone.
        public static Fields text(String field) {
            return new Fields(List.of(field), null, false);
        }

        private List<String> names() {
            var names = new ArrayList<>(texts);
            if (label != null) {
                names.add(label);
            }
            return names;
        }
    }

    /// A record.
    ///
    /// @param line where it begins, from 1
    /// @param values those of the texts and of the label, in that order; of a list ""
    /// @param list the labels where they are a list, else null
    public record Row(long line, List<String> values, @Nullable List<String> list) {}

    private final Path file;
    private final TextFile text;
    private final Format format;
    private final Fields wanted;
    private final List<String> fields;
    private final Ledger ledger;
    private final ArrayDeque<String> ahead = new ArrayDeque<>();
    private final Lines lines;
    private long line;
    private boolean tooLong;
    private boolean endedInside;
    private @Nullable List<String> header;
    private int[] columns = {};
    private boolean any;
    private @Nullable String missing;

    Rows(Path file, TextFile text, Format format, Fields wanted, Ledger ledger) {
        this.file = file;
        this.text = text;
        lines = new Lines(text, LONGEST);
        this.format = format;
        this.wanted = wanted;
        this.fields = wanted.names();
        this.ledger = ledger;
    }

    /// Opens `file`.
    ///
    /// @param charset null to tell it from the content
    /// @throws EspalierException (DATA) if it cannot be read or is no text
    public static Rows open(
            Path file, Format format, @Nullable Charset charset, Fields fields, Ledger ledger) {
        try {
            return new Rows(file, TextFile.open(file, charset, ledger), format, fields, ledger);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + Globs.why(e) + ")", e);
        } catch (TextFile.NotText e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
        }
    }

    /// The next good record, or null at the end. Its fields may be empty.
    ///
    /// @throws EspalierException (DATA) if there is no such field
    public @Nullable Row next() throws IOException {
        if (header == null && format != Format.JSONL) {
            header = header();
            columns = columns(header);
        }
        for (var first = line(); first != null; first = line()) {
            var at = line;
            if (tooLong) {
                ledger.reject(file, at, "too long", "longer than " + LONGEST + " characters");
                continue;
            }
            if (first.isBlank()) {
                continue;
            }
            var row = format == Format.JSONL ? json(first, at) : separated(first, at);
            if (row == null) {
                continue;
            }
            any = true;
            return row;
        }
        if (!any && missing != null) {
            throw EspalierException.data(missing);
        }
        return null;
    }

    /// Whether the texts of `row` are there. One without any is counted as dropped, half a pair set
    /// aside.
    public boolean hasTexts(Row row) {
        var texts = row.values().subList(0, wanted.texts().size());
        if (texts.stream().allMatch(String::isBlank)) {
            ledger.drop("empty");
            return false;
        }
        for (var i = 0; i < texts.size(); i++) {
            if (texts.get(i).isBlank()) {
                ledger.reject(
                        file,
                        row.line(),
                        "half a pair",
                        "`" + fields.get(i) + "` is empty; a pair needs both texts");
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        if (text.malformed() > 0) {
            ledger.change("malformed bytes replaced", text.malformed());
        }
        text.close();
    }

    private @Nullable Row json(String source, long at) {
        JsonNode node;
        try {
            node = Json.mapper().readTree(source);
        } catch (JacksonException e) {
            ledger.reject(file, at, "broken JSON", "not JSON (" + Json.why(e) + ")");
            return null;
        }
        if (!node.isObject()) {
            ledger.reject(file, at, "not an object", "not a JSON object but " + kind(node));
            return null;
        }
        var values = new ArrayList<String>();
        List<String> list = null;
        for (var field : fields) {
            var value = node.get(field);
            if (value == null) {
                var what = noField(field, new ArrayList<>(node.propertyNames()));
                missing = file + ":" + at + ": " + what;
                ledger.reject(file, at, "missing field", what);
                return null;
            }
            var isLabel = values.size() == wanted.texts().size();
            if (isLabel
                    && wanted.listed()
                    && value.isArray()
                    && value.valueStream().allMatch(Rows::isValue)) {
                list = value.valueStream().map(JsonNode::asString).toList();
                values.add("");
                continue;
            }
            if (!value.isString() && !(isLabel && isValue(value))) {
                ledger.reject(
                        file,
                        at,
                        "wrong type",
                        "`"
                                + field
                                + "` is not a string"
                                + (isLabel && wanted.listed() ? " or a list of them" : "")
                                + " but "
                                + kind(value));
                return null;
            }
            values.add(value.asString());
        }
        return new Row(at, values, list);
    }

    private static boolean isValue(JsonNode node) {
        return node.isString() || node.isNumber() || node.isBoolean();
    }

    private static String kind(JsonNode node) {
        return node.getNodeType().name().toLowerCase(Locale.ROOT);
    }

    private @Nullable Row separated(String first, long at) throws IOException {
        var cells = format == Format.CSV ? csv(first) : tsv(first);
        if (cells == null) {
            ledger.reject(
                    file,
                    at,
                    "broken quotes",
                    endedInside
                            ? "a quoted field that does not end"
                            : "text after the end of a quoted field");
            return null;
        }
        var width = Objects.requireNonNull(header).size();
        if (cells.size() != width) {
            ledger.reject(
                    file,
                    at,
                    "wrong number of fields",
                    cells.size() + " fields, where the first line names " + width);
            return null;
        }
        var values = new ArrayList<String>();
        for (var column : columns) {
            values.add(cells.get(column));
        }
        return new Row(at, values, null);
    }

    private List<String> header() throws IOException {
        var first = line();
        while (first != null && first.isBlank()) {
            first = line();
        }
        if (first == null) {
            throw EspalierException.data(file + ": is empty; its first line must name the columns");
        }
        var names = tooLong ? null : format == Format.CSV ? csv(first) : tsv(first);
        if (names == null) {
            throw EspalierException.data(file + ":1: the line of the columns' names is broken");
        }
        names.replaceAll(String::strip);
        var seen = new HashSet<String>();
        for (var name : names) {
            if (!seen.add(name) && fields.contains(name)) {
                throw EspalierException.data(file + ":1: two columns are named `" + name + "`");
            }
        }
        return names;
    }

    private int[] columns(List<String> names) {
        var places = new int[fields.size()];
        for (var f = 0; f < places.length; f++) {
            places[f] = names.indexOf(fields.get(f));
            if (places[f] < 0) {
                throw EspalierException.data(file + ":1: " + noField(fields.get(f), names));
            }
        }
        return places;
    }

    private static String noField(String field, List<String> names) {
        var shown = names.stream().limit(50).map(n -> "`" + n + "`").toList();
        return "no field `"
                + field
                + "`; there are "
                + (names.isEmpty() ? "none" : String.join(", ", shown))
                + (names.size() > 50 ? " and " + (names.size() - 50) + " more" : "");
    }

    private static List<String> tsv(String line) {
        var cells = new ArrayList<String>();
        for (var start = 0; start <= line.length(); ) {
            var tab = line.indexOf('\t', start);
            var end = tab < 0 ? line.length() : tab;
            cells.add(unquoted(line.substring(start, end)));
            start = end + 1;
        }
        return cells;
    }

    /// A text may begin and end with quotes that are its own: then one inside stands alone.
    private static String unquoted(String cell) {
        if (cell.length() < 2 || !cell.startsWith("\"") || !cell.endsWith("\"")) {
            return cell;
        }
        var inner = cell.substring(1, cell.length() - 1);
        return inner.replace("\"\"", "").contains("\"") ? cell : inner.replace("\"\"", "\"");
    }

    /// The cells of the record that begins with `line`, or null if its quotes are broken: then only
    /// this line is consumed, so that a stray quote does not swallow the file.
    private @Nullable List<String> csv(String line) throws IOException {
        var cells = new ArrayList<String>();
        var cell = new StringBuilder();
        var more = new ArrayDeque<String>();
        var length = line.length();
        endedInside = false;
        for (var i = 0; ; i++) {
            cell.setLength(0);
            if (i < line.length() && line.charAt(i) == '"') {
                i++;
                while (true) {
                    if (i >= line.length()) {
                        // Read from what was pushed back before reading further.
                        var next = length > LONGEST / 8 ? null : line();
                        if (next == null || tooLong) {
                            endedInside = true;
                            giveBack(more);
                            return null;
                        }
                        more.add(next);
                        length += next.length() + 1;
                        cell.append('\n');
                        line = next;
                        i = 0;
                    } else if (line.charAt(i) != '"') {
                        cell.append(line.charAt(i++));
                    } else if (i + 1 < line.length() && line.charAt(i + 1) == '"') {
                        cell.append('"');
                        i += 2;
                    } else {
                        i++;
                        break;
                    }
                }
                if (i < line.length() && line.charAt(i) != ',') {
                    giveBack(more);
                    return null;
                }
            } else {
                while (i < line.length() && line.charAt(i) != ',') {
                    cell.append(line.charAt(i++));
                }
            }
            cells.add(cell.toString());
            if (i >= line.length()) {
                return cells;
            }
        }
    }

    private void giveBack(ArrayDeque<String> lines) {
        line -= lines.size();
        while (!lines.isEmpty()) {
            ahead.addFirst(lines.removeLast());
        }
    }

    /// The next line without its end, or null; empty, and `tooLong`, if it is too long to be held.
    private @Nullable String line() throws IOException {
        tooLong = false;
        if (!ahead.isEmpty()) {
            line++;
            return ahead.removeFirst();
        }
        var next = lines.next();
        if (next != null) {
            tooLong = lines.tooLong();
            line++;
        }
        return next;
    }
}
