package dev.espalier.tokenize.jinja;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A string that remembers of each of its characters which of the given texts it comes from. Equal
/// strings are equal, wherever they come from.
public final class Text implements Comparable<Text> {
    /// The origin of what the template itself says.
    public static final int TEMPLATE = -1;

    static final Text EMPTY = new Text("", null);

    private final String string;

    /// Of each char, or null where all are the template's.
    private final int @Nullable [] origins;

    private Text(String string, int @Nullable [] origins) {
        this.string = string;
        this.origins = origins;
    }

    /// What the template says.
    public static Text of(String string) {
        return new Text(string, null);
    }

    /// What was given, under a number of at least 0.
    public static Text given(String string, int origin) {
        var origins = new int[string.length()];
        Arrays.fill(origins, origin);
        return new Text(string, origins);
    }

    /// Where the char at `at` comes from: [#TEMPLATE], or the number of a given text.
    public int origin(int at) {
        return origins == null ? TEMPLATE : origins[at];
    }

    public int length() {
        return string.length();
    }

    boolean isEmpty() {
        return string.isEmpty();
    }

    public Text sub(int from, int to) {
        return new Text(
                string.substring(from, to),
                origins == null ? null : Arrays.copyOfRange(origins, from, to));
    }

    /// `changed` in this one's place. Where the lengths differ, as those of letters that become two
    /// in capitals, all of it comes from where the first given char did.
    Text mapped(String changed) {
        if (origins == null || changed.length() == length()) {
            return new Text(changed, origins);
        }
        var from = Arrays.stream(origins).filter(o -> o != TEMPLATE).findFirst();
        return from.isPresent() ? given(changed, from.getAsInt()) : of(changed);
    }

    /// Without the characters of `which` on its sides; null for white space.
    Text strip(@Nullable String which, boolean left, boolean right) {
        int from = 0, to = length();
        while (left && from < to && strips(which, string.charAt(from))) {
            from++;
        }
        while (right && to > from && strips(which, string.charAt(to - 1))) {
            to--;
        }
        return sub(from, to);
    }

    private static boolean strips(@Nullable String which, char c) {
        return which == null ? isSpace(c) : which.indexOf(c) >= 0;
    }

    /// White space as Python has it.
    static boolean isSpace(char c) {
        return Character.isWhitespace(c)
                || Character.isSpaceChar(c)
                || c == '\u0085'
                || c >= '\u001c' && c <= '\u001f';
    }

    @Override
    public int compareTo(Text other) {
        return string.compareTo(other.string);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Text text && text.string.equals(string);
    }

    @Override
    public int hashCode() {
        return string.hashCode();
    }

    @Override
    public String toString() {
        return string;
    }

    /// Puts texts one behind the other.
    static final class Builder {
        private final StringBuilder string = new StringBuilder();
        private int @Nullable [] origins;

        Builder add(Text text) {
            var from = string.length();
            string.append(text.string);
            var own = origins;
            if (own == null && text.origins == null) {
                return this;
            }
            if (own == null) {
                own = new int[Math.max(64, string.length())];
                Arrays.fill(own, 0, from, TEMPLATE);
            } else if (own.length < string.length()) {
                own = Arrays.copyOf(own, Math.max(2 * own.length, string.length()));
            }
            if (text.origins == null) {
                Arrays.fill(own, from, string.length(), TEMPLATE);
            } else {
                System.arraycopy(text.origins, 0, own, from, text.length());
            }
            origins = own;
            return this;
        }

        Builder add(String template) {
            return add(Text.of(template));
        }

        int length() {
            return string.length();
        }

        Text text() {
            return new Text(
                    string.toString(),
                    origins == null ? null : Arrays.copyOf(origins, string.length()));
        }
    }
}
