package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.data.LabelledText;
import dev.espalier.model.Problem;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BagOfWordsTest {
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
        var model = fit(3, texts.subList(0, 120), Arrays.copyOf(labels, 120));
        var told = texts.subList(120, 300).stream().mapToInt(t -> predict(model, t)).toArray();
        var test =
                new Classification(
                        List.of("a", "b", "c"), Arrays.copyOfRange(labels, 120, 300), told);
        assertThat(test.accuracy().value()).isGreaterThan(0.95);
        var again = fit(3, texts.subList(0, 120), Arrays.copyOf(labels, 120));
        assertThat(again.answer(record(texts.get(200))))
                .isEqualTo(model.answer(record(texts.get(200))));
    }

    /// Each text's label stands nowhere else, so that whoever has not seen it holds it for the
    /// least likely one. What is a copy of a text has not been seen either.
    @Test
    void whatIsHeldOutIsToldByTheOthers() {
        for (var texts : List.of(List.of("a", "f"), List.of("a", "f", "k", "p", "u", "z", "A"))) {
            var twice = Stream.concat(texts.stream(), texts.stream()).toList();
            var truth = new double[twice.size()][];
            Arrays.setAll(truth, i -> new double[] {i % texts.size()});
            var told =
                    BagOfWords.heldOut(
                            new Problem.SingleLabel(texts),
                            twice.stream().map(BagOfWordsTest::record).toList(),
                            truth,
                            _ -> true);
            assertThat(told).hasNumberOfRows(twice.size());
            for (var i = 0; i < twice.size(); i++) {
                var row = Objects.requireNonNull(told)[i];
                assertThat(row[i % texts.size()])
                        .isEqualTo(Arrays.stream(row).min().orElseThrow())
                        .isLessThan(1.0 / texts.size());
            }
        }
        assertThat(
                        BagOfWords.heldOut(
                                new Problem.SingleLabel(List.of("x", "y")),
                                List.of(record("same"), record("same")),
                                new double[][] {{0}, {1}},
                                _ -> true))
                .isNull();
    }

    /// Where a fifth is enough, the others are not told.
    @Test
    void oneFitMayBeEnough() {
        var texts = IntStream.range(0, 10).mapToObj(i -> record("word " + i)).toList();
        var truth = new double[10][];
        Arrays.setAll(truth, i -> new double[] {i % 2});
        var told =
                BagOfWords.heldOut(
                        new Problem.SingleLabel(List.of("x", "y")), texts, truth, _ -> false);
        assertThat(Arrays.stream(Objects.requireNonNull(told)).filter(row -> row.length == 2))
                .hasSize(2);
        assertThat(Arrays.stream(told).filter(row -> row.length == 0)).hasSize(8);
    }

    /// Without a known word only the biases speak, which reproduce the labels' frequencies.
    @Test
    void fallsBackToTheFrequencies() {
        var model = fit(2, List.of("same", "same", "same", "same"), new int[] {0, 0, 0, 1});
        assertThat(model.answer(record("same"))[0]).isCloseTo(0.75, within(1e-3));
        assertThat(model.answer(record(""))[0]).isBetween(0.7, 0.8);
        assertThat(predict(model, "SAME!")).isZero();
    }

    @Test
    void oneLabelAndNoWordsAreNoFault() {
        assertThat(predict(fit(1, List.of("", "--"), new int[2]), "x")).isZero();
        assertThatIllegalArgumentException().isThrownBy(() -> fit(2, List.of(), new int[0]));
    }

    private static LabelledText record(String text) {
        return new LabelledText(text, "", "");
    }

    private static BagOfWords fit(int labels, List<String> texts, int[] truth) {
        return BagOfWords.fit(
                new Problem.SingleLabel(
                        IntStream.range(0, labels).mapToObj(String::valueOf).toList()),
                texts.stream().map(BagOfWordsTest::record).toList(),
                Arrays.stream(truth).mapToObj(t -> new double[] {t}).toArray(double[][]::new));
    }

    private static int predict(BagOfWords model, String text) {
        var answer = model.answer(record(text));
        return IntStream.range(0, answer.length)
                .reduce(0, (best, l) -> answer[l] > answer[best] ? l : best);
    }

    /// Each of two labels has words of its own, and both may hold.
    @Test
    void labelsAreToldEachByItself() {
        var problem = new Problem.MultiLabel(List.of("fruit", "tool"), 0.5);
        var texts = new ArrayList<LabelledText>();
        var truth = new ArrayList<double[]>();
        for (var i = 0; i < 40; i++) {
            var fruit = i % 2;
            var tool = i / 2 % 2;
            texts.add(
                    record(
                            "we saw"
                                    + (fruit == 1 ? " a pear" : "")
                                    + (tool == 1 ? " an axe" : "")));
            truth.add(new double[] {fruit, tool});
        }
        var model = BagOfWords.fit(problem, texts, truth.toArray(double[][]::new));
        var both = model.answer(record("we saw a pear, an axe"));
        assertThat(both[0]).isGreaterThan(0.9);
        assertThat(both[1]).isGreaterThan(0.9);
        assertThat(model.answer(record("an axe"))[0]).isLessThan(0.2);
    }

    /// Ridge regression of one feature in closed form: with texts "a" and "b" of weight 1 and
    /// standardised numbers ±1, the minimum of Σ ½ (w ± 1)² + ½ Σ w² is at w = n / (n + 1).
    @Test
    void numbersAreToldInTheirOwnUnits() {
        var problem = new Problem.Regression(10, 2);
        var texts = List.of(record("a"), record("b"), record("a"), record("b"));
        var truth = new double[][] {{12}, {8}, {12}, {8}};
        var model = BagOfWords.fit(problem, texts, truth);
        assertThat(model.answer(record("a"))[0]).isCloseTo(10 + 2 * 2 / 3.0, within(1e-3));
        assertThat(model.answer(record("b"))[0]).isCloseTo(10 - 2 * 2 / 3.0, within(1e-3));
    }

    /// The same word is another in the second text of a pair.
    @Test
    void theTextsOfAPairAreToldApart() {
        var problem = new Problem.SingleLabel(List.of("first", "second"));
        var texts =
                List.of(
                        new LabelledText("pear", "saw", List.of(""), ""),
                        new LabelledText("saw", "pear", List.of(""), ""));
        var model = BagOfWords.fit(problem, texts, new double[][] {{0}, {1}});
        assertThat(model.answer(texts.get(0))[0]).isGreaterThan(0.9);
        assertThat(model.answer(texts.get(1))[0]).isLessThan(0.1);
    }
}
