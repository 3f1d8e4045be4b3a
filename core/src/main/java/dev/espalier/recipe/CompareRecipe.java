package dev.espalier.recipe;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

@Doc(
        "What `compare` studies with a recipe of classification or image-classification by one label, of"
                + " token-labelling or sequence-to-sequence; of no account to `finetune`. The flags of `compare` go before these.")
public record CompareRecipe(
        @Doc(
                        value =
                                "The ways to a model of the task. `majority` is the commonest label of all"
                                        + " records to train on. Of pictures there is no bag of words and no"
                                        + " pre-training further, and of a new `model` nothing that is"
                                        + " pre-trained; these are left out. `frozen` and `lora` train"
                                        + " without a defence that holds or mixes all weights, and are left"
                                        + " out where the optimizer or a group finds nothing of its own to"
                                        + " train. Of token-labelling a word"
                                        + " and its neighbours are the bag of words. Of"
                                        + " sequence-to-sequence `majority` is the commonest target and"
                                        + " `copy` the input as it is; there is no bag of words, and a"
                                        + " frozen body only where the vocabulary's head is not the"
                                        + " table that inputs are read by.",
                        byDefault =
                                "[majority, copy, bag-of-words, scratch, frozen, lora, full, further]")
                List<Arm> arms,
        @Doc(
                        value =
                                "Numbers of labels, or `all`: of labelled records, of which those of"
                                        + " token-labelling are texts, and those of sequence-to-sequence"
                                        + " pairs. By default those that there are of these.",
                        byDefault = "[16, 64, 256, 1024, all]")
                List<String> labels,
        @Doc(value = "Draws of labels at each number.", byDefault = "3", in = "[1, 1000]")
                int seeds,
        @Doc(
                        value =
                                "Learning rates that are tried for each way, at the middle one of the"
                                        + " numbers of labels. A study that is there keeps the number at"
                                        + " which it tried them as long as it is among those that are"
                                        + " asked for, so that other numbers beside it cost no more than"
                                        + " their own cells.",
                        byDefault = "3",
                        in = "[1, 3]")
                int rates,
        @Doc(
                        value = "Steps of each training where the recipe's epochs make fewer.",
                        byDefault = "100",
                        in = "[1, 1000000]")
                int leastSteps,
        @Doc(value = "Passes of pre-training further.", byDefault = "3", in = "(0, 1000]")
                double furtherEpochs,
        @Doc(
                        value =
                                "More of the domain's text to pre-train further on, a file or a glob.",
                        byDefault = "none")
                @Nullable String text,
        @Doc(
                        value =
                                "How many tasks share the base model, over which the cost of its pre-training is spread.",
                        byDefault = "10",
                        in = "[1, 1000000]")
                int tasks,
        @Doc(
                        value =
                                "What a label costs, in the currency of the table of machines, whose row `here`"
                                        + " must have watts or a price; for the break-even number of tasks.",
                        byDefault = "none",
                        in = "[0, ∞)")
                @Nullable Double labelPrice) {
    /// What [#labels] are by default.
    private static final List<String> USUAL = List.of("16", "64", "256", "1024", "all");

    public CompareRecipe {
        arms = List.copyOf(arms);
        labels = List.copyOf(labels);
    }

    /// A way to a model of a task.
    public enum Arm {
        /// Always the most frequent label, or target, of all records to train on.
        MAJORITY,
        /// The input for what is written from it.
        COPY,
        /// A linear model of words; of a word and its neighbours, where they are tagged.
        BAG_OF_WORDS,
        /// The same shape with new weights.
        SCRATCH,
        /// The head alone.
        FROZEN,
        /// Adapters beside the weights.
        LORA,
        /// All weights.
        FULL,
        /// All weights, of the model pre-trained further on the task's texts without labels.
        FURTHER;

        public String title() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }

        /// Whether a model is trained, and not fitted or counted.
        public boolean isTrained() {
            return this != MAJORITY && this != COPY && this != BAG_OF_WORDS;
        }

        /// Whether it begins with what pre-training left.
        public boolean isPretrained() {
            return isTrained() && this != SCRATCH;
        }
    }

    /// [#labels] as numbers, 0 for all of them.
    ///
    /// @throws dev.espalier.EspalierException (USAGE) if one is none
    public List<Integer> counts() {
        return labels.stream().map(CompareRecipe::count).distinct().toList();
    }

    /// Whether nobody asked for any number of labels in particular.
    public boolean hasUsualLabels() {
        return labels.equals(USUAL);
    }

    private static int count(String text) {
        if (text.equals("all")) {
            return 0;
        }
        var number = Numbers.whole(text, Integer.MAX_VALUE);
        if (number == null || number < 2) {
            throw dev.espalier.EspalierException.usage(
                    "labels: '" + text + "' is neither a whole number from 2 on nor all");
        }
        return (int) (long) number;
    }
}
