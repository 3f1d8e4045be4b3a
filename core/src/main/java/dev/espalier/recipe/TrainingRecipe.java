package dev.espalier.recipe;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

@Doc("How long and how a model is trained.")
public record TrainingRecipe(
        @Doc(value = "How long: `2000 steps`, `3 epochs` or `50M tokens`.", key = "for")
                Duration duration,
        @Doc(value = "Sequences or records a step.", byDefault = "32", in = "[1, 1000000]")
                int batch,
        @Doc(
                        value =
                                "Sequences or records that pass through the model at once, a divisor of `batch`; it"
                                        + " changes memory and speed, and of the result only rounding, but that each draws"
                                        + " its own dropout, and batch norm has the statistics of each. `auto` lets the"
                                        + " program choose.",
                        byDefault = "auto",
                        nothing = "auto",
                        in = "[1, 1000000]")
                @Nullable Integer microBatch,
        @Doc(value = "How gradients become updates.", byDefault = "{type: adamw}")
                OptimizerRecipe optimizer,
        @Doc(
                        value =
                                "Weights with their own rate or decay, such as `[{match: wte, rate-factor: 0.1}]`.",
                        byDefault = "[]")
                List<GroupRecipe> groups,
        @Doc(
                        value =
                                "The factor of the learning rate from one block to the one below it, so that the first"
                                        + " blocks of a pre-trained model change least; what comes before the blocks"
                                        + " counts as one more, and 1 is the same rate everywhere.",
                        byDefault = "1",
                        in = "(0, 1]")
                double layerDecay,
        @Doc(value = "How the rate goes over the run.", byDefault = "{type: cosine}")
                ScheduleRecipe schedule,
        @Doc(
                        value =
                                "The gradient is scaled down to this global norm where it is longer; 0 leaves it.",
                        byDefault = "1",
                        in = "[0, ∞)")
                double clip,
        @Doc(
                        value =
                                "What becomes of a step whose loss is no finite number, or a spike.",
                        byDefault = "{then: stop}")
                BadLoss badLoss,
        @Doc(
                        value =
                                "The share of a label's probability that all labels or tokens get alike while training;"
                                        + " validation is measured without.",
                        byDefault = "0",
                        in = "[0, 1)")
                double labelSmoothing,
        @Doc(
                        value =
                                "How strongly the scores' normaliser is held near 1 while training: this times log² Z is"
                                        + " added to the loss (PaLM has 1e-4); validation is measured without.",
                        byDefault = "0",
                        in = "[0, 1]")
                double zLoss,
        @Doc(
                        value =
                                "`bf16` computes in bfloat16 and keeps the weights in 32 bits; `auto` does so where the"
                                        + " machine is faster that way.",
                        byDefault = "auto")
                Precision precision,
        @Doc(
                        value =
                                "Whether to compute the blocks once more on the way back instead of keeping what they"
                                        + " computed: less memory, a third more time, the same result but for other draws of"
                                        + " dropout.",
                        byDefault = "false")
                boolean recompute,
        @Doc(
                        value =
                                "Whether to stop when the validation figure no longer improves. The model is then the best that was"
                                        + " measured on the validation data; without, one that was fine-tuned is so too,"
                                        + " and one that was pre-trained is the last.",
                        byDefault = "none")
                @Nullable EarlyStopping earlyStopping) {
    public TrainingRecipe {
        groups = List.copyOf(groups);
    }

    /// Whether some choices of trained weights leave its optimizer or its groups nothing to do.
    public boolean byWeights() {
        return optimizer instanceof OptimizerRecipe.Muon || !groups.isEmpty();
    }

    /// With one rate for all weights and the plain cross-entropy.
    public TrainingRecipe(
            Duration duration,
            int batch,
            @Nullable Integer microBatch,
            OptimizerRecipe optimizer,
            ScheduleRecipe schedule,
            double clip,
            Precision precision,
            boolean recompute,
            @Nullable EarlyStopping earlyStopping) {
        this(
                duration,
                batch,
                microBatch,
                optimizer,
                List.of(),
                1,
                schedule,
                clip,
                BadLoss.STOP,
                0,
                0,
                precision,
                recompute,
                earlyStopping);
    }

    /// What the forward and backward passes compute in.
    public enum Precision {
        AUTO,
        FP32,
        BF16
    }

    @Doc(
            "A loss or gradient that is no finite number, or a loss that spikes. The message names the step, the"
                    + " micro-batch and its examples.")
    public record BadLoss(
            @Doc(
                            value =
                                    "`stop` ends the run, with its last checkpoint kept; `skip` leaves the weights as they"
                                            + " are and goes on with the next examples.",
                            byDefault = "stop")
                    Then then,
            @Doc(
                            value =
                                    "A loss of so many times the mean of the steps before is bad too, from the 21st step"
                                            + " on; a loss that falls close to 0 varies by larger factors.",
                            byDefault = "none",
                            in = "(1, ∞)")
                    @Nullable Double spike,
            @Doc(
                            value = "So many bad steps in a row stop the run in any case.",
                            byDefault = "10",
                            in = "[1, ∞)")
                    int most) {
        /// Stops at what is no number.
        public static final BadLoss STOP = new BadLoss(Then.STOP, null, 10);

        /// What becomes of a bad step.
        public enum Then {
            STOP,
            SKIP
        }
    }

    @Doc(
            "Stops a run whose validation figure no longer improves; the best checkpoint becomes the model.")
    public record EarlyStopping(
            @Doc(
                            value = "Measurements without a better figure before the run stops.",
                            byDefault = "5",
                            in = "[1, ∞)")
                    int patience,
            @Doc(
                            value =
                                    "The figure: `loss`; for one label or tags `accuracy` or `macro-f1`, for tags of"
                                            + " entities `f1` too, for several"
                                            + " labels `micro-f1` or `macro-f1`, for a number `spearman`; for"
                                            + " object-detection `map` or `map-50`; for segmentation"
                                            + " `mean-iou` or `mean-dice`; for"
                                            + " sequence-to-sequence `exact-match`, `character-error-rate`,"
                                            + " `word-error-rate`, `bleu`, `chrf`, `chrf-plus-plus`, `rouge-1`,"
                                            + " `rouge-2`, `rouge-l` or `rouge-lsum`.",
                            byDefault = "loss")
                    Metric metric) {}

    /// A figure on the validation data.
    public enum Metric {
        LOSS,
        ACCURACY,
        MACRO_F1,
        MICRO_F1,
        F1,
        SPEARMAN,
        EXACT_MATCH,
        CHARACTER_ERROR_RATE,
        WORD_ERROR_RATE,
        BLEU,
        CIDER,
        CHRF,
        CHRF_PLUS_PLUS,
        ROUGE_1,
        ROUGE_2,
        ROUGE_L,
        ROUGE_LSUM,
        MAP,
        MAP_50,
        MEAN_IOU,
        MEAN_DICE;

        /// What tags of words are judged by. Most words belong to no entity, so that their accuracy
        /// hardly tells one labeller from another.
        ///
        /// @param ofEntities whether they are tags of entities
        public static Metric ofTags(boolean ofEntities) {
            return ofEntities ? F1 : ACCURACY;
        }

        /// As scores name it.
        public String score() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }
}
