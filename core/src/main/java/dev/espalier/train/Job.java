package dev.espalier.train;

import dev.espalier.evaluate.Score;
import dev.espalier.objective.ExampleText;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// What [Run] needs to know of pre-training and of fine-tuning: the data and the model, ready to
/// train.
interface Job extends AutoCloseable {
    /// Of what the best weights may be chosen by.
    Set<String> LESS_IS_BETTER =
            Set.of(
                    Metric.LOSS.score(),
                    Metric.CHARACTER_ERROR_RATE.score(),
                    Metric.WORD_ERROR_RATE.score());

    /// The recipe with every choice that `auto` left open made.
    Recipe recipe();

    Learner learner();

    /// The examples of a step, counted from 0, as text.
    List<ExampleText> examples(long step);

    /// Those of a learner of texts.
    static List<ExampleText> examples(Learner learner, long step, Tokenizer tokenizer) {
        return learner.step(step).stream()
                .flatMap(batch -> batch.examples(tokenizer).stream())
                .toList();
    }

    /// What a person should see before the first step, where it can be silently wrong.
    default List<ExampleText> preflight() {
        return List.of();
    }

    /// Whether matrix products are computed in bf16, as the completed recipe says.
    default boolean bf16() {
        return recipe().training().precision() == TrainingRecipe.Precision.BF16;
    }

    /// Operations of one token's forward and backward pass; see [Cost#flopsPerToken].
    double flopsPerToken();

    /// What of these is attention itself, as [Cost#attentionFlops]; null where that is not told
    /// apart.
    default @Nullable Double attentionFlops() {
        return null;
    }

    /// Measures the model on the validation data, on at most `tokens` of it.
    List<Score> validate(long tokens);

    /// How many tokens pass forward in [#validate], or images; what is written left out.
    long validated(long tokens);

    /// As [#validate], and what the model has forgotten.
    default List<Score> measure(long tokens) {
        return Stream.concat(validate(tokens).stream(), forgetting().measure().stream()).toList();
    }

    /// The figure of [#validate], as its scores name it, that early stopping and the choice of the
    /// best weights go by; null where the last weights are the result.
    default @Nullable String chosenBy() {
        return null;
    }

    /// Its value in these scores, turned about where less is better: the higher, the better; null
    /// likewise.
    default @Nullable Double selection(List<Score> scores) {
        var metric = chosenBy();
        if (metric == null) {
            return null;
        }
        var found = Score.find(scores, "validation", metric);
        // Where all answers are the same nothing goes with anything.
        if (found.isEmpty() && metric.equals(Metric.SPEARMAN.score())) {
            return 0.0;
        }
        var value =
                found.orElseThrow(() -> new IllegalStateException(metric + " is not in " + scores))
                        .value();
        return LESS_IS_BETTER.contains(metric) ? -value : value;
    }

    /// What of its earlier knowledge the model is asked for.
    default Forgetting forgetting() {
        return Forgetting.NOTHING;
    }

    /// Measures the finished model on the validation and the test data, if there are any.
    default List<Score> finish() {
        return validate(Long.MAX_VALUE);
    }

    /// Writes the model, with its tokenizer, into `folder`, which exists.
    void writeModel(Path folder) throws IOException;

    /// What the passport says of the data.
    JsonNode dataPassport();

    /// The page for a person, of what the run left behind.
    ///
    /// @param ended in words, how it came to its end
    void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores);

    /// Validation scores and when they were measured.
    record Evaluation(long step, List<Score> scores) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    @Override
    default void close() {}
}
