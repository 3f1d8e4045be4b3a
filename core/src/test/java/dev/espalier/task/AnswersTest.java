package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.evaluate.Score;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.task.TextReader.Read;
import dev.espalier.task.TextReader.Tokens;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.LinkedHashMap;
import java.util.List;
import org.junit.jupiter.api.Test;

class AnswersTest {
    private static final Problem.SingleLabel ONE = new Problem.SingleLabel(List.of("a", "b", "c"));
    private static final Problem.MultiLabel SEVERAL =
            new Problem.MultiLabel(List.of("a", "b", "c"), 0.5);
    private static final Problem.Regression NUMBER = new Problem.Regression(100, 20);

    /// The scores of the windows are averaged before they become what they tell.
    @Test
    void windowsAreAveragedByTheirScores() {
        var windows =
                List.of(
                        new Tokens(new int[] {3, 1, 4, 1}, null),
                        new Tokens(new int[] {5, 9}, null));
        var texts =
                List.of(
                        new Read(windows, false),
                        new Read(windows.subList(1, 2), false),
                        new Read(windows.subList(0, 1), false));
        for (var problem : List.of(ONE, SEVERAL, NUMBER)) {
            var model =
                    new SequenceClassifier(
                            new Gpt2(Gpt2Config.of(10, 8, 16, 2, 2, 0)).initialize(1), problem);
            model.initializeHead(2);
            float[] scores;
            try (var scope = new Scope()) {
                scores = Torch.noGrad(() -> ClassificationBatch.scores(model, windows).floats());
            }
            var n = problem.labels().size();
            var mean = new double[n];
            for (var i = 0; i < n; i++) {
                mean[i] = (scores[i] + (double) scores[n + i]) / 2;
            }
            var answers = Answers.of(model, texts);
            switch (problem) {
                case Problem.SingleLabel _ -> {
                    assertThat(answers[0][0] / answers[0][1])
                            .isCloseTo(Math.exp(mean[0] - mean[1]), within(1e-6));
                    assertThat(answers[0][0] + answers[0][1] + answers[0][2])
                            .isCloseTo(1, within(1e-12));
                }
                case Problem.MultiLabel _ ->
                        assertThat(answers[0][2])
                                .isCloseTo(1 / (1 + Math.exp(-mean[2])), within(1e-6));
                case Problem.Regression _ -> {
                    assertThat(answers[0][0]).isCloseTo(100 + 20 * mean[0], within(1e-5));
                    assertThat(answers[0][0])
                            .isCloseTo((answers[1][0] + answers[2][0]) / 2, within(1e-5));
                }
            }
            model.free();
        }
    }

    @Test
    void lossesAreThoseOfTraining() {
        var one = loss(ONE, new double[] {2}, new double[] {0.2, 0.3, 0.5});
        assertThat(one).isCloseTo(-Math.log(0.5), within(1e-12));
        var several = loss(SEVERAL, new double[] {1, 0, 0}, new double[] {0.9, 0.2, 0.5});
        assertThat(several)
                .isCloseTo(-(Math.log(0.9) + Math.log(0.8) + Math.log(0.5)) / 3, within(1e-12));
        assertThat(loss(NUMBER, new double[] {130}, new double[] {90})).isEqualTo(4);
        // A probability of 0 costs much, but not all.
        assertThat(loss(ONE, new double[] {0}, new double[] {0, 1, 0})).isBetween(20.0, 30.0);
    }

    private static double loss(Problem problem, double[] truth, double[] answer) {
        return Answers.scores(
                        "x",
                        problem,
                        new double[][] {truth, truth},
                        new double[][] {answer, answer},
                        new LinkedHashMap<>(),
                        1)
                .getFirst()
                .value();
    }

    @Test
    void simplerModelsStandBesideUnderTheirNames() {
        var truth = new double[][] {{110}, {90}, {130}};
        var others = new LinkedHashMap<String, double[][]>();
        others.put("mean", Answers.always(Answers.constant(NUMBER, truth), 3));
        var scores =
                Answers.scores("x", NUMBER, truth, new double[][] {{111}, {92}, {127}}, others, 1);
        assertThat(scores)
                .extracting(Score::metric)
                .containsExactly(
                        "loss", "mse", "mae", "pearson", "spearman", "mean-mse", "mean-mae");
        assertThat(scores.get(2).value()).isCloseTo(2, within(1e-12));
        assertThat(scores.get(6).value()).isCloseTo(40 / 3.0, within(1e-12));
    }

    @Test
    void constantAnswersAreTheMostFrequent() {
        assertThat(Answers.constant(ONE, new double[][] {{1}, {2}, {1}})).containsExactly(0, 1, 0);
        assertThat(Answers.constant(SEVERAL, new double[][] {{1, 0, 1}, {1, 0, 0}, {1, 1, 0}}))
                .containsExactly(1, 0, 0);
        assertThat(Answers.constant(NUMBER, new double[][] {{1}, {2}, {6}})).containsExactly(3);
    }

    /// Of all thresholds none gives a higher micro-F1.
    @Test
    void theBestThresholdIsTheBest() {
        var truth = new double[40][3];
        var answers = new double[40][3];
        var rng = dev.espalier.Rng.at(5);
        for (var i = 0; i < 40; i++) {
            for (var l = 0; l < 3; l++) {
                truth[i][l] = rng.nextInt(4) == 0 ? 1 : 0;
                answers[i][l] = 0.2 * truth[i][l] + 0.4 * rng.nextDouble();
            }
        }
        var best = f1(truth, answers, Answers.bestThreshold(truth, answers));
        for (var t = 0.01; t < 1; t += 0.01) {
            assertThat(f1(truth, answers, t)).isLessThanOrEqualTo(best);
        }
        assertThat(best).isGreaterThan(f1(truth, answers, 0.5));
        assertThat(Answers.bestThreshold(new double[1][3], new double[1][3])).isEqualTo(0.5);
    }

    private static double f1(double[][] truth, double[][] answers, double threshold) {
        var problem = new Problem.MultiLabel(SEVERAL.labels(), threshold);
        return Answers.judge(problem, truth, answers).scores("x", 1).getFirst().value();
    }

    /// A model that tells a and b and never c, beside one that always says a, one that is always
    /// right, and, for a model that always says c, the same two.
    @Test
    void whatScoresLeaveUnseenIsSaid() {
        var truth = new double[20][];
        var told = new double[20][];
        var right = new double[20][];
        for (var i = 0; i < 20; i++) {
            var label = i < 10 ? 0 : i < 18 ? 1 : 2;
            truth[i] = new double[] {label};
            told[i] = sure(label == 2 ? 0 : label);
            right[i] = sure(label);
        }
        var others = new LinkedHashMap<String, double[][]>();
        others.put("majority", Answers.always(sure(0), 20));
        others.put("bag-of-words", right);
        assertThat(Answers.remarks(ONE, truth, told, others))
                .containsExactly(
                        "never told, with their records: c (2)",
                        "bag of words does as well, as far as these records tell: right alone 2 times,"
                                + " this model 0 times (p = 0.50)");
        assertThat(Answers.remarks(ONE, truth, Answers.always(sure(2), 20), others))
                .containsExactly(
                        "never told, with their records: a (10), b (8)",
                        "majority does better: right alone 10 times, this model 2 times (p = 0.039)",
                        "bag of words does better: right alone 18 times, this model 0 times"
                                + " (p = 7.6e-06)");
        assertThat(Answers.remarks(ONE, truth, right, new LinkedHashMap<>())).isEmpty();
    }

    private static double[] sure(int label) {
        var answer = new double[3];
        answer[label] = 1;
        return answer;
    }
}
