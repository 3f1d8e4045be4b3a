package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BytePairTrainerTest {
    static List<Path> trainings() throws Exception {
        try (var folders = Files.list(TokenizerGoldenTest.DIRECTORY.resolve("training"))) {
            return folders.sorted().toList();
        }
    }

    /// Merges that a trainer gave which counts all pairs anew at each step.
    @ParameterizedTest
    @MethodSource("trainings")
    void mergesAreThoseOfTheReference(Path folder) throws Exception {
        var settings = Json.read(folder.resolve("training.json"));
        var specials = new ArrayList<String>();
        settings.get("special-tokens").forEach(token -> specials.add(token.stringValue()));
        var tokenizer =
                BytePairTrainer.train(
                        List.of(Files.readString(folder.resolve("corpus.txt"))),
                        settings.get("vocabulary-size").intValue(),
                        settings.get("minimum-frequency").intValue(),
                        specials);
        assertThat(tokenizer.merges().stream().map(m -> m.getKey() + " " + m.getValue()))
                .containsExactlyElementsOf(Files.readAllLines(folder.resolve("merges.txt")));
        for (var token : settings.path("vocabulary").properties()) {
            assertThat(tokenizer.id(token.getKey())).hasValue(token.getValue().intValue());
        }
    }

    @Test
    void idsAreSpecialsThenBytesThenMerges() {
        var tokenizer =
                BytePairTrainer.train(List.of("aa aa aa"), 300, 1, List.of("<pad>", "</s>"));
        assertThat(tokenizer.id("<pad>")).hasValue(0);
        assertThat(tokenizer.id("</s>")).hasValue(1);
        assertThat(tokenizer.id("!")).hasValue(2);
        assertThat(tokenizer.merges())
                .extracting(m -> m.getKey() + m.getValue())
                .containsExactly("aa", "Ġaa");
        assertThat(tokenizer.vocabularySize()).isEqualTo(2 + 256 + 2);
        assertThat(tokenizer.specials().padding()).hasValue(0);
        assertThat(tokenizer.specials().endOfText()).hasValue(1);
        assertThat(tokenizer.encode("aa aa")).containsExactly(258, 259);
    }

    @Test
    void documentsAreNotJoined() {
        var apart = BytePairTrainer.train(List.of("x", "y", "x", "y"), 300, 1, List.of());
        assertThat(apart.merges()).isEmpty();
        var special = BytePairTrainer.train(List.of("x<e>yx<e>y"), 300, 1, List.of("<e>"));
        assertThat(special.merges())
                .extracting(m -> m.getKey() + m.getValue())
                .containsExactly("yx");
    }

    @Test
    void aMergeNeverSpellsASpecialToken() {
        var texts = List.of("pad pad padding pad");
        var tokenizer = BytePairTrainer.train(texts, 400, 1, List.of("ing"));
        assertThat(tokenizer.merges()).noneMatch(m -> (m.getKey() + m.getValue()).equals("ing"));
        assertThat(tokenizer.decode(tokenizer.encode("padding ing"))).isEqualTo("padding ing");
    }

    /// Whatever is learnt, text comes back, and long texts are encoded as their pieces are.
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void agreesWithCountingAnew(long seed) {
        var random = dev.espalier.Rng.at(seed);
        var words =
                IntStream.range(0, 60)
                        .mapToObj(i ->
                                IntStream.range(0, 1 + random.nextInt(9))
                                        .mapToObj(j ->
                                                String.valueOf("abcé".charAt(random.nextInt(4))))
                                        .reduce("", String::concat))
                        .toList();
        var text = new StringBuilder();
        for (int i = 0; i < 400; i++) {
            text.append(' ').append(words.get(random.nextInt(words.size())));
        }
        var tokenizer = BytePairTrainer.train(List.of(text.toString()), 330, 2, List.of());
        assertThat(tokenizer.merges().stream().map(m -> m.getKey() + " " + m.getValue()))
                .containsExactlyElementsOf(naive(text.toString(), 330 - 256, 2));
        assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text.toString());
    }

    /// Algorithm 1 of Sennrich et al. on words split at spaces, without any cleverness. Tokens are
    /// compared as Latin-1 strings of their bytes.
    private static List<String> naive(String text, int size, int minimum) {
        var utf8 = java.nio.charset.StandardCharsets.UTF_8;
        var latin = java.nio.charset.StandardCharsets.ISO_8859_1;
        var words = new ArrayList<List<String>>();
        for (var word : text.split("(?= )")) {
            words.add(new ArrayList<>(List.of(new String(word.getBytes(utf8), latin).split(""))));
        }
        var known = new java.util.HashSet<String>();
        var merges = new ArrayList<String>();
        while (known.size() < size) {
            var counts = new HashMap<List<String>, Integer>();
            for (var word : words) {
                for (int i = 0; i + 1 < word.size(); i++) {
                    counts.merge(List.of(word.get(i), word.get(i + 1)), 1, Integer::sum);
                }
            }
            var top =
                    counts.entrySet().stream()
                            .max(
                                    Map.Entry.<List<String>, Integer>comparingByValue()
                                            .thenComparing(e -> e.getKey().get(0))
                                            .thenComparing(e -> e.getKey().get(1)));
            if (top.isEmpty() || top.get().getValue() < minimum) {
                break;
            }
            var best = top.get().getKey();
            var merged = best.get(0) + best.get(1);
            known.add(merged);
            merges.add(
                    best.stream()
                            .map(t -> ByteAlphabet.write(t.getBytes(latin), 0, t.length()))
                            .collect(java.util.stream.Collectors.joining(" ")));
            for (var word : words) {
                for (int i = 0; i + 1 < word.size(); i++) {
                    if (word.get(i).equals(best.get(0)) && word.get(i + 1).equals(best.get(1))) {
                        word.set(i, merged);
                        word.remove(i + 1);
                    }
                }
            }
        }
        return merges;
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        refused(
                () -> BytePairTrainer.train(List.of("a"), 256, 1, List.of("<e>")),
                Kind.USAGE,
                "257");
        refused(
                () -> BytePairTrainer.train(List.of("a"), 300, 0, List.of()),
                Kind.USAGE,
                "minimum");
        refused(
                () -> BytePairTrainer.train(List.of("a"), 300, 1, List.of(" ")),
                Kind.USAGE,
                "blank");
        refused(
                () -> BytePairTrainer.train(List.of("a"), 300, 1, List.of("<e>", "<e>")),
                Kind.USAGE,
                "twice");
        refused(() -> BytePairTrainer.train(List.of(), 300, 1, List.of()), Kind.DATA, "no text");
        refused(
                () -> BytePairTrainer.train(List.of("", ""), 300, 1, List.of()),
                Kind.DATA,
                "no text");
    }

    private static void refused(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Kind kind, String message) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessageContaining(message);
    }

    @Test
    void textsOfNewTokenizersForT5End(@TempDir Path folder) {
        var tokenizer = BytePairTrainer.train(List.of("one two"), 270, 1, List.of("<pad>", "</s>"));
        assertThat(tokenizer.decode(tokenizer.template().apply(tokenizer.encode("one"))))
                .isEqualTo("one</s>");
        tokenizer.save(folder);
        var read = Tokenizers.read(folder);
        assertThat(read.decode(read.template().apply(read.encode("one"), read.encode("two"))))
                .isEqualTo("one</s>two</s>");
        assertThat(
                        BytePairTrainer.train(List.of("one"), 270, 1, List.of("</s>"))
                                .template()
                                .addedToOne())
                .isZero();
    }
}
