package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.espalier.Rng;
import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

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
    void goldenTokenizersAgree(Path golden) throws Exception {
        var tokenizer = Tokenizers.read(golden.resolve("saved"));
        var name = golden.getFileName().toString();
        agree(
                tokenizer,
                name.hashCode(),
                (name.equals("gpt2") ? STRINGS : STRINGS / 4) / BATCH * BATCH);
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
        agree(CharacterTokenizer.train(texts, specials), 5, STRINGS);
        agree(WordPieceTrainer.train(texts, 2000, 2, true, true), 10, 20_000);
        agree(WordPieceTrainer.train(texts, 2000, 2, false, false), 11, 10_000);
        agree(WordPieceTrainer.train(texts, 2000, 2, true, false), 12, 10_000);
        agree(WordPieceTrainer.train(texts, 2000, 2, false, true), 13, 10_000);
    }

    static Stream<Arguments> sentencePieces() {
        return Stream.of(
                Arguments.of(Trained.UNIGRAM, 20, STRINGS),
                Arguments.of(unigram(Normalization.NFKC, true), 21, 20_000),
                Arguments.of(unigram(Normalization.IDENTITY, false), 22, 20_000),
                Arguments.of(Trained.PAIRS, 23, STRINGS));
    }

    private static List<String> texts() {
        return IntStream.range(0, 3000).mapToObj(i -> string(3, i)).toList();
    }

    private static Tokenizer unigram(Normalization normalization, boolean bytes) {
        return SentencePieceTrainer.unigram(
                texts(), 3000, 0.8, normalization, bytes, List.of("<pad>", "</s>", "<unk>"));
    }

    /// Trained once for all that ask for them.
    private static final class Trained {
        static final Tokenizer UNIGRAM = unigram(Normalization.NMT_NFKC, false);
        static final Tokenizer PAIRS =
                SentencePieceTrainer.bytePairs(
                        texts(), 3000, 2, 0.8, List.of("<unk>", "<s>", "</s>"));
    }

    @ParameterizedTest
    @MethodSource("sentencePieces")
    void sentencePiecesAgree(Tokenizer tokenizer, long seed, int count) throws Exception {
        agree(tokenizer, seed, count);
    }

    /// The ways of putting spaces that files have: those of T5's older ones, of later ones, of
    /// Llama's later ones, and of text that is one piece.
    @ParameterizedTest
    @CsvSource({
        "true, true, , true",
        "true, true, first, true",
        "true, false, first, false",
        "true, false, always, false",
        "true, false, never, true",
        "false, true, always, true",
        "false, false, first, false",
        "false, false, always, true"
    })
    void waysOfPuttingSpacesAgree(boolean unigram, boolean whitespace, String scheme, boolean split)
            throws Exception {
        var source = Files.createTempDirectory(folder, "source");
        (unigram ? Trained.UNIGRAM : Trained.PAIRS).save(source);
        var json = (ObjectNode) Json.read(source.resolve("tokenizer.json"));
        var steps =
                json.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
        if (whitespace) {
            steps.addObject().put("type", "WhitespaceSplit");
            json.set("normalizer", json.path("normalizer").path("normalizers").path(0));
        }
        var metaspace = steps.addObject().put("type", "Metaspace").put("replacement", "\u2581");
        if (scheme == null) {
            metaspace.put("add_prefix_space", true);
        } else {
            metaspace.put("prepend_scheme", scheme).put("split", split);
        }
        if (!unigram) {
            json.putNull("normalizer");
        }
        var alone = Files.createTempDirectory(folder, "alone").resolve("tokenizer.json");
        Files.writeString(alone, json.toString());
        agree(Tokenizers.read(alone), 24, 10_000);
    }

    @Test
    void addedTokensAgree() throws Exception {
        var tokenizer =
                Tokenizers.read(Path.of("src/test/resources/tokenizers/roberta/saved"))
                        .withAddedTokens(List.of("the", " stop", "ab", "abc", "木", "'s", "a b"))
                        .withSpecialTokens(List.of("<sep>", "🌳", "\n"));
        agree(tokenizer, 6, 10_000);
        for (var each : List.of(Trained.UNIGRAM, Trained.PAIRS)) {
            agree(
                    each.withAddedTokens(List.of("the", " stop", "ab", "ABC", "木", "'s", "a b"))
                            .withSpecialTokens(List.of("<sep>", "🌳", "\n")),
                    15,
                    10_000);
        }
        agree(
                Tokenizers.read(Path.of("src/test/resources/tokenizers/bert_uncased/saved"))
                        .withAddedTokens(List.of("The", " stop", "ab", "ABC", "木", "'s", "a b"))
                        .withSpecialTokens(List.of("<sep>", "🌳", "\n")),
                14,
                10_000);
    }

    /// Llama 3 and cl100k as their files have them, one inverted as some have it, and Qwen 2.
    static Stream<Arguments> splits() {
        return Stream.of(
                Arguments.of(Split.CL100K, "Isolated", false),
                Arguments.of(Split.CL100K, "Removed", false),
                Arguments.of(Split.QWEN2, "Isolated", true),
                Arguments.of(Split.GPT2, "Isolated", true));
    }

    @ParameterizedTest
    @MethodSource("splits")
    void splitsAgree(Split split, String behavior, boolean nfc) throws Exception {
        agree(splitting(folder, split, behavior, nfc, false), 7, STRINGS / 4);
    }

    /// SmolLM and StarCoder as their files have them, and the other way of telling digits apart.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void digitsAgree(boolean individual) throws Exception {
        var source = Files.createTempDirectory(folder, "source");
        splitting(folder, Split.GPT2, "Isolated", false, false).save(source);
        agree(Tokenizers.read(digits(source, individual)), 25, STRINGS / 4);
    }

    /// The file `tokenizer.json` of `folder` with `Digits` before `ByteLevel`.
    static Path digits(Path folder, boolean individual) throws Exception {
        var file = folder.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        var steps =
                json.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
        steps.addObject().put("type", "Digits").put("individual_digits", individual);
        steps.addObject()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        return Files.writeString(file, json.toString());
    }

    /// As published files have them: the library reads tokens at their ids where the model's
    /// vocabulary has them.
    @Test
    void holesAgree() throws Exception {
        var source = Files.createTempDirectory(folder, "source");
        splitting(folder, Split.CL100K, "Isolated", false, true)
                .withSpecialTokens(List.of("<|endoftext|>", "stop"))
                .save(source);
        var file = source.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        var vocabulary = (ObjectNode) json.get("model").get("vocab");
        int id = vocabulary.size() + 1;
        for (var token : json.get("added_tokens")) {
            ((ObjectNode) token).put("id", id);
            vocabulary.put(token.get("content").stringValue(), id);
            id += 16;
        }
        Files.writeString(file, json.toString());
        Files.delete(source.resolve("tokenizer_config.json"));
        Files.delete(source.resolve("special_tokens_map.json"));
        var tokenizer = Tokenizers.read(source);
        agree(tokenizer, 26, 10_000);
        agree(tokenizer.withAddedTokens(List.of("the")), 27, 10_000);
    }

    @Test
    void wholePiecesAgree() throws Exception {
        agree(splitting(folder, Split.CL100K, "Isolated", false, true), 8, 10_000);
    }

    /// Added tokens with all settings, inside and outside of the vocabulary, around all of NFC.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void settingsOfAddedTokensAgree(boolean nfc) throws Exception {
        var source = Files.createTempDirectory(folder, "source");
        splitting(folder, Split.QWEN2, "Isolated", nfc, false)
                .withAddedTokens(
                        List.of("the", "\u01e9", "e\u0301\u0323", "木", "'s", "a b", "\u212b"))
                .withAddedTokens(IntStream.range(0, 12).mapToObj(i -> "<" + i + ">").toList())
                .withSpecialTokens(List.of("<|endoftext|>", "ab", "stop", "Hello", "..."))
                .save(source);
        var file = source.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        int i = 0;
        for (var token : json.get("added_tokens")) {
            ((ObjectNode) token)
                    .put("lstrip", (i & 1) != 0)
                    .put("rstrip", (i & 2) != 0)
                    .put("normalized", (i & 4) != 0)
                    .put("single_word", i % 3 == 0);
            i++;
        }
        var alone = Files.createTempDirectory(folder, "alone").resolve("tokenizer.json");
        Files.writeString(alone, json.toString());
        agree(Tokenizers.read(alone), 9, 20_000);
    }

    /// A tokenizer learnt on the strings, with another way of splitting.
    static Tokenizer splitting(
            Path folder, Split split, String behavior, boolean nfc, boolean ignoreMerges)
            throws Exception {
        var texts = IntStream.range(0, 3000).mapToObj(i -> string(3, i)).toList();
        var source = Files.createTempDirectory(folder, "source");
        BytePairTrainer.train(texts, 800, 2, List.of()).save(source);
        var file = source.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        split(json, split, behavior);
        if (nfc) {
            json.putObject("normalizer").put("type", "NFC");
        }
        var model = (ObjectNode) json.get("model");
        model.put("ignore_merges", ignoreMerges);
        var vocabulary = (ObjectNode) model.get("vocab");
        // Tokens that no merges make.
        for (var whole : List.of("ĠHello", "!!", "123", "don", "åħ", "_world", "aaaaaaaa")) {
            if (!vocabulary.has(whole)) {
                vocabulary.put(whole, vocabulary.size());
            }
        }
        var alone = Files.createTempDirectory(folder, "alone").resolve("tokenizer.json");
        Files.writeString(alone, json.toString());
        return Tokenizers.read(alone);
    }

    /// Gives a `tokenizer.json` the pre-tokenizer of Llama 3 or Qwen 2.
    static void split(ObjectNode json, Split split, String behavior) {
        var pre = json.putObject("pre_tokenizer").put("type", "Sequence");
        var steps = pre.putArray("pretokenizers");
        var cut = steps.addObject().put("type", "Split");
        cut.putObject("pattern").put("Regex", split.expression);
        cut.put("behavior", behavior).put("invert", behavior.equals("Removed"));
        steps.addObject()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", false);
    }

    private static void agree(Tokenizer tokenizer, long seed, int count) throws Exception {
        var saved = Files.createTempDirectory(folder, "saved");
        tokenizer.save(saved);
        var later =
                switch (Json.read(saved.resolve("tokenizer.json"))
                        .path("normalizer")
                        .path("type")
                        .asString("")) {
                    case "BertNormalizer" -> LATER_CLASSES;
                    case "NFC" -> LATER;
                    default -> "(?!)";
                };
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
                    texts.add(string(seed, i).replaceAll(later, ""));
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
                    if (tokenizer instanceof WordPieceTokenizer
                            && text.codePoints().anyMatch(HuggingFaceLibraryTest::moves)) {
                        continue; // the places of marks that change theirs are ours
                    }
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
                        var decoded = oracle.decode(expected[i].getIds(), false);
                        // Its Python side draws clitics to their words afterwards.
                        assertThat(tokenizer.decode(ids))
                                .as(() -> shown(text))
                                .isEqualTo(
                                        tokenizer instanceof WordPieceTokenizer
                                                ? WordPieceTokenizer.cleanUp(decoded)
                                                : decoded);
                    }
                }
            }
        }
    }

    /// Combining marks that Unicode 10 to 12 added: the library's tables for NFC are older.
    private static final String LATER =
            "[\\x{7fd}\\x{8d3}\\x{9fe}\\x{d3b}\\x{d3c}\\x{eba}\\x{1df6}-\\x{1df9}\\x{10d24}-\\x{10d27}"
                    + "\\x{10f46}-\\x{10f50}\\x{1133b}\\x{1145e}\\x{11839}\\x{1183a}\\x{119e0}"
                    + "\\x{11a34}\\x{11a47}\\x{11a99}\\x{11d42}\\x{11d44}\\x{11d45}\\x{11d97}"
                    + "\\x{1e130}-\\x{1e136}\\x{1e2ec}-\\x{1e2ef}]";

    /// Marks and punctuation that Unicode 9 to 12 added or changed: the library's classes of
    /// characters, by which it cleans text for BERT, are those of Unicode 8.
    private static final String LATER_CLASSES =
            "[\\x{7fd}\\x{8d3}-\\x{8e2}\\x{9fd}-\\x{9fe}\\x{a76}\\x{afa}-\\x{aff}\\x{c04}"
                    + "\\x{c77}\\x{c84}\\x{d00}\\x{d3b}-\\x{d3c}\\x{eba}\\x{166d}\\x{1734}"
                    + "\\x{1885}-\\x{1886}\\x{1df6}-\\x{1df9}\\x{1dfb}\\x{2e43}-\\x{2e4f}\\x{a8c5}"
                    + "\\x{a8ff}\\x{a9bd}\\x{10d24}-\\x{10d27}\\x{10f46}-\\x{10f50}"
                    + "\\x{10f55}-\\x{10f59}\\x{110cd}\\x{111c9}\\x{1123e}\\x{1133b}"
                    + "\\x{11438}-\\x{1143f}\\x{11442}-\\x{11444}\\x{11446}\\x{1144b}-\\x{1144f}"
                    + "\\x{1145b}\\x{1145d}-\\x{1145e}\\x{11660}-\\x{1166c}\\x{1171e}"
                    + "\\x{1182f}-\\x{11837}\\x{11839}-\\x{1183b}\\x{119d4}-\\x{119d7}"
                    + "\\x{119da}-\\x{119db}\\x{119e0}\\x{119e2}\\x{11a01}-\\x{11a0a}"
                    + "\\x{11a33}-\\x{11a38}\\x{11a3b}-\\x{11a47}\\x{11a51}-\\x{11a56}"
                    + "\\x{11a59}-\\x{11a5b}\\x{11a8a}-\\x{11a96}\\x{11a98}-\\x{11a9c}"
                    + "\\x{11a9e}-\\x{11aa2}\\x{11c30}-\\x{11c36}\\x{11c38}-\\x{11c3d}\\x{11c3f}"
                    + "\\x{11c41}-\\x{11c45}\\x{11c70}-\\x{11c71}\\x{11c92}-\\x{11ca7}"
                    + "\\x{11caa}-\\x{11cb0}\\x{11cb2}-\\x{11cb3}\\x{11cb5}-\\x{11cb6}"
                    + "\\x{11d31}-\\x{11d36}\\x{11d3a}\\x{11d3c}-\\x{11d3d}\\x{11d3f}-\\x{11d45}"
                    + "\\x{11d47}\\x{11d90}-\\x{11d91}\\x{11d95}\\x{11d97}\\x{11ef3}-\\x{11ef4}"
                    + "\\x{11ef7}-\\x{11ef8}\\x{11fff}\\x{13430}-\\x{13438}\\x{16e97}-\\x{16e9a}"
                    + "\\x{16f4f}\\x{16fe2}\\x{1e000}-\\x{1e006}\\x{1e008}-\\x{1e018}"
                    + "\\x{1e01b}-\\x{1e021}\\x{1e023}-\\x{1e024}\\x{1e026}-\\x{1e02a}"
                    + "\\x{1e130}-\\x{1e136}\\x{1e2ec}-\\x{1e2ef}\\x{1e944}-\\x{1e94a}"
                    + "\\x{1e95e}-\\x{1e95f}]";

    private static boolean moves(int c) {
        return Character.getType(c) == Character.COMBINING_SPACING_MARK
                && Nfc.combiningOrder(c) > 0;
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
        "'VE",
        "'\u017f",
        "'L",
        "\r",
        "\n\n",
        " \n",
        "!\n",
        " !!!",
        "12345",
        "e\u0301\u0323",
        "a\u0345\u0301\u0323",
        "\u212b",
        "\u1112\u1161\u11ab",
        "\ud55c",
        "\u0928\u093c",
        "\u0958",
        "\u01e9",
        "k\u030c",
        "<3>",
        "<7>",
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
