package dev.espalier.data;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// Texts that are nearly those of others: whose sets of stretches of characters overlap by
/// Jaccard's coefficient J = |A ∩ B| / |A ∪ B| (Broder 1997, "On the resemblance and containment of
/// documents"), computed exactly.
public final class NearCopies {
    /// Characters of a stretch, which short texts have enough of.
    private static final int STRETCH = 5;

    private final double threshold;

    private final List<Set<String>> known = new ArrayList<>();
    private final HashMap<String, List<Integer>> places = new HashMap<>();

    /// @param threshold J from which a text is a near copy, in (0, 1]
    public NearCopies(List<String> texts, double threshold) {
        this.threshold = threshold;
        for (var text : texts) {
            var stretches = stretches(text);
            var place = known.size();
            known.add(stretches);
            stretches.forEach(s -> places.computeIfAbsent(s, _ -> new ArrayList<>()).add(place));
        }
    }

    private static Set<String> stretches(String text) {
        var plain = text.toLowerCase(Locale.ROOT).strip().replaceAll("\\s+", " ");
        var stretches = new HashSet<String>();
        for (var i = 0; i + STRETCH <= plain.length(); i++) {
            stretches.add(plain.substring(i, i + STRETCH));
        }
        if (stretches.isEmpty()) {
            stretches.add(plain);
        }
        return stretches;
    }

    /// Whether `text` is a near copy of one of the texts.
    ///
    /// Of n stretches a near copy holds at least ⌈t n⌉, and so one of any n - ⌈t n⌉ + 1 of them.
    public boolean has(String text) {
        var stretches = stretches(text);
        var rarest = new ArrayList<>(stretches);
        rarest.sort(
                java.util.Comparator.comparingInt(
                        (String s) -> places.getOrDefault(s, List.of()).size()));
        var asked = stretches.size() - (int) Math.ceil(threshold * stretches.size() - 1e-9) + 1;
        var seen = new HashSet<Integer>();
        for (var stretch : rarest.subList(0, Math.min(asked, rarest.size()))) {
            for (var place : places.getOrDefault(stretch, List.of())) {
                if (seen.add(place) && resemblance(stretches, known.get(place)) >= threshold) {
                    return true;
                }
            }
        }
        return false;
    }

    private static double resemblance(Set<String> one, Set<String> other) {
        var shared = one.stream().filter(other::contains).count();
        return shared / (double) (one.size() + other.size() - shared);
    }
}
