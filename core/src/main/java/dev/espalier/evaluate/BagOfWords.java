package dev.espalier.evaluate;

import dev.espalier.data.LabelledText;
import dev.espalier.model.Problem;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The simple model that a fine-tuned one must beat: a linear model of the words of a text,
/// whatever their order. Immutable, safe for threads, and the same on every machine.
///
/// A word w that occurs f times in a text, and in d of the N training texts, weighs
///
/// (1 + ln f) · (ln((1 + N) / (1 + d)) + 1)
///
/// and a text's weights are scaled to length 1. In a pair a word of the second text is another than
/// the same word of the first. Training minimises, over weights W and biases b,
///
/// Σ loss + λ ‖W‖² / 2
///
/// by L-BFGS (Liu and Nocedal 1989), where the loss is cross-entropy for one of several labels, the
/// sum of the labels' binary cross-entropies for any number of them, both with λ = 1/100, and for a
/// number half the squared error, in standard deviations, with λ = 1, as ridge regression has it by
/// custom. λ is fixed, not tuned to the texts at hand;
/// `docs/decisions/042-strength-of-the-baseline.md` has the figures behind that of one label.
public final class BagOfWords {
    private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{M}\\p{N}]+");

    /// More weights than so many take too much memory; the rarest words are left out until they are
    /// fewer.
    private static final int MOST_WEIGHTS = 2_000_000;

    /// Into which texts are divided by [#heldOut].
    private static final int PARTS = 5;

    private static final int HISTORY = 8;
    private static final int MOST_STEPS = 100;

    /// A text as (word, weight) pairs.
    private record Features(int[] words, double[] weights) {}

    private final Problem problem;
    private final int labels;
    private final double strength;
    private final Map<String, Integer> vocabulary;
    private final double[] rarity;

    /// A row of `labels` weights for each word, then the biases.
    private final double[] weights;

    /// Fits a model to `texts`.
    ///
    /// @param truth of each text: the index of its label; of several labels 1 or 0 for each; the
    ///   number
    public static BagOfWords fit(Problem problem, List<LabelledText> texts, double[][] truth) {
        if (texts.isEmpty() || texts.size() != truth.length) {
            throw new IllegalArgumentException(
                    texts.size() + " texts, " + truth.length + " labels");
        }
        return new BagOfWords(problem, texts, truth);
    }

    private BagOfWords(Problem problem, List<LabelledText> texts, double[][] truth) {
        this.problem = problem;
        labels = problem.labels().size();
        strength = problem instanceof Problem.Regression ? 1 : 0.01;
        var documents = new TreeMap<String, Integer>();
        for (var text : texts) {
            counts(text).keySet().forEach(word -> documents.merge(word, 1, Integer::sum));
        }
        for (var rare = 1;
                (documents.size() + 1L) * labels > MOST_WEIGHTS && !documents.isEmpty();
                rare++) {
            var most = rare;
            documents.values().removeIf(count -> count <= most);
        }
        vocabulary = new HashMap<>();
        rarity = new double[documents.size()];
        documents.forEach((word, count) -> {
            rarity[vocabulary.size()] = Math.log((1.0 + texts.size()) / (1 + count)) + 1;
            vocabulary.put(word, vocabulary.size());
        });
        weights = minimise(texts.stream().map(this::features).toArray(Features[]::new), truth);
    }

    /// What is told of `texts` by models that were fitted to other ones, four fifths of all
    /// (cross-validation); of fewer than five different texts, to all others. Copies of a text stay
    /// together. Null where there are no other ones.
    ///
    /// @param truth as for [#fit]
    /// @param goOn asked after the first fifth whether the others are to be told too, with what was
    ///   told: a row for each text, empty where it was not yet told
    public static double @Nullable [][] heldOut(
            Problem problem,
            List<LabelledText> texts,
            double[][] truth,
            Predicate<double[][]> goOn) {
        // In an order that has nothing to do with that of the records, which may go by labels.
        var order =
                texts.stream()
                        .map(LabelledText::text)
                        .distinct()
                        .sorted(
                                Comparator.comparingInt(String::hashCode)
                                        .thenComparing(Comparator.naturalOrder()))
                        .toList();
        if (order.size() < 2) {
            return null;
        }
        var parts = new HashMap<String, Integer>();
        order.forEach(text -> parts.put(text, parts.size() % PARTS));
        var told = new double[texts.size()][0];
        for (var part = 0; part < Math.min(PARTS, order.size()); part++) {
            var out = part;
            var isIn = texts.stream().map(t -> !Objects.equals(parts.get(t.text()), out)).toList();
            var in = IntStream.range(0, told.length).filter(isIn::get).boxed().toList();
            var bag =
                    fit(
                            problem,
                            in.stream().map(texts::get).toList(),
                            in.stream().map(i -> truth[i]).toArray(double[][]::new));
            for (var i = 0; i < told.length; i++) {
                told[i] = isIn.get(i) ? told[i] : bag.answer(texts.get(i));
            }
            if (part == 0 && !goOn.test(told)) {
                break;
            }
        }
        return told;
    }

    /// What it tells of `text`: the probability of each label, or the number.
    public double[] answer(LabelledText text) {
        var scores = scores(features(text), weights);
        return problem instanceof Problem.Regression r
                ? new double[] {r.mean() + r.scale() * scores[0]}
                : told(scores);
    }

    public double[][] answers(List<LabelledText> texts) {
        return texts.stream().map(this::answer).toArray(double[][]::new);
    }

    private static Map<String, Integer> counts(LabelledText text) {
        var counts = new TreeMap<String, Integer>();
        count(text.text(), "", counts);
        if (text.second() != null) {
            count(text.second(), "2 ", counts);
        }
        return counts;
    }

    private static void count(String text, String mark, Map<String, Integer> counts) {
        var words = WORD.matcher(text.toLowerCase(Locale.ROOT));
        while (words.find()) {
            counts.merge(mark + words.group(), 1, Integer::sum);
        }
    }

    private Features features(LabelledText text) {
        var counts = counts(text);
        counts.keySet().retainAll(vocabulary.keySet());
        var words = new int[counts.size()];
        var weights = new double[counts.size()];
        var squares = 0.0;
        var i = 0;
        for (var entry : counts.entrySet()) {
            words[i] = Objects.requireNonNull(vocabulary.get(entry.getKey()));
            weights[i] = (1 + Math.log(entry.getValue())) * rarity[words[i]];
            squares += weights[i] * weights[i++];
        }
        for (var j = 0; j < weights.length; j++) {
            weights[j] /= Math.sqrt(squares);
        }
        return new Features(words, weights);
    }

    private double[] scores(Features text, double[] at) {
        var scores = Arrays.copyOfRange(at, at.length - labels, at.length);
        for (var i = 0; i < text.words.length; i++) {
            var row = text.words[i] * labels;
            for (var label = 0; label < labels; label++) {
                scores[label] += at[row + label] * text.weights[i];
            }
        }
        return scores;
    }

    /// What the losses compare with the truth, in place of `scores`: probabilities, or the
    /// standardised number.
    private double[] told(double[] scores) {
        switch (problem) {
            case Problem.SingleLabel _ -> {
                var max = Arrays.stream(scores).max().orElseThrow();
                Arrays.setAll(scores, label -> StrictMath.exp(scores[label] - max));
                var sum = Arrays.stream(scores).sum();
                Arrays.setAll(scores, label -> scores[label] / sum);
            }
            case Problem.MultiLabel _ ->
                    Arrays.setAll(scores, label -> 1 / (1 + StrictMath.exp(-scores[label])));
            case Problem.Regression _ -> {}
        }
        return scores;
    }

    /// The loss of what is told. `told` becomes its gradient by the scores, which all three losses
    /// have in common: what is told less what is true.
    private double loss(double[] told, double[] truth) {
        var loss = 0.0;
        switch (problem) {
            case Problem.SingleLabel _ -> {
                var label = (int) truth[0];
                loss = -log(told[label]);
                told[label] -= 1;
            }
            case Problem.MultiLabel _ -> {
                for (var label = 0; label < labels; label++) {
                    loss -= log(truth[label] > 0 ? told[label] : 1 - told[label]);
                    told[label] -= truth[label];
                }
            }
            case Problem.Regression r -> {
                told[0] -= r.standardised(truth[0]);
                loss = told[0] * told[0] / 2;
            }
        }
        return loss;
    }

    private static double log(double probability) {
        return Math.log(Math.max(probability, Double.MIN_NORMAL));
    }

    /// The objective at `at`; its gradient goes to `gradient`.
    private double objective(Features[] texts, double[][] truth, double[] at, double[] gradient) {
        Arrays.fill(gradient, 0);
        var biases = at.length - labels;
        var value = 0.0;
        for (var w = 0; w < biases; w++) {
            value += strength / 2 * at[w] * at[w];
            gradient[w] = strength * at[w];
        }
        for (var t = 0; t < texts.length; t++) {
            var error = told(scores(texts[t], at));
            value += loss(error, truth[t]);
            for (var i = 0; i < texts[t].words.length; i++) {
                var row = texts[t].words[i] * labels;
                for (var label = 0; label < labels; label++) {
                    gradient[row + label] += error[label] * texts[t].weights[i];
                }
            }
            for (var label = 0; label < labels; label++) {
                gradient[biases + label] += error[label];
            }
        }
        return value;
    }

    /// A step of L-BFGS: what moved, by how much the gradient changed, and 1 over their product.
    private record Step(double[] moved, double[] change, double scale) {}

    private double[] minimise(Features[] texts, double[][] truth) {
        var at = new double[Math.multiplyExact(rarity.length + 1, labels)];
        var gradient = new double[at.length];
        var value = objective(texts, truth, at, gradient);
        var steps = new ArrayDeque<Step>();
        var threshold = 1e-4 * Math.sqrt(dot(gradient, gradient));
        for (var s = 0; s < MOST_STEPS && Math.sqrt(dot(gradient, gradient)) > threshold; s++) {
            var direction = direction(gradient, steps);
            var slope = dot(gradient, direction);
            var next = new double[at.length];
            var nextGradient = new double[at.length];
            var length = steps.isEmpty() ? 1 / Math.sqrt(dot(gradient, gradient)) : 1.0;
            double nextValue;
            do {
                for (var i = 0; i < at.length; i++) {
                    next[i] = at[i] + length * direction[i];
                }
                nextValue = objective(texts, truth, next, nextGradient);
                length /= 2;
            } while (!(nextValue <= value + 2e-4 * length * slope) && length > 1e-12);
            var moved = new double[at.length];
            var change = new double[at.length];
            for (var i = 0; i < at.length; i++) {
                moved[i] = next[i] - at[i];
                change[i] = nextGradient[i] - gradient[i];
            }
            var product = dot(moved, change);
            if (!(nextValue < value) || !(product > 0)) {
                break;
            }
            if (steps.size() == HISTORY) {
                steps.removeFirst();
            }
            steps.addLast(new Step(moved, change, 1 / product));
            at = next;
            gradient = nextGradient;
            value = nextValue;
        }
        return at;
    }

    /// Minus the gradient, seen through the curvature that the last steps have met (the two loops
    /// of Nocedal 1980).
    private static double[] direction(double[] gradient, ArrayDeque<Step> steps) {
        var direction = new double[gradient.length];
        Arrays.setAll(direction, i -> -gradient[i]);
        if (steps.isEmpty()) {
            return direction;
        }
        var alphas = new ArrayDeque<Double>();
        for (var step : (Iterable<Step>) steps::descendingIterator) {
            var alpha = step.scale * dot(step.moved, direction);
            add(direction, -alpha, step.change);
            alphas.push(alpha);
        }
        var last = steps.getLast();
        var curvature = 1 / (last.scale * dot(last.change, last.change));
        Arrays.setAll(direction, i -> direction[i] * curvature);
        for (var step : steps) {
            var beta = step.scale * dot(step.change, direction);
            add(direction, alphas.pop() - beta, step.moved);
        }
        return direction;
    }

    private static void add(double[] to, double factor, double[] vector) {
        for (var i = 0; i < to.length; i++) {
            to[i] += factor * vector[i];
        }
    }

    private static double dot(double[] a, double[] b) {
        var sum = 0.0;
        for (var i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
