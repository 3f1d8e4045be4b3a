package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/// Ids and texts that other tokenizers gave. `-Despalier.tokenizers=DIR` reads folders of the same
/// form elsewhere, as [RealCases] and `make_sentencepiece.py` make them: `NAME/saved/` holds the
/// tokenizer, `NAME/golden.json` the cases.
class TokenizerGoldenTest {
    static final Path DIRECTORY =
            Path.of(System.getProperty("espalier.tokenizers", "src/test/resources/tokenizers"));

    static List<Path> goldens() throws Exception {
        try (var folders = Files.list(DIRECTORY)) {
            return folders.filter(folder -> Files.exists(folder.resolve("golden.json")))
                    .sorted()
                    .toList();
        }
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void idsAreThoseOfTheReference(Path folder) {
        var golden = Json.read(folder.resolve("golden.json"));
        var tokenizer = Tokenizers.read(folder.resolve("saved"));
        assertThat(golden.path("strings")).isNotEmpty();
        for (var string : golden.get("strings")) {
            var given = string.get("text").stringValue();
            // The reference for BERT composes characters first, as the library's fast one does not.
            var text = tokenizer instanceof WordPieceTokenizer ? Nfc.of(given) : given;
            var ids = tokenizer.encode(text);
            assertThat(ids).as(text).isEqualTo(ints(string.get("ids")));
            assertThat(tokenizer.encodeWithOffsets(text).ids()).as(text).isEqualTo(ids);
            if (string.has("tokens")) {
                assertThat(Stream.of(box(ids)).map(tokenizer::token))
                        .as(text)
                        .containsExactlyElementsOf(strings(string.get("tokens")));
            }
            if (string.has("decoded")) {
                var decoded = string.get("decoded").stringValue();
                var bert = tokenizer instanceof WordPieceTokenizer;
                assertThat(tokenizer.decode(ids))
                        .isEqualTo(bert ? WordPieceTokenizer.cleanUp(decoded) : decoded);
                if (bert && Stream.of(box(ids)).noneMatch(tokenizer::isSpecial)) {
                    assertThat(tokenizer.decode(ids))
                            .isEqualTo(string.get("decoded_skip_cleanup").stringValue());
                }
            }
            if (string.has("ids_with_special")) {
                assertThat(tokenizer.template().apply(ids))
                        .isEqualTo(ints(string.get("ids_with_special")));
            }
        }
        if (golden.has("len")) {
            assertThat(tokenizer.vocabularySize()).isEqualTo(golden.get("len").intValue());
        }
        for (var special : golden.path("special").properties()) {
            var role =
                    Stream.of(SpecialTokens.Role.values())
                            .filter(r -> r.key.equals(special.getKey()))
                            .findFirst()
                            .orElseThrow();
            assertThat(tokenizer.specials().id(role)).hasValue(special.getValue().intValue());
        }
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void pairsAndTruncationAreThoseOfTheReference(Path folder) {
        var golden = Json.read(folder.resolve("golden.json"));
        var tokenizer = Tokenizers.read(folder.resolve("saved"));
        for (var pair : golden.path("pairs")) {
            assertThat(
                            tokenizer
                                    .template()
                                    .apply(
                                            tokenizer.encode(pair.get("a").stringValue()),
                                            tokenizer.encode(pair.get("b").stringValue())))
                    .as(pair.toString())
                    .isEqualTo(ints(pair.get("input_ids")));
            if (pair.has("token_type_ids")) {
                var types =
                        tokenizer
                                .template()
                                .types(
                                        tokenizer.encode(pair.get("a").stringValue()).length,
                                        tokenizer.encode(pair.get("b").stringValue()).length);
                assertThat(types).as(pair.toString()).isEqualTo(ints(pair.get("token_type_ids")));
            }
        }
        for (var cut : golden.path("truncation")) {
            var strategy =
                    switch (cut.get("strategy").stringValue()) {
                        case "longest_first" -> Truncation.LONGEST_FIRST;
                        case "only_first" -> Truncation.ONLY_FIRST;
                        default -> Truncation.ONLY_SECOND;
                    };
            int length = cut.get("max_length").intValue();
            var a = tokenizer.encode(cut.get("a").stringValue());
            var ids =
                    cut.get("b").isNull()
                            ? tokenizer.template().apply(a, length)
                            : tokenizer
                                    .template()
                                    .apply(
                                            a,
                                            tokenizer.encode(cut.get("b").stringValue()),
                                            length,
                                            strategy);
            assertThat(ids).as(cut.toString()).isEqualTo(ints(cut.get("input_ids")));
        }
    }

    static int[] ints(JsonNode node) {
        return StreamSupport.stream(node.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    private static List<String> strings(JsonNode node) {
        var list = new ArrayList<String>();
        node.forEach(n -> list.add(n.stringValue()));
        return list;
    }

    private static Integer[] box(int[] ids) {
        return java.util.stream.IntStream.of(ids).boxed().toArray(Integer[]::new);
    }
}
