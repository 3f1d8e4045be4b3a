package dev.espalier.task;

import dev.espalier.corpus.TaggedText;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// A stretch of a tagged text as a model sees it: one token of each word tells its tag. Each word
/// is turned into tokens by itself, with the white space before it, so that every word has tokens
/// of its own and tags go to tokens and back without loss.
///
/// @param ids the tokens, in the tokenizer's template
/// @param places of the tokens that tell the words' tags, one a word
/// @param firstWord which word of its text the first is
/// @param where the text stands
@SuppressWarnings("ArrayRecordComponent") // filled once, here
public record TaggedTokens(int[] ids, int[] places, int firstWord, String where) {
    /// The stretches of `text`, of at most `most` tokens each and of whole words; of a word that is
    /// longer the last tokens are left out.
    ///
    /// @param last whether a word's last token tells its tag, as a decoder needs that sees nothing
    ///   behind it, or else its first
    public static List<TaggedTokens> of(
            Tokenizer tokenizer, TaggedText text, int most, boolean last) {
        var template = tokenizer.template();
        var marker = new int[] {Integer.MIN_VALUE};
        var around = template.apply(marker);
        var before = 0;
        while (around[before] != marker[0]) {
            before++;
        }
        var room = most - template.addedToOne();
        var stretches = new ArrayList<TaggedTokens>();
        var ids = IntStream.builder();
        var places = new ArrayList<Integer>();
        var length = 0;
        var first = 0;
        for (var word = 0; word < text.words(); word++) {
            var tokens = tokens(tokenizer, text, word);
            if (tokens.length > room) {
                tokens = Arrays.copyOf(tokens, room);
            }
            if (length + tokens.length > room) {
                stretches.add(stretch(template.apply(ids.build().toArray()), places, first, text));
                ids = IntStream.builder();
                places.clear();
                length = 0;
                first = word;
            }
            places.add(before + length + (last ? tokens.length - 1 : 0));
            for (var id : tokens) {
                ids.add(id);
            }
            length += tokens.length;
        }
        if (!places.isEmpty()) {
            stretches.add(stretch(template.apply(ids.build().toArray()), places, first, text));
        }
        return stretches;
    }

    private static TaggedTokens stretch(
            int[] ids, List<Integer> places, int first, TaggedText text) {
        return new TaggedTokens(
                ids, places.stream().mapToInt(Integer::intValue).toArray(), first, text.where());
    }

    /// A word that makes no token, such as a control character, is the unknown one, or token 0.
    private static int[] tokens(Tokenizer tokenizer, TaggedText text, int word) {
        var from = word == 0 ? text.starts()[0] : text.ends()[word - 1];
        var ids = tokenizer.encode(text.text().substring(from, text.ends()[word]));
        return ids.length > 0 ? ids : new int[] {tokenizer.specials().unknown().orElse(0)};
    }

    public int words() {
        return places.length;
    }
}
