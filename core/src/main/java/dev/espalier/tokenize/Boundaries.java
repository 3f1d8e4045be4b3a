package dev.espalier.tokenize;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Where words and sentences begin and end in a stream of tokens, as far as the tokens alone tell.
public final class Boundaries {
    private static final String CLOSING = "\"')]}»”’ ";
    private static final String ENDING = ".!?…。！？।";

    /// The end of a sentence in UTF-8, each byte a character: a mark before white space, with what
    /// closes behind it if no small letter follows; a mark of Chinese or Japanese; line breaks.
    private static final Pattern END =
            Pattern.compile(
                    "(?:[.!?]|\u00e2\u0080\u00a6)(?:(?=\\s|$)"
                            + "|(?:[\"')\\]}]|\u00e2\u0080[\u0099\u009d]|\u00c2\u00bb)+(?=\\s+[^a-z\\s]|\\s*$))\\n*"
                            + "|(?:\u00e3\u0080\u0082|\u00ef\u00bc[\u0081\u009f])"
                            + "(?:\u00e3\u0080[\u008d\u008f])*"
                            + "|\\n+");

    private final Tokenizer tokenizer;
    private final BitSet sentenceEnds = new BitSet();
    private final BitSet startsInWord = new BitSet();
    private final BitSet endsInWord = new BitSet();

    public Boundaries(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        for (var id = 0; id < tokenizer.vocabularySize(); id++) {
            var bytes = tokenizer.bytes(id);
            if (tokenizer.isSpecial(id) || bytes.length == 0) {
                continue;
            }
            startsInWord.set(id, isWord(bytes[0]));
            // A space may be a token of its own before the rest of its word.
            endsInWord.set(
                    id, isWord(bytes[bytes.length - 1]) || bytes.length == 1 && bytes[0] == ' ');
            sentenceEnds.set(id, endsSentence(new String(bytes, StandardCharsets.UTF_8)));
        }
    }

    private static boolean isWord(byte b) {
        return b < 0 || Character.isLetterOrDigit(b);
    }

    private static boolean endsSentence(String token) {
        if (token.indexOf('\n') >= 0) {
            return true;
        }
        var end = token.length();
        while (end > 0 && CLOSING.indexOf(token.charAt(end - 1)) >= 0) {
            end--;
        }
        return end > 0 && ENDING.indexOf(token.charAt(end - 1)) >= 0;
    }

    /// The tokens that end a sentence: a full stop, question or exclamation mark, with what closes
    /// behind it, and line breaks. The full stop of an abbreviation counts too.
    public BitSet sentenceEnds() {
        return (BitSet) sentenceEnds.clone();
    }

    /// Where in the text of `ids` each sentence begins, as places in `ids`, the first of them 0. A
    /// mark ends a sentence only before white space, so that the full stop of 3.14 does not; that
    /// of an abbreviation does. A token that holds the end of one sentence and the beginning of the
    /// next belongs to the first.
    public int[] sentences(int[] ids) {
        var bytes = new ByteArrayOutputStream();
        var ends = new int[ids.length]; // of each token among the bytes
        for (var i = 0; i < ids.length; i++) {
            bytes.writeBytes(tokenizer.bytes(ids[i]));
            ends[i] = bytes.size();
        }
        var starts = IntStream.builder().add(0);
        var found = END.matcher(bytes.toString(StandardCharsets.ISO_8859_1));
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
