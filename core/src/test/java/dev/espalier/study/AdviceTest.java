package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.study.Advice.Labels;
import dev.espalier.study.Advice.Reason;
import dev.espalier.study.Advice.Rule;
import dev.espalier.study.Advice.Situation;
import dev.espalier.study.Advice.Takes;
import dev.espalier.study.Advice.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AdviceTest {
    private static final Takes LITTLE = new Takes(10L, 60.0, 1.0);
    private static final Takes MAY = new Takes(1000L, 3600.0, 2.0);

    /// Of text with a base or none, where every way takes `LITTLE` but those in `takes`.
    private static Situation situation(
            @Nullable Long text,
            int rarest,
            boolean hasBase,
            @Nullable Double distance,
            boolean keepGeneral,
            Map<Way, Takes> takes) {
        var all = new EnumMap<Way, Takes>(Way.class);
        for (var way : Way.values()) {
            all.put(way, LITTLE);
        }
        all.putAll(takes);
        return new Situation(
                text,
                Labels.of(Map.of("sea", rarest, "mill", 500)),
                0.0,
                null,
                null,
                0.0,
                null,
                null,
                hasBase,
                distance,
                null,
                keepGeneral,
                false,
                0.01,
                0.1,
                all,
                MAY);
    }

    private static Situation pictures(int pictures, boolean hasBase, Map<Way, Takes> takes) {
        return new Situation(
                null, null, null, null, null, null, null, pictures, hasBase, null, null, false,
                false, null, null, takes, MAY);
    }

    private static Advice require(Situation situation, Way way, Rule... rules) {
        var advice = Advice.of(situation);
        assertThat(advice.way()).isEqualTo(way);
        assertThat(advice.reasons().stream().map(Reason::rule)).containsExactly(rules);
        assertThat(advice.reasons()).allSatisfy(r -> assertThat(r.because()).isNotBlank());
        return advice;
    }

    @Test
    void whatIsMeasuredOfTextAndPicturesCounts() {
        var text =
                new Situation(
                        null,
                        Labels.of(Map.of("sea", 400, "mill", 500)),
                        0.2,
                        0.06,
                        new Advice.Told(0.89, 819),
                        0.1,
                        0.02,
                        null,
                        true,
                        null,
                        1.6,
                        false,
                        true,
                        null,
                        null,
                        Map.of(),
                        MAY);
        var advice =
                require(
                        text,
                        Way.FINE_TUNE,
                        Rule.BAG_FIRST,
                        Rule.NOISY_LABELS,
                        Rule.LIKELY_ERRORS,
                        Rule.UNKNOWN_WORDS,
                        Rule.PRIVATE_TEXT,
                        Rule.NEAR_COPIES,
                        Rule.SEEN_BEFORE);
        assertThat(advice.reasons().getFirst().because()).contains("of 819 records", "89.0 %");
        require(pictures(900, false, Map.of()), Way.FINE_TUNE, Rule.FEW_PICTURES);
        require(pictures(900, true, Map.of()), Way.FINE_TUNE);
    }

    /// One run after the other takes as much memory, and all their time.
    @Test
    void severalRunsTakeTheirTimeTogether() {
        assertThat(LITTLE.times(3)).isEqualTo(new Takes(10L, 180.0, 3.0));
        assertThat(Takes.UNKNOWN.times(3)).isEqualTo(Takes.UNKNOWN);
    }

    @Test
    void eachRuleHoldsWhereItShould() {
        require(situation(null, 400, true, null, false, Map.of()), Way.FINE_TUNE);
        require(
                situation(1_000L, 400, false, null, false, Map.of()),
                Way.BAG_OF_WORDS,
                Rule.NO_BASE_LITTLE_TEXT);
        require(
                situation(30_000_000L, 400, false, null, false, Map.of()),
                Way.PRETRAIN,
                Rule.NO_BASE_ENOUGH_TEXT);
        require(
                situation(1_000_000L, 400, true, 1.5, false, Map.of()),
                Way.PRETRAIN_FURTHER,
                Rule.FAR_DOMAIN);
        require(
                situation(1_000L, 400, true, 1.5, false, Map.of()),
                Way.FINE_TUNE,
                Rule.NEAR_DOMAIN);
        require(
                new Situation(
                        null,
                        Labels.of(Map.of("sea", 400, "mill", 500)),
                        null,
                        null,
                        new Advice.Told(0.9, 100),
                        null,
                        null,
                        null,
                        true,
                        null,
                        null,
                        false,
                        false,
                        0.2,
                        0.1,
                        Map.of(),
                        MAY),
                Way.BAG_OF_WORDS,
                Rule.TOO_SLOW);
        require(
                new Situation(
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        true,
                        null,
                        null,
                        false,
                        false,
                        null,
                        null,
                        Map.of(),
                        Takes.UNKNOWN),
                Way.GATHER,
                Rule.FEW_LABELS);
    }

    /// Of text alone: there is nothing to fine-tune on, whatever else holds.
    @Test
    void withoutRecordsTheyAreGathered() {
        require(
                unlabelled(1_000L, false, null, Map.of()),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.NO_BASE_LITTLE_TEXT);
        require(
                unlabelled(1_000L, true, 1.5, Map.of()),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.NEAR_DOMAIN);
        require(
                unlabelled(1_000_000L, true, 1.5, Map.of()),
                Way.PRETRAIN_FURTHER,
                Rule.FEW_LABELS,
                Rule.FAR_DOMAIN);
        require(
                unlabelled(30_000_000L, false, null, Map.of()),
                Way.PRETRAIN,
                Rule.FEW_LABELS,
                Rule.NO_BASE_ENOUGH_TEXT);
        var dear = new Takes(10L, 7200.0, 1.0);
        require(
                unlabelled(30_000_000L, false, null, Map.of(Way.PRETRAIN, dear)),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.NO_BASE_ENOUGH_TEXT,
                Rule.OVER_TIME);
        require(
                unlabelled(1_000_000L, true, 1.5, Map.of(Way.PRETRAIN_FURTHER, dear)),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.FAR_DOMAIN,
                Rule.OVER_TIME);
    }

    private static Situation unlabelled(
            long text, boolean hasBase, @Nullable Double distance, Map<Way, Takes> takes) {
        return new Situation(
                text, null, null, null, null, null, null, null, hasBase, distance, null, false,
                false, null, null, takes, MAY);
    }

    /// What most labels have counts. A slip of the pen makes a label too, and is named.
    @Test
    void theMiddleLabelTellsWhetherThereAreEnough() {
        require(
                situation(null, 9, true, null, false, Map.of()),
                Way.GATHER,
                Rule.FEW_LABELS,
                Rule.RARE_LABELS);
        assertThat(of(Map.of("sea", 5000, "mill", 5000, "mlil", 1)))
                .isEqualTo(new Labels(3, 1, 5000, 5000, List.of("mlil (1)")));
        assertThat(of(Map.of("mill", 5000, "mlil", 1, "mil", 2, "mll", 1)).median())
                .isEqualTo(5000);
        assertThat(of(Map.of("a", 10, "b", 12, "c", 10, "d", 400)).median()).isEqualTo(10);
        assertThat(of(Map.of("a", 400, "b", 20, "c", 30, "d", 10)).median()).isEqualTo(20);
        var slip =
                require(
                        situation(null, 1, true, null, false, Map.of()),
                        Way.FINE_TUNE,
                        Rule.RARE_LABELS);
        assertThat(slip.reasons().getFirst().because()).contains("sea (1)");
    }

    private static Labels of(Map<String, Integer> records) {
        return Objects.requireNonNull(Labels.of(records));
    }

    /// What must not be forgotten is defended, however far the domain lies.
    @Test
    void whatMustBeKeptIsNotPretrainedAway() {
        require(
                situation(null, 400, true, null, true, Map.of()),
                Way.FINE_TUNE_DEFENDED,
                Rule.MUST_NOT_FORGET);
        require(
                situation(1_000_000L, 400, true, 1.5, true, Map.of()),
                Way.FINE_TUNE_DEFENDED,
                Rule.MUST_NOT_FORGET,
                Rule.FAR_DOMAIN);
        require(
                situation(1_000_000L, 400, true, 1.1, true, Map.of()),
                Way.FINE_TUNE_DEFENDED,
                Rule.MUST_NOT_FORGET);
        require(
                situation(
                        null,
                        400,
                        true,
                        null,
                        true,
                        Map.of(Way.FINE_TUNE_DEFENDED, new Takes(10L, 7200.0, 1.0))),
                Way.ADAPTER,
                Rule.MUST_NOT_FORGET,
                Rule.OVER_TIME);
    }

    @Test
    void nothingIsLearntFromOneLabel() {
        require(
                new Situation(
                        null,
                        Labels.of(Map.of("sea", 500)),
                        0.0,
                        null,
                        null,
                        0.0,
                        null,
                        null,
                        true,
                        null,
                        null,
                        false,
                        false,
                        null,
                        null,
                        Map.of(),
                        MAY),
                Way.GATHER,
                Rule.ONE_LABEL);
    }

    /// Each limit rules out whatever takes more than it, and says so of each; what takes next to
    /// nothing is left, of pictures nothing.
    @Test
    void noWayIsTakenThatTakesTooMuch() {
        var dear =
                Map.of(
                        Rule.NO_ROOM, new Takes(2000L, 60.0, 1.0),
                        Rule.OVER_TIME, new Takes(10L, 7200.0, 1.0),
                        Rule.OVER_MONEY, new Takes(10L, 60.0, 4.0));
        dear.forEach((rule, takes) -> {
            require(
                    situation(null, 400, true, null, false, Map.of(Way.FINE_TUNE, takes)),
                    Way.ADAPTER,
                    rule);
            require(
                    situation(
                            null,
                            400,
                            true,
                            null,
                            false,
                            Map.of(Way.FINE_TUNE, takes, Way.ADAPTER, takes)),
                    Way.BAG_OF_WORDS,
                    rule,
                    rule);
            require(
                    situation(
                            1_000_000L, 400, true, 1.5, false, Map.of(Way.PRETRAIN_FURTHER, takes)),
                    Way.FINE_TUNE,
                    Rule.FAR_DOMAIN,
                    rule);
            require(
                    situation(30_000_000L, 400, false, null, false, Map.of(Way.PRETRAIN, takes)),
                    Way.BAG_OF_WORDS,
                    Rule.NO_BASE_ENOUGH_TEXT,
                    rule);
            require(pictures(20_000, true, Map.of(Way.FINE_TUNE, takes)), Way.ADAPTER, rule);
            require(pictures(20_000, false, Map.of(Way.FINE_TUNE, takes)), Way.NONE, rule);
        });
        var both =
                require(
                        situation(
                                null,
                                400,
                                true,
                                null,
                                false,
                                Map.of(Way.FINE_TUNE, new Takes(10L, 7200.0, 4.0))),
                        Way.ADAPTER,
                        Rule.OVER_TIME,
                        Rule.OVER_MONEY);
        assertThat(both.reasons().getFirst().because())
                .isEqualTo("fine tune takes 2.0 h here and may take 1.0 h");
    }

    @Test
    void whatFollowsIsTakenToo() {
        assertThat(new Takes(10L, 60.0, null).and(new Takes(20L, 30.0, 1.0)))
                .isEqualTo(new Takes(20L, 90.0, null));
        assertThat(new Takes(500L, 7200.0, null).allowed(MAY)).isEqualTo(0.5);
        assertThat(Takes.UNKNOWN.allowed(MAY)).isInfinite();
    }

    /// What a sentence of the rules tells of an entry of the log, which it names, stands there.
    @Test
    void theRulesFiguresStandInTheLog() throws IOException {
        var log = new HashMap<String, StringBuilder>();
        var entry = new StringBuilder();
        for (var line : Files.readAllLines(Path.of("..", "docs", "log.md"))) {
            var title = Pattern.compile("^\\*\\*([^*]+?)[.:]?\\*\\*").matcher(line);
            if (title.find()) {
                entry = log.computeIfAbsent(title.group(1), _ -> new StringBuilder());
            } else if (line.startsWith("#")) {
                entry = new StringBuilder();
            }
            entry.append(line).append('\n');
        }
        var figures = 0;
        for (var line : Files.readAllLines(Path.of("..", "docs", "advice.md"))) {
            for (var sentence : line.split("(?<=[.:;]) ")) {
                var named =
                        Pattern.compile("\\*([^*]+)\\*")
                                .matcher(sentence)
                                .results()
                                .map(m -> m.group(1))
                                .toList();
                if (named.isEmpty()) {
                    continue;
                }
                assertThat(log).containsKeys(named.toArray(String[]::new));
                var there =
                        named.stream()
                                .map(log::get)
                                .map(String::valueOf)
                                .toList()
                                .toString()
                                .replace("+ ", "");
                for (var figure :
                        Pattern.compile("\\d+\\.\\d+|\\d+(?= %)")
                                .matcher(sentence)
                                .results()
                                .map(MatchResult::group)
                                .toList()) {
                    assertThat(there)
                            .as(sentence)
                            .containsPattern(
                                    "(?<![\\d.])" + Pattern.quote(figure) + "(?![\\d.]?\\d)");
                    figures++;
                }
            }
        }
        assertThat(figures).isGreaterThan(30);
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
