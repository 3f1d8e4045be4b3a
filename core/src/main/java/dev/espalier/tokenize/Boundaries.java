package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.util.BitSet;

/// Where words and sentences begin and end in a stream of tokens, as far as the tokens alone tell.
public final class Boundaries {
    private static final String CLOSING = "\"')]}»”’ ";
    private static final String ENDING = ".!?…。！？।";

    private final BitSet sentenceEnds = new BitSet();
    private final BitSet startsInWord = new BitSet();
    private final BitSet endsInWord = new BitSet();

    public Boundaries(Tokenizer tokenizer) {
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

    /// Whether `token` goes on with the word that `previous` ends in: no white space, punctuation
    /// or special token lies between their letters and digits. Scripts that put no spaces between
    /// words count as one word up to the next mark of ASCII.
    public boolean continuesWord(int previous, int token) {
        return endsInWord.get(previous) && startsInWord.get(token);
    }
}
