package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

@Doc("What fine-tuning may forget, and how it is kept from forgetting.")
public record ForgettingRecipe(
        @Doc("What is measured.") Measure measure,
        @Doc(
                        value =
                                "How much worse, relatively, whatever is measured may become: the perplexity of a text"
                                        + " may rise, the score of an earlier task or of the pairs fall by this"
                                        + " share (0.05 is 5 %). The run stops beyond it. `none` only"
                                        + " measures.",
                        byDefault = "none",
                        in = "[0, ∞)")
                @Nullable Double budget,
        @Doc(value = "What keeps the model from forgetting.", byDefault = "{type: none}")
                DefenceRecipe defence) {

    /// Names under which figures stand already, so that no earlier task can have them.
    public static final List<String> TAKEN = List.of("general", "pairs", "validation", "test");

    @Doc(
            "What is measured before, while and after a model is fine-tuned; one of these at least. Of an encoder's text"
                    + " 15 % of the tokens are hidden, always the same ones, and told.")
    public record Measure(
            @Doc(
                            value =
                                    "A text file or a glob of general text, whose first 65,536 tokens are measured; best"
                                            + " not the text that is replayed.",
                            byDefault = "none")
                    @Nullable String corpus,
            @Doc(
                            value =
                                    "Texts of other domains, each measured by itself, such as [{name: law, corpus: law.txt}].",
                            byDefault = "[]")
                    List<Domain> domains,
            @Doc(
                            value =
                                    "Folders of earlier runs whose tasks the model should still do: classification and"
                                            + " token labelling, of a model of pictures"
                                            + " image-classification. Their heads are kept beside, and asked on their"
                                            + " validation records, at the end on their tests too. Figures have the run's"
                                            + " name, with a number behind it where another has that name.",
                            byDefault = "[]")
                    List<Path> tasks,
            @Doc(
                            value =
                                    "A JSONL file or a glob of minimal pairs in BLiMP's format, of each file the first"
                                            + " 100. The accuracy and its change are means over the paradigms.",
                            byDefault = "none")
                    @Nullable String pairs,
            @Doc(
                            value =
                                    "The folder of the language model whose head for the vocabulary is used, where the"
                                            + " model to start from has lost its own, as classifiers have.",
                            byDefault = "none")
                    @Nullable Path head) {
        public Measure {
            domains = List.copyOf(domains);
            tasks = List.copyOf(tasks);
        }

        /// Of general text alone.
        public Measure(String corpus) {
            this(corpus, List.of(), List.of(), null, null);
        }

        /// Whether anything needs the vocabulary's head.
        public boolean ofWords() {
            return corpus != null || !domains.isEmpty() || pairs != null;
        }
    }

    @Doc("Text of a domain.")
    public record Domain(
            @Doc("What the figures call it.") String name,
            @Doc("A text file or a glob, whose first 65,536 tokens are measured.") String corpus) {}

    /// What keeps a model from forgetting.
    public sealed interface DefenceRecipe {
        /// Whether it holds or mixes the model's weights, so that all of them must be trained.
        default boolean ofWeights() {
            return switch (this) {
                case L2Sp _, Ewc _, WiseFt _, Soup _, Cheapest _ -> true;
                case None _, Replay _, Lwf _ -> false;
            };
        }

        @Doc("Nothing.")
        record None() implements DefenceRecipe {}

        @Doc(
                "General text is trained on again beside the task, by the causal objective, of encoders by hidden tokens.")
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
                                + " Li et al. 2018), in place of the optimizer's weight decay.",
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
                        + " Fisher information (EWC, Kirkpatrick et al. 2017). The optimizer's weight decay, which"
                        + " draws to 0, is left out.")
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
                "The model learns, beside the task, to go on with the task's own texts as it did before, an encoder to"
                        + " tell hidden tokens of them (learning without forgetting, Li and Hoiem 2016). For"
                        + " classification.")
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

        @Doc(
                "Several are tried, from the cheapest on, until one stays within the budget and still tells the"
                        + " validation records as well as without any defence: no worse than the lower end of that"
                        + " interval. If none does, the best within the budget is kept. For classification,"
                        + " token-labelling and image-classification, with adapter {type: none}.")
        record Cheapest(
                @Doc(
                                value =
                                        "General text for `replay` and `ewc`, a text file or a glob; best not the text"
                                                + " that is measured. Without one these two are left out.",
                                byDefault = "none")
                        @Nullable String corpus,
                @Doc(
                                value =
                                        "What is tried, after a run without a defence, of whose weights `wise-ft` takes its"
                                                + " mixtures; in this order, which is that of the operations they cost.",
                                byDefault =
                                        "[fewer-layers, lora, lower-rate, layer-decay, l2-sp, replay, ewc, lwf]")
                        List<Way> tries)
                implements DefenceRecipe {
            public Cheapest {
                tries = List.copyOf(tries);
            }

            /// A way to forget less.
            public enum Way {
                /// The last fourth of the blocks alone.
                FEWER_LAYERS,
                /// Adapters in place of all weights.
                LORA,
                /// Three tenths of the rate.
                LOWER_RATE,
                /// Layers learn the slower, the further they are from the head.
                LAYER_DECAY,
                L2_SP,
                REPLAY,
                EWC,
                LWF
            }
        }
    }
}
