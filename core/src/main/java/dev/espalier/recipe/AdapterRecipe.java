package dev.espalier.recipe;

import java.util.List;

/// Which weights fine-tuning trains. The task's head is always trained, and in a model that is made
/// of parts that exist what joins them.
public sealed interface AdapterRecipe {
    @Doc("All weights are trained.")
    record None() implements AdapterRecipe {}

    @Doc(
            "Only the task's head is trained, or with it the last blocks (Lee et al. 2019, arXiv:1911.03090)."
                    + " The head of what writes is the vocabulary's, where it is not the table by"
                    + " which inputs are read.")
    record Frozen(
            @Doc(
                            value =
                                    "The share of the blocks, from the last one on and rounded up, that is trained too, with"
                                            + " what comes after them; the blocks below and the embeddings stay.",
                            byDefault = "0",
                            in = "[0, 1]")
                    double lastBlocks)
            implements AdapterRecipe {}

    @Doc("Low-rank updates beside frozen weights are trained (LoRA, Hu et al. 2021).")
    record Lora(
            @Doc(value = "The rank of the updates.", byDefault = "8", in = "[1, 65536]") int rank,
            @Doc(value = "The updates are scaled by alpha / rank.", byDefault = "16", in = "(0, ∞)")
                    double alpha,
            @Doc(
                            value = "The share of an update's input dropped while training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout,
            @Doc(
                            value =
                                    "Which matrices get an update: `attention`, `all` (attention and MLP), or a list of"
                                            + " names such as `[c_attn, c_proj]` or `[q_proj, v_proj]`.",
                            byDefault = "attention")
                    List<String> targets,
            @Doc(
                            value =
                                    "Whether updates are scaled by alpha / √rank instead, so that they learn alike at any"
                                            + " rank (rsLoRA, Kalajdzievski 2023).",
                            byDefault = "false")
                    boolean rslora,
            @Doc(
                            value =
                                    "Whether the norm of each output's weights is trained apart from their direction, which"
                                            + " the updates turn (DoRA, Liu et al. 2024); slower, and closer to training all"
                                            + " weights at low ranks.",
                            byDefault = "false")
                    boolean dora,
            @Doc(
                            value =
                                    "Whether the run leaves the updates added into the model's weights, rather than as"
                                            + " an adapter beside them. A model of pictures, and one that begins here,"
                                            + " is always left so.",
                            byDefault = "false")
                    boolean merge)
            implements AdapterRecipe {
        public Lora {
            targets = List.copyOf(targets);
        }
    }
}
