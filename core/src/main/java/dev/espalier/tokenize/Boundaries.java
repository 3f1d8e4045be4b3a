package dev.espalier.tokenize;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Where words and sentences begin and end in a stream of tokens, as far as the tokens alone tell.
public final class Boundaries {
    /// The end of a sentence in UTF-8, each byte a character: a mark before white space, with what
    /// closes behind it if no small letter follows; a mark of Chinese or Japanese; line breaks. Not
    /// the full stop of `3 . 14`, as WordPiece tells 3.14.
    private static final Pattern END =
            Pattern.compile(
                    "(?:[.!?]|\u00e2\u0080\u00a6)(?!(?<=\\d \\.) \\d)(?:(?=\\s|$)"
                            + "|(?:[\"')\\]}]|\u00e2\u0080[\u0099\u009d]|\u00c2\u00bb)+(?=\\s+[^a-z\\s]|\\s*$))\\n*"
                            + "|(?:\u00e3\u0080\u0082|\u00ef\u00bc[\u0081\u009f])"
                            + "(?:\u00e3\u0080[\u008d\u008f])*"
                            + "|\\n+");

    private final byte[][] bytes; // of each token
    private final BitSet startsInWord = new BitSet();
    private final BitSet endsInWord = new BitSet();

    public Boundaries(Tokenizer tokenizer) {
        bytes = new byte[tokenizer.vocabularySize()][];
        for (var id = 0; id < bytes.length; id++) {
            var token = tokenizer.bytes(id);
            bytes[id] = token;
            if (tokenizer.isSpecial(id) || token.length == 0) {
                continue;
            }
            startsInWord.set(id, isWord(token[0]));
            // A space may be a token of its own before the rest of its word.
            endsInWord.set(
                    id, isWord(token[token.length - 1]) || token.length == 1 && token[0] == ' ');
        }
    }

    private static boolean isWord(byte b) {
        return b < 0 || Character.isLetterOrDigit(b);
    }

    /// Where in the text of `ids` each sentence begins, as places in `ids`, the first of them 0. A
    /// mark ends a sentence only before white space, so that the full stop of 3.14 does not; that
    /// of an abbreviation does. A token that holds the end of one sentence and the beginning of the
    /// next belongs to the first.
    public int[] sentences(int[] ids) {
        var text = new ByteArrayOutputStream();
        var ends = new int[ids.length]; // of each token among the bytes
        for (var i = 0; i < ids.length; i++) {
            text.writeBytes(bytes[ids[i]]);
            ends[i] = text.size();
        }
        var starts = IntStream.builder().add(0);
        var found = END.matcher(text.toString(StandardCharsets.ISO_8859_1));
        var at = 0; // the token that holds the end
        while (found.find()) {
            while (ends[at] < found.end()) {
                at++;
            }
            if (at + 1 < ids.length) {
                starts.add(at + 1);
            }
        }
        return starts.build().distinct().toArray();
    }

    /// Whether `token` goes on with the word that `previous` ends in: no white space, punctuation
    /// or special token lies between their letters and digits. Scripts that put no spaces between
    /// words count as one word up to the next mark of ASCII.
    public boolean continuesWord(int previous, int token) {
        return endsInWord.get(previous) && startsInWord.get(token);
    }
}
