package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.study.Advice.Reason;
import dev.espalier.study.Advice.Rule;
import dev.espalier.study.Advice.Situation;
import dev.espalier.study.Advice.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AdviceTest {
    private static Situation situation(
            @Nullable Long text,
            int rarest,
            boolean hasBase,
            @Nullable Double distance,
            boolean keepGeneral,
            long needed) {
        return new Situation(
                text,
                rarest,
                500,
                2,
                0.0,
                0.0,
                hasBase,
                distance,
                keepGeneral,
                1000L,
                needed,
                null,
                0.01,
                0.1,
                null,
                null,
                null,
                60.0,
                null,
                3600.0,
                null,
                null,
                null,
                null,
                false);
    }

    @Test
    void whatIsMeasuredOfTextAndPicturesCounts() {
        var text =
                new Situation(
                        null, 400, 500, 2, 0.0, 0.0, true, null, false, 1000L, 10L, null, 0.01, 0.1,
                        1.6, 0.02, null, 7200.0, null, 3600.0, 3.0, null, 2.0, 0.06, true);
        require(
                text,
                Way.BAG_OF_WORDS,
                Rule.OVER_TIME,
                Rule.OVER_MONEY,
                Rule.LIKELY_ERRORS,
                Rule.UNKNOWN_WORDS,
                Rule.PRIVATE_TEXT,
                Rule.NEAR_COPIES);
        var pictures =
                new Situation(
                        null, 400, 500, 2, null, null, false, null, false, null, null, null, null,
                        null, null, null, 900, null, null, null, null, null, null, null, false);
        require(pictures, Way.FINE_TUNE, Rule.FEW_PICTURES);
    }

    private static void require(Situation situation, Way way, Rule... rules) {
        var advice = Advice.of(situation);
        assertThat(advice.way()).isEqualTo(way);
        assertThat(advice.reasons().stream().map(Reason::rule)).containsExactly(rules);
        assertThat(advice.reasons()).allSatisfy(r -> assertThat(r.because()).isNotBlank());
    }

    @Test
    void eachRuleHoldsWhereItShould() {
        require(situation(null, 400, true, null, false, 10), Way.FINE_TUNE);
        require(
                situation(null, 9, true, null, false, 10),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.RARE_LABELS);
        require(
                situation(1_000L, 400, false, null, false, 10),
                Way.BAG_OF_WORDS,
                Rule.NO_BASE_LITTLE_TEXT);
        require(
                situation(30_000_000L, 400, false, null, false, 10),
                Way.PRETRAIN,
                Rule.NO_BASE_ENOUGH_TEXT);
        require(
                situation(1_000_000L, 400, true, 1.5, false, 10),
                Way.PRETRAIN_FURTHER,
                Rule.FAR_DOMAIN);
        require(situation(1_000L, 400, true, 1.5, false, 10), Way.FINE_TUNE, Rule.NEAR_DOMAIN);
        require(situation(null, 400, true, null, true, 10), Way.ADAPTER, Rule.MUST_NOT_FORGET);
        require(situation(null, 400, true, null, false, 2000), Way.ADAPTER, Rule.NO_ROOM);
        require(
                new Situation(
                        null, 400, 500, 2, 0.2, 0.1, true, null, false, null, null, null, 0.2, 0.1,
                        null, null, null, null, null, null, 1.0, null, 2.0, 0.04, false),
                Way.BAG_OF_WORDS,
                Rule.TOO_SLOW,
                Rule.NOISY_LABELS,
                Rule.SEEN_BEFORE);
        require(
                new Situation(
                        null, null, null, null, null, null, true, null, false, null, null, null,
                        null, null, null, null, null, null, null, null, null, null, null, null,
                        false),
                Way.FINE_TUNE);
    }

    /// What must not be forgotten is kept by an adapter, however far the domain lies.
    @Test
    void whatMustBeKeptIsNotPretrainedAway() {
        require(
                situation(1_000_000L, 400, true, 1.5, true, 10),
                Way.ADAPTER,
                Rule.MUST_NOT_FORGET,
                Rule.FAR_DOMAIN);
        require(situation(1_000_000L, 400, true, 1.1, true, 10), Way.ADAPTER, Rule.MUST_NOT_FORGET);
    }

    @Test
    void nothingIsLearntFromOneLabel() {
        require(
                new Situation(
                        null, 500, 500, 1, 0.0, 0.0, true, null, false, null, null, null, null,
                        null, null, null, null, null, null, null, null, null, null, null, false),
                Way.GATHER,
                Rule.ONE_LABEL);
    }

    /// Where all weights take too much, an adapter is taken if it takes no more than it may, and
    /// else what takes next to nothing.
    @Test
    void anAdapterIsTakenWhereItIsEnough() {
        requireSmaller(Way.ADAPTER, 900L, 60.0, 1.0, Rule.NO_ROOM);
        requireSmaller(Way.BAG_OF_WORDS, 1100L, 60.0, 1.0, Rule.NO_ROOM);
        requireSmaller(Way.BAG_OF_WORDS, 900L, 4000.0, 1.0, Rule.NO_ROOM);
        requireSmaller(Way.ADAPTER, 900L, 3000.0, 1.0, Rule.OVER_TIME);
        requireSmaller(Way.BAG_OF_WORDS, 900L, 4000.0, 1.0, Rule.OVER_TIME);
        requireSmaller(Way.ADAPTER, 900L, 60.0, 1.0, Rule.OVER_MONEY);
        requireSmaller(Way.BAG_OF_WORDS, 900L, 60.0, 3.0, Rule.OVER_MONEY);
    }

    /// Of 1000 bytes, 3600 seconds and 2 of money all weights take too much of one.
    private static void requireSmaller(
            Way way, long needed, double training, double price, Rule rule) {
        require(
                new Situation(
                        null,
                        400,
                        500,
                        2,
                        0.0,
                        0.0,
                        true,
                        null,
                        false,
                        1000L,
                        rule == Rule.NO_ROOM ? 2000L : 1000L,
                        needed,
                        null,
                        null,
                        null,
                        null,
                        null,
                        rule == Rule.OVER_TIME ? 7200.0 : 60.0,
                        training,
                        3600.0,
                        rule == Rule.OVER_MONEY ? 4.0 : 1.0,
                        price,
                        2.0,
                        null,
                        false),
                way,
                rule);
    }

    @Test
    void everyRuleIsExplainedAndNoOther() throws IOException {
        var sections =
                Files.readAllLines(Path.of("..", "docs", "advice.md")).stream()
                        .filter(line -> line.startsWith("### "))
                        .map(line -> line.substring(4))
                        .toList();
        assertThat(sections)
                .containsExactlyElementsOf(Arrays.stream(Rule.values()).map(Rule::title).toList());
    }
}
