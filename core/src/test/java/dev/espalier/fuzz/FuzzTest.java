package dev.espalier.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import com.github.luben.zstd.Zstd;
import com.sun.management.ThreadMXBean;
import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.data.ConversationReader;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.MinimalPairReader;
import dev.espalier.data.PairReader;
import dev.espalier.data.PreferenceReader;
import dev.espalier.data.ShardBuilder;
import dev.espalier.data.TokenShard;
import dev.espalier.data.TokenShardWriter;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.image.Decoder;
import dev.espalier.image.Preprocessor;
import dev.espalier.io.Json;
import dev.espalier.recipe.Recipes;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizers;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every reader of what others wrote, given mutated files: it reads them or refuses them with a
/// message for a person, takes memory in proportion to the file, and ends. `-Despalier.fuzz=N`
/// tries N files a reader.
class FuzzTest {
    private static final int COUNT = Integer.getInteger("espalier.fuzz", 800);
    private static final long SEED = Long.getLong("espalier.fuzz.seed", 1);

    /// What any reader may allocate, and how much more for each byte of the file.
    private static final long FIXED = 16L << 20;

    private static final long PER_BYTE = 2000;

    /// What the process may grow by meanwhile: tensors lie outside of Java's heap, which grows in
    /// strides of its own.
    private static final long GROWTH = 512L << 20;

    /// It is asked after so many files, since an answer takes longer than most of them, and at once
    /// after one that took long, or when so much was allocated in Java's heap, which may grow by
    /// it.
    private static final int ASKED = 100;

    private static final long LONG_NANOS = 20_000_000;

    private static final long ALLOCATED = 64L << 20;

    /// Where Linux tells the most that a process held, and has it forgotten.
    private static final Path STATUS = Path.of("/proc/self/status");

    private static final Path FORGET = Path.of("/proc/self/clear_refs");

    /// Far beyond what any of these files takes.
    private static final long HANG_MILLIS = 30_000;

    private static final Path RESOURCES = Path.of("src/test/resources");
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));

    private static final List<String> WORDS =
            List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "w", "##orld", "<", ">");

    @TempDir static Path temp;

    /// @param file that is mutated, below a folder of the reader's own
    /// @param repair makes a mutated file look whole, or leaves it as it is
    /// @param fixed what it may allocate, whatever the file's size
    private record Reader(
            String name,
            String file,
            List<byte[]> seeds,
            UnaryOperator<byte[]> repair,
            long fixed,
            Body body) {
        Reader(String name, String file, List<byte[]> seeds, Body body) {
            this(name, file, seeds, bytes -> bytes, FIXED, body);
        }

        Reader(
                String name,
                String file,
                List<byte[]> seeds,
                UnaryOperator<byte[]> repair,
                Body body) {
            this(name, file, seeds, repair, FIXED, body);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private interface Body {
        void read(Path file) throws IOException;
    }

    static Stream<Reader> readers() throws IOException {
        var gpt2 = GOLDENS.resolve("gpt2");
        var adapter = GOLDENS.resolve("lora_gpt2/adapter");
        var saved = Files.createDirectories(temp.resolve("saved"));
        Tokenizers.read(RESOURCES.resolve("tokenizers/roberta/saved")).save(saved);
        var vocabulary = RESOURCES.resolve("tokenizers/gpt2/saved");
        var base = model("decoder", gpt2);
        var llama = model("llama", GOLDENS.resolve("llama"));
        var encoder = model("encoder", GOLDENS.resolve("bert_seqcls"));
        var classifier = model("classifier", GOLDENS.resolve("gpt2_seqcls"));
        var fixed =
                Files.copy(
                        adapter.resolve("adapter_model.safetensors"),
                        Files.createDirectories(temp.resolve("adapter"))
                                .resolve("adapter_model.safetensors"));
        var vocabularyFolder = Files.createDirectories(temp.resolve("merges"));
        Files.copy(vocabulary.resolve("vocab.json"), vocabularyFolder.resolve("vocab.json"));
        var csv =
                "text,label\n\"a \"\"b\"\"\nc\",x\nd\u00e9,y\n,\n".getBytes(StandardCharsets.UTF_8);
        var jsonl =
                "{\"text\":\"a\\u00e9\",\"label\":1}\n{\"label\":true,\"text\":\"b\"}\n\n"
                        .getBytes(StandardCharsets.UTF_8);
        var conll =
                "-DOCSTART- O\n\nLise NNP B-PER\nB\u00e9arn NNP I-PER\n. . O\n\nNo DT O\n"
                        .getBytes(StandardCharsets.UTF_8);
        var text =
                "# A title\n\nSome *prose*, `code`\r\nand caf\u00e9.\n```\nmore\n```\n"
                        .repeat(20)
                        .getBytes(StandardCharsets.UTF_8);
        return Stream.concat(
                Stream.concat(families(), pictures()),
                Stream.of(
                        new Reader(
                                "safetensors",
                                "tensors/model.safetensors",
                                seeds(adapter.resolve("adapter_model.safetensors"), tensors()),
                                file -> {
                                    try (var tensors = SafeTensors.open(file)) {
                                        for (var entry : tensors.entries()) {
                                            var unused =
                                                    entry.data().toArray(ValueLayout.JAVA_BYTE);
                                        }
                                    }
                                }),
                        new Reader(
                                "tokenizer.json",
                                "tokenizer/tokenizer.json",
                                seeds(saved.resolve("tokenizer.json")),
                                FuzzTest::tokenize),
                        new Reader(
                                "tokenizer.json of SentencePiece",
                                "sentencepiece/tokenizer.json",
                                sentencePieces(),
                                FuzzTest::tokenize),
                        new Reader(
                                "tokenizer.model",
                                "model/tokenizer.model",
                                seeds(
                                        RESOURCES.resolve("tokenizers/unigram.model"),
                                        RESOURCES.resolve("tokenizers/bpe.model")),
                                FuzzTest::tokenize),
                        new Reader(
                                "merges.txt",
                                "merges/merges.txt",
                                seeds(vocabulary.resolve("merges.txt")),
                                FuzzTest::tokenize),
                        new Reader(
                                "tokenizer_config.json",
                                "configured/tokenizer_config.json",
                                List.of(
                                        Files.readAllBytes(
                                                vocabulary.resolve("tokenizer_config.json")),
                                        "{\"chat_template\": [{\"name\": \"default\", \"template\": \"<|im_start|>{{ m }}<|im_end|>\"}]}"
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> {
                                    for (var other : List.of("vocab.json", "merges.txt")) {
                                        copyOnce(vocabulary, file, other);
                                    }
                                    tokenize(file);
                                    ChatTemplate.read(folder(file));
                                }),
                        new Reader(
                                "config.json of a decoder",
                                "decoder/config.json",
                                seeds(gpt2.resolve("config.json")),
                                file -> HuggingFace.readDecoder(folder(file)).model().free()),
                        new Reader(
                                "config.json of a Llama",
                                "llama/config.json",
                                seeds(llama.resolve("config.json")),
                                file -> HuggingFace.readDecoder(folder(file)).model().free()),
                        new Reader(
                                "config.json of an encoder",
                                "encoder/config.json",
                                seeds(encoder.resolve("config.json")),
                                file -> HuggingFace.readClassifier(folder(file)).model().free()),
                        new Reader(
                                "model.safetensors.index.json",
                                "sharded/model.safetensors.index.json",
                                List.of(shards(gpt2)),
                                file -> HuggingFace.readDecoder(folder(file)).model().free()),
                        new Reader(
                                "config.json of a classifier",
                                "classifier/config.json",
                                List.of(
                                        Files.readAllBytes(classifier.resolve("config.json")),
                                        Files.readString(base.resolve("config.json"))
                                                .replaceFirst("\\{", "{ \"num_labels\": 3,")
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> HuggingFace.readClassifier(folder(file)).model().free()),
                        new Reader(
                                "generation_config.json",
                                "generation/generation_config.json",
                                List.of(
                                        Files.readAllBytes(gpt2.resolve("generation_config.json")),
                                        """
                                        {"do_sample": true, "temperature": 0.7, "top_k": 40, "top_p": 0.9,
                                         "num_beams": 1, "eos_token_id": [1, 2], "max_new_tokens": 20,
                                         "repetition_penalty": 1.1, "stop_strings": ["a", "b"]}
                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> {
                                    var defaults =
                                            GenerationConfig.of(
                                                    Sampling.greedy(),
                                                    new Limits(10, List.of(), Set.of()));
                                    GenerationConfig.read(folder(file), defaults);
                                }),
                        new Reader(
                                "adapter_config.json",
                                "adapter/adapter_config.json",
                                seeds(adapter.resolve("adapter_config.json")),
                                file -> {
                                    var model =
                                            HuggingFace.readDecoder(GOLDENS.resolve("lora_gpt2"));
                                    try {
                                        HuggingFace.readAdapter(folder(fixed), model.model());
                                    } finally {
                                        model.model().free();
                                    }
                                }),
                        new Reader(
                                "index of a shard's files",
                                "indexed/a.files",
                                List.of(index()),
                                FuzzTest::withChecksum,
                                file -> {
                                    try (var shard =
                                            TokenShard.open(file.resolveSibling("a.tokens"))) {
                                        shard.window(0, (int) shard.tokens());
                                    }
                                }),
                        new Reader(
                                "token shard",
                                "shard/a.tokens",
                                List.of(shard(300), shard(70_000)),
                                FuzzTest::withChecksums,
                                file -> {
                                    try (var shard = TokenShard.open(file)) {
                                        shard.verify();
                                        for (var d = 0; d < shard.documents(); d++) {
                                            var from = shard.documentStart(d);
                                            shard.read(from, (int) (shard.documentEnd(d) - from));
                                        }
                                    }
                                }),
                        new Reader(
                                "recipe",
                                "recipe/recipe.yaml",
                                seeds(
                                        Path.of("../recipes/pretrain/gpt2-toy.yaml"),
                                        Path.of(
                                                "../recipes/finetune/classification-lora-toy.yaml")),
                                Recipes::read),
                        new Reader(
                                "labelled CSV",
                                "labelled/a.csv",
                                List.of(csv, gzip(csv), Zstd.compress(csv)),
                                FuzzTest::labelled),
                        new Reader(
                                "labelled TSV",
                                "labelled/a.tsv",
                                List.of(
                                        "text\tlabel\na\tb\n\"c\"\td\n"
                                                .getBytes(StandardCharsets.UTF_8)),
                                FuzzTest::labelled),
                        new Reader(
                                "conversations",
                                "conversations/a.jsonl",
                                List.of(
                                        """
                                        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
                                        {"instruction": "a", "input": "", "output": "b", "system": null}
                                        {"prompt": [{"role": "user", "content": "a"}], "completion": "b"}
                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> ConversationReader.read(file, lenient())),
                        new Reader(
                                "conversations in a list",
                                "conversations/a.json",
                                packedToo(
                                        """
                                        [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
                                         {"instruction": "a", "input": "", "output": "b", "system": null}, 7]
                                        """),
                                file -> ConversationReader.read(file, lenient())),
                        new Reader(
                                "pairs of answers in a list",
                                "pairs/a.json",
                                packedToo(
                                        """
                                        [{"prompt": "a", "chosen": "b", "rejected": "c"},
                                         {"instruction": "a", "input": null, "chosen": "b", "rejected": "c"}]
                                        """),
                                file -> PreferenceReader.read(file, lenient())),
                        new Reader(
                                "minimal pairs in a list",
                                "minimal/a.json",
                                packedToo(
                                        """
                                        [{"sentence_good": "a b", "sentence_bad": "b a", "UID": "order"},
                                         {"sentence_good": "c", "sentence_bad": "d"}]
                                        """),
                                file -> MinimalPairReader.read(file.toString(), 10, lenient())),
                        new Reader(
                                "pairs of answers",
                                "pairs/a.jsonl",
                                List.of(
                                        """
                                        {"prompt": "a", "chosen": "b", "rejected": "c"}
                                        {"instruction": "a", "input": null, "chosen": "b", "rejected": "c"}
                                        {"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> PreferenceReader.read(file, lenient())),
                        new Reader(
                                "labelled JSONL",
                                "labelled/a.jsonl",
                                List.of(jsonl, gzip(jsonl), Zstd.compress(jsonl)),
                                FuzzTest::labelled),
                        new Reader(
                                "pairs of texts",
                                "pairs/a.tsv",
                                List.of(
                                        "small\tlarge\na\tA\n\"b\"\tB\n"
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> PairReader.read(file, "small", "large", lenient())),
                        new Reader(
                                "vocab.txt",
                                "words/vocab.txt",
                                List.of(
                                        String.join("\n", WORDS).getBytes(StandardCharsets.UTF_8),
                                        String.join("\r\n", WORDS)
                                                .getBytes(StandardCharsets.UTF_8)),
                                FuzzTest::tokenize),
                        new Reader(
                                "CoNLL",
                                "tagged/a.conll",
                                List.of(conll, gzip(conll), Zstd.compress(conll)),
                                FuzzTest::tagged),
                        new Reader(
                                "CoNLL-U",
                                "tagged/a.conllu",
                                List.of(
                                        """
                                        # text = It's
                                        1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_
                                        1\tIt\tit\tPRON\tPRP\tCase=Nom\t2\tnsubj\t_\t_
                                        2\t's\tbe\tAUX\tVBZ\t_\t0\troot\t2.1:x\tSpaceAfter=No
                                        2.1\tx\tx\tVERB\t_\t_\t_\t_\t_\t_

                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                FuzzTest::tagged),
                        new Reader(
                                "spans",
                                "tagged/a.jsonl",
                                List.of(
                                        """
                                        {"text": "Lise de B\u00e9arn \ud83d\ude00.", "spans": [{"start": 0, "end": 13, "label": "PER"}]}
                                        {"text": "no one", "spans": []}
                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                FuzzTest::tagged),
                        new Reader(
                                "text",
                                "text/a.md",
                                List.of(
                                        text,
                                        gzip(text),
                                        Zstd.compress(text),
                                        "\ufeffa\u00e9\n"
                                                .repeat(90)
                                                .getBytes(StandardCharsets.UTF_16LE)),
                                file -> {
                                    documents(FileSource.text(file.toString()));
                                    documents(FileSource.markdown(file.toString()));
                                }),
                        new Reader(
                                "minimal pairs",
                                "minimal/a.jsonl",
                                List.of(
                                        """
                                        {"sentence_good": "a b", "sentence_bad": "b a", "UID": "order"}
                                        {"sentence_good": "c", "sentence_bad": "d"}
                                        """
                                                .getBytes(StandardCharsets.UTF_8)),
                                file -> MinimalPairReader.read(file.toString(), 10, lenient())),
                        new Reader(
                                "weights of an adapter",
                                "adapted/adapter_model.safetensors",
                                seeds(adapter.resolve("adapter_model.safetensors")),
                                file -> {
                                    copyOnce(adapter, file, "adapter_config.json");
                                    var model =
                                            HuggingFace.readDecoder(GOLDENS.resolve("lora_gpt2"));
                                    try {
                                        HuggingFace.readAdapter(folder(file), model.model());
                                    } finally {
                                        model.model().free();
                                    }
                                })));
    }

    /// The configurations of the other families.
    private static Stream<Reader> families() throws IOException {
        var readers = new ArrayList<Reader>();
        for (var name : List.of("bart", "t5", "distilbert_mlm", "roberta_mlm", "vision_encdec")) {
            var folder = model("family-" + name, GOLDENS.resolve(name));
            readers.add(
                    new Reader(
                            "config.json of " + name,
                            "family-" + name + "/config.json",
                            seeds(folder.resolve("config.json")),
                            file -> HuggingFace.readModel(folder(file), null).model().free()));
        }
        for (var name : List.of("vit", "vit_mae", "segformer", "yolos")) {
            var folder = model("family-" + name, GOLDENS.resolve(name));
            readers.add(
                    new Reader(
                            "config.json of " + name,
                            "family-" + name + "/config.json",
                            seeds(folder.resolve("config.json")),
                            file -> HuggingFace.readVision(folder(file), null).model().free()));
        }
        return readers.stream();
    }

    /// Pictures, which may take what the largest takes, and how they are prepared.
    private static Stream<Reader> pictures() throws IOException {
        var image = new BufferedImage(9, 7, BufferedImage.TYPE_INT_RGB);
        var grey = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_INDEXED);
        for (var i = 0; i < 49; i++) {
            image.setRGB(i % 9, i / 9, 0x10203 * i);
            grey.setRGB(i % 8, i / 8, 0x40404 * i);
        }
        var files = new ArrayList<byte[]>();
        for (var format : List.of("png", "jpeg", "gif", "bmp", "tiff")) {
            for (var each : List.of(image, grey)) {
                var out = new ByteArrayOutputStream();
                if (ImageIO.write(each, format, out)) {
                    files.add(out.toByteArray());
                }
            }
        }
        var processing = GOLDENS.resolve("image_processing");
        return Stream.of(
                new Reader(
                        "picture",
                        "picture/a.png",
                        files,
                        bytes -> bytes,
                        16 * Decoder.MOST_PIXELS,
                        Decoder::read),
                new Reader(
                        "preprocessor_config.json",
                        "prepared/preprocessor_config.json",
                        seeds(
                                processing.resolve("vit/preprocessor_config.json"),
                                processing.resolve("segformer/preprocessor_config.json")),
                        file -> Preprocessor.read(folder(file))));
    }

    /// A small charsmap, and both kinds of models.
    private static List<byte[]> sentencePieces() throws IOException {
        var files = new ArrayList<Path>();
        for (var name : List.of("unigram", "bpe")) {
            var folder = temp.resolve("saved-" + name);
            Tokenizers.read(RESOURCES.resolve("tokenizers/" + name + ".model")).save(folder);
            files.add(folder.resolve("tokenizer.json"));
        }
        return seeds(files.toArray(Path[]::new));
    }

    private static void tokenize(Path file) {
        var tokenizer = Tokenizers.read(folder(file));
        var ids = tokenizer.encode("Hello <mask> w\u00f6rld <|endoftext|> 123");
        tokenizer.decode(ids);
        tokenizer.plain().encode("<s> a");
    }

    private static void labelled(Path file) {
        LabelledReader.read(file, new LabelledReader.Columns("text", "label"), null, lenient());
    }

    private static void tagged(Path file) {
        for (var text : TaggedReader.read(file, "", "text", "spans", lenient())) {
            for (var w = 0; w < text.words(); w++) {
                assertThat(text.text().substring(text.starts()[w], text.ends()[w])).isNotEmpty();
            }
        }
    }

    private static void documents(FileSource source) {
        try (var documents = source.documents(lenient())) {
            documents.forEach(document -> assertThat(document.text()).isNotNull());
        }
    }

    private static Ledger lenient() {
        return new Ledger(null, new Ledger.Limit.Share(1));
    }

    @ParameterizedTest
    @MethodSource("readers")
    void aMutatedFileIsReadOrRefused(Reader reader) throws Exception {
        var file = temp.resolve(reader.file);
        Files.createDirectories(folder(file));
        for (var seed : reader.seeds) {
            // The first time loads classes and libraries, which is none of the file's doing.
            reader.body.read(Files.write(file, seed));
        }
        var running = new AtomicReference<Integer>(-1);
        var failure = new AtomicReference<@Nullable Throwable>();
        var thread =
                Thread.ofPlatform()
                        .daemon()
                        .uncaughtExceptionHandler((t, e) -> failure.set(e))
                        .start(() -> fuzz(reader, file, running));
        var last = -1;
        while (!thread.join(java.time.Duration.ofMillis(HANG_MILLIS))) {
            var now = running.get();
            if (now == last) {
                fail("%s: input %d of seed %d hangs; it is in %s", reader, now, SEED, file);
            }
            last = now;
        }
        if (failure.get() instanceof Throwable e) {
            throw new AssertionError(
                    "%s: input %d of seed %d; it is in %s"
                            .formatted(reader, running.get(), SEED, keep(reader, file)),
                    e);
        }
    }

    private static void fuzz(Reader reader, Path file, AtomicReference<Integer> running) {
        var refused = 0;
        var growth = new Growth(reader);
        for (var i = 0; i < COUNT; i++) {
            running.set(i);
            var random = Rng.at(SEED, i, reader.name.hashCode());
            var seeds = reader.seeds;
            var bytes =
                    Mutator.mutate(
                            seeds.get(random.nextInt(seeds.size())),
                            seeds.get(random.nextInt(seeds.size())),
                            random);
            try {
                Files.write(file, random.nextInt(4) == 0 ? bytes : reader.repair.apply(bytes));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            refused += attempt(reader, file, bytes.length, growth) == null ? 0 : 1;
        }
        growth.ask();
        assertThat(refused).as("refused").isLessThan(COUNT);
    }

    /// Why the reader refuses the file, or null if it reads it.
    private static @Nullable String attempt(Reader reader, Path file, int size, Growth growth) {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        var before = threads.getCurrentThreadAllocatedBytes();
        var start = System.nanoTime();
        try {
            reader.body.read(file);
            return null;
        } catch (EspalierException e) {
            assertThat(e.kind()).isIn(Kind.DATA, Kind.USAGE);
            assertThat(e.getMessage()).contains(folder(file).toString()).hasSizeLessThan(2010);
            return e.getMessage();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            var nanos = System.nanoTime() - start;
            var allocated = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated)
                    .as("bytes allocated for %d", size)
                    .isLessThan(reader.fixed + PER_BYTE * size);
            growth.after(nanos, allocated);
        }
    }

    /// What the process grew by while files were read.
    private static final class Growth {
        private final Reader reader;
        private long held = held(true);
        private int files;
        private long allocated;

        Growth(Reader reader) {
            this.reader = reader;
        }

        void after(long nanos, long bytes) {
            files++;
            allocated += bytes;
            if (files == ASKED || nanos > LONG_NANOS || allocated > ALLOCATED) {
                ask();
            }
        }

        void ask() {
            assertThat(held(false) - held)
                    .as("bytes that the process grew by in the last %d files", files)
                    .isLessThan(reader.fixed + GROWTH);
            held = held(true);
            files = 0;
            allocated = 0;
        }
    }

    /// The most bytes that the process held since it was asked `anew`; 0 where nothing tells.
    private static long held(boolean anew) {
        try {
            if (!Files.isWritable(FORGET)) {
                return 0;
            }
            if (anew) {
                Files.writeString(FORGET, "5");
            }
            var status = Files.readString(STATUS);
            var at = status.indexOf("VmHWM:") + "VmHWM:".length();
            return Long.parseLong(status.substring(at, status.indexOf("kB", at)).strip()) << 10;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path keep(Reader reader, Path file) throws IOException {
        var kept = Path.of("target", "fuzz-" + reader.name.replace(' ', '-'));
        return Files.copy(file, kept, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }

    private static Path folder(Path file) {
        return java.util.Objects.requireNonNull(file.getParent());
    }

    private static List<byte[]> seeds(Path... files) throws IOException {
        var seeds = new ArrayList<byte[]>();
        for (var file : files) {
            seeds.add(Files.readAllBytes(file));
        }
        return seeds;
    }

    /// A folder with the weights of `from`, whose configuration is to be mutated.
    private static Path model(String name, Path from) throws IOException {
        var folder = Files.createDirectories(temp.resolve(name));
        for (var file : List.of("config.json", "model.safetensors")) {
            Files.copy(from.resolve(file), folder.resolve(file));
        }
        return folder;
    }

    /// A folder with the weights of `from` in one of several files, and the index of them.
    private static byte[] shards(Path from) throws IOException {
        var folder = model("sharded", from);
        var shard = "model-00001-of-00001.safetensors";
        Files.move(folder.resolve("model.safetensors"), folder.resolve(shard));
        var map = new TreeMap<String, String>();
        try (var tensors = SafeTensors.open(folder.resolve(shard))) {
            tensors.entries().forEach(tensor -> map.put(tensor.name(), shard));
        }
        return Json.mapper().writeValueAsBytes(Map.of("weight_map", map));
    }

    private static void copyOnce(Path from, Path file, String other) throws IOException {
        if (!Files.exists(file.resolveSibling(other))) {
            Files.copy(from.resolve(other), file.resolveSibling(other));
        }
    }

    /// A small file, most of which is its header.
    private static Path tensors() {
        var file = temp.resolve("seed.safetensors");
        var data = MemorySegment.ofArray(new byte[24]);
        SafeTensors.write(
                file,
                List.of(
                        new SafeTensors.Entry("a", SafeTensors.DType.F32, new long[] {2, 3}, data),
                        new SafeTensors.Entry("b", SafeTensors.DType.I64, new long[] {3}, data)));
        return file;
    }

    /// The index of a shard that lies beside the files that are mutated.
    private static byte[] index() throws IOException {
        var sources = Files.createDirectories(temp.resolve("sources"));
        for (var i = 0; i < 5; i++) {
            Files.writeString(sources.resolve(i + ".txt"), "Text " + i);
        }
        var tokens =
                new ShardBuilder.Tokens(
                        text -> text.chars().toArray(),
                        128,
                        "00".repeat(32),
                        id -> 1,
                        ids -> ids,
                        OptionalInt.empty());
        var train =
                ShardBuilder.build(
                                temp.resolve("built"),
                                List.of(FileSource.text(sources + "/*.txt")),
                                tokens,
                                0.001,
                                new Ledger.Limit.Count(0),
                                1)
                        .train(0);
        Files.copy(train, Files.createDirectories(temp.resolve("indexed")).resolve("a.tokens"));
        return Files.readAllBytes(train.resolveSibling("train-00.files"));
    }

    /// As [#withChecksums] for the index of a shard's files.
    private static byte[] withChecksum(byte[] bytes) {
        return bytes.length < 16
                ? bytes
                : ByteBuffer.wrap(bytes.clone())
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putInt(12, crc(bytes, 16, bytes.length - 16))
                        .array();
    }

    private static byte[] shard(int vocabulary) throws IOException {
        var file = temp.resolve("seed-" + vocabulary + ".tokens");
        try (var writer = new TokenShardWriter(file, vocabulary, "00".repeat(32))) {
            writer.add(new int[] {1, 2, vocabulary - 1}, 5);
            writer.add(new int[] {0, 7}, 3);
            writer.finish();
        }
        return Files.readAllBytes(file);
    }

    /// Gives a shard the checksums that its bytes have, so that what stands behind them is read.
    private static byte[] withChecksums(byte[] bytes) {
        if (bytes.length < 96) {
            return bytes;
        }
        var shard = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
        shard.putInt(44, crc(bytes, 96, bytes.length - 96));
        return shard.putInt(92, crc(shard.array(), 0, 92)).array();
    }

    private static int crc(byte[] bytes, int from, int length) {
        var crc = new CRC32C();
        crc.update(bytes, from, length);
        return (int) crc.getValue();
    }

    private static List<byte[]> packedToo(String text) throws IOException {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        return List.of(bytes, gzip(bytes));
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(packed)) {
            out.write(bytes);
        }
        return packed.toByteArray();
    }
}
