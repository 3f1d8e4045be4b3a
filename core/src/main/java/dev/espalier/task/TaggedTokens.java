package dev.espalier.task;

import dev.espalier.corpus.TaggedText;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// A stretch of a tagged text as a model sees it: one token of each word tells its tag. The tokens
/// are those of the whole text, laid to its words by their places. A word that shares a token with
/// another is turned into tokens by itself, with the white space before it, so that every word has
/// tokens of its own and tags go to tokens and back without loss.
///
/// @param ids the tokens, in the tokenizer's template
/// @param places of the tokens that tell the words' tags, one a word
/// @param firstWord which word of its text the first is
/// @param cut how many words have more tokens than there is room for, and lack the last ones
/// @param where the text stands
@SuppressWarnings("ArrayRecordComponent") // filled once, here
public record TaggedTokens(int[] ids, int[] places, int firstWord, int cut, String where) {
    /// The stretches of `text`, of at most `most` tokens each and of whole words; of a word that is
    /// longer the last tokens are left out, and the others tell its tag.
    ///
    /// @param last whether a word's last token tells its tag, as a decoder needs that sees nothing
    ///   behind it, or else its first
    public static List<TaggedTokens> of(
            Tokenizer tokenizer, TaggedText text, int most, boolean last) {
        var template = tokenizer.template();
        var before = template.before();
        var room = most - template.addedToOne();
        var stretches = new ArrayList<TaggedTokens>();
        var ids = IntStream.builder();
        var places = new ArrayList<Integer>();
        var length = 0;
        var first = 0;
        var word = 0;
        var cut = 0;
        for (var all : words(tokenizer, text)) {
            var tokens = all.length > room ? Arrays.copyOf(all, room) : all;
            if (length + tokens.length > room) {
                stretches.add(
                        stretch(template.apply(ids.build().toArray()), places, first, cut, text));
                ids = IntStream.builder();
                places.clear();
                length = 0;
                first = word;
                cut = 0;
            }
            cut += tokens.length < all.length ? 1 : 0;
            places.add(before + length + (last ? tokens.length - 1 : 0));
            for (var id : tokens) {
                ids.add(id);
            }
            length += tokens.length;
            word++;
        }
        if (!places.isEmpty()) {
            stretches.add(stretch(template.apply(ids.build().toArray()), places, first, cut, text));
        }
        return stretches;
    }

    private static TaggedTokens stretch(
            int[] ids, List<Integer> places, int first, int cut, TaggedText text) {
        return new TaggedTokens(
                ids,
                places.stream().mapToInt(Integer::intValue).toArray(),
                first,
                cut,
                text.where());
    }

    /// The tokens of each word, at least one.
    private static List<int[]> words(Tokenizer tokenizer, TaggedText text) {
        var words = new ArrayList<int[]>();
        if (text.words() == 0) {
            return words;
        }
        var origin = text.starts()[0];
        var whole = tokenizer.encodeWithOffsets(text.text().substring(origin));
        var token = 0;
        var reached = origin; // how far the tokens so far go
        var from = origin;
        for (var word = 0; word < text.words(); word++) {
            var to = text.ends()[word];
            var first = token;
            var shares = reached > from;
            for (; token < whole.ids().length && origin + whole.starts()[token] < to; token++) {
                reached = Math.max(reached, origin + whole.ends()[token]);
            }
            shares |= reached > to || token == first;
            words.add(
                    shares
                            ? alone(tokenizer, text.text().substring(from, to))
                            : Arrays.copyOfRange(whole.ids(), first, token));
            from = to;
        }
        return words;
    }

    /// A word that makes no token, such as a control character, is the unknown one, or token 0.
    private static int[] alone(Tokenizer tokenizer, String word) {
        var ids = tokenizer.encode(word);
        return ids.length > 0 ? ids : new int[] {tokenizer.specials().unknown().orElse(0)};
    }

    public int words() {
        return places.length;
    }
}
