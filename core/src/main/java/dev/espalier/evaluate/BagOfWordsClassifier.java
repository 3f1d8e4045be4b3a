package dev.espalier.evaluate;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// The simple model that a fine-tuned one must beat: multinomial logistic regression on the words
/// of a text, whatever their order. Immutable, safe for threads, and the same on every machine.
///
/// A word w that occurs f times in a text, and in d of the N training texts, weighs
///
/// (1 + ln f) · (ln((1 + N) / (1 + d)) + 1)
///
/// and a text's weights are scaled to length 1. Training minimises, over weights W and biases b,
///
/// Σ cross-entropy + ‖W‖² / (2 · 100)
///
/// by L-BFGS (Liu and Nocedal 1989). The strength 1/100 is fixed, not tuned to the texts at hand.
/// `docs/decisions/042-strength-of-the-baseline.md` has the figures behind it.
public final class BagOfWordsClassifier {
    private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{M}\\p{N}]+");
    private static final double STRENGTH = 0.01;
    private static final int HISTORY = 8;
    private static final int MOST_STEPS = 100;

    /// A text as (word, weight) pairs.
    private record Features(int[] words, double[] weights) {}

    private final int labels;
    private final Map<String, Integer> vocabulary;
    private final double[] rarity;

    /// A row of `labels` weights for each word, then the biases.
    private final double[] weights;

    /// Fits a classifier to `texts`, whose labels are indices below `labels`.
    public static BagOfWordsClassifier fit(List<String> texts, int[] truth, int labels) {
        if (texts.isEmpty() || texts.size() != truth.length) {
            throw new IllegalArgumentException(
                    texts.size() + " texts, " + truth.length + " labels");
        }
        for (var label : truth) {
            java.util.Objects.checkIndex(label, labels);
        }
        return new BagOfWordsClassifier(texts, truth, labels);
    }

    private BagOfWordsClassifier(List<String> texts, int[] truth, int labels) {
        this.labels = labels;
        var documents = new TreeMap<String, Integer>();
        for (var text : texts) {
            counts(text).keySet().forEach(word -> documents.merge(word, 1, Integer::sum));
        }
        vocabulary = new HashMap<>();
        rarity = new double[documents.size()];
        documents.forEach((word, count) -> {
            rarity[vocabulary.size()] = Math.log((1.0 + texts.size()) / (1 + count)) + 1;
            vocabulary.put(word, vocabulary.size());
        });
        var features = texts.stream().map(this::features).toArray(Features[]::new);
        weights = minimise(features, truth);
    }

    /// The probability of each label.
    public double[] probabilities(String text) {
        return probabilities(features(text), weights);
    }

    /// The most probable label.
    public int predict(String text) {
        var p = probabilities(text);
        var best = 0;
        for (var label = 1; label < labels; label++) {
            best = p[label] > p[best] ? label : best;
        }
        return best;
    }

    public int[] predict(List<String> texts) {
        return texts.stream().mapToInt(this::predict).toArray();
    }

    private static Map<String, Integer> counts(String text) {
        var counts = new TreeMap<String, Integer>();
        var words = WORD.matcher(text.toLowerCase(Locale.ROOT));
        while (words.find()) {
            counts.merge(words.group(), 1, Integer::sum);
        }
        return counts;
    }

    private Features features(String text) {
        var counts = counts(text);
        counts.keySet().retainAll(vocabulary.keySet());
        var words = new int[counts.size()];
        var weights = new double[counts.size()];
        var squares = 0.0;
        var i = 0;
        for (var entry : counts.entrySet()) {
            words[i] = java.util.Objects.requireNonNull(vocabulary.get(entry.getKey()));
            weights[i] = (1 + Math.log(entry.getValue())) * rarity[words[i]];
            squares += weights[i] * weights[i++];
        }
        for (var j = 0; j < weights.length; j++) {
            weights[j] /= Math.sqrt(squares);
        }
        return new Features(words, weights);
    }

    private double[] probabilities(Features text, double[] at) {
        var scores = Arrays.copyOfRange(at, at.length - labels, at.length);
        for (var i = 0; i < text.words.length; i++) {
            var row = text.words[i] * labels;
            for (var label = 0; label < labels; label++) {
                scores[label] += at[row + label] * text.weights[i];
            }
        }
        var max = Arrays.stream(scores).max().orElseThrow();
        var sum = 0.0;
        for (var label = 0; label < labels; label++) {
            scores[label] = StrictMath.exp(scores[label] - max);
            sum += scores[label];
        }
        for (var label = 0; label < labels; label++) {
            scores[label] /= sum;
        }
        return scores;
    }

    /// The objective at `at`; its gradient goes to `gradient`.
    private double objective(Features[] texts, int[] truth, double[] at, double[] gradient) {
        Arrays.fill(gradient, 0);
        var biases = at.length - labels;
        var value = 0.0;
        for (var w = 0; w < biases; w++) {
            value += STRENGTH / 2 * at[w] * at[w];
            gradient[w] = STRENGTH * at[w];
        }
        for (var t = 0; t < texts.length; t++) {
            var p = probabilities(texts[t], at);
            value -= Math.log(Math.max(p[truth[t]], Double.MIN_NORMAL));
            p[truth[t]] -= 1;
            for (var i = 0; i < texts[t].words.length; i++) {
                var row = texts[t].words[i] * labels;
                for (var label = 0; label < labels; label++) {
                    gradient[row + label] += p[label] * texts[t].weights[i];
                }
            }
            for (var label = 0; label < labels; label++) {
                gradient[biases + label] += p[label];
            }
        }
        return value;
    }

    /// A step of L-BFGS: what moved, by how much the gradient changed, and 1 over their product.
    private record Step(double[] moved, double[] change, double scale) {}

    private double[] minimise(Features[] texts, int[] truth) {
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
