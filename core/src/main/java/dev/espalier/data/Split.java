package dev.espalier.data;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;

/// Labelled records to train on and to validate on, in the order in which they were given.
public record Split<R>(List<R> train, List<R> validation) {
    public Split {
        train = List.copyOf(train);
        validation = List.copyOf(validation);
    }

    /// Keeps back `share` of the texts and of those of each label, to within one text: a pure
    /// function of `seed` and the texts with their labels, whatever their order.
    ///
    /// Copies of a text stay on one side. A text of several labels counts for its rarest one, which
    /// is where stratifying by several labels must begin (Sechidis et al. 2011, "On the
    /// stratification of multi-label data"); for further ones the share holds nearly. Each label
    /// stays to be trained on: a label of a single text is never kept back, so that either side may
    /// be empty where there are few texts. What is left over after whole texts goes to the labels
    /// that come short by most. Within a label the texts of the lowest hashes are kept back, so
    /// that few others change sides when records are added.
    ///
    /// @param text of a record
    /// @param labels of a record; none where it has none to be divided by
    /// @param share in (0, 1)
    public static <R> Split<R> stratified(
            List<R> records,
            Function<R, String> text,
            Function<R, ? extends Iterable<String>> labels,
            double share,
            long seed) {
        if (!(share > 0 && share < 1)) {
            throw new IllegalArgumentException("a validation share of " + share);
        }
        // Of a picture that is not held, it takes decoding.
        var texts = records.stream().map(text).toList();
        var labelsOf = new TreeMap<String, TreeSet<String>>();
        for (var i = 0; i < texts.size(); i++) {
            var all = labelsOf.computeIfAbsent(texts.get(i), t -> new TreeSet<>());
            labels.apply(records.get(i)).forEach(all::add);
        }
        var frequency = new HashMap<String, Integer>();
        labelsOf.values().forEach(all -> all.forEach(l -> frequency.merge(l, 1, Integer::sum)));
        var rarestFirst =
                Comparator.<String>comparingInt(l -> frequency.getOrDefault(l, 0))
                        .thenComparing(Comparator.naturalOrder());
        var strata = new TreeMap<String, List<String>>();
        labelsOf.forEach((one, all) -> {
            var label = all.stream().min(rarestFirst).orElse("");
            strata.computeIfAbsent(label, l -> new ArrayList<>()).add(one);
        });
        var counts = counts(strata, share, labelsOf.size(), seed);
        var kept = new HashSet<String>();
        strata.forEach((label, of) ->
                byHash(of, seed).limit(counts.getOrDefault(label, 0)).forEach(kept::add));
        var train = new ArrayList<R>();
        var validation = new ArrayList<R>();
        for (var i = 0; i < texts.size(); i++) {
            (kept.contains(texts.get(i)) ? validation : train).add(records.get(i));
        }
        return new Split<>(train, validation);
    }

    /// How many texts of each stratum are kept back: its share, rounded so that all come to the
    /// share of all (the method of the largest remainder), and never the whole of it.
    private static Map<String, Integer> counts(
            Map<String, List<String>> strata, double share, int texts, long seed) {
        var counts = new HashMap<String, Integer>();
        strata.forEach((label, of) -> counts.put(label, (int) (share * of.size())));
        var left =
                Math.max(1, Math.round(share * texts))
                        - counts.values().stream().mapToInt(Integer::intValue).sum();
        byHash(List.copyOf(strata.keySet()), seed)
                .filter(label ->
                        Objects.requireNonNull(strata.get(label)).size()
                                > 1 + counts.getOrDefault(label, 0))
                .sorted(
                        Comparator.comparingDouble(label ->
                                -(share * Objects.requireNonNull(strata.get(label)).size() % 1)))
                .limit(Math.max(0, left))
                .forEach(label -> counts.merge(label, 1, Integer::sum));
        return counts;
    }

    private record Hashed(long hash, String text) {}

    private static Stream<String> byHash(List<String> texts, long seed) {
        return texts.stream()
                .map(text -> new Hashed(ShardBuilder.hash(seed + text), text))
                .sorted(
                        Comparator.comparing(Hashed::hash, Long::compareUnsigned)
                                .thenComparing(Hashed::text))
                .map(Hashed::text);
    }
}
