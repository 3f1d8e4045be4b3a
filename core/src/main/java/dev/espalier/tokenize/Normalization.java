package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.text.Normalizer.Form;
import java.util.Base64;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What SentencePiece does to characters before it trains and encodes, by the names it has for it;
/// by the running JDK's Unicode tables, written into the tokenizer's files as a [Charsmap].
public enum Normalization {
    /// [#NFKC], and white space of any kind is a space, control characters are left out.
    NMT_NFKC,
    /// Unicode's normalization form KC (Unicode Standard Annex 15), of clusters that have up to
    /// five bytes in UTF-8 and of single characters, since longer ones are not looked up.
    NFKC,
    /// Characters stay as they are.
    IDENTITY;

    /// The map in Base64, or null where nothing changes.
    @Nullable String charsmap() {
        if (this == IDENTITY) {
            return null;
        }
        var map = new TreeMap<String, String>();
        for (int c = 1; c <= Character.MAX_CODE_POINT; c++) {
            int type = Character.getType(c);
            if (type == Character.UNASSIGNED
                    || type == Character.SURROGATE
                    || type == Character.PRIVATE_USE) {
                continue;
            }
            var text = Character.toString(c);
            var becomes = Normalizer.normalize(text, Form.NFKC);
            if (!becomes.equals(text)) {
                map.put(text, becomes);
            }
            var parts = Normalizer.normalize(text, Form.NFD);
            if (!parts.equals(text) && becomes.equals(text)) {
                put(map, parts, becomes);
                // What is composed in part: all but the last mark.
                int last = parts.offsetByCodePoints(parts.length(), -1);
                var head = Normalizer.normalize(parts.substring(0, last), Form.NFC);
                put(map, head + parts.substring(last), becomes);
            }
        }
        if (this == NMT_NFKC) {
            for (int c = 1; c < 0xa0; c++) {
                if (c < ' ' || c == 0x7f || c == 0x8f || c == 0x9f) {
                    boolean space = c == '\t' || c == '\n' || c == '\f' || c == '\r';
                    map.put(Character.toString(c), space ? " " : "");
                }
            }
            for (int c :
                    new int[] {
                        0x1680, 0x200b, 0x200c, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581, 0xfeff,
                        0xfffd
                    }) {
                map.put(Character.toString(c), " ");
            }
            map.remove("\uff5e"); // the wide tilde of Japanese ranges
        }
        return Base64.getEncoder().encodeToString(Charsmap.write(map));
    }

    private static void put(TreeMap<String, String> map, String parts, String becomes) {
        if (parts.getBytes(StandardCharsets.UTF_8).length < Charsmap.LONG
                && !parts.equals(becomes)) {
            map.put(parts, becomes);
        }
    }
}
