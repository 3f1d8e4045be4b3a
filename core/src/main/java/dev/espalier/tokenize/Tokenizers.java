package dev.espalier.tokenize;

import java.nio.file.Path;

/// Reads tokenizers.
public final class Tokenizers {
    private Tokenizers() {}

    /// The tokenizer in `path`: a folder as the Hugging Face libraries save it, with
    /// `tokenizer.json`, with SentencePiece's `tokenizer.model` or `spiece.model`, with
    /// `vocab.json` and `merges.txt` or with `vocab.txt`, or one file of `tokenizer.json`'s form or
    /// SentencePiece's. `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`
    /// beside them are read too. Settings for truncation and padding are kept, and not applied.
    ///
    /// @throws dev.espalier.EspalierException of kind DATA if it is malformed, or needs what is not
    ///   supported
    public static Tokenizer read(Path path) {
        return new TokenizerReader(path).read();
    }
}
