package dev.espalier.corpus;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/// Files of one format, chosen by a path or a glob such as `books/**/*.txt`, plain or packed by
/// gzip or zstd. Files are read in the order of their paths, one at a time.
///
/// @param charset null to tell it from each file's content
public record FileSource(String pattern, Format format, @Nullable Charset charset)
        implements Source {
    /// How documents lie in files.
    public sealed interface Format {
        /// Each file is a document; one longer than memory should hold is delivered in pieces of at
        /// most `piece` characters, cut at the end of a paragraph, a line or a word.
        record Text(int piece) implements Format {
            public Text {
                if (piece < 64) {
                    throw new IllegalArgumentException("pieces of " + piece);
                }
            }
        }

        /// As [Text], with the markup of Markdown left out.
        record Markdown(int piece) implements Format {}

        /// Each line is a JSON object whose `field` holds the text.
        record Jsonl(String field) implements Format {}

        /// Each record of comma-separated values is a document, its text in the column `field`.
        record Csv(String field) implements Format {}

        /// Each line of tab-separated values is a document, its text in the column `field`.
        record Tsv(String field) implements Format {}
    }

    /// The longest piece by default: 4 Mi characters. Descriptions, by which shards are cached, do
    /// not name it: whoever changes it raises the version of `ShardBuilder`.
    public static final int PIECE = 1 << 22;

    public static FileSource text(String pattern) {
        return new FileSource(pattern, new Format.Text(PIECE), null);
    }

    public static FileSource markdown(String pattern) {
        return new FileSource(pattern, new Format.Markdown(PIECE), null);
    }

    public static FileSource jsonl(String pattern, String field) {
        return new FileSource(pattern, new Format.Jsonl(field), null);
    }

    public static FileSource csv(String pattern, String field) {
        return new FileSource(pattern, new Format.Csv(field), null);
    }

    public static FileSource tsv(String pattern, String field) {
        return new FileSource(pattern, new Format.Tsv(field), null);
    }

    /// Files of the format that `pattern` ends in, packed or not: Markdown, or records whose
    /// `field` holds the text; any other is plain text.
    public static FileSource of(String pattern, String field) {
        var name = pattern.toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst)$", "");
        if (name.endsWith(".md")) {
            return markdown(pattern);
        }
        return Rows.Format.told(pattern)
                .map(told ->
                        switch (told) {
                            case JSONL -> jsonl(pattern, field);
                            case CSV -> csv(pattern, field);
                            case TSV -> tsv(pattern, field);
                        })
                .orElseGet(() -> text(pattern));
    }

    /// The same source in a character set, `auto` or null to tell it from each file's content.
    ///
    /// @throws EspalierException (USAGE) if there is none of that name
    public FileSource withCharset(@Nullable String name) {
        return new FileSource(
                pattern,
                format,
                name == null || name.equals("auto") ? null : TextFile.charset(name));
    }

    @Override
    public String description() {
        var what =
                switch (format) {
                    case Format.Text(var piece) -> "text" + pieces(piece) + " in ";
                    case Format.Markdown(var piece) -> "Markdown" + pieces(piece) + " in ";
                    case Format.Jsonl(var field) -> "field `" + field + "` of JSON lines in ";
                    case Format.Csv(var field) -> "column `" + field + "` of CSV in ";
                    case Format.Tsv(var field) -> "column `" + field + "` of TSV in ";
                };
        return what + pattern + (charset == null ? "" : " (" + charset.name() + ")");
    }

    private static String pieces(int piece) {
        return piece == PIECE ? "" : " by " + piece + " characters";
    }

    @Override
    public List<Path> files() {
        return Globs.files(pattern);
    }

    @Override
    public Stream<Document> documents(Ledger ledger) {
        var documents = new Documents(files().iterator(), ledger);
        return StreamSupport.stream(
                        Spliterators.spliteratorUnknownSize(documents, Spliterator.ORDERED), false)
                .onClose(documents::close);
    }

    /// What a file gives, one document at a time; null at its end.
    interface Records extends AutoCloseable {
        @Nullable Document next() throws IOException;

        @Override
        void close() throws IOException;
    }

    private final class Documents implements Iterator<Document> {
        private final Iterator<Path> files;
        private final Ledger ledger;
        private @Nullable Path file;
        private @Nullable Records records;
        private @Nullable Document next;

        Documents(Iterator<Path> files, Ledger ledger) {
            this.files = files;
            this.ledger = ledger;
        }

        @Override
        public boolean hasNext() {
            while (next == null) {
                if (records == null) {
                    if (!files.hasNext()) {
                        return false;
                    }
                    file = files.next();
                    records = open(file, ledger);
                    continue;
                }
                try {
                    next = records.next();
                } catch (IOException e) {
                    rejectUnreadable(java.util.Objects.requireNonNull(file), e, ledger);
                }
                if (next == null) {
                    close();
                }
            }
            return true;
        }

        @Override
        public Document next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            var document = java.util.Objects.requireNonNull(next);
            next = null;
            ledger.keep();
            return document;
        }

        void close() {
            if (records != null) {
                try {
                    records.close();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                } finally {
                    records = null;
                }
            }
        }
    }

    private @Nullable Records open(Path file, Ledger ledger) {
        TextFile text;
        try {
            text = TextFile.open(file, charset, ledger);
        } catch (TextFile.NotText e) {
            ledger.reject(file, 0, "not text", String.valueOf(e.getMessage()));
            return null;
        } catch (IOException e) {
            rejectUnreadable(file, e, ledger);
            return null;
        }
        return switch (format) {
            case Format.Text(var piece) -> new Pieces(file, text, piece, false, ledger);
            case Format.Markdown(var piece) -> new Pieces(file, text, piece, true, ledger);
            case Format.Jsonl(var field) ->
                    rows(
                            file,
                            new Rows(
                                    file, text, Rows.Format.JSONL, Rows.Fields.text(field), ledger),
                            ledger);
            case Format.Csv(var field) ->
                    rows(
                            file,
                            new Rows(file, text, Rows.Format.CSV, Rows.Fields.text(field), ledger),
                            ledger);
            case Format.Tsv(var field) ->
                    rows(
                            file,
                            new Rows(file, text, Rows.Format.TSV, Rows.Fields.text(field), ledger),
                            ledger);
        };
    }

    private static Records rows(Path file, Rows rows, Ledger ledger) {
        return new Records() {
            @Override
            public @Nullable Document next() throws IOException {
                var row = rows.next();
                while (row != null && row.values().getFirst().isBlank()) {
                    ledger.drop("empty");
                    row = rows.next();
                }
                return row == null
                        ? null
                        : new Document(
                                Globs.name(file) + "#" + row.line(),
                                new Content.Text(row.values().get(0)),
                                Map.of(Document.FILE, Globs.name(file)));
            }

            @Override
            public void close() throws IOException {
                rows.close();
            }
        };
    }

    static void rejectUnreadable(Path file, IOException e, Ledger ledger) {
        ledger.reject(file, 0, "unreadable", "cannot be read to its end (" + Globs.why(e) + ")");
    }
}
