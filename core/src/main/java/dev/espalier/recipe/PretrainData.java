package dev.espalier.recipe;

import java.util.List;

@Doc("Raw text to pre-train on.")
public record PretrainData(
        @Doc("Where the text comes from: one or more sources.") List<SourceRecipe> sources,
        @Doc(
                        value =
                                "The share kept back for validation, by document; of a single document its last part.",
                        byDefault = "1%",
                        in = "(0, 1)")
                double validation,
        @Doc(
                        value =
                                "`shuffled` passes over all windows of the text in a new order each epoch;"
                                        + " `random-crops` draws each window's start anywhere in the text, with"
                                        + " replacement, as nanoGPT does.",
                        byDefault = "shuffled")
                Sampling sampling,
        @Doc(
                        value =
                                "How many broken records may be set aside before the run is refused.",
                        byDefault = "100",
                        in = "[0, ∞)")
                long maxRejects) {
    /// How windows are drawn from the text.
    public enum Sampling {
        SHUFFLED,
        RANDOM_CROPS
    }

    public PretrainData {
        sources = List.copyOf(sources);
    }
}
