package dev.espalier.evaluate;

import dev.espalier.model.Encoder;
import dev.espalier.objective.Masking;
import dev.espalier.objective.VocabularyLoss;
import java.util.Arrays;

/// How well an encoder foresees each token of a text from all the others (Salazar et al. 2020,
/// arXiv:1910.14659): PLL = Σ log p(xᵢ | x with xᵢ hidden), and the pseudo-perplexity exp(-PLL / n)
/// over n tokens.
public final class PseudoPerplexity {
    private PseudoPerplexity() {}

    /// -log p and the rank of the token at each of `places` of `ids`, hidden alone behind `mask`.
    public static VocabularyLoss.Ranked of(Encoder model, int[] ids, int[] places, int mask) {
        return new MaskedText(
                        Arrays.stream(places)
                                .mapToObj(place -> {
                                    var seen = ids.clone();
                                    seen[place] = mask;
                                    return new Masking.Masked(
                                            seen, new int[] {place}, new int[] {ids[place]}, "");
                                })
                                .toList())
                .told(model, false);
    }
}
