package dev.espalier.tokenize;

import java.nio.file.Path;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// How a word is spelt by tokens. Immutable, and safe for many threads.
sealed interface Spelling permits Unigram, CharacterMerges {
    /// The tokens of `word[from, to)`, which is well-formed UTF-8 and not empty.
    ///
    /// @param places filled with the first byte of each token and the byte behind its last, counted
    ///   from `from`; null if that is not wanted
    int[] spell(byte[] word, int from, int to, @Nullable Ids places);

    /// This, without the tokens that no text must be able to spell.
    Spelling without(BitSet ids);

    void save(Path folder, Frame frame, Vocabulary vocabulary);

    /// The names of the bytes' tokens: `<0x00>` to `<0xFF>`.
    static String byteName(int b) {
        return "<0x%02X>".formatted(b);
    }

    /// The byte that a token of this name stands for, or -1.
    static int byteOf(String name) {
        if (name.length() != 6 || !name.startsWith("<0x") || name.charAt(5) != '>') {
            return -1;
        }
        int high = Character.digit(name.charAt(3), 16), low = Character.digit(name.charAt(4), 16);
        return high < 0 || low < 0 || name.charAt(4) >= 0x80 || name.charAt(3) >= 0x80
                ? -1
                : high << 4 | low;
    }
}
