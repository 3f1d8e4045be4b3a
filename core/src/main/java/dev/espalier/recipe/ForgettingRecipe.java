package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

@Doc("What fine-tuning may forget of general text, and how it is kept from forgetting.")
public record ForgettingRecipe(
        @Doc("Where forgetting is measured, before and after.") Measure measure,
        @Doc(
                        value =
                                "The relative rise of the general text's perplexity that is allowed (0.05 is 5 %); the"
                                        + " run stops beyond it. `none` only measures.",
                        byDefault = "none",
                        in = "[0, ∞)")
                @Nullable Double budget,
        @Doc(value = "What keeps the model from forgetting.", byDefault = "{type: none}")
                DefenceRecipe defence) {

    @Doc("General text to measure perplexity on.")
    public record Measure(
            @Doc(
                            "A text file or a glob, whose first 65,536 tokens are measured; best not the text that is"
                                    + " replayed.")
                    String corpus) {}

    /// What keeps a model from forgetting.
    public sealed interface DefenceRecipe {
        @Doc("Nothing.")
        record None() implements DefenceRecipe {}

        @Doc("General text is trained on again beside the task, by the causal objective.")
        record Replay(
                @Doc(
                                value = "The share of a step's sequences that is general text.",
                                byDefault = "5%",
                                in = "(0, 1)")
                        double fraction,
                @Doc("A text file or a glob, whose first 65,536 tokens are replayed.")
                        String corpus)
                implements DefenceRecipe {}

        @Doc(
                value =
                        "Weights are held to where they started, and the head's to 0, by squared distances (L2-SP,"
                                + " Li et al. 2018).",
                key = "l2-sp")
        record L2Sp(
                @Doc(
                                value = "How strongly the model's weights are held.",
                                byDefault = "0.1",
                                in = "[0, ∞)")
                        double alpha,
                @Doc(value = "How strongly the head's are.", byDefault = "0.01", in = "[0, ∞)")
                        double beta)
                implements DefenceRecipe {}

        @Doc(
                "Weights are held to where they started, each as strongly as general text depends on it: by its"
                        + " Fisher information (EWC, Kirkpatrick et al. 2017).")
        record Ewc(
                @Doc(value = "How strongly.", byDefault = "10", in = "[0, ∞)") double strength,
                @Doc(
                                value =
                                        "Windows of general text, as long as the model's context but for 1024 tokens at"
                                                + " most, that the information is estimated on.",
                                byDefault = "200",
                                in = "[1, 1000000]")
                        int windows,
                @Doc("A text file or a glob, whose first 65,536 tokens these windows are of.")
                        String corpus)
                implements DefenceRecipe {}

        @Doc(
                "The model learns, beside the task, to go on with the task's own texts as it did before (learning"
                        + " without forgetting, Li and Hoiem 2016). For classification.")
        record Lwf(
                @Doc(
                                value = "The weight of this loss beside the task's.",
                                byDefault = "1",
                                in = "(0, ∞)")
                        double weight,
                @Doc(
                                value = "What scores are divided by, so that small ones count too.",
                                byDefault = "2",
                                in = "(0, ∞)")
                        double temperature)
                implements DefenceRecipe {}

        @Doc(
                "After training, the weights on the line between those of before and those of after are chosen that"
                        + " do best on the validation records within the budget (WiSE-FT, Wortsman et al."
                        + " 2022). The run does not stop beyond the budget.")
        record WiseFt(
                @Doc(
                                value = "The parts into which the line is divided.",
                                byDefault = "10",
                                in = "[1, 1000]")
                        int steps)
                implements DefenceRecipe {}

        @Doc(
                "After training, the weights are averaged with those of other runs from the same model, as long as"
                        + " the validation records are told no worse (greedy model soups, Wortsman et al. 2022)."
                        + " For classification.")
        record Soup(
                @Doc("The folders of the other runs' models, such as [runs/a/model, runs/b/model].")
                        List<Path> models)
                implements DefenceRecipe {
            public Soup {
                models = List.copyOf(models);
            }
        }
    }
}
