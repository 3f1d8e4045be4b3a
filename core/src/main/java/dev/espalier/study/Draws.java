package dev.espalier.study;

import dev.espalier.Rng;
import dev.espalier.data.LabelledText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/// Records drawn for a study.
final class Draws {
    private Draws() {}

    /// The same number of each label as far as there are so many, drawn by `seed`, in an order
    /// drawn by it too. A smaller draw of the same seed is a part of a larger one.
    static List<LabelledText> balanced(List<LabelledText> records, int count, long seed) {
        return balanced(records, LabelledText::label, count, seed);
    }

    /// As above.
    static <R> List<R> balanced(List<R> records, Function<R, String> label, int count, long seed) {
        var byLabel = new TreeMap<String, List<R>>();
        for (var record : records) {
            byLabel.computeIfAbsent(label.apply(record), l -> new ArrayList<>()).add(record);
        }
        byLabel.values().forEach(same -> shuffle(same, Rng.at(seed, same.size())));
        // Which labels come first is drawn too: there may be fewer records than labels.
        var labels = new ArrayList<>(byLabel.values());
        shuffle(labels, Rng.at(seed, 0, 11));
        var drawn = new ArrayList<R>();
        for (var round = 0; drawn.size() < count; round++) {
            var at = round;
            var left = labels.stream().filter(r -> at < r.size()).toList();
            if (left.isEmpty()) {
                break;
            }
            for (var same : left) {
                if (drawn.size() < count) {
                    drawn.add(same.get(round));
                }
            }
        }
        shuffle(drawn, Rng.at(seed, 7));
        return drawn;
    }

    /// The most frequent of some labels, the first of equals, `count` times.
    static List<String> commonest(Stream<String> labels, int count) {
        var counts = new TreeMap<String, Integer>();
        labels.forEach(label -> counts.merge(label, 1, Integer::sum));
        var most = Collections.max(counts.values());
        return counts.entrySet().stream()
                .filter(label -> label.getValue().equals(most))
                .limit(1)
                .flatMap(label -> Collections.nCopies(count, label.getKey()).stream())
                .toList();
    }

    static <T> void shuffle(List<T> list, Rng rng) {
        for (var i = list.size() - 1; i > 0; i--) {
            Collections.swap(list, i, rng.nextInt(i + 1));
        }
    }
}
