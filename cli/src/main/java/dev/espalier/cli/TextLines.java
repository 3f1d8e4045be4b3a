package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;

/// The texts that a verb is given: its arguments, the lines of a file, or those of standard input.
/// A `@Mixin`.
final class TextLines {
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
                    "A file with one text a line, in UTF-8; .jsonl: one JSON object a line. - for"
                            + " standard input.")
    private @Nullable Path file;

    @Option(
            names = "--field",
            paramLabel = "KEY",
            description = "The lines are JSON objects, with the text under this key.")
    private @Nullable String field;

    private final String defaultField;

    /// Takes the texts of a file named `.jsonl` from `defaultField`, unless another is asked for.
    TextLines(String defaultField) {
        this.defaultField = defaultField;
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
        var path = file == null || file.toString().equals("-") ? null : file;
        var name = path == null ? "standard input" : path.toString();
        var key = field == null && name.endsWith(".jsonl") ? defaultField : field;
        try (var input = path == null ? System.in : Files.newInputStream(path)) {
            lines(name, key, input, size, chunks);
        } catch (IOException e) {
            throw EspalierException.data(name + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static void lines(
            String name, @Nullable String key, InputStream input, int size, Chunks chunks)
            throws IOException {
        var decoder = StandardCharsets.UTF_8.newDecoder();
        var lines = new BufferedReader(new InputStreamReader(input, decoder));
        var chunk = new ArrayList<String>();
        var read = 0L;
        try {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                read++;
                chunk.add(key == null ? line : field(name + ":" + read, key, line));
                // A person who types wants an answer to each line; a file is taken in chunks.
                if (chunk.size() == size || !lines.ready()) {
                    chunks.take(read - chunk.size() + 1, List.copyOf(chunk));
                    chunk.clear();
                }
            }
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    name + ": is not text in UTF-8, after line " + read + " or so", e);
        }
        if (!chunk.isEmpty()) {
            chunks.take(read - chunk.size() + 1, chunk);
        }
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
