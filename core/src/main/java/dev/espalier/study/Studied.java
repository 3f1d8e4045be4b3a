package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A task as [Compare] studies it: its records, how they are drawn, and how answers to the test
/// records are judged.
///
/// An answer is a label, of each test record one, or of all its words one after the other; where
/// texts are written it is a text.
sealed interface Studied permits OneLabel, Tagged, Written {
    /// The task of `recipe`, whose records are read as a run reads them.
    ///
    /// @param output the study's folder, for broken records and for pictures that are drawn
    /// @throws EspalierException (USAGE) if it is of a kind that is not studied, or has no test
    static Studied of(FinetuneRecipe recipe, Path output, Watcher watcher) {
        var test = recipe.data().test();
        if (test == null) {
            throw EspalierException.usage(
                    "data.test: compare needs records that nothing else sees");
        }
        return switch (recipe.task()) {
            case TaskRecipe.Classification task -> {
                requireOne(task.problem());
                yield LabelledTexts.of(recipe, task, test, output, watcher);
            }
            case TaskRecipe.ImageClassification task -> {
                requireOne(task.problem());
                yield LabelledPictures.of(recipe, task, output, watcher);
            }
            case TaskRecipe.TokenLabelling task -> new Tagged(recipe, task, test, output, watcher);
            case TaskRecipe.SequenceToSequence task ->
                    new Written(recipe, task, test, output, watcher);
            case TaskRecipe.Instruction _,
                    TaskRecipe.Preference _,
                    TaskRecipe.ObjectDetection _,
                    TaskRecipe.Segmentation _,
                    TaskRecipe.Captioning _ ->
                    throw EspalierException.usage(
                            "task: compare does not study this one; allowed: classification and image-classification by one label, token-labelling, sequence-to-sequence");
        };
    }

    private static void requireOne(ProblemRecipe problem) {
        if (!(problem instanceof ProblemRecipe.SingleLabel)) {
            throw EspalierException.usage(
                    "task.problem: compare studies one label of each record; allowed: single-label");
        }
    }

    /// The figure that answers are judged by, as it is called in scores.
    String metric();

    /// All that answers can be; nothing where texts are written.
    List<String> labels();

    /// How many records there are to train on.
    int records();

    /// How many test records there are.
    int tests();

    /// Whether there is such a way to do the task.
    boolean has(Arm arm);

    /// Training records, drawn by `seed`; a smaller draw of a seed is a part of a larger one.
    ///
    /// @param count at most so many
    Draw drawn(int count, long seed);

    /// The most records of which a draw has as many of each label; null where draws are at random.
    @Nullable Integer balanced();

    /// What of a recipe must change to read a [Content].
    List<String> overrides();

    /// The texts of all training records; none of pictures.
    Stream<String> texts();

    /// What figures depend on beside the run: the test records, and how they are read.
    String asked();

    /// The answers of the model in this folder.
    List<String> told(Path model);

    /// The figure of these answers, of which 1 is the most.
    double value(List<String> answers);

    /// The interval over the test records of the mean over several answers.
    ///
    /// @param mean of their figures
    Interval interval(double mean, List<List<String>> seeds);

    /// The first of two ways less the second, each with answers by the same seeds.
    ///
    /// @param seed of the draws
    Paired paired(List<List<String>> one, List<List<String>> two, long seed);

    /// What stands in a file of records.
    ///
    /// @param ending of its name
    record Content(String ending, CharSequence lines) {}

    /// Some of the training records.
    interface Draw {
        int size();

        /// What to train on.
        Content training();

        /// The validation records that a model of these is chosen by.
        ///
        /// @throws EspalierException (USAGE) if they are too few to train on or to choose by
        Content judging();

        /// The answers by a way that trains no model. The majority is that of all training records:
        /// a draw with as many of each label has none.
        List<String> untrained(Arm arm);
    }
}
