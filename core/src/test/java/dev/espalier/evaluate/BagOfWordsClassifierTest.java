package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class BagOfWordsClassifierTest {
    /// Two topics of 50 words each among 200 common ones; a text draws a fifth of its words from
    /// its topic.
    private static String text(Rng rng, int label) {
        var words = new StringBuilder();
        for (var i = 0; i < 30; i++) {
            words.append(
                            rng.nextInt(5) == 0
                                    ? "topic" + label + "x" + rng.nextInt(50)
                                    : "Common" + rng.nextInt(200))
                    .append(", ");
        }
        return words.toString();
    }

    @Test
    void learnsTopicsFromFewTexts() {
        var rng = Rng.at(7);
        var texts = new ArrayList<String>();
        var labels = new int[300];
        for (var i = 0; i < 300; i++) {
            labels[i] = i % 3;
            texts.add(text(rng, labels[i]));
        }
        var model = BagOfWordsClassifier.fit(texts.subList(0, 120), Arrays.copyOf(labels, 120), 3);
        var test =
                new Classification(
                        List.of("a", "b", "c"),
                        Arrays.copyOfRange(labels, 120, 300),
                        model.predict(texts.subList(120, 300)));
        assertThat(test.accuracy().value()).isGreaterThan(0.95);
        var again = BagOfWordsClassifier.fit(texts.subList(0, 120), Arrays.copyOf(labels, 120), 3);
        assertThat(again.probabilities(texts.get(200)))
                .isEqualTo(model.probabilities(texts.get(200)));
    }

    /// Without a known word only the biases speak, which reproduce the labels' frequencies.
    @Test
    void fallsBackToTheFrequencies() {
        var model =
                BagOfWordsClassifier.fit(
                        List.of("same", "same", "same", "same"), new int[] {0, 0, 0, 1}, 2);
        assertThat(model.probabilities("same")[0]).isCloseTo(0.75, within(1e-3));
        assertThat(model.probabilities("")[0]).isBetween(0.7, 0.8);
        assertThat(model.predict("SAME!")).isZero();
    }

    @Test
    void oneLabelAndNoWordsAreNoFault() {
        assertThat(BagOfWordsClassifier.fit(List.of("", "--"), new int[2], 1).predict("x"))
                .isZero();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BagOfWordsClassifier.fit(List.of(), new int[0], 2));
    }
}
