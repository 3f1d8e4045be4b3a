package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Lines;
import dev.espalier.corpus.Rows;
import dev.espalier.io.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;

/// The texts that a verb is given: its arguments, the records or lines of a file, or the lines of
/// standard input. A `@Mixin`.
final class TextLines {
    private static final int LONGEST = 1 << 24;

    /// Takes some texts that stand together.
    @FunctionalInterface
    interface Chunks {
        /// @param first the place of the first of `texts`, from 1: among the arguments, the lines,
        ///   or the records of the file, broken ones counted
        void take(long first, List<String> texts);
    }

    @Option(
            names = "--file",
            paramLabel = "FILE",
            description =
                    "A file with one text a line, in UTF-8; of .csv, .tsv and .jsonl the texts of one"
                            + " column or key. - for the lines of standard input.")
    private @Nullable Path file;

    @Option(
            names = "--field",
            paramLabel = "KEY",
            description =
                    "The column of .csv and .tsv, or the key of JSON lines, that holds the text."
                            + " Default: text, for prompts prompt; elsewhere lines are not taken for"
                            + " JSON unless this is given.")
    private @Nullable String field;

    private final String defaultField;

    /// Takes the texts of a file named `.jsonl` from `defaultField`, unless another is asked for.
    TextLines(String defaultField) {
        this.defaultField = defaultField;
    }

    /// Refuses a key beside what has none.
    void refuseField(String why) {
        if (field != null) {
            throw EspalierException.usage("--field: " + why);
        }
    }

    /// The file, if one is named.
    Optional<Path> file() {
        return Optional.ofNullable(file);
    }

    /// The key under which texts are.
    String key() {
        return field == null ? defaultField : field;
    }

    /// Refuses a file beside texts that are arguments.
    void refuseFile() {
        if (file != null) {
            throw EspalierException.usage("give either texts or --file, not both");
        }
    }

    /// Gives the texts in their order, up to `size` at once. Broken records and lines are left out,
    /// and told at the end.
    ///
    /// @throws EspalierException (DATA) at the end if there were any
    void forEach(List<String> arguments, int size, Chunks chunks) {
        if (!arguments.isEmpty()) {
            refuseFile();
            for (var start = 0; start < arguments.size(); start += size) {
                var end = Math.min(start + size, arguments.size());
                chunks.take(start + 1, arguments.subList(start, end));
            }
            return;
        }
        var path = file == null || file.toString().equals("-") ? null : Given.file(file);
        var name = path == null ? "standard input" : path.toString();
        var format = path == null ? null : Rows.Format.told(name).orElse(null);
        var ledger = Ledger.counting();
        if (path != null && format != null) {
            records(path, format, size, chunks, ledger);
        } else {
            try (var input = path == null ? System.in : Files.newInputStream(path)) {
                lines(Path.of(name), field, input, size, chunks, ledger);
            } catch (IOException e) {
                throw EspalierException.data(name + ": cannot be read (" + e.getMessage() + ")", e);
            }
        }
        requireWhole(ledger);
        if (path != null && ledger.counts().kept() == 0) {
            throw EspalierException.data(name + ": holds no text");
        }
    }

    /// @throws EspalierException (DATA) if records were set aside, which names the first places
    static void requireWhole(Ledger ledger) {
        if (ledger.rejects() == 0) {
            return;
        }
        var kept = ledger.counts().kept();
        var broken = ledger.firstRejects();
        if (kept == 0) {
            throw EspalierException.data(broken.getFirst().toString());
        }
        var others =
                broken.stream()
                        .skip(1)
                        .map(r -> String.valueOf(r.line()))
                        .collect(Collectors.joining(", "));
        var more = ledger.rejects() - broken.size();
        throw EspalierException.data(
                "%,d of %,d records are left out; %s%s%s"
                        .formatted(
                                ledger.rejects(),
                                kept + ledger.rejects(),
                                broken.getFirst(),
                                others.isEmpty() ? "" : "; the others are in lines " + others,
                                more == 0 ? "" : " and %,d more".formatted(more)));
    }

    private void records(Path path, Rows.Format format, int size, Chunks chunks, Ledger ledger) {
        var gathered = new Gathered(size, chunks);
        var read = 0L;
        try (var rows = Rows.open(path, format, null, Rows.Fields.text(key()), ledger)) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                read++;
                ledger.keep();
                gathered.add(read + ledger.rejects(), row.values().getFirst());
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    path + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        gathered.give();
    }

    /// Texts that stand together, up to so many.
    private static final class Gathered {
        private final int size;
        private final Chunks chunks;
        private final List<String> texts = new ArrayList<>();
        private long last;

        Gathered(int size, Chunks chunks) {
            this.size = size;
            this.chunks = chunks;
        }

        void add(long place, String text) {
            if (place != last + 1) {
                give();
            }
            texts.add(text);
            last = place;
            if (texts.size() == size) {
                give();
            }
        }

        void give() {
            if (!texts.isEmpty()) {
                chunks.take(last - texts.size() + 1, List.copyOf(texts));
                texts.clear();
            }
        }
    }

    private static void lines(
            Path name,
            @Nullable String key,
            InputStream input,
            int size,
            Chunks chunks,
            Ledger ledger)
            throws IOException {
        var decoder = StandardCharsets.UTF_8.newDecoder();
        var lines = new Lines(new InputStreamReader(input, decoder), LONGEST);
        var gathered = new Gathered(size, chunks);
        var at = 0L;
        try {
            for (var line = lines.next(); line != null; line = lines.next()) {
                at++;
                var text = lines.tooLong() ? null : key == null ? line : field(key, line);
                if (text == null) {
                    ledger.reject(
                            name,
                            at,
                            "broken line",
                            lines.tooLong()
                                    ? "longer than %d characters".formatted(LONGEST)
                                    : "a JSON object with text under '%s' is needed"
                                            .formatted(key));
                } else {
                    ledger.keep();
                    gathered.add(at, text);
                }
                // A person who types wants an answer to each line; a file is taken in chunks.
                if (!lines.ready()) {
                    gathered.give();
                }
            }
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    name
                            + ": is not text in UTF-8"
                            + (at == 0 ? "" : ", after line " + at + " or so"),
                    e);
        }
        gathered.give();
    }

    /// The text under `key`; null if `line` is no object that has one.
    private static @Nullable String field(String key, String line) {
        try {
            var value = Json.mapper().readTree(line).path(key);
            return value.isString() ? value.stringValue() : null;
        } catch (JacksonException _) {
            return null;
        }
    }
}
