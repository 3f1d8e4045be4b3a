package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.io.Json;
import org.junit.jupiter.api.Test;

class TextLossTest {
    @Test
    void aFairDieOverBytes() {
        var loss = new TextLoss();
        for (var i = 0; i < 100; i++) {
            loss.add(10 * Math.log(6), 10, 40);
        }
        assertThat(loss.perplexity().value()).isCloseTo(6, within(1e-9));
        assertThat(loss.perplexity().margin()).isLessThan(1e-6);
        assertThat(loss.bitsPerByte().value())
                .isCloseTo(Math.log(6) / Math.log(2) / 4, within(1e-9));
        assertThat(loss.scores("books")).extracting(Score::n).containsExactly(1000L, 1000L, 4000L);
    }

    /// Sequences differ far more than the two models do: pairing must find the difference.
    @Test
    void forgettingIsPaired() {
        var before = new TextLoss();
        var after = new TextLoss();
        var rng = Rng.at(1);
        for (var i = 0; i < 100; i++) {
            var hard = 64 * (3 + 0.5 * rng.nextGaussian());
            before.add(hard, 64, 250);
            after.add(hard + 64 * (0.05 + 0.02 * rng.nextGaussian()), 64, 250);
        }
        var rise = after.riseSince(before);
        assertThat(rise.excludes(Math.expm1(0.05))).isFalse();
        assertThat(rise.margin()).isLessThan(0.01);
        assertThat(after.perplexity().low()).isLessThan(before.perplexity().high());
        var other = new TextLoss();
        other.add(1, 2, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> other.riseSince(before));
    }

    @Test
    void aScoreAsWritten() {
        assertThat(Json.line(new Score("test", "macro-f1", 0.5, 0.25, 0.75, 12)))
                .isEqualTo(
                        "{\"data\":\"test\",\"metric\":\"macro-f1\",\"value\":0.5,\"low\":0.25,\"high\":0.75,\"n\":12}");
    }
}
