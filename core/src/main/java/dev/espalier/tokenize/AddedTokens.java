package dev.espalier.tokenize;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Finds added tokens in text: the leftmost, and of those the longest; those that are not
/// normalized first, the others in what lies between.
final class AddedTokens {
    /// Receives the pieces of a text from left to right.
    interface Pieces {
        void text(int from, int to);

        void token(int id, int from, int to);
    }

    private static final class Node {
        final Map<Character, Node> next = new HashMap<>();
        @Nullable AddedToken token;
    }

    private final List<AddedToken> all;
    private final @Nullable Node raw;
    private final @Nullable Node normalized;

    AddedTokens(List<AddedToken> tokens) {
        all = tokens.stream().sorted(Comparator.comparingInt(AddedToken::id)).toList();
        raw = trie(all, false);
        normalized = trie(all, true);
    }

    private static @Nullable Node trie(List<AddedToken> tokens, boolean normalized) {
        Node root = null;
        for (var token : tokens) {
            if (token.normalized() == normalized) {
                root = root == null ? new Node() : root;
                var node = root;
                for (char c : token.content().toCharArray()) {
                    node = node.next.computeIfAbsent(c, k -> new Node());
                }
                node.token = token;
            }
        }
        return root;
    }

    /// All of them, by id.
    List<AddedToken> all() {
        return all;
    }

    void split(String text, boolean plain, Pieces pieces) {
        if (normalized == null) {
            split(raw, text, 0, text.length(), plain, pieces);
            return;
        }
        split(
                raw,
                text,
                0,
                text.length(),
                plain,
                new Pieces() {
                    @Override
                    public void text(int from, int to) {
                        split(normalized, text, from, to, plain, pieces);
                    }

                    @Override
                    public void token(int id, int from, int to) {
                        pieces.token(id, from, to);
                    }
                });
    }

    private static void split(
            @Nullable Node root, String text, int from, int to, boolean plain, Pieces pieces) {
        int done = from;
        int at = from;
        while (root != null && (at = candidate(root, text, at, to)) < to) {
            var found = longest(root, text, at, to);
            if (found == null) {
                at++;
                continue;
            }
            int start = at;
            int end = at + found.content().length();
            at = end;
            if (found.special() && plain) {
                continue;
            }
            if (found.singleWord()
                    && (start > from && isWord(text.codePointBefore(start))
                            || end < to && isWord(text.codePointAt(end)))) {
                continue;
            }
            if (found.lstrip()) {
                while (start > done && Gpt2Split.isWhiteSpace(text.charAt(start - 1))) {
                    start--;
                }
            }
            if (found.rstrip()) {
                while (end < to && Gpt2Split.isWhiteSpace(text.charAt(end))) {
                    end++;
                }
            }
            if (done < start) {
                pieces.text(done, start);
            }
            pieces.token(found.id(), start, end);
            done = end;
            at = Math.max(at, end);
        }
        if (done < to) {
            pieces.text(done, to);
        }
    }

    /// The next place at which a token may begin, or `to`.
    private static int candidate(Node root, String text, int from, int to) {
        if (root.next.size() == 1) {
            int at = text.indexOf(root.next.keySet().iterator().next(), from);
            return at < 0 ? to : Math.min(at, to);
        }
        for (int at = from; at < to; at++) {
            if (root.next.containsKey(text.charAt(at))) {
                return at;
            }
        }
        return to;
    }

    private static @Nullable AddedToken longest(Node root, String text, int from, int to) {
        AddedToken found = null;
        Node node = root;
        for (int at = from; at < to; at++) {
            node = node.next.get(text.charAt(at));
            if (node == null) {
                break;
            }
            if (node.token != null) {
                found = node.token;
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
