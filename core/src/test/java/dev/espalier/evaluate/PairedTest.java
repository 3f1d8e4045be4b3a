package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import org.junit.jupiter.api.Test;

class PairedTest {
    @Test
    void fewDifferencesAreCountedExactly() {
        // Of 16 ways to sign four equal differences two are as far from 0.
        assertThat(Paired.of(new double[] {1, 1, 0, 1, 1}, 1).p()).isEqualTo(2 / 16.0);
        assertThat(Paired.of(new double[] {0.5, -0.5}, 1).p()).isEqualTo(1);
        assertThat(Paired.of(new double[] {0, 0}, 1).p()).isEqualTo(1);
        // 3 - 1 of four: all but the six ways that come to 0.
        assertThat(Paired.of(new double[] {1, 1, 1, -1}, 1).p()).isEqualTo(10 / 16.0);
    }

    @Test
    void anIntervalAloneIsTakenForNormal() {
        assertThat(Paired.of(new Interval(0.2, 0, 0.4)).p()).isCloseTo(0.05, within(1e-3));
        assertThat(Paired.of(new Interval(-0.2, -0.4, 0)).p()).isCloseTo(0.05, within(1e-3));
        assertThat(Paired.of(new Interval(0, -0.2, 0.2)).p()).isCloseTo(1, within(1e-9));
        assertThat(Paired.of(new Interval(0, 0, 0)).p()).isEqualTo(1);
        assertThat(Paired.of(new Interval(0.1, 0.1, 0.1)).p()).isZero();
    }

    @Test
    void chanceIsTakenForMoreOnlyAsOftenAsItMayBe() {
        var rejected = 0;
        var trials = 300;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(trial);
            var differences = new double[40];
            for (var i = 0; i < differences.length; i++) {
                differences[i] = rng.nextGaussian();
            }
            rejected += Paired.of(differences, trial).p() < 0.05 ? 1 : 0;
        }
        // 5 % of the trials, and four deviations.
        assertThat(rejected / (double) trials)
                .isLessThan(0.05 + 4 * Math.sqrt(0.05 * 0.95 / trials));
    }

    /// The same method twice, each with three seeds whose models tell more and less: what is beyond
    /// chance for these seeds' models is none of the method's.
    @Test
    void seedsThatDifferAreNoDifferenceOfWays() {
        int trials = 100, seeds = 3, records = 60;
        int ofTheseSeeds = 0, ofOthers = 0;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(trial);
            var differences = new double[records];
            var bySeed = new double[seeds];
            for (var s = 0; s < seeds; s++) {
                for (var sign = 1; sign >= -1; sign -= 2) {
                    var share = 0.7 + 0.08 * rng.nextGaussian();
                    for (var i = 0; i < records; i++) {
                        var right = rng.nextDouble() < share ? sign : 0;
                        differences[i] += right / (double) seeds;
                        bySeed[s] += right / (double) records;
                    }
                }
            }
            var paired = Paired.of(differences, trial);
            ofTheseSeeds += paired.p() < 0.05 ? 1 : 0;
            ofOthers += paired.overSeeds(bySeed).p() < 0.05 ? 1 : 0;
        }
        var bound = 0.05 + 4 * Math.sqrt(0.05 * 0.95 / trials);
        assertThat(ofTheseSeeds / (double) trials).isGreaterThan(bound);
        assertThat(ofOthers / (double) trials).isLessThan(bound);
    }

    @Test
    void seedsThatAgreeLeaveTheTestOfTheRecords() {
        var rng = Rng.at(2);
        var differences = new double[400];
        for (var i = 0; i < differences.length; i++) {
            differences[i] = 0.3 + rng.nextGaussian();
        }
        var paired = Paired.of(differences, 1);
        var value = paired.difference().value();
        assertThat(paired.overSeeds(new double[] {value})).isEqualTo(paired);
        assertThat(paired.overSeeds(new double[] {value, value, value}).p()).isLessThan(0.001);
        // Half of it and one and a half: by Student's t, whose two seeds tell little.
        var apart = paired.overSeeds(new double[] {0.5 * value, 1.5 * value});
        assertThat(apart.p()).isGreaterThan(0.05);
        assertThat(apart.difference().low()).isNegative();
    }

    @Test
    void chancesOfStudentsTAreThoseOfTheTables() {
        assertThat(Paired.beyond(12.706204736, 1)).isCloseTo(0.05, within(1e-6));
        assertThat(Paired.beyond(2.776445105, 4)).isCloseTo(0.05, within(1e-6));
        assertThat(Paired.beyond(63.65674116, 1)).isCloseTo(0.01, within(1e-6));
        assertThat(Paired.beyond(1.959963985, Double.POSITIVE_INFINITY))
                .isCloseTo(0.05, within(5e-5));
        assertThat(Paired.beyond(0, 2.5)).isCloseTo(1, within(1e-9));
    }

    @Test
    void aDifferenceIsSeenWithItsSize() {
        var rng = Rng.at(1);
        var differences = new double[400];
        for (var i = 0; i < differences.length; i++) {
            differences[i] = 0.3 + rng.nextGaussian();
        }
        var paired = Paired.of(differences, 1);
        assertThat(paired.p()).isLessThan(0.001);
        assertThat(paired.difference().low()).isPositive();
        assertThat(paired.difference().value()).isCloseTo(0.3, within(0.15));
    }

    private static Sums f1(double[] right, double[] seen) {
        return new Shares(right, seen, true).sums();
    }

    @Test
    void sharesAreComparedByWhatAnExchangeMakesOfTheWhole() {
        // F1 of 2 found among 3, and of 1 among 4: 0.8 and 0.4.
        var one = f1(new double[] {1, 1, 0}, new double[] {1, 1, 1});
        var two = f1(new double[] {1, 0, 0}, new double[] {1, 2, 1});
        var paired = Paired.of(List.of(one), List.of(two), 1);
        assertThat(paired.difference().value()).isCloseTo(0.4, within(1e-12));
        // The records that are alike count in both figures, but can be exchanged for nothing.
        assertThat(paired.p()).isEqualTo(1);
        // Where all records count alike it is the test of their differences, over the seeds too.
        var rng = Rng.at(3);
        var right = new double[4][30];
        for (var row : right) {
            java.util.Arrays.setAll(row, i -> rng.nextInt(2));
        }
        var ones = new double[30];
        java.util.Arrays.fill(ones, 1);
        var shares =
                java.util.Arrays.stream(right)
                        .map(row -> new Shares(row, ones, false).sums())
                        .toList();
        var differences = new double[30];
        java.util.Arrays.setAll(
                differences, i -> (right[0][i] + right[1][i] - right[2][i] - right[3][i]) / 2);
        var means = Paired.of(differences, 5);
        var both = Paired.of(shares.subList(0, 2), shares.subList(2, 4), 5);
        assertThat(both.difference().value()).isCloseTo(means.difference().value(), within(1e-12));
        assertThat(both.difference().low()).isCloseTo(means.difference().low(), within(1e-12));
        assertThat(both.p()).isCloseTo(means.p(), within(0.02));
    }

    /// BLEU is of all texts together: what an exchange makes of it is told by writing the texts
    /// exchanged.
    @Test
    void scoresOfAllTextsAreComparedByExchangingTexts() {
        var references =
                List.of(
                        List.of("the cat sat on the mat today"),
                        List.of("a dog barked at the cat"),
                        List.of("it rained on the old mill"));
        var texts =
                List.of(
                        List.of(
                                "the cat sat on the mat today",
                                "the dog barked at the cat",
                                "it rained on a mill"),
                        List.of("the cat sat", "a dog at the cat", "it rained on the old mill"));
        var bleu = new Bleu(Bleu.Tokens.WMT_13A);
        var differences = new double[8];
        for (var kept = 0; kept < 8; kept++) {
            for (var side = 0; side < 2; side++) {
                var written = new java.util.ArrayList<String>();
                for (var i = 0; i < 3; i++) {
                    written.add(texts.get((kept >> i & 1) ^ side).get(i));
                }
                differences[kept] += (side == 0 ? 1 : -1) * bleu.score(written, references);
            }
        }
        var asFar =
                java.util.Arrays.stream(differences)
                        .filter(d -> Math.abs(d) >= Math.abs(differences[0]) - 1e-9)
                        .count();
        var sums =
                texts.stream()
                        .map(t ->
                                new WrittenTexts(t, references)
                                        .sums("bleu", WrittenTexts.Settings.USUAL))
                        .toList();
        var paired = Paired.of(sums.subList(0, 1), sums.subList(1, 2), 1);
        assertThat(paired.difference().value()).isCloseTo(differences[0], within(1e-9));
        assertThat(paired.p()).isEqualTo(asFar / 8.0).isBetween(0.2, 0.99);
    }

    @Test
    void holmsValuesAreThoseOfHisProcedure() {
        assertThat(Paired.holm(new double[] {0.01, 0.04, 0.03, 0.005}))
                .containsExactly(new double[] {0.03, 0.06, 0.06, 0.02}, within(1e-12));
        assertThat(Paired.holm(new double[] {0.6, 0.9})).containsExactly(1, 1);
    }
}
