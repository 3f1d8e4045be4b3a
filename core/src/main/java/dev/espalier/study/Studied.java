package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.Split;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.TaskRecipe;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/// A task as [Compare] studies it: its records, how they are drawn, and how answers to the test
/// records are judged.
///
/// Answers are places in [#labels]: of each test record one, or of all its words one after the
/// other.
sealed interface Studied permits OneLabel, Tagged {
    /// The task of `recipe`.
    ///
    /// @param pictures the folder for pictures that were drawn
    /// @throws EspalierException (USAGE) if it is of a kind that is not studied, or has no test
    static Studied of(FinetuneRecipe recipe, Path pictures) {
        return switch (recipe.task()) {
            case TaskRecipe.Classification task -> {
                requireOne(task.problem());
                yield OneLabel.of(recipe, new LabelledTexts(recipe, task));
            }
            case TaskRecipe.ImageClassification task -> {
                requireOne(task.problem());
                yield OneLabel.of(recipe, new LabelledPictures(task, pictures));
            }
            case TaskRecipe.TokenLabelling task -> new Tagged(recipe, task);
            case TaskRecipe.SequenceToSequence _,
                    TaskRecipe.Instruction _,
                    TaskRecipe.Preference _,
                    TaskRecipe.ObjectDetection _,
                    TaskRecipe.Segmentation _,
                    TaskRecipe.Captioning _ ->
                    throw EspalierException.usage(
                            "task: compare does not study this one; allowed: classification and image-classification by one label, token-labelling");
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

    /// What of a recipe must change to read a [Content].
    List<String> overrides();

    /// The texts of all training records; none of pictures.
    Stream<String> texts();

    /// What figures depend on beside the run: the test records, and how they are read.
    String asked();

    /// The answers of the model in this folder.
    int[] told(Path model);

    /// The figure of these answers.
    double value(int[] answers);

    /// The interval over the test records of the mean over several answers.
    ///
    /// @param mean of their figures
    Interval interval(double mean, List<int[]> seeds);

    /// The first of two ways less the second, each with answers by the same seeds.
    ///
    /// @param seed of the draws
    Paired paired(List<int[]> one, List<int[]> two, long seed);

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

        /// The answers by a way that trains no model.
        int[] untrained(Arm arm);
    }

    /// The records of a task.
    record Parts<R>(List<R> train, List<R> validation, List<R> test) {
        public Parts {
            train = List.copyOf(train);
            validation = List.copyOf(validation);
            test = List.copyOf(test);
        }

        /// Reads those of a recipe; where it names no validation file, a share of the training
        /// records is kept back. A record that is broken ends it.
        ///
        /// @param content copies of which stay on one side
        /// @param labels to be divided by
        static <R> Parts<R> of(
                FinetuneRecipe recipe,
                Reader<R> reader,
                Function<R, String> content,
                Function<R, ? extends Iterable<String>> labels) {
            var data = recipe.data();
            if (data.test() == null) {
                throw EspalierException.usage(
                        "data.test: compare needs records that nothing else sees");
            }
            try (var ledger = Ledger.strict()) {
                var train = reader.read(data.train(), ImageData.Part.TRAIN, ledger);
                var test = reader.read(data.test(), ImageData.Part.TEST, ledger);
                if (data.validation() != null) {
                    var part = ImageData.Part.VALIDATION;
                    return new Parts<>(train, reader.read(data.validation(), part, ledger), test);
                }
                var split =
                        Split.stratified(
                                train, content, labels, data.validationShare(), recipe.seed());
                return new Parts<>(split.train(), split.validation(), test);
            }
        }
    }

    /// Reads the records of a file that are for a part.
    interface Reader<R> {
        List<R> read(Path file, ImageData.Part part, Ledger ledger);
    }
}
