package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CharsmapTest {
    private static String apply(Charsmap map, String text) {
        var result = new StringBuilder();
        map.apply(
                text,
                0,
                text.length(),
                new Charsmap.Sink() {
                    @Override
                    public void same(int character) {
                        result.appendCodePoint(character);
                    }

                    @Override
                    public void replaced(String by, int characters) {
                        result.append(by);
                    }
                });
        return result.toString();
    }

    private static Charsmap of(Map<String, String> map) {
        return Charsmap.read(Charsmap.write(map), "test");
    }

    private static Charsmap of(Normalization normalization) {
        var base64 = Objects.requireNonNull(normalization.charsmap());
        return Charsmap.read(Base64.getDecoder().decode(base64), "test");
    }

    @Test
    void theShortestKeyStandsForAWholeCluster() {
        var map = of(Map.of("a", "A", "e\u0301", "é", "木", "", "ﬁ", "fi"));
        assertThat(apply(map, "xaé木ﬁe\u0301e")).isEqualTo("xAéfiée");
        // The mark goes with its letter, where that has a key; of six bytes each is looked up
        // alone.
        assertThat(apply(map, "a\u0301")).isEqualTo("A");
        assertThat(apply(map, "a\u0301\u0301\u0301")).isEqualTo("A\u0301\u0301\u0301");
    }

    @ParameterizedTest
    @CsvSource({
        "ﬁ①㌔Ａ, fi1キロA",
        "e\u0301, é",
        "\u212b, Å",
        "a\u200bb, 'a b'",
        "a\u0001b, ab",
        "a\u2581b, 'a b'",
        "～, ～",
        "don't, don't"
    })
    void nmtNfkcIsSentencePieces(String text, String expected) {
        assertThat(apply(of(Normalization.NMT_NFKC), text)).isEqualTo(expected);
    }

    @Test
    void nfkcLeavesControlCharacters() {
        assertThat(apply(of(Normalization.NFKC), "ﬁ\u0001\n\u200b")).isEqualTo("fi\u0001\n\u200b");
        assertThat(Normalization.IDENTITY.charsmap()).isNull();
    }

    @Test
    void aBrokenMapIsRefused() {
        var whole = Charsmap.write(Map.of("a", "A"));
        var longer =
                ByteBuffer.wrap(whole.clone()).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 1 << 30);
        var text = whole.clone();
        text[text.length - 2] = (byte) 0xff;
        for (var broken : new byte[][] {{}, {1, 2}, longer.array(), text}) {
            assertThatThrownBy(() -> Charsmap.read(broken, "a file"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith("a file: ");
        }
    }
}
