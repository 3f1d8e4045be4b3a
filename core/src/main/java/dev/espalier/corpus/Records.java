package dev.espalier.corpus;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.FilterReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Path;
import java.util.Locale;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;

/// Whole JSON objects, one a line (`.jsonl`, `.ndjson`) or in one list (`.json`), plain or packed
/// by gzip or zstd.
public final class Records {
    private static final int LONGEST = 1 << 24;

    private Records() {}

    /// Takes a record and its line, in a list its number, from 1.
    public interface Taker {
        void take(JsonNode record, long at);
    }

    /// Gives each object of `file` to `taker`, in order. What is no object is set aside.
    ///
    /// @throws EspalierException (DATA) if the file cannot be read, or is of another kind
    public static void read(Path file, Ledger ledger, Taker taker) {
        var name = file.toString().toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst)$", "");
        var lines = name.endsWith(".jsonl") || name.endsWith(".ndjson");
        if (!lines && !name.endsWith(".json")) {
            throw EspalierException.data(
                    file
                            + ": records with messages or pairs are read from .jsonl and .json files,"
                            + " packed as .gz or .zst or not");
        }
        try (var reader = TextFile.open(file, null)) {
            if (lines) {
                var read = new Lines(reader, LONGEST);
                var at = 0L;
                for (var line = read.next(); line != null; line = read.next()) {
                    at++;
                    if (read.tooLong()) {
                        ledger.reject(
                                file, at, "too long", "longer than " + LONGEST + " characters");
                    } else if (!line.isBlank()) {
                        line(file, line, at, ledger, taker);
                    }
                }
            } else {
                list(file, reader, ledger, taker);
            }
        } catch (JacksonException e) {
            throw EspalierException.data(file + ": not JSON (" + Json.why(e) + ")", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + Globs.why(e) + ")", e);
        } catch (TextFile.NotText e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
        }
    }

    /// One record after the other, since a packed list may be longer than memory.
    private static void list(Path file, Reader text, Ledger ledger, Taker taker) {
        var bounded = new Bounded(file, text);
        try (var parser = Json.mapper().createParser(bounded)) {
            if (parser.nextToken() != JsonToken.START_ARRAY) {
                throw EspalierException.data(file + ": is no list of records");
            }
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                bounded.begin();
                JsonNode record = parser.readValueAsTree();
                object(file, record, bounded.at, ledger, taker);
            }
            if (parser.nextToken() != null) {
                throw EspalierException.data(file + ": goes on behind its list of records");
            }
        }
    }

    /// The text of a list, of which no record may be longer than can be held.
    private static final class Bounded extends FilterReader {
        private final Path file;

        /// The number of the record that is read, from 1.
        private long at;

        private int left = LONGEST;

        Bounded(Path file, Reader text) {
            super(text);
            this.file = file;
        }

        void begin() {
            at++;
            left = LONGEST;
        }

        @Override
        public int read(char[] into, int offset, int length) throws IOException {
            var n = super.read(into, offset, length);
            left -= Math.max(0, n);
            if (left < 0) {
                // Where it ends cannot be told without reading it, so that nothing can go on.
                throw EspalierException.data(
                        "%s: record %d is longer than %d characters"
                                .formatted(file, Math.max(1, at), LONGEST));
            }
            return n;
        }
    }

    private static void line(Path file, String line, long at, Ledger ledger, Taker taker) {
        JsonNode record;
        try {
            record = Json.mapper().readTree(line);
        } catch (JacksonException e) {
            ledger.reject(file, at, "broken JSON", "not JSON (" + Json.why(e) + ")");
            return;
        }
        object(file, record, at, ledger, taker);
    }

    private static void object(Path file, JsonNode record, long at, Ledger ledger, Taker taker) {
        if (record.isObject()) {
            taker.take(record, at);
        } else {
            ledger.reject(file, at, "not an object", "not a JSON object");
        }
    }
}
