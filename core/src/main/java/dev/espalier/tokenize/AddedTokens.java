package dev.espalier.tokenize;

import dev.espalier.tokenize.Tokenizer.Before;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Finds added tokens in text: the leftmost, and of those the longest; those that are not
/// normalized first, the others in what lies between.
final class AddedTokens {
    /// Receives the pieces of a text from left to right.
    interface Pieces {
        /// A stretch between tokens: `text.text()[from, to)`.
        void text(Normalized text, int from, int to);

        /// A token, with its place in the text that was given.
        void token(int id, int from, int to);
    }

    /// Changes text before normalized tokens are searched for.
    interface Normalizer {
        /// `text[from, to)` changed; where nothing changes it is `text` itself, whole.
        Normalized of(String text, int from, int to);

        /// The same, where `before` stands before it.
        default Normalized of(String text, int from, int to, Before before) {
            return of(text, from, to);
        }

        /// Whether it is needed where no token is normalized: whoever reads the pieces may change
        /// them himself.
        default boolean always() {
            return true;
        }
    }

    private static final class Node {
        final Map<Character, Node> next = new HashMap<>();
        @Nullable AddedToken token;

        /// Of the token as it is searched for, in chars.
        int length;
    }

    private final List<AddedToken> all;
    private final BitSet special = new BitSet();
    private final @Nullable Normalizer normalizer;
    private final @Nullable Node raw;
    private final @Nullable Node normalized;

    AddedTokens(List<AddedToken> tokens) {
        this(tokens, null);
    }

    /// @param normalizer what is done to the text between tokens that are not normalized, or null
    AddedTokens(List<AddedToken> tokens, @Nullable Normalizer normalizer) {
        this.normalizer = normalizer;
        all = tokens.stream().sorted(Comparator.comparingInt(AddedToken::id)).toList();
        all.forEach(token -> special.set(token.id(), token.special()));
        raw = trie(false);
        normalized = trie(true);
    }

    /// The same with other tokens.
    AddedTokens with(List<AddedToken> tokens) {
        return new AddedTokens(tokens, normalizer);
    }

    private @Nullable Node trie(boolean ofNormalized) {
        Node root = null;
        for (var token : all) {
            if (token.normalized() == ofNormalized) {
                root = root == null ? new Node() : root;
                var node = root;
                var content =
                        normalizer != null && ofNormalized
                                ? normalizer.of(token.content(), 0, token.content().length()).text()
                                : token.content();
                if (content.isEmpty()) {
                    continue; // nothing that could be found
                }
                for (char c : content.toCharArray()) {
                    node = node.next.computeIfAbsent(c, k -> new Node());
                }
                node.token = token;
                node.length = content.length();
            }
        }
        return root;
    }

    /// All of them, by id.
    List<AddedToken> all() {
        return all;
    }

    boolean isSpecial(int id) {
        return special.get(id);
    }

    /// Whether the stretches that [#split] hands out went through the normalizer.
    boolean normalizes() {
        return normalizer != null && (normalized != null || normalizer.always());
    }

    void split(String given, boolean plain, Pieces pieces) {
        split(given, plain, Before.NOTHING, pieces);
    }

    /// @param before what stands before the text that is given
    void split(String given, boolean plain, Before before, Pieces pieces) {
        var whole = Normalized.unchanged(given);
        var change = normalizer;
        if (normalized == null && !normalizes()) {
            split(raw, whole, 0, given.length(), plain, pieces);
            return;
        }
        split(
                raw,
                whole,
                0,
                given.length(),
                plain,
                new Pieces() {
                    @Override
                    public void text(Normalized text, int from, int to) {
                        var normal =
                                change == null
                                        ? text
                                        : change.of(
                                                given, from, to, from == 0 ? before : Before.TOKEN);
                        boolean same = normal.starts() == null;
                        split(
                                normalized,
                                normal,
                                same ? from : 0,
                                same ? to : normal.text().length(),
                                plain,
                                pieces);
                    }

                    @Override
                    public void token(int id, int from, int to) {
                        pieces.token(id, from, to);
                    }
                });
    }

    private static void split(
            @Nullable Node root,
            Normalized source,
            int from,
            int to,
            boolean plain,
            Pieces pieces) {
        var text = source.text();
        int done = from;
        int at = from;
        while (root != null && (at = candidate(root, text, at, to)) < to) {
            var found = longest(root, text, at, to);
            if (found == null) {
                at++;
                continue;
            }
            int start = at;
            int end = at + found.length;
            at = end;
            var token = Objects.requireNonNull(found.token);
            if (token.special() && plain) {
                continue;
            }
            if (token.singleWord()
                    && (start > from && isWord(text.codePointBefore(start))
                            || end < to && isWord(text.codePointAt(end)))) {
                continue;
            }
            if (token.lstrip()) {
                while (start > done && Split.isWhiteSpace(text.charAt(start - 1))) {
                    start--;
                }
            }
            if (token.rstrip()) {
                while (end < to && Split.isWhiteSpace(text.charAt(end))) {
                    end++;
                }
            }
            if (done < start) {
                pieces.text(source, done, start);
            }
            pieces.token(token.id(), source.start(start), source.end(end));
            done = end;
            at = Math.max(at, end);
        }
        if (done < to) {
            pieces.text(source, done, to);
        }
    }

    /// The next place at which a token may begin, or `to`.
    private static int candidate(Node root, String text, int from, int to) {
        if (root.next.size() == 1) {
            int at = text.indexOf(root.next.keySet().iterator().next(), from, to);
            return at < 0 ? to : at;
        }
        for (int at = from; at < to; at++) {
            if (root.next.containsKey(text.charAt(at))) {
                return at;
            }
        }
        return to;
    }

    private static @Nullable Node longest(Node root, String text, int from, int to) {
        Node found = null;
        Node node = root;
        for (int at = from; at < to; at++) {
            node = node.next.get(text.charAt(at));
            if (node == null) {
                break;
            }
            if (node.token != null) {
                found = node;
            }
        }
        return found;
    }

    private static boolean isWord(int c) {
        return Character.isAlphabetic(c)
                || c == 0x200c
                || c == 0x200d
                || switch (Character.getType(c)) {
                    case Character.NON_SPACING_MARK,
                            Character.ENCLOSING_MARK,
                            Character.COMBINING_SPACING_MARK,
                            Character.DECIMAL_DIGIT_NUMBER,
                            Character.CONNECTOR_PUNCTUATION ->
                            true;
                    default -> false;
                };
    }
}
