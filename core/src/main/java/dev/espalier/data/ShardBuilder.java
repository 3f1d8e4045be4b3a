package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Source;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Turns sources into token shards for training and validation, kept in a folder that is named by
/// everything that went in, so that the same inputs are tokenized once.
///
/// A document goes to validation by the hash of its id, so that further documents move none of
/// those before. Where that leaves one side empty, as with a single document, the document of the
/// lowest hash gives its last part instead.
public final class ShardBuilder {
    private static final Logger log = LoggerFactory.getLogger(ShardBuilder.class);

    /// A way from text to ids.
    ///
    /// @param encode may be called by several threads at once
    /// @param hash the SHA-256 that names the tokenizer, in hexadecimal
    /// @param textBytes how many bytes of UTF-8 text a token stands for; 0 for a special one
    /// @param begun puts before a document's ids what documents begin with, if anything
    /// @param endOfText put after each document, where the tokenizer has such a token
    public record Tokens(
            Function<String, int[]> encode,
            int vocabularySize,
            String hash,
            IntUnaryOperator textBytes,
            UnaryOperator<int[]> begun,
            OptionalInt endOfText) {
        /// @param hash the SHA-256 that names the tokenizer, in hexadecimal
        /// @param begun whether documents begin as a decoder's texts do ([Tokenizer#begun])
        public static Tokens of(
                Tokenizer tokenizer, String hash, boolean begun, OptionalInt endOfText) {
            // What others wrote must not end a document.
            var plain = tokenizer.plain();
            return new Tokens(
                    plain::encode,
                    tokenizer.vocabularySize(),
                    hash,
                    id -> tokenizer.isSpecial(id) ? 0 : tokenizer.bytes(id).length,
                    begun ? plain::begun : ids -> ids,
                    endOfText);
        }
    }

    /// A file that was read.
    public record SourceFile(String file, String sha256) {}

    /// One side of a source.
    ///
    /// @param file its shard, beside `data.json`
    /// @param textBytes bytes of the text in UTF-8
    public record Side(String file, long documents, long tokens, long textBytes) {}

    /// What became of a source.
    public record SourceData(
            String description,
            List<SourceFile> files,
            Ledger.Counts counts,
            Side train,
            Side validation) {}

    /// What is in the folder; written there as `data.json`.
    ///
    /// @param key the SHA-256 of all inputs
    public record Data(
            String key,
            String tokenizer,
            int vocabularySize,
            double validationShare,
            List<SourceData> sources) {
        public Data {
            sources = List.copyOf(sources);
        }
    }

    /// Where the shards are.
    public record Shards(Path folder, Data data) {
        public Path train(int source) {
            return folder.resolve(data.sources().get(source).train().file());
        }

        public Path validation(int source) {
            return folder.resolve(data.sources().get(source).validation().file());
        }

        /// Where the broken records of a source were set aside, if there were any.
        public Path rejects(int source) {
            var file = folder.resolveSibling(folder.getFileName() + ".rejects.jsonl");
            return data.sources().size() == 1 ? file : numbered(file, source);
        }
    }

    /// Of what a key stands for; another version finds none of the shards that were cached before.
    private static final int VERSION = 2;

    private static final int CHUNK = 1 << 18;

    private ShardBuilder() {}

    /// The shards of these sources, a pair for each, made now or found in `cache`.
    ///
    /// @param validation the share of documents kept back, in (0, 1)
    /// @param maxRejects how many broken records are borne in all
    /// @param threads that tokenize; their number changes nothing in the result
    /// @throws EspalierException (DATA) without any text, or beyond the limit
    public static Shards build(
            Path cache,
            List<? extends Source> sources,
            Tokens tokens,
            double validation,
            Ledger.Limit maxRejects,
            int threads) {
        if (!(validation > 0 && validation < 1)) {
            throw new IllegalArgumentException("a validation share of " + validation);
        }
        var files =
                sources.stream()
                        .map(source ->
                                source.files().stream()
                                        .map(f -> new SourceFile(slashed(f), AtomicFiles.sha256(f)))
                                        .toList())
                        .toList();
        var key = key(sources, files, tokens, validation);
        var folder = cache.resolve(key.substring(0, 32));
        var report = folder.resolve("data.json");
        if (Files.isRegularFile(report)) {
            try {
                var shards = new Shards(folder, Json.read(report, Data.class));
                verify(shards);
                return shards;
            } catch (EspalierException e) {
                log.warn("{}; it is made anew", e.getMessage());
            }
        }
        var rejects = cache.resolve(key.substring(0, 32) + ".rejects.jsonl");
        AtomicFiles.writeFolder(
                folder,
                aside -> {
                    var built = new ArrayList<SourceData>();
                    for (var s = 0; s < sources.size(); s++) {
                        var file = sources.size() == 1 ? rejects : numbered(rejects, s);
                        try (var ledger = new Ledger(file, maxRejects)) {
                            built.add(
                                    new One(aside, s, sources.get(s), tokens, validation, ledger)
                                            .build(files.get(s), threads));
                        }
                    }
                    var data =
                            new Data(
                                    key, tokens.hash(), tokens.vocabularySize(), validation, built);
                    Files.writeString(aside.resolve("data.json"), Json.pretty(data));
                });
        return new Shards(folder, Json.read(report, Data.class));
    }

    /// @throws EspalierException if anything has been damaged since it was written
    private static void verify(Shards shards) {
        for (var s = 0; s < shards.data().sources().size(); s++) {
            for (var file : List.of(shards.train(s), shards.validation(s))) {
                try (var shard = TokenShard.open(file)) {
                    shard.verify();
                }
            }
        }
    }

    /// Whether a document goes to validation.
    public static boolean isValidation(String id, double share) {
        return (hash(id) >>> 11) * 0x1p-53 < share;
    }

    static long hash(String id) {
        return java.nio.ByteBuffer.wrap(AtomicFiles.sha256(id.getBytes(StandardCharsets.UTF_8)))
                .getLong();
    }

    private static String key(
            List<? extends Source> sources,
            List<List<SourceFile>> files,
            Tokens tokens,
            double validation) {
        var inputs = new StringBuilder();
        // Where documents begin with nothing, the key is that of before it was asked.
        var opening = tokens.begun().apply(new int[0]);
        inputs.append(opening.length == 0 ? "" : Json.line(opening));
        inputs.append(
                Json.line(
                        List.of(
                                VERSION,
                                tokens.hash(),
                                tokens.vocabularySize(),
                                tokens.endOfText().orElse(-1),
                                validation)));
        for (var s = 0; s < sources.size(); s++) {
            inputs.append('\n').append(Json.line(sources.get(s).description()));
            inputs.append(Json.line(files.get(s)));
        }
        return HexFormat.of()
                .formatHex(AtomicFiles.sha256(inputs.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private static Path numbered(Path rejects, int source) {
        return rejects.resolveSibling(
                rejects.getFileName().toString().replace(".rejects", "." + source + ".rejects"));
    }

    private static String slashed(Path file) {
        return file.toString().replace(java.io.File.separatorChar, '/');
    }

    /// One source on its way into two shards.
    private static final class One {
        private final Path folder;
        private final int number;
        private final Source source;
        private final Tokens tokens;
        private final double share;
        private final Ledger ledger;
        private String lowest = "";
        private long lowestHash;
        private long lowestDocument;
        private final List<FileIndex.Entry> trainFiles = new ArrayList<>();
        private final List<FileIndex.Entry> validationFiles = new ArrayList<>();

        One(Path folder, int number, Source source, Tokens tokens, double share, Ledger ledger) {
            this.folder = folder;
            this.number = number;
            this.source = source;
            this.tokens = tokens;
            this.share = share;
            this.ledger = ledger;
        }

        private record Encoded(Document document, int[] ids, long bytes) {}

        SourceData build(List<SourceFile> files, int threads) throws IOException {
            var train = path("train");
            var validation = path("validation");
            try (var trainWriter = writer(train);
                    var validationWriter = writer(validation)) {
                encodeAll(
                        threads,
                        encoded -> {
                            var kept = isValidation(encoded.document.wholeId(), share);
                            write(
                                    encoded,
                                    kept ? validationWriter : trainWriter,
                                    kept ? validationFiles : trainFiles);
                        });
                ledger.finish();
                if (trainWriter.tokens() + validationWriter.tokens() == 0) {
                    var first = ledger.firstReject();
                    throw EspalierException.data(
                            "%s: holds no text%s%s"
                                    .formatted(
                                            source.description(),
                                            ledger.leftOut(),
                                            first == null ? "" : "; " + first));
                }
                var none = trainWriter.tokens() == 0 || validationWriter.tokens() == 0;
                trainWriter.finish();
                validationWriter.finish();
                if (none) {
                    splitLowest(trainWriter.tokens() > 0 ? train : validation, train, validation);
                } else {
                    FileIndex.write(train, trainFiles);
                    FileIndex.write(validation, validationFiles);
                }
            }
            return new SourceData(
                    source.description(), files, ledger.counts(), side(train), side(validation));
        }

        private Path path(String side) {
            return folder.resolve("%s-%02d.tokens".formatted(side, number));
        }

        private TokenShardWriter writer(Path file) {
            return new TokenShardWriter(file, tokens.vocabularySize(), tokens.hash());
        }

        private static Side side(Path file) {
            try (var shard = TokenShard.open(file)) {
                return new Side(
                        String.valueOf(file.getFileName()),
                        shard.documents(),
                        shard.tokens(),
                        shard.textBytes());
            }
        }

        private void write(Encoded encoded, TokenShardWriter writer, List<FileIndex.Entry> files) {
            var document = encoded.document;
            var part = document.metadata().get(Document.PART);
            var goesOn = part != null && !part.equals("1");
            // A document without text is none.
            var ids =
                    goesOn || encoded.ids.length == 0
                            ? encoded.ids
                            : tokens.begun().apply(encoded.ids);
            if (!document.continues() && tokens.endOfText().isPresent()) {
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = tokens.endOfText().getAsInt();
            }
            if (goesOn) {
                writer.append(ids, encoded.bytes);
                return;
            }
            var hash = hash(document.wholeId());
            if (lowest.isEmpty() || Long.compareUnsigned(hash, lowestHash) < 0) {
                lowest = document.wholeId();
                lowestHash = hash;
                lowestDocument = writer.documents();
            }
            var file = document.metadata().getOrDefault(Document.FILE, source.description());
            if (ids.length > 0 && (files.isEmpty() || !files.getLast().file().equals(file))) {
                files.add(new FileIndex.Entry(writer.documents(), file));
            }
            writer.add(ids, encoded.bytes);
        }

        private interface Sink {
            void accept(Encoded encoded);
        }

        /// Tokenizes in several threads and hands on in the order of the documents.
        private void encodeAll(int threads, Sink sink) {
            try (var pool = Executors.newFixedThreadPool(threads);
                    var documents = source.documents(ledger)) {
                var ahead = new ArrayDeque<Future<List<Encoded>>>();
                var chunk = new ArrayList<Document>();
                var characters = 0L;
                try {
                    for (var document : (Iterable<Document>) documents::iterator) {
                        chunk.add(document);
                        characters += document.text().length();
                        if (characters >= CHUNK) {
                            var full = List.copyOf(chunk);
                            ahead.add(pool.submit(() -> encode(full)));
                            chunk.clear();
                            characters = 0;
                            while (ahead.size() > 2 * threads) {
                                take(ahead, sink);
                            }
                        }
                    }
                    ahead.add(pool.submit(() -> encode(chunk)));
                    while (!ahead.isEmpty()) {
                        take(ahead, sink);
                    }
                } finally {
                    pool.shutdownNow();
                }
            }
        }

        private static void take(ArrayDeque<Future<List<Encoded>>> ahead, Sink sink) {
            try {
                ahead.remove().get().forEach(sink::accept);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new EspalierException(
                        EspalierException.Kind.INTERRUPTED, "interrupted while tokenizing", e);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                throw new IllegalStateException(e);
            }
        }

        private List<Encoded> encode(List<Document> documents) {
            var encoded = new ArrayList<Encoded>(documents.size());
            for (var document : documents) {
                var text = document.text();
                encoded.add(new Encoded(document, tokens.encode().apply(text), utf8Bytes(text)));
            }
            return encoded;
        }

        /// Cuts the validation part off the end of one document: the share of all tokens, but at
        /// most half of the document.
        private void splitLowest(Path all, Path train, Path validation) throws IOException {
            var whole = folder.resolve("whole.tokens");
            Files.move(all, whole);
            try (var shard = TokenShard.open(whole);
                    var trainWriter = writer(train);
                    var validationWriter = writer(validation)) {
                var from = shard.documentStart(lowestDocument);
                var end = shard.documentEnd(lowestDocument);
                var cut =
                        end
                                - Math.clamp(
                                        Math.round(shard.tokens() * share),
                                        1,
                                        (end - from) / 2 + 1);
                cut = Math.max(from, cut);
                for (var d = 0L; d < shard.documents(); d++) {
                    var to = d == lowestDocument ? cut : shard.documentEnd(d);
                    copy(shard, shard.documentStart(d), to, trainWriter);
                }
                copy(shard, cut, end, validationWriter);
                var validationBytes = Math.min(textBytes(shard, cut, end), shard.textBytes());
                trainWriter.append(new int[0], shard.textBytes() - validationBytes);
                validationWriter.append(new int[0], validationBytes);
                trainWriter.finish();
                validationWriter.finish();
                splitFiles(train, validation, cut == from);
            } finally {
                Files.delete(whole);
            }
        }

        /// @param moved whether the whole of the lowest document went to validation, so that those
        ///   behind it have moved up by one
        private void splitFiles(Path train, Path validation, boolean moved) {
            var whole = trainFiles.isEmpty() ? validationFiles : trainFiles;
            var rest = new ArrayList<FileIndex.Entry>();
            var of = whole.getFirst();
            for (var entry : whole) {
                of = entry.document() <= lowestDocument ? entry : of;
                var document =
                        entry.document() - (moved && entry.document() > lowestDocument ? 1 : 0);
                if (!rest.isEmpty() && rest.getLast().document() == document) {
                    rest.removeLast();
                }
                rest.add(new FileIndex.Entry(document, entry.file()));
            }
            FileIndex.write(train, rest);
            FileIndex.write(validation, List.of(new FileIndex.Entry(0, of.file())));
        }

        private long textBytes(TokenShard shard, long start, long end) {
            var bytes = 0L;
            for (var at = start; at < end; ) {
                var ids = shard.read(at, (int) Math.min(1 << 16, end - at));
                bytes += Arrays.stream(ids).map(tokens.textBytes()).asLongStream().sum();
                at += ids.length;
            }
            return bytes;
        }

        private static void copy(TokenShard from, long start, long end, TokenShardWriter to) {
            for (var at = start; at < end; ) {
                var ids = from.read(at, (int) Math.min(1 << 16, end - at));
                if (at == start) {
                    to.add(ids, 0);
                } else {
                    to.append(ids, 0);
                }
                at += ids.length;
            }
        }
    }

    static long utf8Bytes(String text) {
        var bytes = 0L;
        for (var i = 0; i < text.length(); i++) {
            var c = text.charAt(i);
            // Each half of a pair of surrogates is two of its four bytes.
            bytes += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
        }
        return bytes;
    }
}
