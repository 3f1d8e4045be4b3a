package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SplitTest {
    private record Record(String text, List<String> labels) {}

    /// Labels as uneven as real ones are, from frequent to single.
    private static List<Record> records(long seed, int labelsEach) {
        var rng = Rng.at(seed);
        var records = new ArrayList<Record>();
        var n = 20 + rng.nextInt(300);
        for (var i = 0; i < n; i++) {
            var labels = new HashSet<String>();
            for (var l = 0; l < labelsEach; l++) {
                labels.add("label " + (int) (8 * Math.pow(rng.nextDouble(), 3)));
            }
            records.add(new Record("text " + i, List.copyOf(labels)));
        }
        return records;
    }

    private static Split<Record> split(List<Record> records, double share, long seed) {
        return Split.stratified(records, Record::text, Record::labels, share, seed);
    }

    private static long count(List<Record> records, String label) {
        return records.stream().filter(r -> r.labels().contains(label)).count();
    }

    private static List<Integer> seeds() {
        return IntStream.range(0, 60).boxed().toList();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void eachLabelKeepsItsShareBackToWithinOneText(int seed) {
        var share = 0.02 + 0.6 * Rng.at(seed, 1).nextDouble();
        var records = records(seed, 1);
        var split = split(records, share, seed);
        assertThat((double) split.validation().size())
                .isCloseTo(Math.max(1, share * records.size()), within(1.0));
        for (var label : records.stream().flatMap(r -> r.labels().stream()).distinct().toList()) {
            assertThat((double) count(split.validation(), label))
                    .as(label)
                    .isCloseTo(share * count(records, label), within(1.0));
            assertThat(count(split.train(), label)).as(label).isPositive();
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void itIsAPureFunctionOfTheSeedAndTheRecords(int seed) {
        var records = records(seed, 1 + seed % 3);
        var split = split(records, 0.2, seed);
        var both = new ArrayList<>(split.train());
        both.addAll(split.validation());
        assertThat(both).containsExactlyInAnyOrderElementsOf(records);
        assertThat(split).isEqualTo(split(records, 0.2, seed));
        assertThat(records)
                .containsSubsequence(split.train())
                .containsSubsequence(split.validation());
        var shuffled = new ArrayList<>(records);
        Collections.shuffle(shuffled, new Random(seed));
        assertThat(split(shuffled, 0.2, seed).validation())
                .containsExactlyInAnyOrderElementsOf(split.validation());
        assertThat(split(records, 0.2, seed + 1000).validation()).isNotEqualTo(split.validation());
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void textsOfSeveralLabelsAreDividedByTheRarest(int seed) {
        var records = records(seed, 3);
        var split = split(records, 0.25, seed);
        var rarest =
                records.stream()
                        .flatMap(r -> r.labels().stream())
                        .distinct()
                        .min(java.util.Comparator.comparing(l -> count(records, l)))
                        .orElseThrow();
        assertThat((double) count(split.validation(), rarest))
                .isCloseTo(0.25 * count(records, rarest), within(1.0));
        for (var label : records.stream().flatMap(r -> r.labels().stream()).distinct().toList()) {
            assertThat(count(split.train(), label)).as(label).isPositive();
        }
    }

    /// Of a picture, that is to decode it.
    @Test
    void theTextOfARecordIsAskedForOnce() {
        var records = records(1, 1);
        var asked = new ArrayList<Record>();
        Split.stratified(
                records,
                record -> {
                    asked.add(record);
                    return record.text();
                },
                Record::labels,
                0.25,
                1);
        assertThat(asked).isEqualTo(records);
    }

    @Test
    void copiesOfATextStayTogether() {
        var records = new ArrayList<Record>();
        for (var copy = 0; copy < 3; copy++) {
            records.addAll(records(3, 1));
        }
        var split = split(records, 0.3, 1);
        var trained = split.train().stream().map(Record::text).collect(Collectors.toSet());
        assertThat(split.validation()).isNotEmpty().noneMatch(r -> trained.contains(r.text()));
        // The same text under two labels too.
        var contradictory = List.of(new Record("a", List.of("x")), new Record("a", List.of("y")));
        assertThat(split(contradictory, 0.5, 1).validation()).isEmpty();
    }

    @Test
    void aRecordMoreMovesFewOthers() {
        var moved = 0;
        for (var i = 0; i < 100; i++) {
            var records = records(i, 1);
            var before = new HashSet<>(split(records, 0.2, 5).validation());
            records.add(new Record("one more", List.of("label 0")));
            var after = new HashSet<>(split(records, 0.2, 5).validation());
            after.remove(records.getLast());
            var same = new HashSet<>(before);
            same.retainAll(after);
            moved += before.size() + after.size() - 2 * same.size();
            assertThat(before.size() - same.size()).isLessThanOrEqualTo(4);
        }
        assertThat(moved).isLessThan(200);
    }

    @Test
    void whereLabelsHaveOneTextEachNothingIsKeptBack() {
        var records = List.of(new Record("a", List.of("x")), new Record("b", List.of("y")));
        assertThat(split(records, 0.5, 1).validation()).isEmpty();
        var without = List.of(new Record("a", List.of()), new Record("b", List.of()));
        assertThat(split(without, 0.1, 1).validation()).hasSize(1);
    }
}
