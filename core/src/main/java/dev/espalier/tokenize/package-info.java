/// From text to token ids and back: byte-level byte-pair encoding, WordPiece, SentencePiece's
/// unigram model and byte-pair encoding, and characters; their trainers, and the files in which the
/// Hugging Face libraries and SentencePiece keep them.
///
/// [Tokenizers#read] gives a [Tokenizer]; [BytePairTrainer], [WordPieceTrainer],
/// [SentencePieceTrainer] and [CharacterTokenizer#train] make one from text. Ids equal those of the
/// Hugging Face libraries for every file that is accepted; what would change them and is not
/// supported is refused by its name.
@org.jspecify.annotations.NullMarked
package dev.espalier.tokenize;
