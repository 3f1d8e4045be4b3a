package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.espalier.Rng;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The Hugging Face library reads the `tokenizer.json` that we write, and gives the same ids,
/// offsets and texts on random strings of code points assigned in Unicode 12.
class HuggingFaceLibraryTest {
    private static final int STRINGS = 100_000;
    private static final int BATCH = 1000;

    @TempDir private static Path folder;

    @BeforeAll
    static void offline() {
        // The library lies in the jar; it must neither be looked for elsewhere nor cached in the
        // user's home.
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("RUST_FLAVOR", "cpu");
        System.setProperty("ENGINE_CACHE_DIR", folder.resolve("native").toString());
    }

    static List<Path> goldens() throws Exception {
        return TokenizerGoldenTest.goldens();
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void byteLevelTokenizersAgree(Path golden) throws Exception {
        var tokenizer = Tokenizers.read(golden.resolve("saved"));
        agree(
                tokenizer,
                golden.getFileName().toString().hashCode(),
                STRINGS / goldens().size() / BATCH * BATCH);
    }

    @Test
    void prefixSpaceAgrees() throws Exception {
        for (var name : List.of("gpt2", "roberta")) {
            var source = Path.of("src/test/resources/tokenizers", name, "saved");
            var copy = Files.createDirectories(folder.resolve("prefix-" + name));
            for (var file : List.of("vocab.json", "merges.txt", "special_tokens_map.json")) {
                Files.copy(source.resolve(file), copy.resolve(file));
            }
            Files.writeString(
                    copy.resolve("tokenizer_config.json"),
                    Files.readString(source.resolve("tokenizer_config.json"))
                            .replace("\"add_prefix_space\": false", "\"add_prefix_space\": true"));
            agree(Tokenizers.read(copy), 2, 10_000);
        }
    }

    @Test
    void trainedTokenizersAgree() throws Exception {
        var texts = IntStream.range(0, 2000).mapToObj(i -> string(3, i)).toList();
        var specials = List.of("<pad>", "<unk>", "<|endoftext|>");
        agree(BytePairTrainer.train(texts, 600, 2, specials), 4, 10_000);
        agree(CharacterTokenizer.train(texts, specials), 5, 10_000);
    }

    @Test
    void addedTokensAgree() throws Exception {
        var tokenizer =
                Tokenizers.read(Path.of("src/test/resources/tokenizers/roberta/saved"))
                        .withAddedTokens(List.of("the", " stop", "ab", "abc", "木", "'s", "a b"))
                        .withSpecialTokens(List.of("<sep>", "🌳", "\n"));
        agree(tokenizer, 6, 10_000);
    }

    private static void agree(Tokenizer tokenizer, long seed, int count) throws Exception {
        var saved = Files.createTempDirectory(folder, "saved");
        tokenizer.save(saved);
        // The tokenizer that is read back is the same too.
        var again = Tokenizers.read(saved);
        try (var oracle =
                HuggingFaceTokenizer.newInstance(
                        saved.resolve("tokenizer.json"),
                        Map.of(
                                "addSpecialTokens", "false",
                                "truncation", "false",
                                "padding", "false"))) {
            for (int first = 0; first < count; first += BATCH) {
                var texts = new ArrayList<String>(BATCH);
                for (int i = first; i < first + BATCH; i++) {
                    texts.add(string(seed, i));
                }
                var expected = oracle.batchEncode(texts, false, true);
                for (int i = 0; i < BATCH; i++) {
                    var text = texts.get(i);
                    var ids =
                            Arrays.stream(expected[i].getIds())
                                    .mapToInt(Math::toIntExact)
                                    .toArray();
                    var ours = tokenizer.encodeWithOffsets(text);
                    assertThat(ours.ids()).as(() -> shown(text)).isEqualTo(ids);
                    assertThat(tokenizer.encode(text)).as(() -> shown(text)).isEqualTo(ids);
                    assertThat(again.encode(text)).as(() -> shown(text)).isEqualTo(ids);
                    var starts = new int[ids.length];
                    var ends = new int[ids.length];
                    for (int t = 0; t < ids.length; t++) {
                        // Its spans count code points.
                        CharSpan span = expected[i].getCharTokenSpans()[t];
                        starts[t] = text.offsetByCodePoints(0, span.getStart());
                        ends[t] = text.offsetByCodePoints(0, span.getEnd());
                    }
                    assertThat(ours.starts()).as(() -> shown(text)).isEqualTo(starts);
                    assertThat(ours.ends()).as(() -> shown(text)).isEqualTo(ends);
                    if (i % 50 == 0) {
                        assertThat(tokenizer.decode(ids))
                                .as(() -> shown(text))
                                .isEqualTo(oracle.decode(expected[i].getIds(), false));
                    }
                }
            }
        }
    }

    private static String shown(String text) {
        var codes = new StringBuilder();
        text.codePoints().forEach(c -> codes.append(Integer.toHexString(c)).append(' '));
        return text + " = " + codes;
    }

    private static final int[] ASSIGNED = assigned();

    private static int[] assigned() {
        try {
            return Files.readAllLines(Path.of("src/test/resources/tokenizers/unicode-12.txt"))
                    .stream()
                    .flatMapToInt(line -> {
                        var ends = line.split("-");
                        return IntStream.rangeClosed(
                                Integer.parseInt(ends[0], 16),
                                Integer.parseInt(ends[ends.length - 1], 16));
                    })
                    .toArray();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static final String[] FRAGMENTS = {
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "\u00a0",
        "\u3000",
        "'s",
        "'S",
        "'ll",
        "'re",
        "'",
        "the",
        " the",
        "Hello",
        "world",
        "don't",
        "123",
        "½",
        "٣",
        "é",
        "e\u0301",
        "木",
        "🌳",
        "👩‍🌾",
        "...",
        "<s>",
        "</s>",
        "<mask>",
        "<pad>",
        "<|endoftext|>",
        "<|endoftext",
        "aaaa",
        "_",
        "\u0085",
        "\u001c",
        "\u200b",
        "\ufeff",
        "stop",
        "ab",
        "abc"
    };

    /// A string of code points of the whole of Unicode 12, of its first thousand, or of fragments
    /// that tokenizers find hard.
    static String string(long seed, int index) {
        var random = Rng.at(seed, index);
        int length = random.nextInt(24);
        var text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            switch (random.nextInt(4)) {
                case 0 -> text.appendCodePoint(ASSIGNED[random.nextInt(ASSIGNED.length)]);
                case 1 -> text.appendCodePoint(ASSIGNED[random.nextInt(1000)]);
                case 2 -> text.append((char) (' ' + random.nextInt(95)));
                default -> text.append(FRAGMENTS[random.nextInt(FRAGMENTS.length)]);
            }
        }
        return text.toString();
    }
}
