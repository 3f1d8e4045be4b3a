package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.evaluate.Interval;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.report.Numbers;
import dev.espalier.study.Compare.BreakEven;
import dev.espalier.study.Compare.Mean;
import dev.espalier.study.Compare.Missing;
import dev.espalier.study.Compare.Versus;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ComparePageTest {
    private static Mean mean(Arm arm, double accuracy) {
        return new Mean(arm, 64, new Interval(accuracy, accuracy, accuracy), 1, 1, null, Map.of());
    }

    /// Of ways in the order of what they reach, of which each pair is told apart by `p`.
    private static String text(double p, List<BreakEven> breakEven, Mean... best) {
        var comparisons = new ArrayList<Versus>();
        for (var i = 0; i < best.length; i++) {
            for (var j = i + 1; j < best.length; j++) {
                comparisons.add(
                        new Versus(
                                best[i].arm(),
                                best[j].arm(),
                                64,
                                new Interval(0.1, 0.05, 0.15),
                                p,
                                p));
            }
        }
        return ComparePage.text(
                new Compare.Result(
                        "study",
                        "accuracy",
                        List.of("a", "b"),
                        100,
                        32,
                        Map.of("full", 3e-4),
                        Map.of("full", 12.34),
                        List.of(best),
                        List.of(),
                        comparisons,
                        List.of(),
                        List.of(),
                        null,
                        10,
                        "EUR",
                        breakEven,
                        0,
                        0));
    }

    private static String text(double p, Mean... best) {
        return text(p, List.of(), best);
    }

    /// What was not compared is not said to be better, and what was not tried not to be too little.
    @Test
    void theVerdictIsOfWhatWasCompared() {
        assertThat(text(1, mean(Arm.FULL, 0.7)))
                .endsWith("64 labels: full, " + Numbers.percent(0.7) + ".")
                .doesNotContain("better than all others");
        assertThat(text(0.001, mean(Arm.BAG_OF_WORDS, 0.7), mean(Arm.MAJORITY, 0.5)))
                .contains("bag of words, " + Numbers.percent(0.7) + ", better than all others")
                .doesNotContain("Too few");
        assertThat(text(0.5, mean(Arm.FULL, 0.7), mean(Arm.MAJORITY, 0.6)))
                .contains(
                        "not told apart from it: majority.",
                        "Whether to train pays cannot be told: no trained way is better than majority");
        assertThat(text(0.5, mean(Arm.MAJORITY, 0.6), mean(Arm.FULL, 0.55)))
                .contains("Too few to train on: no trained way is better than majority.");
        assertThat(text(0.001, mean(Arm.FULL, 0.7), mean(Arm.MAJORITY, 0.5)))
                .contains("better than all others beyond chance")
                .doesNotContain("Too few", "cannot be told");
    }

    /// What the choice of a rate took is told beside it.
    @Test
    void tuningHasItsCost() {
        assertThat(text(0.001, mean(Arm.FULL, 0.7))).containsPattern("full +3.0E-4 +12.3");
    }

    @Test
    void whatIsDrawnIsSaid() {
        assertThat(text(1, mean(Arm.FULL, 0.7), mean(Arm.MAJORITY, 0.5)))
                .contains("as many of each label up to 32; beyond", "Majority is the commonest");
        assertThat(text(1, mean(Arm.FULL, 0.7))).doesNotContain("Majority");
    }

    /// What is missing is said, and nothing where chance could be at work.
    @Test
    void aBreakEvenThatIsNotThereSaysWhy() {
        var means = new Mean[] {mean(Arm.FULL, 0.7), mean(Arm.SCRATCH, 0.5)};
        var lacking = List.of(Missing.NO_LABEL_PRICE, Missing.NO_PRICE_HERE);
        assertThat(text(0.001, List.of(new BreakEven(16, 480.0, 64, null, lacking)), means))
                .contains(
                        "1: 10.0 s",
                        "Of 16 labels compare.label-price is missing. Of 16 labels the table of machines has neither a price nor the watts of 'here'");
        var untold = List.of(Missing.NOT_TOLD_APART);
        assertThat(text(0.5, List.of(new BreakEven(16, 480.0, null, null, untold)), means))
                .contains("Of 16 labels full is not better than scratch beyond chance")
                .doesNotContain("more than 64", "1: at most");
    }

    /// What was pre-trained further is not told by what its fine-tuning alone forgot.
    @Test
    void whatIsNotKnownOfForgettingIsADash() {
        var found =
                text(
                        1,
                        forgetful(Arm.FULL, 0.7, 0.5, Map.of("law accuracy-change", -0.25)),
                        forgetful(Arm.FURTHER, 0.6, null, Map.of()));
        assertThat(found)
                .contains("Of further dashes stand")
                .containsPattern("full +50\\.0")
                .containsPattern("law accuracy-change +full +−25\\.0")
                .containsPattern("law accuracy-change +further +–");
    }

    private static Mean forgetful(
            Arm arm, double accuracy, @Nullable Double rise, Map<String, Double> changes) {
        var told = new TreeMap<String, Interval>();
        changes.forEach((what, c) -> told.put(what, new Interval(c, c, c)));
        return new Mean(
                arm,
                64,
                new Interval(accuracy, accuracy, accuracy),
                1,
                1,
                rise == null ? null : new Interval(rise, rise, rise),
                told);
    }

    /// Where no number of labels is enough from scratch, more are saved than were measured, and
    /// each costs less.
    @Test
    void whatALabelSavedCostsIsABoundWhereScratchNeverGetsThere() {
        var means = new Mean[] {mean(Arm.FULL, 0.7), mean(Arm.SCRATCH, 0.5)};
        assertThat(
                        text(
                                0.001,
                                List.of(
                                        new BreakEven(
                                                16,
                                                480.0,
                                                null,
                                                null,
                                                List.of(Missing.NOT_REACHED))),
                                means))
                .contains("more than 64", "1: at most 10.0 s, 10: at most 1.0 s");
        assertThat(text(0.001, List.of(new BreakEven(16, 480.0, 64, 3.0, List.of())), means))
                .contains("1: 10.0 s, 10: 1.0 s")
                .doesNotContain("at most");
    }
}
