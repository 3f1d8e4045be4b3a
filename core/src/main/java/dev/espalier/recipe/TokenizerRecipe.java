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
                            value =
                                    "Tokens of their own; one that customarily does, such as `<|endoftext|>` or `</s>`,"
                                            + " ends a document. With `<s>`, `</s>` and `<mask>` texts are read as"
                                            + " `<s> text </s>`, as encoders need; they need `<pad>` too."
                                            + " With `</s>` and `<pad>` but no `<s>` they are read as `text </s>`, as T5 needs.",
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
                                    "Tokens of their own; one that customarily does, such as `<|endoftext|>`, ends a document.",
                            byDefault = "[\"<|endoftext|>\"]")
                    List<String> specialTokens)
            implements TokenizerRecipe {
        public Characters {
            specialTokens = List.copyOf(specialTokens);
        }
    }

    @Doc(
            value =
                    "BERT's WordPiece, trained on the run's text, with the special tokens `[PAD]`, `[UNK]`, `[CLS]`,"
                            + " `[SEP]` and `[MASK]`.",
            key = "wordpiece")
    record WordPiece(
            @Doc(value = "The number of tokens.", byDefault = "30522", in = "[20, 1000000]")
                    int vocabulary,
            @Doc(
                            value = "How often a pair must occur to be joined.",
                            byDefault = "2",
                            in = "[1, ∞)")
                    int minimumFrequency,
            @Doc(
                            value = "Whether text is read in small letters and without accents.",
                            byDefault = "true")
                    boolean lowercase)
            implements TokenizerRecipe {}

    @Doc(value = "A tokenizer that exists.", untyped = true)
    record Saved(
            @Doc(
                            "A folder with `tokenizer.json`, with `vocab.json` and `merges.txt`, or with `vocab.txt`.")
                    Path path)
            implements TokenizerRecipe {}
}
