package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SentencePieceModelTest {
    static final int UNIGRAM = 1;
    static final int BPE = 2;

    @TempDir Path folder;

    /// A piece of a model that tests write.
    record Piece(String name, double score, int type) {}

    /// The bytes of a `tokenizer.model`.
    static byte[] model(
            List<Piece> pieces, int type, boolean byteFallback, boolean removeExtra, byte[] map) {
        var out = new ByteArrayOutputStream();
        for (var piece : pieces) {
            var part = new ByteArrayOutputStream();
            bytes(part, 1, piece.name.getBytes(StandardCharsets.UTF_8));
            part.write(2 << 3 | 5);
            part.writeBytes(
                    ByteBuffer.allocate(4)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putFloat((float) piece.score)
                            .array());
            number(part, 3, piece.type);
            bytes(out, 1, part.toByteArray());
        }
        var trainer = new ByteArrayOutputStream();
        number(trainer, 3, type);
        number(trainer, 35, byteFallback ? 1 : 0);
        bytes(out, 2, trainer.toByteArray());
        var normalizer = new ByteArrayOutputStream();
        bytes(normalizer, 2, map);
        number(normalizer, 4, removeExtra ? 1 : 0);
        bytes(out, 3, normalizer.toByteArray());
        return out.toByteArray();
    }

    private static void varint(ByteArrayOutputStream out, int value) {
        int rest = value;
        for (; rest > 0x7f; rest >>>= 7) {
            out.write(rest & 0x7f | 0x80);
        }
        out.write(rest);
    }

    private static void number(ByteArrayOutputStream out, int field, int value) {
        varint(out, field << 3);
        varint(out, value);
    }

    private static void bytes(ByteArrayOutputStream out, int field, byte[] value) {
        varint(out, field << 3 | 2);
        varint(out, value.length);
        out.writeBytes(value);
    }

    static List<Piece> unigram() {
        return List.of(
                new Piece("<pad>", 0, 3),
                new Piece("</s>", 0, 3),
                new Piece("<unk>", 0, 2),
                new Piece("\u2581", -2, 1),
                new Piece("a", -3, 1),
                new Piece("b", -3, 1),
                new Piece("\u2581ab", -1, 1),
                new Piece("ab", -2.5, 1),
                new Piece("[X]", 0, 4));
    }

    private Tokenizer read(byte[] model, String config) throws Exception {
        Files.write(folder.resolve("tokenizer.model"), model);
        Files.writeString(folder.resolve("tokenizer_config.json"), config);
        return Tokenizers.read(folder);
    }

    private static List<String> tokens(Tokenizer tokenizer, String text) {
        return Arrays.stream(tokenizer.encode(text)).mapToObj(tokenizer::token).toList();
    }

    @Test
    void aUnigramModelIsRead() throws Exception {
        var map = Charsmap.write(Map.of("\n", " ", "\u00c4", "a"));
        var tokenizer = read(model(unigram(), UNIGRAM, false, true, map), "{}");
        assertThat(tokens(tokenizer, "  ab \n ab\u00c4b "))
                .containsExactly("\u2581ab", "\u2581ab", "ab");
        assertThat(tokens(tokenizer, "ab[X]xyb"))
                .containsExactly("\u2581ab", "[X]", "\u2581", "<unk>", "b");
        assertThat(tokenizer.template().addedToOne()).isZero();
        var encoding = tokenizer.encodeWithOffsets(" ab\n\n\u00c4b");
        assertThat(encoding.starts()).containsExactly(0, 4);
        assertThat(encoding.ends()).containsExactly(3, 7);
    }

    @Test
    void theClassBesideItSaysWhatStandsAroundTexts() throws Exception {
        var bytes = model(unigram(), UNIGRAM, false, true, new byte[0]);
        var t5 = read(bytes, "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 3}");
        assertThat(t5.template().apply(t5.encode("ab"))).containsExactly(6, 1);
        assertThat(t5.vocabularySize()).isEqualTo(12);
        assertThat(t5.token(9)).isEqualTo("<extra_id_2>");
        assertThat(t5.id("<extra_id_0>")).hasValue(11);
        assertThat(t5.encode("<extra_id_1>")).containsExactly(10);
        assertThatThrownBy(() -> read(bytes, "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("tokenizer_class");
    }

    static List<Piece> pairs() {
        var pieces =
                new java.util.ArrayList<>(
                        List.of(
                                new Piece("<unk>", 0, 2),
                                new Piece("<s>", 0, 3),
                                new Piece("</s>", 0, 3)));
        for (int b = 0; b < 256; b++) {
            pieces.add(new Piece(Spelling.byteName(b), 0, 6));
        }
        var learnt = List.of("\u2581\u2581", "aa", "ab", "\u2581ab", "aaa", "\u2581", "a", "b");
        for (int i = 0; i < learnt.size(); i++) {
            pieces.add(new Piece(learnt.get(i), -i, 1));
        }
        return pieces;
    }

    @Test
    void bytePairsAreRead() throws Exception {
        var tokenizer =
                read(model(pairs(), BPE, true, false, new byte[0]), "{\"add_bos_token\": true}");
        assertThat(tokens(tokenizer, "ab  ab")).containsExactly("\u2581ab", "\u2581\u2581", "ab");
        assertThat(tokens(tokenizer, "aaaaa")).containsExactly("\u2581", "aa", "aaa");
        assertThat(tokens(tokenizer, "\u00e9b")).containsExactly("\u2581", "<0xC3>", "<0xA9>", "b");
        for (var text : List.of("ab", " ab", "a\n\u6728 ab  ", "")) {
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
        }
        assertThat(tokenizer.decode(new int[] {3 + 0xc3, 3 + 'x'})).isEqualTo("\ufffd\ufffd");
        assertThat(tokenizer.template().apply(tokenizer.encode("b"))).startsWith(1);
        var saved = Files.createDirectory(folder.resolve("saved"));
        tokenizer.save(saved);
        assertThat(Tokenizers.read(saved).encode("ab aab")).isEqualTo(tokenizer.encode("ab aab"));
    }

    /// The models that the fuzzing of readers starts from; `cp target/generated/*.model
    /// src/test/resources/tokenizers/` after a wanted change.
    @Test
    void theFilesForFuzzingAreThese() throws Exception {
        var map = Charsmap.write(Map.of("\n", " ", "\u00f6", "oe", "e\u0301", "\u00e9"));
        var made = Files.createDirectories(Path.of("target/generated"));
        Files.write(made.resolve("unigram.model"), model(unigram(), UNIGRAM, false, true, map));
        Files.write(made.resolve("bpe.model"), model(pairs(), BPE, true, false, new byte[0]));
        for (var name : List.of("unigram.model", "bpe.model")) {
            assertThat(Path.of("src/test/resources/tokenizers", name))
                    .hasSameBinaryContentAs(made.resolve(name));
        }
    }

    @Test
    void whatIsDamagedOrNotSupportedIsRefused() {
        var whole = model(unigram(), UNIGRAM, false, true, new byte[0]);
        for (int length = 1; length < whole.length; length += 7) {
            var cut = Arrays.copyOf(whole, length);
            try {
                assertThat(SentencePieceModel.read(cut, "a file").path("model").path("vocab"))
                        .isNotEmpty();
            } catch (EspalierException e) {
                assertThat(e).hasMessageStartingWith("a file: ");
            }
        }
        refused(model(unigram(), 3, false, true, new byte[0]), "model_type is 3");
        refused(
                model(List.of(new Piece("a", 0, 1)), UNIGRAM, false, true, new byte[0]),
                "no piece for what is unknown");
        refused(
                model(
                        List.of(new Piece("a", 0, 2), new Piece("a", 0, 1)),
                        UNIGRAM,
                        false,
                        true,
                        new byte[0]),
                "pieces 0 and 1");
        refused(model(List.of(new Piece("a", 0, 5)), UNIGRAM, false, true, new byte[0]), "type 5");
        refused(new byte[] {0x0b}, "damaged");
    }

    private static void refused(byte[] model, String message) {
        assertThatThrownBy(() -> SentencePieceModel.read(model, "a file"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(message);
    }
}
