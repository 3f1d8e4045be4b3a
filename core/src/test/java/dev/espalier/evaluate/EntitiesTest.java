package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EntitiesTest {
    private static List<String> tags(String tags) {
        return List.of(tags.split(" "));
    }

    /// As seqeval's `get_entities` in its default mode.
    @ParameterizedTest
    @CsvSource({
        "B-PER I-PER O B-LOC,PER:0-1 LOC:3-3", // IOB2
        "I-PER I-PER O I-LOC B-LOC I-LOC,PER:0-1 LOC:3-3 LOC:4-5", // IOB1
        "B-PER I-PER E-PER S-LOC S-LOC O,PER:0-2 LOC:3-3 LOC:4-4", // IOBES
        "B-PER B-PER,PER:0-0 PER:1-1",
        "I-PER I-LOC,PER:0-0 LOC:1-1",
        "B-PER I-LOC O I-PER,PER:0-0 LOC:1-1 PER:3-3",
        "E-PER E-PER,PER:0-0 PER:1-1",
        "B-PER E-PER I-PER,PER:0-1 PER:2-2",
        "S-PER I-PER,PER:0-0 PER:1-1",
        "O B-a-b I-a-b I-a-c,a-b:1-2 a-c:3-3",
        "B I O I B,_:0-1 _:3-3 _:4-4",
        "B-PER I-PER L-PER U-LOC U-LOC O,PER:0-2 LOC:3-3 LOC:4-4", // BILOU
        "O O,''"
    })
    void entitiesAreThoseOfSeqeval(String tags, String wanted) {
        assertThat(
                        Entities.of(tags(tags)).stream()
                                .map(e -> e.type() + ":" + e.first() + "-" + e.last()))
                .containsExactly(
                        Stream.of(wanted.split(" "))
                                .filter(s -> !s.isEmpty())
                                .toArray(String[]::new));
    }

    private static double value(List<Score> scores, String metric) {
        return scores.stream()
                .filter(s -> s.metric().equals(metric))
                .findFirst()
                .orElseThrow()
                .value();
    }

    @Test
    void anEntityCountsWhereTypeAndBothEndsAreRight() {
        // seqeval's own example, f1 0.5, and a sentence with a wrong type and a wrong end.
        var truth =
                List.of(
                        tags("O O O B-MISC I-MISC I-MISC O"),
                        tags("B-PER I-PER O"),
                        tags("B-LOC O B-LOC I-LOC"));
        var told =
                List.of(
                        tags("O O B-MISC I-MISC I-MISC I-MISC O"),
                        tags("B-PER I-PER O"),
                        tags("B-PER O B-LOC O"));
        var seqeval = Entities.scores("test", truth.subList(0, 2), told.subList(0, 2), 1);
        assertThat(value(seqeval, "f1")).isEqualTo(0.5);
        assertThat(value(seqeval, "macro-f1")).isEqualTo(0.5);
        var scores = Entities.scores("test", truth, told, 1);
        // 1 of 4 true ones, of 4 told ones; PER 2/3, MISC 0, LOC 0.
        assertThat(value(scores, "precision")).isEqualTo(0.25);
        assertThat(value(scores, "recall")).isEqualTo(0.25);
        assertThat(value(scores, "f1:PER")).isCloseTo(2.0 / 3, within(1e-12));
        assertThat(value(scores, "f1:LOC")).isZero();
        assertThat(value(scores, "macro-f1")).isCloseTo(2.0 / 9, within(1e-12));
        assertThat(scores).allMatch(s -> s.low() <= s.value() && s.value() <= s.high());
        var f1 = Entities.f1(truth, told);
        assertThat(f1.value()).isEqualTo(0.25);
        assertThat(Shares.interval(List.of(f1, f1)))
                .isEqualTo(
                        scores.stream()
                                .filter(s -> s.metric().equals("f1"))
                                .findFirst()
                                .orElseThrow()
                                .interval());
        assertThat(Shares.ofWords(truth, told).value()).isCloseTo(10.0 / 14, within(1e-12));
    }

    @Test
    void whoFindsAllOrNothingIsNotCertainToDoSo() {
        var truth = List.of(tags("B-PER O"), tags("O O"), tags("B-LOC I-LOC"));
        var nothing = List.of(tags("O O"), tags("O O"), tags("O O"));
        for (var told : List.of(truth, nothing)) {
            for (var score : Entities.scores("test", truth, told, 1)) {
                assertThat(score.value()).as(score.metric()).isEqualTo(told == truth ? 1 : 0);
                assertThat(score.low()).isBetween(0.0, score.value());
                assertThat(score.high()).isBetween(score.value(), 1.0);
                assertThat(score.high() - score.low()).as(score.metric()).isGreaterThan(0.3);
            }
        }
        assertThat(Entities.scores("test", nothing, nothing, 1))
                .hasSize(4)
                .allMatch(s -> s.value() == 0 && s.low() == 0 && s.high() == 1);
    }

    @Test
    void wordClassesAreNoEntities() {
        assertThat(Entities.areTags(tags("O B-PER S-a E-b I-c"))).isTrue();
        assertThat(Entities.areTags(tags("O NOUN"))).isFalse();
        assertThat(Entities.areTags(tags("O B-"))).isFalse();
    }
}
