package dev.espalier.recipe;

import dev.espalier.tokenize.Normalization;
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

    @Doc(
            "A unigram language model (Kudo 2018) as SentencePiece trains it and T5 has it, trained on the"
                    + " run's text. Texts are normalized: white space is not kept as it was.")
    record Unigram(
            @Doc(
                            value =
                                    "The number of tokens: the special tokens, the characters, and longer ones.",
                            byDefault = "32000",
                            in = "[4, 1000000]")
                    int vocabulary,
            @Doc(
                            value =
                                    "What becomes of characters first: Unicode's form KC; with `nmt-nfkc` white space of any"
                                            + " kind is a space too, and control characters are left out.",
                            byDefault = "nmt-nfkc")
                    Normalization normalization,
            @Doc(
                            value =
                                    "The share of the text's characters, the most frequent first, that are tokens.",
                            byDefault = "99.95%",
                            in = "(0, 1]")
                    double coverage,
            @Doc(
                            value =
                                    "Whether other characters are spelt by the 256 bytes, which are tokens then, or are"
                                            + " unknown.",
                            byDefault = "false")
                    boolean byteFallback,
            @Doc(
                            value =
                                    "Tokens of their own, `<unk>` among them. With `</s>` and `<pad>` but no `<s>` texts are"
                                            + " read as `text </s>`, as T5 needs; with `<s>`, `</s>`, `<pad>` and `<mask>` as"
                                            + " `<s> text </s>`.",
                            byDefault = "[\"<pad>\", \"</s>\", \"<unk>\"]")
                    List<String> specialTokens)
            implements TokenizerRecipe {
        public Unigram {
            specialTokens = List.copyOf(specialTokens);
        }
    }

    @Doc(
            value =
                    "BPE of characters as SentencePiece trains it and Llama 2 has it, trained on the run's text. Spaces"
                            + " are `▁`, digits stand alone, and what the vocabulary lacks is spelt by bytes, so that"
                            + " every text is kept as it is.",
            key = "sentencepiece-bpe")
    record SentencePieceBpe(
            @Doc(
                            value =
                                    "The number of tokens: the special tokens, 256 bytes, the characters, and a merge each.",
                            byDefault = "32000",
                            in = "[260, 1000000]")
                    int vocabulary,
            @Doc(
                            value = "How often a pair must occur to be merged.",
                            byDefault = "2",
                            in = "[1, ∞)")
                    int minimumFrequency,
            @Doc(
                            value =
                                    "The share of the text's characters, the most frequent first, that are tokens.",
                            byDefault = "99.95%",
                            in = "(0, 1]")
                    double coverage,
            @Doc(
                            value =
                                    "Tokens of their own, `<unk>` among them; one that customarily does, such as `</s>`, ends"
                                            + " a document.",
                            byDefault = "[\"<unk>\", \"<s>\", \"</s>\"]")
                    List<String> specialTokens)
            implements TokenizerRecipe {
        public SentencePieceBpe {
            specialTokens = List.copyOf(specialTokens);
        }
    }

    @Doc(value = "A tokenizer that exists.", untyped = true)
    record Saved(
            @Doc(
                            "A folder with `tokenizer.json`, `tokenizer.model`, `vocab.json` and `merges.txt`, or"
                                    + " `vocab.txt`.")
                    Path path)
            implements TokenizerRecipe {}
}
