package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.text.Normalizer;
import org.junit.jupiter.api.Test;

class NfcTest {
    @Test
    void textIsThatOfTheJdk() {
        for (int i = 0; i < 20_000; i++) {
            var text = HuggingFaceLibraryTest.string(14, i);
            assertThat(Nfc.of(text)).isEqualTo(Normalizer.normalize(text, Normalizer.Form.NFC));
        }
    }

    /// Marks, what they join, and Hangul, in any order and number.
    @Test
    void stretchesThatCombineAreThoseOfTheJdk() {
        var units = "aeo\u1100\u1161\u11a8\uac00\u0301\u0308\u0323\u0327\u0345\u0340\u0344\u03b1";
        for (int i = 0; i < 20_000; i++) {
            var random = Rng.at(15, i);
            var text = new StringBuilder();
            for (int n = random.nextInt(12); n > 0; n--) {
                text.append(units.charAt(random.nextInt(units.length())));
            }
            assertThat(Nfc.of(text.toString()))
                    .isEqualTo(Normalizer.normalize(text, Normalizer.Form.NFC));
        }
    }

    @Test
    void placesAreThoseInTheGivenText() {
        var text = "🌳xe\u0301🌳y";
        var normalized = Nfc.of(text, 2, text.length());
        assertThat(normalized.text()).isEqualTo("x\u00e9🌳y");
        assertThat(normalized.start(0)).isEqualTo(2);
        assertThat(normalized.start(1)).isEqualTo(3);
        assertThat(normalized.end(2)).isEqualTo(4);
        assertThat(normalized.start(2)).isEqualTo(5);
        assertThat(normalized.end(4)).isEqualTo(7);
        assertThat(normalized.start(4)).isEqualTo(7);
        assertThat(normalized.end(5)).isEqualTo(8);
        var same = Nfc.of(text, 0, 2);
        assertThat(same.text()).isSameAs(text);
        assertThat(same.start(2)).isEqualTo(2);
    }

    /// The JDK's own normalizer takes quadratic time to order these.
    @Test
    void aMegabyteOfMarksIsOrdered() {
        var text = "a" + "\u0345\u0301\u0323".repeat(200_000);
        assertThat(Nfc.of(text))
                .isEqualTo(
                        "\u1ea1"
                                + "\u0323".repeat(199_999)
                                + "\u0301".repeat(200_000)
                                + "\u0345".repeat(200_000));
    }
}
