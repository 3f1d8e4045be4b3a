package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.io.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class BytePairTokenizerTest {
    private static final Path GPT2 = Path.of("src/test/resources/tokenizers/gpt2/saved");

    private final Tokenizer gpt2 = Tokenizers.read(GPT2);

    private static final String SPACES =
            "\\x{9}-\\x{d} \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

    /// An expression as `java.util.regex` has it, with `\s` spelt out.
    private static Pattern reference(Split split) {
        return Pattern.compile(
                split.expression
                        .replace("(?i:", "(?iu:")
                        .replace("[^\\s", "[^" + SPACES)
                        .replace("\\s", "[" + SPACES + "]")
                        .replace("\\S", "[^" + SPACES + "]"));
    }

    @ParameterizedTest
    @EnumSource
    void piecesAreThoseOfTheExpression(Split split) {
        var reference = reference(split);
        for (int i = 0; i < 20_000; i++) {
            var text = HuggingFaceLibraryTest.string(8, i);
            assertThat(pieces(split, text))
                    .containsExactlyElementsOf(
                            reference.matcher(text).results().map(m -> m.group()).toList());
        }
    }

    /// Worked by hand: the digits first, each for itself, then GPT-2's expression on what is left.
    @Test
    void digitsStandApart() {
        assertThat(pieces(Split.GPT2_DIGITS, "In 2026  7's 3.14 x½٣\n\n4 b"))
                .containsExactly(
                        "In", " ", "2", "0", "2", "6", "  ", "7", "'s", " ", "3", ".", "1", "4",
                        " x", "½", "٣", "\n\n", "4", " b");
        assertThat(pieces(Split.GPT2_NUMBERS, "In 2026  7's 3.14 x½٣\n\n4 b"))
                .containsExactly(
                        "In", " ", "2026", "  ", "7", "'s", " ", "3", ".", "14", " x", "½٣", "\n\n",
                        "4", " b");
        assertThat(pieces(Split.GPT2_DIGITS, "a   b 1 "))
                .containsExactly("a", "  ", " b", " ", "1", " ");
    }

    private static List<String> pieces(Split split, String text) {
        var bytes = utf8(text);
        int length = bytes.length - Utf8Chunks.SLACK;
        var pieces = new ArrayList<String>();
        for (int at = 0; at < length; ) {
            int end = split.next(bytes, at, length);
            pieces.add(new String(bytes, at, end - at, StandardCharsets.UTF_8));
            at = end;
        }
        return pieces;
    }

    private static byte[] utf8(String text) {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        var slack = Arrays.copyOf(bytes, bytes.length + Utf8Chunks.SLACK);
        // What lies beyond the end must not matter.
        Arrays.fill(slack, bytes.length, slack.length, (byte) 'x');
        return slack;
    }

    /// Texts longer than the buffer are encoded as if it were endless.
    @ParameterizedTest
    @EnumSource
    void chunksDoNotShow(Split split, @TempDir Path folder) throws Exception {
        var tokenizer = HuggingFaceLibraryTest.splitting(folder, split, "Isolated", false, false);
        for (var unit :
                List.of(
                        "Hello world, it's 2026.\n",
                        "the",
                        "a",
                        " ",
                        "木🌳",
                        "\u3000 ",
                        "x \n",
                        "!\n",
                        "!\n\n ",
                        "3\r\n",
                        "é é")) {
            var text = unit.repeat(100_000 / unit.length());
            var bytes = utf8(text);
            int length = bytes.length - Utf8Chunks.SLACK;
            var expected = new Ids(16);
            for (int at = 0; at < length; ) {
                int end = split.next(bytes, at, length);
                var piece =
                        tokenizer.encode(new String(bytes, at, end - at, StandardCharsets.UTF_8));
                expected.addAll(piece, piece.length);
                at = end;
            }
            assertThat(tokenizer.encode(text)).as(unit).isEqualTo(expected.toArray());
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
        }
    }

    /// Long pieces take another way through the merges than short ones.
    @Test
    void bothWaysOfMergingAgree() {
        var merges = ((BytePairTokenizer) gpt2).merges();
        var table = new Merges(merges.size());
        for (int rank = 0; rank < merges.size(); rank++) {
            var merge = merges.get(rank);
            table.put(
                    gpt2.id(merge.getKey()).getAsInt(),
                    gpt2.id(merge.getValue()).getAsInt(),
                    rank,
                    gpt2.id(merge.getKey() + merge.getValue()).getAsInt());
        }
        for (int i = 0; i < 5000; i++) {
            var random = Rng.at(9, i);
            int letters = i % 2 == 0 ? 26 : 4;
            var ids =
                    IntStream.range(0, 2 + random.nextInt(100))
                            .map(j -> 64 + random.nextInt(letters))
                            .toArray();
            var other = ids.clone();
            int n = table.applyShort(ids, ids.length);
            assertThat(Arrays.copyOf(other, table.applyLong(other, other.length)))
                    .isEqualTo(Arrays.copyOf(ids, n));
        }
    }

    /// More different pieces than the cache keeps, twice, with all that it keeps differently.
    @Test
    void theCacheDoesNotShow() {
        var text = new StringBuilder();
        for (int i = 0; i < 150_000; i++) {
            var random = Rng.at(12, i);
            text.append(' ');
            for (int n = 1 + random.nextInt(20); n > 0; n--) {
                text.append((char) ('a' + random.nextInt(26)));
            }
        }
        var ids = gpt2.encode(text);
        assertThat(gpt2.encode(text)).isEqualTo(ids);
        assertThat(gpt2.decode(ids)).isEqualTo(text.toString());
        var fresh = Tokenizers.read(GPT2);
        for (int i = 0; i < text.length() - 40; i += 1500) {
            int from = text.indexOf(" ", i);
            var word = text.substring(from, text.indexOf(" ", from + 1));
            assertThat(gpt2.encode(word)).isEqualTo(fresh.encode(word));
        }
    }

    /// Quadratic work on a megabyte does not end within the test's patience.
    @ParameterizedTest
    @EnumSource
    @Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aMegabyteWithoutBordersIsEncoded(Split split, @TempDir Path folder) throws Exception {
        var tokenizer = HuggingFaceLibraryTest.splitting(folder, split, "Isolated", true, true);
        for (var unit :
                List.of(
                        "a",
                        " ",
                        "the",
                        "0",
                        "!",
                        "木",
                        "<",
                        "<|endoftext|>",
                        "' ",
                        "'s",
                        "\n",
                        "\r",
                        "!\n",
                        " \n",
                        "\u0345",
                        "e\u0301",
                        "\u1112\u1161\u11ab")) {
            var text = unit.repeat(1_000_000 / unit.length());
            assertThat(tokenizer.decode(tokenizer.encode(text)))
                    .isEqualTo(Normalizer.normalize(text, Normalizer.Form.NFC));
        }
    }

    /// Each merge makes the next one possible: the longest chains that there are.
    @ParameterizedTest
    @ValueSource(strings = {"a", "ab", "abcdefgh"})
    void mergesThatChainAreApplied(String unit) {
        var chained = BytePairTrainer.train(List.of(unit.repeat(5000)), 600, 1, List.of());
        var text = unit.repeat(1_000_000 / unit.length());
        var ids = chained.encode(text);
        assertThat(chained.decode(ids)).isEqualTo(text);
        assertThat(ids.length).isLessThan(1000);
    }

    @Test
    void surrogatesWithoutPartnersAreReplaced() {
        assertThat(gpt2.decode(gpt2.encode("a\ud800b\udc00\ud83d")))
                .isEqualTo("a\ufffdb\ufffd\ufffd");
        var encoding = gpt2.encodeWithOffsets("\ud800b");
        assertThat(encoding.ends()).endsWith(1, 2);
    }

    @Test
    void offsetsCoverTheText() {
        for (int i = 0; i < 2000; i++) {
            var text = HuggingFaceLibraryTest.string(10, i);
            var encoding = gpt2.encodeWithOffsets(text);
            int reached = 0;
            for (int t = 0; t < encoding.ids().length; t++) {
                assertThat(encoding.starts()[t]).isLessThanOrEqualTo(reached);
                assertThat(encoding.ends()[t]).isGreaterThanOrEqualTo(reached);
                reached = encoding.ends()[t];
            }
            assertThat(reached).isEqualTo(text.length());
        }
    }

    @Test
    void streamsWholeCharactersOnly() {
        var text = "naïve 木🌳👩‍🌾 end";
        var decoder = new StreamingDecoder(gpt2);
        var out = new StringBuilder();
        for (int id : gpt2.encode(text)) {
            var more = decoder.next(id);
            assertThat(more).doesNotContain("\ufffd");
            assertThat(more.isEmpty() || !Character.isHighSurrogate(more.charAt(more.length() - 1)))
                    .isTrue();
            out.append(more);
        }
        assertThat(decoder.finish()).isEmpty();
        assertThat(out).hasToString(text);
        int half = gpt2.encode("木")[0];
        assertThat(decoder.next(half)).isEmpty();
        assertThat(decoder.finish()).isEqualTo("\ufffd");
        assertThat(decoder.next(gpt2.encode("a")[0])).isEqualTo("a");
    }

    @Test
    void threadsShareATokenizer() throws Exception {
        var texts =
                IntStream.range(0, 3000)
                        .mapToObj(i -> HuggingFaceLibraryTest.string(11, i))
                        .toList();
        var expected = texts.stream().map(Tokenizers.read(GPT2)::encode).toList();
        try (var pool = Executors.newFixedThreadPool(8)) {
            Callable<Void> work =
                    () -> {
                        for (int i = 0; i < texts.size(); i++) {
                            assertThat(gpt2.encode(texts.get(i))).isEqualTo(expected.get(i));
                        }
                        return null;
                    };
            for (var done : pool.invokeAll(java.util.Collections.nCopies(8, work))) {
                done.get();
            }
        }
    }

    /// The slow tokenizer puts a space before every text, the fast one where none is, and after
    /// special tokens too: they agree on all others.
    @Test
    void prefixSpacesAreThoseOfTheReference(@TempDir Path folder) throws Exception {
        for (var file : new String[] {"vocab.json", "merges.txt"}) {
            Files.copy(GPT2.resolve(file), folder.resolve(file));
        }
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"add_prefix_space\": true}");
        var prefixing = Tokenizers.read(folder);
        var golden = Json.read(GPT2.resolveSibling("golden_add_prefix_space.json"));
        for (var string : golden.get("strings")) {
            var text = string.get("text").stringValue();
            var ids = TokenizerGoldenTest.ints(string.get("ids"));
            assertThat(gpt2.encode(" " + text)).isEqualTo(ids);
            if (!text.isEmpty() && !text.startsWith(" ") && !text.contains("<|endoftext|>")) {
                assertThat(prefixing.encode(text)).isEqualTo(ids);
                // Text that goes on has no space before it; behind a token it has.
                assertThat(prefixing.encode(text, Tokenizer.Before.TEXT))
                        .isEqualTo(gpt2.encode(text));
                assertThat(prefixing.encode(text, Tokenizer.Before.TOKEN)).isEqualTo(ids);
            }
        }
    }
}
