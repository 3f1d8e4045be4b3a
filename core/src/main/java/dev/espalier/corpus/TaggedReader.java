package dev.espalier.corpus;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Reads text whose words are tagged, plain or packed by gzip or zstd, by the file's ending:
///
/// - `.conllu`: CoNLL-U (Universal Dependencies), ten columns parted by tabs; the words are the
///   FORMs, empty nodes are passed over. Of a multi-word token (`1-2`) the words stand together
///   where they spell it, and what follows the last as its `SpaceAfter=No` says.
/// - `.jsonl`: `{"text": "…", "spans": [{"start": 0, "end": 5, "label": "PER"}]}`, with places in
///   characters. Words are cut by [#WORD] and tagged in IOB2; a span that ends inside a word is
///   widened to the whole of it, which is counted as a change; so is a text with characters outside
///   the basic plane, which Java and JavaScript count as two and Python as one: places are read
///   whichever way more of the file's spans behind them are whole words, as Java's if as many.
/// - others: CoNLL, a word a line with its columns parted by white space, an empty line after each
///   sentence; lines of `-DOCSTART-` are passed over.
///
/// A record that is broken is set aside in the ledger.
public final class TaggedReader {
    /// A run of letters, digits and their marks, or any other character that is no white space.
    public static final Pattern WORD =
            Pattern.compile("[\\p{L}\\p{N}\\p{M}]+|[^\\p{L}\\p{N}\\p{M}\\p{IsWhite_Space}]");

    private static final Pattern BETWEEN_SPACES = Pattern.compile("\\P{IsWhite_Space}+");

    private static final List<String> CONLLU =
            List.of(
                    "id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps",
                    "misc");
    private static final int LONGEST = 1 << 24;

    private final Path file;
    private final String column;
    private final String text;
    private final String spans;
    private final boolean tagged;
    private final Ledger ledger;
    private final List<TaggedText> records = new ArrayList<>();

    /// @param tagged whether tags are read beside the words
    private TaggedReader(
            Path file, String column, String text, String spans, boolean tagged, Ledger ledger) {
        this.file = file;
        this.column = column;
        this.text = text;
        this.spans = spans;
        this.tagged = tagged;
        this.ledger = ledger;
    }

    /// The records of `file` in order.
    ///
    /// @param column where a word's tag is: for CoNLL the number of a column from 1, for CoNLL-U
    ///   its name; empty for the last column and for `upos`
    /// @param text the key of the text in JSONL
    /// @param spans that of its spans
    /// @throws EspalierException (DATA) if it cannot be read, or holds no tagged word
    public static List<TaggedText> read(
            Path file, String column, String text, String spans, Ledger ledger) {
        return new TaggedReader(file, column, text, spans, true, ledger).all();
    }

    /// The texts of a CoNLL or CoNLL-U file whose words are to be tagged, in order: of each line
    /// the word alone is read, which is the first column or the FORM; all are [TaggedText#OUTSIDE].
    ///
    /// @throws EspalierException (DATA) if it cannot be read, or holds no word
    public static List<TaggedText> words(Path file, Ledger ledger) {
        return new TaggedReader(file, "", "", "", false, ledger).all();
    }

    private List<TaggedText> all() {
        try (var opened = TextFile.open(file, null, ledger)) {
            var lines = new Lines(opened, LONGEST);
            switch (ending(file)) {
                case "jsonl" -> jsonLines(lines);
                case String kind -> columns(lines, kind.equals("conllu"));
            }
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + Globs.why(e) + ")", e);
        } catch (TextFile.NotText e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
        }
        if (records.isEmpty()) {
            throw EspalierException.data(
                    file + ": holds no " + (tagged ? "tagged words" : "words") + ledger.leftOut());
        }
        return List.copyOf(records);
    }

    /// The lines that `records` were read from, in the order of these: a file of the same kind,
    /// with nothing lost.
    ///
    /// @throws EspalierException (DATA) if a file has changed, so that a record is not there
    public static String lines(List<TaggedText> records) {
        var files = new HashMap<String, List<String>>();
        var lines = new StringBuilder();
        for (var record : records) {
            var colon = record.where().lastIndexOf(':');
            var name = record.where().substring(0, colon);
            var from = files.computeIfAbsent(name, n -> allLines(Path.of(n)));
            var at = Integer.parseInt(record.where().substring(colon + 1)) - 1;
            if (at >= from.size()) {
                throw EspalierException.data(record.where() + ": has gone since it was read");
            }
            lines.append(from.get(at)).append('\n');
            if (isJson(name)) {
                continue;
            }
            while (++at < from.size() && !from.get(at).isBlank()) {
                lines.append(from.get(at)).append('\n');
            }
            lines.append('\n');
        }
        return lines.toString();
    }

    private static List<String> allLines(Path file) {
        try (var text = TextFile.open(file, null)) {
            var lines = new Lines(text, LONGEST);
            var all = new ArrayList<String>();
            for (var line = lines.next(); line != null; line = lines.next()) {
                all.add(line);
            }
            return all;
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + Globs.why(e) + ")", e);
        } catch (TextFile.NotText e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
        }
    }

    private static boolean isJson(String file) {
        return ending(Path.of(file)).equals("jsonl");
    }

    /// Whether `file` is named as CoNLL or CoNLL-U.
    public static boolean isConll(Path file) {
        return unpacked(file).matches(".*\\.conllu?");
    }

    private static String unpacked(Path file) {
        return file.toString().toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst)$", "");
    }

    /// Which of the kinds `file` is of, as an ending of files that are not packed.
    public static String ending(Path file) {
        var name = unpacked(file);
        return name.endsWith(".jsonl") ? "jsonl" : name.endsWith(".conllu") ? "conllu" : "conll";
    }

    // CoNLL and CoNLL-U

    private void columns(Lines lines, boolean universal) throws IOException {
        var rows = new ArrayList<String[]>();
        var first = 1L;
        var at = 0L;
        for (var line = lines.next(); line != null; line = lines.next()) {
            at++;
            if (lines.tooLong()) {
                rows.add(new String[0]); // whose sentence is set aside
            } else if (line.isBlank()) {
                sentence(rows, first, universal);
                rows.clear();
                first = at + 1;
            } else if (!(universal ? line.startsWith("#") : line.startsWith("-DOCSTART-"))) {
                rows.add(universal ? line.split("\t", -1) : line.strip().split("\\s+"));
            }
        }
        sentence(rows, first, universal);
    }

    private void sentence(List<String[]> rows, long first, boolean universal) {
        if (rows.isEmpty()) {
            return;
        }
        var width = universal ? CONLLU.size() : rows.getFirst().length;
        var tag = tagColumn(width, universal);
        for (var row : rows) {
            if (row.length != width || tag >= width || tagged && !universal && width < 2) {
                ledger.reject(
                        file,
                        first,
                        "mismatched columns",
                        "a line of the sentence has %d columns where %s; `%s`"
                                .formatted(
                                        row.length,
                                        row.length != width
                                                ? width + " are expected"
                                                : "a word and its tag need two",
                                        String.join(" ", row)
                                                .substring(
                                                        0,
                                                        Math.min(
                                                                60,
                                                                String.join(" ", row).length()))));
                return;
            }
            if (universal && isWord(row) && (row[1].isBlank() || tagged && row[tag].isBlank())) {
                ledger.reject(
                        file,
                        first,
                        "empty columns",
                        "the word %s of the sentence has no FORM or no tag".formatted(row[0]));
                return;
            }
        }
        var words = new StringBuilder();
        var starts = new ArrayList<Integer>();
        var ends = new ArrayList<Integer>();
        var tags = new ArrayList<String>();
        var joined = true;
        Range range = null;
        for (var i = 0; i < rows.size(); i++) {
            var row = rows.get(i);
            if (universal && !isWord(row)) {
                range = isEmptyNode(row) ? range : Range.at(rows, i);
                continue;
            }
            if (!joined) {
                words.append(' ');
            }
            joined = universal && isJoined(row);
            if (range != null) {
                var isLast = row[0].equals(range.last());
                joined |= isLast ? range.joined() : range.isSpelt();
                range = isLast ? null : range;
            }
            starts.add(words.length());
            words.append(row[universal ? 1 : 0]);
            ends.add(words.length());
            tags.add(tagged ? row[tag] : TaggedText.OUTSIDE);
        }
        keep(words.toString(), starts, ends, tags, first);
    }

    private static boolean isWord(String[] row) {
        return row[0].matches("[0-9]+");
    }

    private static boolean isEmptyNode(String[] row) {
        return row[0].indexOf('-') < 0;
    }

    /// Whether no space follows.
    private static boolean isJoined(String[] row) {
        return List.of(row[9].split("\\|")).contains("SpaceAfter=No");
    }

    /// A multi-word token of CoNLL-U.
    ///
    /// @param last the id of its last word
    /// @param isSpelt whether its words, one behind the other, are it
    /// @param joined whether no space follows it
    private record Range(String last, boolean isSpelt, boolean joined) {
        /// That of `rows` at a place; null if its words do not all follow it.
        static @Nullable Range at(List<String[]> rows, int place) {
            var row = rows.get(place);
            var last = row[0].substring(row[0].indexOf('-') + 1);
            var words = new StringBuilder();
            for (var next : rows.subList(place + 1, rows.size())) {
                if (isWord(next)) {
                    words.append(next[1]);
                } else if (!isEmptyNode(next)) {
                    return null;
                }
                if (next[0].equals(last)) {
                    return new Range(
                            last, words.toString().equals(row[1]), TaggedReader.isJoined(row));
                }
            }
            return null;
        }
    }

    private int tagColumn(int width, boolean universal) {
        if (universal) {
            var name = column.isEmpty() ? "upos" : column.toLowerCase(Locale.ROOT);
            if (!CONLLU.contains(name)) {
                throw EspalierException.usage(
                        "task.column: `%s` is no column of CoNLL-U; allowed: %s"
                                .formatted(column, String.join(", ", CONLLU)));
            }
            return CONLLU.indexOf(name);
        }
        if (column.isEmpty()) {
            return width - 1;
        }
        if (!column.matches("[1-9][0-9]{0,3}")) {
            throw EspalierException.usage(
                    "task.column: `" + column + "` is no number of a column, such as 2");
        }
        return Integer.parseInt(column) - 1;
    }

    // JSONL

    private record Span(int start, int end, String label) {}

    private record Marked(long at, String text, JsonNode spans) {
        boolean isBeyondBasic() {
            return text.codePoints().anyMatch(Character::isSupplementaryCodePoint);
        }

        /// Where in the text each place lies that a span can name; null where that is itself.
        int @Nullable [] places(boolean byCodePoints) {
            if (!byCodePoints || !isBeyondBasic()) {
                return null;
            }
            return IntStream.rangeClosed(0, text.length())
                    .filter(i -> i == 0 || i == text.length() || !isInside(i))
                    .toArray();
        }

        private boolean isInside(int i) {
            return Character.isSurrogatePair(text.charAt(i - 1), text.charAt(i));
        }
    }

    private void jsonLines(Lines lines) throws IOException {
        var marked = new ArrayList<Marked>();
        var at = 0L;
        for (var line = lines.next(); line != null; line = lines.next()) {
            at++;
            if (lines.tooLong()) {
                ledger.reject(file, at, "too long", "longer than " + LONGEST + " characters");
                continue;
            }
            if (line.isBlank()) {
                continue;
            }
            try {
                var node = Json.mapper().readTree(line);
                if (node.path(text).isString() && node.path(spans).isArray()) {
                    marked.add(new Marked(at, node.path(text).stringValue(), node.path(spans)));
                } else {
                    ledger.reject(
                            file,
                            at,
                            "missing field",
                            "`%s` must be a text and `%s` a list".formatted(text, spans));
                }
            } catch (JacksonException e) {
                ledger.reject(file, at, "broken JSON", "not JSON (" + Json.why(e) + ")");
            }
        }
        var byCodePoints = wholeWords(marked, true) > wholeWords(marked, false);
        marked.forEach(m -> spans(m, byCodePoints));
    }

    /// How many spans of texts with emoji or the like, which Java counts as two and Python as one,
    /// begin and end with words, if places are counted so.
    private static long wholeWords(List<Marked> marked, boolean byCodePoints) {
        var whole = 0L;
        for (var m : marked) {
            if (m.spans().isEmpty() || !m.isBeyondBasic()) {
                continue;
            }
            var starts = new HashSet<Integer>();
            var ends = new HashSet<Integer>();
            WORD.matcher(m.text())
                    .results()
                    .forEach(word -> {
                        starts.add(word.start());
                        ends.add(word.end());
                    });
            var places = m.places(byCodePoints);
            for (var node : m.spans()) {
                var span = span(node, m.text().length(), places);
                whole +=
                        span != null && starts.contains(span.start()) && ends.contains(span.end())
                                ? 1
                                : 0;
            }
        }
        return whole;
    }

    private void spans(Marked marked, boolean byCodePoints) {
        var given = marked.text();
        var at = marked.at();
        var found = new ArrayList<Span>();
        var places = marked.places(byCodePoints);
        for (var node : marked.spans()) {
            var read = span(node, given.length(), places);
            if (read == null) {
                ledger.reject(
                        file,
                        at,
                        "bad span",
                        "`%s` needs a label and places within the text's %d characters"
                                .formatted(
                                        shown(node),
                                        places == null ? given.length() : places.length - 1));
                return;
            }
            found.add(read);
        }
        found.sort(Comparator.comparingInt(Span::start));
        for (var i = 1; i < found.size(); i++) {
            if (found.get(i).start() < found.get(i - 1).end()) {
                ledger.reject(
                        file,
                        at,
                        "overlapping spans",
                        "%s and %s overlap".formatted(found.get(i - 1), found.get(i)));
                return;
            }
        }
        if (!found.isEmpty() && marked.isBeyondBasic()) {
            ledger.change(
                    "a text with emoji or the like: places are counted in "
                            + (byCodePoints
                                    ? "code points, by which more spans are whole words"
                                    : "UTF-16"),
                    1);
        }
        tagged(given, found, at);
    }

    private static String shown(JsonNode node) {
        var text = node.toString();
        return text.length() <= 80 ? text : text.substring(0, 80) + "…";
    }

    private static @Nullable Span span(JsonNode node, int length, int @Nullable [] places) {
        var start = node.path("start");
        var end = node.path("end");
        var label = node.path("label");
        if (!start.canConvertToInt() || !end.canConvertToInt() || !label.isString()) {
            return null;
        }
        var from = start.intValue();
        var to = end.intValue();
        var last = places == null ? length : places.length - 1;
        if (from < 0 || to > last || from >= to || label.stringValue().isBlank()) {
            return null;
        }
        if (places != null) {
            from = places[from];
            to = places[to];
        }
        return new Span(from, to, label.stringValue().strip());
    }

    private void tagged(String given, List<Span> spans, long at) {
        var starts = new ArrayList<Integer>();
        var ends = new ArrayList<Integer>();
        var tags = new ArrayList<String>();
        var words = WORD.matcher(given);
        var next = 0;
        var inside = -1; // the span that the last word was of
        var told = 0;
        while (words.find()) {
            starts.add(words.start());
            ends.add(words.end());
            while (next < spans.size() && spans.get(next).end() <= words.start()) {
                next++;
            }
            if (next == spans.size() || spans.get(next).start() >= words.end()) {
                tags.add(TaggedText.OUTSIDE);
                continue;
            }
            var span = spans.get(next);
            if (span.start() > words.start() || span.end() < words.end()) {
                ledger.change("a span widened to whole words", 1);
            }
            tags.add((inside == next ? "I-" : "B-") + span.label());
            told += inside == next ? 0 : 1;
            inside = next;
        }
        if (spans.stream().anyMatch(s -> given.substring(s.start(), s.end()).isBlank())) {
            ledger.reject(file, at, "bad span", "a span holds nothing but white space");
            return;
        }
        if (told < spans.size()) {
            ledger.reject(file, at, "bad span", "two spans share a word, which can have one tag");
            return;
        }
        keep(given, starts, ends, tags, at);
    }

    /// The words of a text without tags, as [TaggedText#OUTSIDE].
    public static TaggedText untagged(String text) {
        return untagged(text, WORD);
    }

    /// As [#untagged(String)] of a text whose words are what white space parts.
    public static TaggedText spaced(String text) {
        return untagged(text, BETWEEN_SPACES);
    }

    private static TaggedText untagged(String text, Pattern word) {
        var starts = new ArrayList<Integer>();
        var ends = new ArrayList<Integer>();
        var words = word.matcher(text);
        while (words.find()) {
            starts.add(words.start());
            ends.add(words.end());
        }
        return of(
                text,
                starts,
                ends,
                java.util.Collections.nCopies(starts.size(), TaggedText.OUTSIDE),
                "");
    }

    private void keep(
            String given, List<Integer> starts, List<Integer> ends, List<String> tags, long at) {
        if (tags.isEmpty()) {
            ledger.drop("no words");
            return;
        }
        ledger.keep();
        records.add(of(given, starts, ends, tags, file + ":" + at));
    }

    private static TaggedText of(
            String given,
            List<Integer> starts,
            List<Integer> ends,
            List<String> tags,
            String where) {
        return new TaggedText(
                given,
                starts.stream().mapToInt(Integer::intValue).toArray(),
                ends.stream().mapToInt(Integer::intValue).toArray(),
                tags,
                where);
    }
}
