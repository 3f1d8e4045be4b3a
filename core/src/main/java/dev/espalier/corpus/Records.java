package dev.espalier.corpus;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import tools.jackson.core.JacksonException;
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
                var list = Json.mapper().readTree(reader);
                if (!list.isArray()) {
                    throw EspalierException.data(file + ": is no list of records");
                }
                var at = 0L;
                for (var record : list) {
                    object(file, record, ++at, ledger, taker);
                }
            }
        } catch (JacksonException e) {
            throw EspalierException.data(file + ": not JSON (" + Json.why(e) + ")", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + Globs.why(e) + ")", e);
        } catch (TextFile.NotText e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
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
