package dev.espalier.tokenize;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/// Turns text into token ids and back. Immutable, and safe for use by many threads.
///
/// Ids run from 0 to [#vocabularySize] - 1. Some may be holes, as published files have them: no
/// text has such a token, and it stands for none. A surrogate without its partner, which no UTF-8
/// text can hold, is read as U+FFFD.
public interface Tokenizer {
    /// What stands before a text. Some tokenizers put a space before one: SentencePiece's, and
    /// those with `add_prefix_space`.
    enum Before {
        NOTHING,
        /// An added token, such as a special one. Llama 2's files once put a space behind it, later
        /// ones do not.
        TOKEN,
        /// Other text, which this one goes on from, perhaps within a word. No space is put between.
        TEXT
    }

    /// The greatest id of a token, added ones included, and one: a model needs as many embeddings.
    int vocabularySize();

    /// The tokens of `text`, with nothing put around them (see [#template]). Special tokens that
    /// stand literally in the text are recognised, unless this is a [#plain] tokenizer.
    int[] encode(CharSequence text);

    /// As [#encode(CharSequence)], of a part of a longer text. Parts that are cut within a word are
    /// spelt each for itself.
    default int[] encode(CharSequence text, Before before) {
        return encode(text);
    }

    /// As [#encode(CharSequence)], with the places that the tokens come from. Slower.
    Encoding encodeWithOffsets(String text);

    /// The text of these tokens, special ones written out. Bytes that make no character become
    /// U+FFFD. To decode while tokens arrive, see [StreamingDecoder].
    default String decode(int[] ids) {
        var decoder = new StreamingDecoder(this);
        var text = new StringBuilder();
        for (var id : ids) {
            text.append(decoder.next(id));
        }
        return text.append(decoder.finish()).toString();
    }

    /// The UTF-8 bytes that `id` stands for: perhaps only a part of a character.
    byte[] bytes(int id);

    /// The name of `id` in the tokenizer's files, such as `Ġthe`; empty of a hole.
    String token(int id);

    /// The id of the token of that name.
    OptionalInt id(String token);

    /// Whether `id` stands for no text, as holes do.
    boolean isSpecial(int id);

    SpecialTokens specials();

    /// What a model of this tokenizer expects around one text or two.
    Template template();

    /// The beginning of a text as a decoder was trained to see it: `ids` behind what [#template]
    /// puts before a text, such as Llama's `<s>`, unless they begin with it already. A token whose
    /// vector stands for a whole text is an encoder's, and put before nothing.
    default int[] begun(int[] ids) {
        var opening = template().opening();
        var mismatch = Arrays.mismatch(opening, ids);
        if (mismatch < 0
                || mismatch == opening.length
                || specials().classification().equals(OptionalInt.of(opening[0]))) {
            return ids;
        }
        return IntStream.concat(Arrays.stream(opening), Arrays.stream(ids)).toArray();
    }

    /// The same tokenizer, which reads special tokens that stand in the text as plain text: for
    /// text that others wrote, which must not end a document or speak for the system.
    Tokenizer plain();

    /// This tokenizer with more tokens, which are found in the text before it is split. Tokens that
    /// it knows already keep their ids; new ones follow its last id in the order given.
    ///
    /// @param special whether they stand for no text, such as `<pad>`
    Tokenizer with(List<String> tokens, boolean special);

    /// [#with] tokens that stand for text.
    default Tokenizer withAddedTokens(List<String> tokens) {
        return with(tokens, false);
    }

    /// [#with] tokens that stand for no text.
    default Tokenizer withSpecialTokens(List<String> tokens) {
        return with(tokens, true);
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into
    /// `folder`, as the Hugging Face libraries do.
    void save(Path folder);
}
