package dev.espalier.recipe;

import dev.espalier.EspalierException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// What is wrong with a recipe, gathered so that a person sees all of it at once.
final class Problems {
    private static final int MOST_SHOWN = 20;

    private record Problem(Node.Place place, String path, String message) {
        @Override
        public String toString() {
            var named = path.isEmpty() || place.source().endsWith(" " + path); // --set PATH
            return place + ": " + (named ? "" : path + ": ") + message;
        }
    }

    private final List<Problem> problems = new ArrayList<>();
    private final Map<String, Node.Place> places = new HashMap<>();

    /// Remembers where the key at `path` was written.
    void place(String path, Node.Place place) {
        places.put(path, place);
    }

    void add(Node.Place place, String path, String message) {
        problems.add(new Problem(place, path, message));
    }

    /// A problem with the key at `path`, at its place or at that of the nearest key around it.
    void add(String path, String message) {
        var around = path;
        while (!places.containsKey(around)) {
            around =
                    around.substring(
                            0,
                            Math.max(
                                    0, Math.max(around.lastIndexOf('.'), around.lastIndexOf('['))));
        }
        add(places.getOrDefault(around, new Node.Place("recipe", 0, 0)), path, message);
    }

    boolean any() {
        return !problems.isEmpty();
    }

    void throwIfAny(String source) {
        if (problems.isEmpty()) {
            return;
        }
        if (problems.size() == 1) {
            throw EspalierException.usage(problems.getFirst().toString());
        }
        var shown =
                problems.stream()
                        .sorted(
                                Comparator.comparingInt((Problem p) -> p.place().line())
                                        .thenComparingInt(p -> p.place().column()))
                        .limit(MOST_SHOWN)
                        .map(p -> "\n  " + p)
                        .collect(Collectors.joining());
        var more =
                problems.size() > MOST_SHOWN
                        ? "\n  and " + (problems.size() - MOST_SHOWN) + " more"
                        : "";
        throw EspalierException.usage(
                source + ": has " + problems.size() + " mistakes:" + shown + more);
    }

    /// "did you mean" the word of `allowed` nearest to `wrong`, if one is near; and all of them.
    static String instead(String wrong, Collection<String> allowed) {
        var nearest = allowed.stream().min(Comparator.comparingInt(word -> distance(wrong, word)));
        var guess =
                nearest.filter(word -> distance(wrong, word) <= Math.max(1, word.length() / 3))
                        .map(word -> "; did you mean `" + word + "`?")
                        .orElse(";");
        return guess + " allowed: " + String.join(", ", allowed);
    }

    /// The fewest letters to insert, delete, replace or swap with a neighbour (optimal string
    /// alignment).
    static int distance(String a, String b) {
        if (Math.abs(a.length() - b.length()) > 20) {
            return Integer.MAX_VALUE;
        }
        var table = new int[a.length() + 1][b.length() + 1];
        for (var i = 0; i <= a.length(); i++) {
            for (var j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    table[i][j] = i + j;
                    continue;
                }
                var differ = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                var fewest =
                        Math.min(
                                Math.min(table[i - 1][j], table[i][j - 1]) + 1,
                                table[i - 1][j - 1] + differ);
                if (i > 1
                        && j > 1
                        && a.charAt(i - 1) == b.charAt(j - 2)
                        && a.charAt(i - 2) == b.charAt(j - 1)) {
                    fewest = Math.min(fewest, table[i - 2][j - 2] + 1);
                }
                table[i][j] = fewest;
            }
        }
        return table[a.length()][b.length()];
    }
}
