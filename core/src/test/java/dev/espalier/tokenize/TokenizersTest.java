package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Reading and writing files: what is kept, and what is refused in which words.
class TokenizersTest {
    private static final Path GPT2 = Path.of("src/test/resources/tokenizers/gpt2/saved");
    private static final Path ROBERTA = Path.of("src/test/resources/tokenizers/roberta/saved");

    @TempDir private Path folder;

    @Test
    void whatIsReadIsWrittenUnchanged() throws Exception {
        var first = folder.resolve("first");
        var second = folder.resolve("second");
        Tokenizers.read(ROBERTA).save(first);
        Tokenizers.read(first).save(second);
        for (var file :
                List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            assertThat(second.resolve(file)).hasSameTextualContentAs(first.resolve(file));
        }
        assertThat(Json.read(first.resolve("tokenizer_config.json")))
                .isEqualTo(Json.read(ROBERTA.resolve("tokenizer_config.json")));
        assertThat(Json.read(first.resolve("special_tokens_map.json")))
                .isEqualTo(Json.read(ROBERTA.resolve("special_tokens_map.json")));
    }

    @Test
    void vocabularyAndMergesAreWrittenUnchanged() {
        ((BytePairTokenizer) Tokenizers.read(GPT2)).saveVocabulary(folder);
        assertThat(Json.read(folder.resolve("vocab.json")))
                .isEqualTo(Json.read(GPT2.resolve("vocab.json")));
        assertThat(folder.resolve("merges.txt"))
                .hasSameTextualContentAs(GPT2.resolve("merges.txt"));
        assertThat(Tokenizers.read(folder).encode("Hello world"))
                .isEqualTo(Tokenizers.read(GPT2).encode("Hello world"));
        assertThat(Tokenizers.read(folder).specials().endOfText()).hasValue(696);
    }

    @Test
    void unknownSettingsSurvive() throws Exception {
        var changed =
                changed(json -> {
                    json.putObject("truncation").put("max_length", 7);
                    json.put("later", "version");
                    ((ObjectNode) json.get("model")).put("also", 1);
                });
        Tokenizers.read(changed).save(folder);
        var written = Json.read(folder.resolve("tokenizer.json"));
        assertThat(written).isEqualTo(Json.read(changed));
    }

    @Test
    void digitsBeforeByteLevelStay() throws Exception {
        var file = HuggingFaceLibraryTest.digits(parent(changed(json -> {})), true);
        var tokenizer = Tokenizers.read(file);
        assertThat(tokenizer.encode(" 12"))
                .containsExactly(
                        tokenizer.id("Ġ").getAsInt(),
                        tokenizer.id("1").getAsInt(),
                        tokenizer.id("2").getAsInt());
        tokenizer.save(folder);
        assertThat(Json.read(folder.resolve("tokenizer.json"))).isEqualTo(Json.read(file));
    }

    @Test
    void mergesOfOlderFilesStayStrings() throws Exception {
        var changed =
                changed(json -> {
                    var model = (ObjectNode) json.get("model");
                    var merges = model.get("merges");
                    var list = model.putArray("merges");
                    for (var merge : merges) {
                        list.add(merge.get(0).stringValue() + " " + merge.get(1).stringValue());
                    }
                });
        Tokenizers.read(changed).save(folder);
        assertThat(Json.read(folder.resolve("tokenizer.json"))).isEqualTo(Json.read(changed));
    }

    @Test
    void rolesAreThoseOfTheFiles() {
        var specials = Tokenizers.read(ROBERTA).specials();
        assertThat(specials.mask()).hasValue(700);
        assertThat(specials.padding()).hasValue(1);
        assertThat(Tokenizers.read(GPT2).specials().padding()).isEmpty();
    }

    /// As the Hub's own `gpt2` has it: the class implies the token.
    @Test
    void rolesThatFilesLeaveOutAreCustomary() throws Exception {
        Tokenizers.read(GPT2).save(folder);
        Files.delete(folder.resolve("special_tokens_map.json"));
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"model_max_length\": 1024, \"bos_token\": null}");
        assertThat(Tokenizers.read(folder).specials().endOfText()).hasValue(696);
        assertThat(Tokenizers.read(folder).specials().beginOfText()).isEmpty();
        Files.delete(folder.resolve("tokenizer.json"));
        for (var file : List.of("vocab.json", "merges.txt")) {
            Files.copy(ROBERTA.resolve(file), folder.resolve(file));
        }
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"tokenizer_class\": \"RobertaTokenizerFast\"}");
        var roberta = Tokenizers.read(folder);
        assertThat(roberta.specials()).isEqualTo(Tokenizers.read(ROBERTA).specials());
        assertThat(roberta.encode("a <mask>")).containsExactly(68, 700);
    }

    @Test
    void tokensAreAdded() {
        var gpt2 = Tokenizers.read(GPT2);
        var wider =
                gpt2.withSpecialTokens(List.of("<pad>", "<|endoftext|>"))
                        .withAddedTokens(List.of("木"));
        assertThat(wider.vocabularySize()).isEqualTo(699);
        assertThat(wider.specials().padding()).hasValue(697);
        assertThat(wider.encode("a<pad>木")).containsExactly(64, 697, 698);
        assertThat(wider.decode(new int[] {64, 697, 698})).isEqualTo("a<pad>木");
        assertThat(wider.isSpecial(697)).isTrue();
        assertThat(wider.isSpecial(698)).isFalse();
        assertThat(gpt2.vocabularySize()).isEqualTo(697);
        wider.save(folder);
        var again = Tokenizers.read(folder);
        assertThat(again.encode("a<pad>木")).containsExactly(64, 697, 698);
        assertThat(again.specials()).isEqualTo(wider.specials());
        assertThatThrownBy(() -> gpt2.withAddedTokens(List.of("é")))
                .hasMessageContaining("\"é\" cannot be added");
    }

    @Test
    void plainTokenizersSpellSpecialTokens() {
        var gpt2 = Tokenizers.read(GPT2).withAddedTokens(List.of("木"));
        var text = "a<|endoftext|>木b";
        assertThat(gpt2.encode(text)).contains(696, 697);
        assertThat(gpt2.plain().encode(text)).doesNotContain(696).contains(697);
        assertThat(gpt2.plain().decode(gpt2.plain().encode(text))).isEqualTo(text);
    }

    @Test
    void malformedFilesAreRefused() throws Exception {
        refused(folder.resolve("absent"), "no such file or folder");
        refused(folder, "neither tokenizer.json nor tokenizer.model nor vocab.json");
        var file = folder.resolve("tokenizer.json");
        Files.writeString(file, "{\"model\": {");
        refused(file, "not the JSON expected");
        Files.writeString(file, "[]");
        refused(file, "the whole file is not a JSON object");
        Files.writeString(file, "{}");
        refused(file, "\"model\" is not a JSON object, but missing");
        Files.write(file, new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
        refused(file, "cannot be read as UTF-8");
        Files.writeString(file, "[".repeat(100_000));
        refused(file, "not the JSON expected");
    }

    @Test
    void whatIsNotSupportedIsNamed() throws Exception {
        refused(model(m -> m.put("type", "WordLevel")), "\"model\" is \"WordLevel\"");
        refused(model(m -> m.put("dropout", 0.1)), "\"model.dropout\" is 0.1");
        refused(model(m -> m.put("end_of_word_suffix", "</w>")), "end_of_word_suffix");
        refused(
                changed(j -> j.putObject("normalizer").put("type", "NFKC")),
                "\"normalizer\" is \"NFKC\"");
        refused(
                changed(j -> {
                    HuggingFaceLibraryTest.split(j, Split.QWEN2, "Isolated");
                    ((ObjectNode) j.at("/pre_tokenizer/pretokenizers/0/pattern"))
                            .put("Regex", "\\d|\\D");
                }),
                "\"pre_tokenizer\" splits by {\"Regex\":\"\\\\d|\\\\D\"}");
        refused(
                changed(j -> {
                    HuggingFaceLibraryTest.split(j, Split.QWEN2, "Isolated");
                    ((ObjectNode) j.at("/pre_tokenizer/pretokenizers/0"))
                            .put("behavior", "MergedWithNext");
                }),
                "\"pre_tokenizer.behavior\" is \"MergedWithNext\"");
        refused(
                changed(j -> {
                    HuggingFaceLibraryTest.split(j, Split.CL100K, "Isolated");
                    ((ObjectNode) j.at("/pre_tokenizer/pretokenizers/1"))
                            .put("add_prefix_space", true);
                }),
                "\"pre_tokenizer.add_prefix_space\" is true");
        refused(
                changed(j -> {
                    var steps = j.putObject("pre_tokenizer").put("type", "Sequence");
                    steps.putArray("pretokenizers").addObject().put("type", "Punctuation");
                    ((ArrayNode) steps.get("pretokenizers")).addObject().put("type", "ByteLevel");
                }),
                "\"pre_tokenizer\" is \"Sequence\" of [\"Punctuation\", \"ByteLevel\"]");
        refused(
                changed(j -> {
                    var steps = j.putObject("pre_tokenizer").put("type", "Sequence");
                    steps.putArray("pretokenizers").addObject().put("type", "Digits");
                    ((ArrayNode) steps.get("pretokenizers")).addObject().put("type", "ByteLevel");
                }),
                "\"pre_tokenizer.add_prefix_space\" is missing, which is not supported; supported is"
                        + " false, where Digits stands before ByteLevel");
        refused(
                changed(j -> j.putObject("pre_tokenizer").put("type", "Punctuation")),
                "\"pre_tokenizer\" is \"Punctuation\"");
        refused(
                changed(j -> j.putObject("pre_tokenizer").put("type", "Metaspace")),
                "\"pre_tokenizer.replacement\" is missing");
        refused(
                changed(j -> ((ObjectNode) j.get("pre_tokenizer")).put("use_regex", false)),
                "use_regex");
        refused(
                changed(j -> j.putObject("post_processor").put("type", "Odd")),
                "\"post_processor\" is \"Odd\"");
        refused(
                changed(j -> j.putObject("decoder").put("type", "WordPiece")),
                "\"decoder\" is \"WordPiece\"");
        refused(changed(j -> j.putNull("pre_tokenizer").putNull("decoder")), "merges without");
    }

    /// As cl100k's file has it, and others behind whose tokens special ones lie apart.
    @Test
    void idsMayHaveHoles() throws Exception {
        var file =
                changed(json -> {
                    ((ObjectNode) json.get("model").get("vocab")).put("<|a|>", 699);
                    for (var token : List.of("<|a|>", "<|b|>")) {
                        ((ArrayNode) json.get("added_tokens"))
                                .addObject()
                                .put("id", token.equals("<|a|>") ? 699 : 720)
                                .put("content", token)
                                .put("single_word", false)
                                .put("lstrip", false)
                                .put("rstrip", false)
                                .put("normalized", false)
                                .put("special", true);
                    }
                });
        var tokenizer = Tokenizers.read(file);
        assertThat(tokenizer.vocabularySize()).isEqualTo(721);
        assertThat(tokenizer.encode("a<|a|><|b|>")).containsExactly(64, 699, 720);
        assertThat(tokenizer.decode(new int[] {64, 697, 698, 699, 700, 720}))
                .isEqualTo("a<|a|><|b|>");
        assertThat(tokenizer.token(698)).isEmpty();
        assertThat(tokenizer.bytes(698)).isEmpty();
        // So that masking never draws it.
        assertThat(tokenizer.isSpecial(698)).isTrue();
        assertThat(tokenizer.id("")).isEmpty();
        assertThat(tokenizer.withAddedTokens(List.of("木")).encode("木")).containsExactly(721);
        tokenizer.save(folder);
        assertThat(Json.read(folder.resolve("tokenizer.json"))).isEqualTo(Json.read(file));
        assertThat(Tokenizers.read(folder).encode("a<|a|><|b|>")).containsExactly(64, 699, 720);
        var vocabulary = Files.createDirectories(folder.resolve("vocabulary"));
        ((BytePairTokenizer) tokenizer).saveVocabulary(vocabulary);
        assertThat(Tokenizers.read(vocabulary).id("<|a|>")).hasValue(699);
        refused(
                changed(json -> {
                    ((ObjectNode) json.get("model").get("vocab")).put("<|a|>", 699);
                    var post = json.putObject("post_processor").put("type", "RobertaProcessing");
                    post.putArray("sep").add("<|a|>").add(699);
                    post.putArray("cls").add("x").add(698);
                }),
                "\"post_processor\" uses id 698");
    }

    @Test
    void idsAreChecked() throws Exception {
        refused(vocabulary(v -> v.put("Ġt", 3)), "both have id 3");
        refused(
                vocabulary(v -> v.put("new", 11_396)),
                "the id of \"new\" is 11396, but of 698 tokens ids up to 11395 are allowed");
        refused(vocabulary(v -> v.put("new", Integer.MAX_VALUE)), "is 2147483647, but of 698");
        refused(vocabulary(v -> v.put("new", 1L << 40)), "must be a whole number from 0");
        refused(vocabulary(v -> v.put("new", -1)), "must be a whole number from 0");
        refused(vocabulary(v -> v.put("new", "5")), "must be a whole number from 0");
        refused(vocabulary(v -> v.put("new", 1.5)), "must be a whole number from 0");
        refused(vocabulary(v -> renamed(v, "Ġth")), "needs the token \"Ġth\"");
        refused(vocabulary(v -> renamed(v, "!")), "lacks \"!\", the token of byte 33");
        refused(vocabulary(ObjectNode::removeAll), "lacks \"Ā\", the token of byte 0");
    }

    /// As GPT-NeoX has it.
    @Test
    void bytesThatNoTextHasNeedNoToken() throws Exception {
        var without = Tokenizers.read(vocabulary(v -> renamed(v, "À")));
        assertThat(without.decode(without.encode("naïve À 木🌳"))).isEqualTo("naïve À 木🌳");
    }

    @Test
    void mergesAreOfKnownTokens() throws Exception {
        refused(
                model(m -> ((ArrayNode) m.get("merges")).add("x y z")),
                "\"x y z\", is not two tokens");
        refused(model(m -> ((ArrayNode) m.get("merges")).add(7)), "is neither");
        refused(model(m -> m.put("merges", "a b")), "\"model.merges\" is not a list");
        refused(
                model(m -> ((ArrayNode) m.get("merges")).addArray().add("q").add("Žž")),
                "\"q Žž\", needs the token \"Žž\"");
        var copy = Files.createDirectories(folder.resolve("copy"));
        Files.copy(GPT2.resolve("vocab.json"), copy.resolve("vocab.json"));
        Files.writeString(copy.resolve("merges.txt"), "#version: 0.2\nĠ t\nĠt\n");
        refused(copy, "merges.txt: line 3, \"Ġt\", is not two tokens");
        Files.writeString(copy.resolve("merges.txt"), "#version: 0.2\nĠ t\nq Žž\n");
        refused(copy, "merges.txt: line 3, \"q Žž\", needs the token");
        Files.writeString(
                copy.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"T5Tokenizer\"}");
        refused(copy, "\"tokenizer_class\" is \"T5Tokenizer\"");
    }

    @Test
    void idsOfAddedTokensThatAreNoneAreRefused() throws Exception {
        Tokenizers.read(GPT2).save(folder);
        for (var id : List.of("-1", "1.5", "4294967295", "x")) {
            Files.writeString(
                    folder.resolve("tokenizer_config.json"),
                    "{\"added_tokens_decoder\": {\"%s\": {\"content\": \"new\"}}}".formatted(id));
            assertThatThrownBy(() -> Tokenizers.read(folder))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("tokenizer_config.json: \"" + id + "\"")
                    .hasMessageContaining("no token id");
        }
    }

    @Test
    void addedTokensAreChecked() throws Exception {
        refused(
                added("{\"id\": 5, \"content\": \"x\"}"),
                "has id 5, but the vocabulary gives it 87");
        refused(added("{\"id\": 0, \"content\": \"<s>\"}"), "both have id 0");
        refused(added("{\"id\": 90000, \"content\": \"<x>\"}"), "the id of \"<x>\" is 90000");
        refused(added("{\"id\": 697}"), "has no \"content\"");
        refused(added("{\"id\": 697, \"content\": \"\"}"), "has no \"content\"");
        refused(added("{\"content\": \"x\"}"), "the id of \"x\" is missing");
        refused(added("{\"id\": 697, \"content\": \"x\", \"lstrip\": 1}"), "\"lstrip\" is 1");
        refused(added("7"), "an entry of \"added_tokens\" is not a JSON object");
        refused(changed(j -> j.put("added_tokens", 1)), "\"added_tokens\" is not a list");
    }

    @Test
    void postProcessorsAreChecked() throws Exception {
        var post = "{\"type\": \"RobertaProcessing\", \"sep\": [\"x\", 9999], \"cls\": [\"x\", 1]}";
        refused(
                changed(j -> j.set("post_processor", Json.mapper().readTree(post))),
                "uses id 9999, which is none of the vocabulary");
        var template =
                "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\"}}]}";
        refused(
                changed(j -> j.set("post_processor", Json.mapper().readTree(template))),
                "neither a sequence, A or B, nor one of its special tokens");
    }

    private static Path parent(Path file) {
        return java.util.Objects.requireNonNull(file.getParent());
    }

    private Path changed(Consumer<ObjectNode> change) throws Exception {
        var source = Files.createTempDirectory(folder, "source");
        Tokenizers.read(GPT2).save(source);
        var json = (ObjectNode) Json.read(source.resolve("tokenizer.json"));
        change.accept(json);
        var alone = Files.createTempDirectory(folder, "alone").resolve("tokenizer.json");
        Files.writeString(alone, json.toString());
        return alone;
    }

    private Path model(Consumer<ObjectNode> change) throws Exception {
        return changed(json -> change.accept((ObjectNode) json.get("model")));
    }

    private Path vocabulary(Consumer<ObjectNode> change) throws Exception {
        return model(model -> change.accept((ObjectNode) model.get("vocab")));
    }

    /// A damaged file is read as something whole or refused, and never crashes or hangs.
    @Test
    void damagedFilesAreRefused() throws Exception {
        Tokenizers.read(ROBERTA).withAddedTokens(List.of("木")).save(folder);
        var whole = Files.readAllBytes(folder.resolve("tokenizer.json"));
        var file = Files.createDirectories(folder.resolve("damaged")).resolve("damaged.json");
        int damaged = Integer.getInteger("espalier.damaged-files", 200);
        for (int i = 0; i < damaged; i++) {
            var random = Rng.at(13, i);
            var bytes = whole.clone();
            // The vocabulary fills most of the file: its beginning gets its share.
            int bound = random.nextBoolean() ? bytes.length : 4000;
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                int at = random.nextInt(bound);
                switch (random.nextInt(4)) {
                    case 0 -> bytes[at] = (byte) random.nextInt(256);
                    case 1 -> bytes[at] = (byte) "{}[]\",:0-9tfn".charAt(random.nextInt(13));
                    case 2 -> bytes = Arrays.copyOf(bytes, at);
                    default -> {
                        int from = random.nextInt(bound);
                        int length =
                                random.nextInt(Math.min(40, bytes.length - Math.max(at, from)));
                        System.arraycopy(bytes, from, bytes, at, length);
                    }
                }
                bound = Math.min(bound, bytes.length);
                if (bound <= 40) {
                    break;
                }
            }
            Files.write(file, bytes);
            try {
                var tokenizer = Tokenizers.read(file);
                assertThat(tokenizer.encodeWithOffsets("Hello <mask> 木 world").ids()).isNotEmpty();
            } catch (EspalierException e) {
                assertThat(e).hasMessageContaining("damaged.json");
                assertThat(e.kind()).isEqualTo(Kind.DATA);
            }
        }
    }

    private static void renamed(ObjectNode vocabulary, String token) {
        vocabulary.put("another", vocabulary.remove(token).intValue());
    }

    private Path added(String token) throws Exception {
        return changed(
                json -> ((ArrayNode) json.get("added_tokens")).add(Json.mapper().readTree(token)));
    }

    private static void refused(Path path, String... messages) {
        assertThatThrownBy(() -> Tokenizers.read(path))
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(Kind.DATA))
                .message()
                .contains(path.getFileName().toString())
                .contains(messages);
    }
}
