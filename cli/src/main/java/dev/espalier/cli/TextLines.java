package dev.espalier.cli;

import dev.espalier.EspalierException;
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

/// The texts that a verb is given: its arguments, the lines of a file, or those of standard input.
/// A `@Mixin`.
final class TextLines {
    /// Takes some texts that stand together.
    @FunctionalInterface
    interface Chunks {
        /// @param first the number of the first of `texts`, from 1
        void take(long first, List<String> texts);
    }

    @Option(names = "--file", description = "A file with one text a line, in UTF-8.")
    private @Nullable Path file;

    /// Gives the texts in their order, up to `size` at once.
    void forEach(List<String> arguments, int size, Chunks chunks) {
        if (!arguments.isEmpty()) {
            if (file != null) {
                throw EspalierException.usage("give either texts or --file, not both");
            }
            for (var start = 0; start < arguments.size(); start += size) {
                var end = Math.min(start + size, arguments.size());
                chunks.take(start + 1, arguments.subList(start, end));
            }
            return;
        }
        var name = file == null ? "standard input" : file.toString();
        try (var input = file == null ? System.in : Files.newInputStream(file)) {
            lines(name, input, size, chunks);
        } catch (IOException e) {
            throw EspalierException.data(name + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static void lines(String name, InputStream input, int size, Chunks chunks)
            throws IOException {
        var decoder = StandardCharsets.UTF_8.newDecoder();
        var lines = new BufferedReader(new InputStreamReader(input, decoder));
        var chunk = new ArrayList<String>();
        var read = 0L;
        try {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                read++;
                chunk.add(line);
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
}
