package dev.espalier.task;

import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.LabelSets;
import dev.espalier.evaluate.Regression;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What models of texts tell, and how that is judged. An answer is the probability of each label,
/// or a number; the truth beside it is as [Example#truth] has it.
public final class Answers {
    private static final int SHOWN = 8;
    private static final double SIGNIFICANT = 0.05;

    /// Texts in a batch hold at most about this many tokens, padding included.
    private static final int BATCH_TOKENS = 4096;

    private Answers() {}

    /// What `model` tells of each of `texts`, in their order: the probability of each label, or the
    /// number. The scores of a text's windows are averaged first. Windows of like length go through
    /// the model together.
    public static double[][] of(SequenceClassifier model, List<TextReader.Read> texts) {
        var windows = texts.stream().flatMap(t -> t.windows().stream()).toList();
        var scores = scores(model, windows);
        var classes = model.labels().size();
        var answers = new double[texts.size()][classes];
        var at = 0;
        for (var i = 0; i < answers.length; i++) {
            var count = texts.get(i).windows().size();
            for (var w = 0; w < count; w++, at++) {
                for (var c = 0; c < classes; c++) {
                    answers[i][c] += (double) scores[at][c] / count;
                }
            }
            answer(model.problem(), answers[i]);
        }
        return answers;
    }

    /// Turns scores into what they tell.
    static void answer(Problem problem, double[] scores) {
        switch (problem) {
            case Problem.SingleLabel _ -> {
                var max = Arrays.stream(scores).max().orElseThrow();
                Arrays.setAll(scores, c -> Math.exp(scores[c] - max));
                var sum = Arrays.stream(scores).sum();
                Arrays.setAll(scores, c -> scores[c] / sum);
            }
            case Problem.MultiLabel _ -> Arrays.setAll(scores, c -> 1 / (1 + Math.exp(-scores[c])));
            case Problem.Regression r -> scores[0] = r.mean() + r.scale() * scores[0];
        }
    }

    private static float[][] scores(SequenceClassifier model, List<TextReader.Tokens> texts) {
        var order =
                IntStream.range(0, texts.size())
                        .boxed()
                        .sorted(Comparator.comparingInt((Integer i) -> texts.get(i).length()))
                        .toList();
        var classes = model.labels().size();
        var result = new float[texts.size()][];
        for (var start = 0; start < order.size(); ) {
            var end = start + 1;
            while (end < order.size()
                    && (long) (end + 1 - start) * texts.get(order.get(end)).length()
                            <= BATCH_TOKENS) {
                end++;
            }
            var batch = order.subList(start, end).stream().map(texts::get).toList();
            float[] rows;
            try (var scope = new Scope()) {
                rows =
                        Torch.noGrad(() ->
                                ClassificationBatch.scores(model, batch).to(DType.FLOAT).floats());
            }
            for (var i = start; i < end; i++) {
                result[order.get(i)] =
                        Arrays.copyOfRange(rows, (i - start) * classes, (i + 1 - start) * classes);
            }
            start = end;
        }
        return result;
    }

    /// The likeliest class of each text.
    public static int[] likeliest(double[][] probabilities) {
        return Arrays.stream(probabilities).mapToInt(Answers::likeliest).toArray();
    }

    private static int likeliest(double[] probabilities) {
        var best = 0;
        for (var c = 1; c < probabilities.length; c++) {
            best = probabilities[c] > probabilities[best] ? c : best;
        }
        return best;
    }

    /// What `answers` tell, beside what is true.
    ///
    /// @param truth of each record, as [Example#truth] has it
    /// @param answers to each, as [#of] has them
    public static Judgement judge(Problem problem, double[][] truth, double[][] answers) {
        return switch (problem) {
            case Problem.SingleLabel one ->
                    new Classification(one.labels(), classes(truth), likeliest(answers));
            case Problem.MultiLabel several ->
                    new LabelSets(
                            several.labels(), sets(truth, 0.5), sets(answers, several.threshold()));
            case Problem.Regression _ -> new Regression(firsts(truth), firsts(answers));
        };
    }

    private static int[] classes(double[][] truth) {
        return Arrays.stream(truth).mapToInt(t -> (int) t[0]).toArray();
    }

    private static double[] firsts(double[][] rows) {
        return Arrays.stream(rows).mapToDouble(r -> r[0]).toArray();
    }

    /// Where a row's numbers reach `threshold`.
    private static int[][] sets(double[][] rows, double threshold) {
        return Arrays.stream(rows)
                .map(row ->
                        IntStream.range(0, row.length).filter(l -> row[l] >= threshold).toArray())
                .toArray(int[][]::new);
    }

    /// The answer that, given to every record alike, does best on the training records: the most
    /// frequent label, the [LabelSets#constant] labels, or the mean.
    public static double[] constant(Problem problem, double[][] truth) {
        var answer = new double[problem.labels().size()];
        switch (problem) {
            case Problem.SingleLabel _ ->
                    answer[Classification.majority(classes(truth), answer.length)] = 1;
            case Problem.MultiLabel _ -> {
                for (var label : LabelSets.constant(sets(truth, 0.5), answer.length)) {
                    answer[label] = 1;
                }
            }
            case Problem.Regression _ ->
                    answer[0] = Arrays.stream(firsts(truth)).average().orElseThrow();
        }
        return answer;
    }

    /// The answer that, given to all records alike, stands beside a model's, under its name: the
    /// training records' [#constant] one or, of models that do not tell it, that of `truth` itself.
    ///
    /// @param commonest labels of the training records' one, where they are known
    static SequencedMap<String, double[][]> constant(
            Problem problem, @Nullable List<String> commonest, double[][] truth) {
        var regression = problem instanceof Problem.Regression;
        var known =
                problem instanceof Problem.Regression(var mean, var scale)
                        // Who was never told the training records' mean has 0 and 1 here.
                        ? mean != 0 || scale != 1 ? new double[] {mean} : null
                        : commonest == null ? null : telling(problem, commonest);
        var answer = known == null ? constant(problem, truth) : known;
        var named = new LinkedHashMap<String, double[][]>();
        named.put(
                Commonest.name(regression ? "mean" : "majority", known),
                always(answer, truth.length));
        return named;
    }

    private static double[] telling(Problem problem, List<String> labels) {
        var answer = new double[problem.labels().size()];
        labels.forEach(label -> answer[problem.labels().indexOf(label)] = 1);
        return answer;
    }

    /// The labels that [#constant] tells.
    public static List<String> labels(Problem problem, double[] constant) {
        return IntStream.range(0, constant.length)
                .filter(l -> constant[l] > 0)
                .mapToObj(problem.labels()::get)
                .toList();
    }

    /// The threshold that gives labels the highest micro-F1, of the middles between probabilities
    /// that follow each other.
    public static double bestThreshold(double[][] truth, double[][] answers) {
        var pairs = new ArrayList<double[]>();
        var positives = 0L;
        for (var i = 0; i < truth.length; i++) {
            for (var l = 0; l < truth[i].length; l++) {
                pairs.add(new double[] {answers[i][l], truth[i][l]});
                positives += truth[i][l] > 0 ? 1 : 0;
            }
        }
        pairs.sort(Comparator.comparingDouble(p -> -p[0]));
        var best = 0.5;
        var highest = 0.0;
        var hits = 0L;
        for (var told = 1; told <= pairs.size(); told++) {
            hits += pairs.get(told - 1)[1] > 0 ? 1 : 0;
            var here = pairs.get(told - 1)[0];
            var next = told < pairs.size() ? pairs.get(told)[0] : 0;
            var f1 = 2.0 * hits / (told + positives);
            if (next < here && f1 > highest) {
                highest = f1;
                best = (here + next) / 2;
            }
        }
        return Math.clamp(best, 1e-6, 1 - 1e-6);
    }

    /// All metrics of a test: the loss, in nats a record, for several labels a label, for a number
    /// the squared error in standardised units; those of [#judge]; and under a name such as
    /// `majority-accuracy` those of other answers to the same records.
    ///
    /// @param others the answers of simpler models, by their names
    /// @param seed of the intervals' bootstrap
    public static List<Score> scores(
            String data,
            Problem problem,
            double[][] truth,
            double[][] answers,
            SequencedMap<String, double[][]> others,
            long seed) {
        var losses = new double[truth.length];
        Arrays.setAll(losses, i -> loss(problem, truth[i], answers[i]));
        var scores = new ArrayList<Score>();
        var ones = new double[losses.length];
        Arrays.fill(ones, 1);
        scores.add(Score.of(data, "loss", Interval.loss(losses, ones), losses.length));
        var judgement = judge(problem, truth, answers);
        scores.addAll(judgement.scores(data, seed));
        scores.addAll(judgement.labelScores(data));
        others.forEach((name, other) -> {
            for (var score : judge(asTold(problem), truth, other).scores(data, seed)) {
                scores.add(
                        Score.of(data, name + "-" + score.metric(), score.interval(), score.n()));
            }
        });
        return scores;
    }

    /// What the scores of a single label may leave unseen, in a sentence each: labels of the test
    /// that are never told, and simpler models that do as well as this one, or better, by McNemar's
    /// test.
    ///
    /// @param others the answers of simpler models, by their names
    public static List<String> remarks(
            Problem problem,
            double[][] truth,
            double[][] answers,
            SequencedMap<String, double[][]> others) {
        var remarks = new ArrayList<String>();
        if (!(judge(problem, truth, answers) instanceof Classification judged)) {
            return remarks;
        }
        var confusion = judged.confusion();
        var never =
                IntStream.range(0, confusion.labels().size())
                        .filter(l -> confusion.support(l) > 0 && confusion.predictions(l) == 0)
                        .mapToObj(
                                l -> confusion.labels().get(l) + " (" + confusion.support(l) + ")")
                        .toList();
        if (!never.isEmpty()) {
            remarks.add(
                    "never told, with their records: "
                            + String.join(", ", never.subList(0, Math.min(SHOWN, never.size())))
                            + (never.size() > SHOWN
                                    ? ", and %d more labels".formatted(never.size() - SHOWN)
                                    : ""));
        }
        others.forEach((name, other) -> {
            var compared = judged.minus((Classification) judge(problem, truth, other));
            if (compared.p() >= SIGNIFICANT || compared.gained() < compared.lost()) {
                remarks.add(
                        String.format(
                                Locale.ROOT,
                                "%s %s: right alone %d times, this model %d times (p = %.2g)",
                                name.replace('-', ' '),
                                compared.p() >= SIGNIFICANT
                                        ? "does as well, as far as these records tell"
                                        : "does better",
                                compared.lost(),
                                compared.gained(),
                                compared.p()));
            }
        });
        return remarks;
    }

    /// Simpler models tell labels from a probability of one half on.
    private static Problem asTold(Problem problem) {
        return problem instanceof Problem.MultiLabel m
                ? new Problem.MultiLabel(m.labels(), 0.5)
                : problem;
    }

    private static double loss(Problem problem, double[] truth, double[] answer) {
        return switch (problem) {
            case Problem.SingleLabel _ -> -log(answer[(int) truth[0]]);
            case Problem.MultiLabel _ ->
                    IntStream.range(0, truth.length)
                            .mapToDouble(l -> -log(truth[l] > 0 ? answer[l] : 1 - answer[l]))
                            .average()
                            .orElseThrow();
            case Problem.Regression r -> {
                var error = (answer[0] - truth[0]) / r.scale();
                yield error * error;
            }
        };
    }

    private static double log(double probability) {
        return Math.log(Math.max(1e-12, probability));
    }

    /// The name under which [#constant] answers stand beside a model's.
    public static String constantName(Problem problem) {
        return problem instanceof Problem.Regression ? "mean" : "majority";
    }

    /// The same answer to `n` records.
    public static double[][] always(double[] answer, int n) {
        var answers = new double[n][];
        Arrays.fill(answers, answer);
        return answers;
    }
}
