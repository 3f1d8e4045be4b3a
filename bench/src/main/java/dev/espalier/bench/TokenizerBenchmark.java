package dev.espalier.bench;

import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Normalization;
import dev.espalier.tokenize.SentencePieceTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.tokenize.WordPieceTrainer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.zip.ZipFile;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/// Byte-level byte-pair encoding, WordPiece and SentencePiece on one core: the counter `megabytes` is MB/s of UTF-8.
///
///     ./mvnw -q -Dquick -pl core,bench package dependency:copy-dependencies -DskipTests
///     java -cp 'bench/target/classes:bench/target/dependency/*' \
///         -Dtext=books.txt -Dtokenizer=gpt2/ org.openjdk.jmh.Main TokenizerBenchmark
///
/// Without `-Dtext` the text is the documentation comments of the running JDK's java.base (it needs
/// `lib/src.zip`); without `-Dtokenizer` the vocabulary is learnt from it, 8192 tokens.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 3)
@Measurement(iterations = 5, time = 3)
@Fork(
        value = 1,
        jvmArgsAppend = {"-Xmx2g"})
public class TokenizerBenchmark {
    private String text = "";
    private List<String> documents = List.of();
    private double megabytes;
    private Tokenizer tokenizer = BytePairTrainer.train(List.of("unused"), 256, 1, List.of());

    /// Text read, in MB.
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    @State(Scope.Thread)
    public static class Read {
        public double megabytes;
    }

    @Setup
    public void read() throws IOException {
        var file = System.getProperty("text");
        text = file == null ? comments() : Files.readString(Path.of(file));
        documents = List.of(text.split("\n\n"));
        megabytes = text.getBytes(StandardCharsets.UTF_8).length / 1e6;
        var folder = System.getProperty("tokenizer");
        tokenizer =
                folder == null
                        ? BytePairTrainer.train(documents, 8192, 2, List.of())
                        : Tokenizers.read(Path.of(folder));
    }

    private static String comments() throws IOException {
        var lines = new ArrayList<String>();
        try (var zip = new ZipFile(System.getProperty("java.home") + "/lib/src.zip")) {
            for (var entry :
                    zip.stream().filter(e -> e.getName().startsWith("java.base/")).toList()) {
                try (var in = zip.getInputStream(entry)) {
                    new String(in.readAllBytes(), StandardCharsets.UTF_8)
                            .lines()
                            .map(String::strip)
                            .filter(line -> line.startsWith("*"))
                            .map(line -> line.substring(1).strip())
                            .forEach(lines::add);
                }
            }
        }
        return lines.stream().collect(Collectors.joining("\n"));
    }

    @Benchmark
    public int[] encode(Read read) {
        read.megabytes += megabytes;
        return tokenizer.encode(text);
    }

    @Benchmark
    public int encodeDocuments(Read read) {
        read.megabytes += megabytes;
        int tokens = 0;
        for (var document : documents) {
            tokens += tokenizer.encode(document).length;
        }
        return tokens;
    }

    /// WordPiece of the same size, in small letters.
    @State(Scope.Benchmark)
    public static class Bert {
        Tokenizer tokenizer = BytePairTrainer.train(List.of("unused"), 256, 1, List.of());

        @Setup
        public void learn(TokenizerBenchmark benchmark) {
            tokenizer = WordPieceTrainer.train(benchmark.documents, 8192, 2, true, true);
        }
    }

    @Benchmark
    public int[] encodeWordPiece(Read read, Bert bert) {
        read.megabytes += megabytes;
        return bert.tokenizer.encode(text);
    }

    /// SentencePiece's two of the same size.
    @State(Scope.Benchmark)
    public static class SentencePiece {
        Tokenizer unigram = BytePairTrainer.train(List.of("unused"), 256, 1, List.of());
        Tokenizer bytePairs = unigram;

        @Setup
        public void learn(TokenizerBenchmark benchmark) {
            unigram = unigram(benchmark.documents);
            bytePairs = bytePairs(benchmark.documents);
        }
    }

    private static Tokenizer unigram(List<String> documents) {
        return SentencePieceTrainer.unigram(
                documents,
                8192,
                0.9995,
                Normalization.NMT_NFKC,
                false,
                List.of("<pad>", "</s>", "<unk>"));
    }

    private static Tokenizer bytePairs(List<String> documents) {
        return SentencePieceTrainer.bytePairs(
                documents, 8192, 2, 0.9995, List.of("<unk>", "<s>", "</s>"));
    }

    @Benchmark
    public int[] encodeUnigram(Read read, SentencePiece tokenizers) {
        read.megabytes += megabytes;
        return tokenizers.unigram.encode(text);
    }

    @Benchmark
    public int[] encodeSentencePieceBpe(Read read, SentencePiece tokenizers) {
        read.megabytes += megabytes;
        return tokenizers.bytePairs.encode(text);
    }

    @Benchmark
    public Tokenizer trainUnigram8192(Read read) {
        read.megabytes += megabytes;
        return unigram(documents);
    }

    @Benchmark
    public Tokenizer trainSentencePieceBpe8192(Read read) {
        read.megabytes += megabytes;
        return bytePairs(documents);
    }

    @Benchmark
    public Tokenizer train8192(Read read) {
        read.megabytes += megabytes;
        return BytePairTrainer.train(documents, 8192, 2, List.of());
    }

    /// Text that is all one piece, or all borders, and a vocabulary whose merges chain.
    @State(Scope.Benchmark)
    public static class Hostile {
        @Param({"a", "ab", " ", "!", "'s", "木"})
        public String unit = "";

        @Param({"1", "4"})
        public int megabytes;

        String text = "";
        Tokenizer chained = BytePairTrainer.train(List.of("unused"), 256, 1, List.of());

        @Setup
        public void repeat() {
            text =
                    unit.repeat(
                            megabytes * 1_000_000 / unit.getBytes(StandardCharsets.UTF_8).length);
            chained = BytePairTrainer.train(List.of(unit.repeat(5000)), 600, 1, List.of());
        }
    }

    /// The rate must not fall with the length: the work is linear, but for the logarithm of a heap.
    @Benchmark
    public int[] encodeHostile(Read read, Hostile hostile) {
        read.megabytes += hostile.megabytes;
        return tokenizer.encode(hostile.text);
    }

    @Benchmark
    public int[] encodeChained(Read read, Hostile hostile) {
        read.megabytes += hostile.megabytes;
        return hostile.chained.encode(hostile.text);
    }
}
