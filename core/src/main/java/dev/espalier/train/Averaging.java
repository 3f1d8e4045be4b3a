package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.optim.FlatParameters.Slot;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.torch.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Defences that mix weights after training.
///
/// WiSE-FT (Wortsman et al. 2022, arXiv:2109.01903, section 3): of the weights (1 - α) θ₀ + α θ₁,
/// from those before to those after, the ones that do best on the validation records within the
/// budget. Where the paper has a head for θ₀ too, a new head has none: it stays as it was trained.
/// α = 0, which has learnt nothing else, is taken only where no other is within the budget.
///
/// Greedy soups (Wortsman et al. 2022, arXiv:2203.05482, recipe 1): the models of several runs from
/// the best on, each added to the average if the average is then no worse.
final class Averaging {
    private final DefenceRecipe defence;
    private final float[] start;

    private Averaging(DefenceRecipe defence, float[] start) {
        this.defence = defence;
        this.start = start;
    }

    /// Null where the recipe mixes nothing. To be made before the first step.
    static @Nullable Averaging of(Job job, Trainer trainer) {
        return job.recipe() instanceof FinetuneRecipe recipe
                        && recipe.forgetting() != null
                        && isAfterwards(recipe.forgetting().defence())
                ? new Averaging(recipe.forgetting().defence(), trainer.weights())
                : null;
    }

    /// Whether a defence only begins when training has ended.
    static boolean isAfterwards(DefenceRecipe defence) {
        return defence instanceof DefenceRecipe.WiseFt || defence instanceof DefenceRecipe.Soup;
    }

    /// How often it measures a model at the most, behind the training of `recipe`.
    static int measured(Recipe recipe) {
        if (!(recipe instanceof FinetuneRecipe f) || f.forgetting() == null) {
            return 0;
        }
        return switch (f.forgetting().defence()) {
            case DefenceRecipe.WiseFt wise -> wise.steps() + 1;
            case DefenceRecipe.Soup soup -> 2 * soup.models().size() + 1;
            default -> 0;
        };
    }

    /// Weights with their value by the validation records; null where they are beyond the budget.
    private record Tried(float[] weights, @Nullable Double value) {}

    /// Chooses among mixtures with the weights that `trainer` has now, leaves it the chosen ones,
    /// and gives what each reached: the data of the scores are named by the mixture.
    List<Score> settle(Job job, Trainer trainer, Watcher watcher) {
        var scores = new ArrayList<Score>();
        var chosen =
                switch (defence) {
                    case DefenceRecipe.WiseFt wise ->
                            line(wise.steps(), job, trainer, watcher, scores);
                    case DefenceRecipe.Soup soup -> soup(soup, job, trainer, watcher, scores);
                    default -> throw new IllegalStateException(defence.toString());
                };
        trainer.restoreWeights(chosen);
        return scores;
    }

    private float[] line(int steps, Job job, Trainer trainer, Watcher watcher, List<Score> scores) {
        var end = trainer.weights();
        var model = job.learner().model();
        Double best = null, before = null;
        var at = 0.0;
        for (var k = 0; k <= steps; k++) {
            var alpha = (double) k / steps;
            var value =
                    tried(
                                    "alpha-" + Math.round(1000 * alpha) / 1000.0,
                                    mixed(start, end, alpha, model, trainer.slots()),
                                    job,
                                    trainer,
                                    scores)
                            .value();
            if (k == 0) {
                before = value;
            } else if (value != null && (best == null || value > best)) {
                best = value;
                at = alpha;
            }
        }
        // The mixture is made again, since one of each would take as much memory as the model.
        var kept = mixed(start, end, at, model, trainer.slots());
        if (best == null && before != null) {
            watcher.said(
                    "of the weights between those before (0) and after (1), none but those at 0 are within forgetting.budget; they are kept, and only the head has learnt");
            return kept;
        }
        if (best == null) {
            throw EspalierException.check(
                    "no weights between those before and those after are within forgetting.budget");
        }
        watcher.said(
                String.format(
                        Locale.ROOT,
                        "of the weights between those before (0) and after (1), those at %.3f are kept",
                        at));
        return kept;
    }

    /// `(1 - alpha)` of one and `alpha` of the other; what is not of the parent as it ended. The
    /// ends are exact.
    static float[] mixed(float[] start, float[] end, double alpha, Module model, List<Slot> slots) {
        var mixed = end.clone();
        for (var slot : slots) {
            if (Defending.isOfParent(model, slot.name())) {
                for (var i = slot.offset(); i < slot.offset() + slot.count(); i++) {
                    var at = Math.toIntExact(i);
                    mixed[at] = (float) ((1 - alpha) * start[at] + alpha * end[at]);
                }
            }
        }
        return mixed;
    }

    private record Ingredient(String name, Tried tried) {}

    private static float[] soup(
            DefenceRecipe.Soup soup,
            Job job,
            Trainer trainer,
            Watcher watcher,
            List<Score> scores) {
        var ingredients = new ArrayList<Ingredient>();
        ingredients.add(
                new Ingredient(
                        "this run",
                        tried("soup-this-run", trainer.weights(), job, trainer, scores)));
        for (var folder : soup.models()) {
            var weights = read(folder, job, trainer);
            ingredients.add(
                    new Ingredient(
                            folder.toString(),
                            tried("soup-" + folder, weights, job, trainer, scores)));
        }
        var within =
                ingredients.stream()
                        .filter(i -> i.tried().value() != null)
                        .sorted(Comparator.comparingDouble(Averaging::value).reversed())
                        .toList();
        if (within.isEmpty()) {
            throw EspalierException.check("none of the models is within forgetting.budget");
        }
        var taken = new ArrayList<Ingredient>();
        var best = within.getFirst().tried();
        taken.add(within.getFirst());
        for (var next : within.subList(1, within.size())) {
            var all = new ArrayList<>(taken.stream().map(i -> i.tried().weights()).toList());
            all.add(next.tried().weights());
            var tried = tried("soup-of-" + all.size(), mean(all), job, trainer, scores);
            if (tried.value() != null && best.value() != null && tried.value() >= best.value()) {
                best = tried;
                taken.add(next);
            }
        }
        watcher.said(
                "the weights are the average of " + taken.stream().map(Ingredient::name).toList());
        return best.weights();
    }

    private static double value(Ingredient ingredient) {
        return java.util.Objects.requireNonNull(ingredient.tried().value());
    }

    static float[] mean(List<float[]> all) {
        var mean = new float[all.getFirst().length];
        for (var i = 0; i < mean.length; i++) {
            var sum = 0.0;
            for (var weights : all) {
                sum += weights[i];
            }
            mean[i] = (float) (sum / all.size());
        }
        return mean;
    }

    /// The weights of another run's classifier, laid out as this one's.
    private static float[] read(Path folder, Job job, Trainer trainer) {
        var other = HuggingFace.readClassifier(folder).model();
        try (var scope = new Scope()) {
            var own = (SequenceClassifier) job.learner().model();
            if (!other.labels().equals(own.labels())) {
                throw EspalierException.data(
                        "%s: tells %s; a soup is of models that tell the same, here %s"
                                .formatted(folder, other.labels(), own.labels()));
            }
            var parameters = other.parameters();
            var flat = new float[trainer.weights().length];
            for (var slot : trainer.slots()) {
                var parameter = parameters.get(slot.name());
                if (parameter == null || !Arrays.equals(parameter.value().shape(), slot.shape())) {
                    throw EspalierException.data(
                            "%s: has no weight '%s' of the shape %s; a soup is of models of one shape"
                                    .formatted(folder, slot.name(), Arrays.toString(slot.shape())));
                }
                var values = parameter.value().floats();
                System.arraycopy(values, 0, flat, Math.toIntExact(slot.offset()), values.length);
            }
            return flat;
        } finally {
            other.free();
        }
    }

    private static Tried tried(
            String name, float[] weights, Job job, Trainer trainer, List<Score> scores) {
        trainer.restoreWeights(weights);
        var found = job.measure(Long.MAX_VALUE);
        found.forEach(s ->
                scores.add(
                        new Score(
                                name + "-" + s.data(),
                                s.metric(),
                                s.value(),
                                s.low(),
                                s.high(),
                                s.n())));
        var value = job.selection(found);
        return new Tried(
                weights,
                job.forgetting().isWithinBudget()
                        ? (value == null ? Double.valueOf(0) : value)
                        : null);
    }
}
