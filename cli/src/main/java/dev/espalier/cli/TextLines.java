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
        /// @param first the number of the first of `texts`, from 1
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

    /// Gives the texts in their order, up to `size` at once.
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
        if (path != null && format != null) {
            records(path, format, size, chunks);
            return;
        }
        try (var input = path == null ? System.in : Files.newInputStream(path)) {
            if (lines(name, field, input, size, chunks) == 0 && path != null) {
                throw EspalierException.data(name + ": holds no text");
            }
        } catch (IOException e) {
            throw EspalierException.data(name + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private void records(Path path, Rows.Format format, int size, Chunks chunks) {
        var chunk = new ArrayList<String>();
        var read = 0L;
        try (var rows = Rows.open(path, format, null, Rows.Fields.text(key()), Ledger.strict())) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                read++;
                chunk.add(row.values().getFirst());
                if (chunk.size() == size) {
                    chunks.take(read - size + 1, List.copyOf(chunk));
                    chunk.clear();
                }
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    path + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        if (read == 0) {
            throw EspalierException.data(path + ": holds no text");
        }
        if (!chunk.isEmpty()) {
            chunks.take(read - chunk.size() + 1, chunk);
        }
    }

    /// The number of lines.
    private static long lines(
            String name, @Nullable String key, InputStream input, int size, Chunks chunks)
            throws IOException {
        var decoder = StandardCharsets.UTF_8.newDecoder();
        var lines = new Lines(new InputStreamReader(input, decoder), LONGEST);
        var chunk = new ArrayList<String>();
        var read = 0L;
        try {
            for (var line = lines.next(); line != null; line = lines.next()) {
                read++;
                if (lines.tooLong()) {
                    throw EspalierException.data(
                            "%s:%d: longer than %d characters".formatted(name, read, LONGEST));
                }
                chunk.add(key == null ? line : field(name + ":" + read, key, line));
                // A person who types wants an answer to each line; a file is taken in chunks.
                if (chunk.size() == size || !lines.ready()) {
                    chunks.take(read - chunk.size() + 1, List.copyOf(chunk));
                    chunk.clear();
                }
            }
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    name
                            + ": is not text in UTF-8"
                            + (read == 0 ? "" : ", after line " + read + " or so"),
                    e);
        }
        if (!chunk.isEmpty()) {
            chunks.take(read - chunk.size() + 1, chunk);
        }
        return read;
    }

    private static String field(String place, String key, String line) {
        try {
            var value = Json.mapper().readTree(line).path(key);
            if (value.isString()) {
                return value.stringValue();
            }
        } catch (JacksonException e) {
            throw EspalierException.data(place + ": not a JSON object (" + Json.why(e) + ")", e);
        }
        throw EspalierException.data(
                "%s: a JSON object with text under '%s' is needed".formatted(place, key));
    }
}
