package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.List;

/// How text becomes tokens: a tokenizer to train on the run's own text, or one that exists.
public sealed interface TokenizerRecipe {
    @Doc(
            "A byte-level BPE (Sennrich et al. 2016) with GPT-2's pre-tokenizer, trained on the run's text.")
    record Bpe(
            @Doc(
                            value =
                                    "The number of tokens: 256 bytes, the special tokens, and a merge each.",
                            byDefault = "16k",
                            in = "[257, 1000000]")
                    int vocabulary,
            @Doc(
                            value = "How often a pair must occur to be merged.",
                            byDefault = "2",
                            in = "[1, ∞)")
                    int minimumFrequency,
            @Doc(
                            value = "Tokens of their own; the first ends a document.",
                            byDefault = "[\"<|endoftext|>\"]")
                    List<String> specialTokens)
            implements TokenizerRecipe {
        public Bpe {
            specialTokens = List.copyOf(specialTokens);
        }
    }

    @Doc("A token for each character of the run's text.")
    record Characters(
            @Doc(
                            value =
                                    "Tokens of their own; the first, if there is one, ends a document.",
                            byDefault = "[\"<|endoftext|>\"]")
                    List<String> specialTokens)
            implements TokenizerRecipe {
        public Characters {
            specialTokens = List.copyOf(specialTokens);
        }
    }

    @Doc(value = "A tokenizer that exists.", untyped = true)
    record Saved(
            @Doc("A folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`.")
                    Path path)
            implements TokenizerRecipe {}
}
