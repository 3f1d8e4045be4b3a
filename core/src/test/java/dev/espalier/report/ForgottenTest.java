package dev.espalier.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.evaluate.Score;
import dev.espalier.report.Forgotten.Learnt;
import java.util.List;
import org.junit.jupiter.api.Test;

class ForgottenTest {
    private static Score score(String data, String metric, double value) {
        return new Score(data, metric, value, value, value, 10);
    }

    @Test
    void theFrontierIsWhatNothingBeats() {
        var points =
                List.of(
                        new Learnt(0.7, 0.1),
                        new Learnt(0.6, 0.2),
                        new Learnt(0.8, 0.3),
                        new Learnt(0.5, 0.05),
                        new Learnt(0.8, 0.4),
                        new Learnt(0.65, 0.1));
        assertThat(Forgotten.frontier(points))
                .containsExactly(new Learnt(0.5, 0.05), new Learnt(0.7, 0.1), new Learnt(0.8, 0.3));
    }

    /// Of a text's perplexity and a task's accuracy the one that suffered more, relatively.
    @Test
    void theWorstOfWhatIsMeasuredCounts() {
        var scores =
                List.of(
                        score("general-before", "perplexity", 10),
                        score("general-after", "perplexity", 11),
                        score("general", "perplexity-rise", 0.1),
                        score("days-before", "accuracy", 0.8),
                        score("days-after", "accuracy", 0.6),
                        score("days", "accuracy-change", -0.2),
                        score("alpha-0.5-general", "perplexity", 10.5),
                        score("alpha-0.5-days", "accuracy", 0.84));
        assertThat(Forgotten.worse(scores, "", "-after").orElseThrow())
                .isCloseTo(0.25, within(1e-12));
        assertThat(Forgotten.worse(scores, "alpha-0.5-", "").orElseThrow())
                .isCloseTo(0.05, within(1e-12));
        assertThat(Forgotten.worse(List.of(), "", "-after")).isEmpty();
        // No choice goes by a test.
        assertThat(
                        Forgotten.worse(
                                List.of(
                                        score("days-before", "accuracy", 0.8),
                                        score("days-after", "accuracy", 0.6),
                                        score("days", "accuracy-change", -0.2),
                                        score("days-test-before", "accuracy", 0.8),
                                        score("days-test-after", "accuracy", 0.2),
                                        score("days-test", "accuracy-change", -0.6)),
                                "",
                                "-after"))
                .hasValueSatisfying(worse -> assertThat(worse).isCloseTo(0.25, within(1e-12)));
    }

    /// A task that is called so, and texts of which one is.
    @Test
    void aNameThatEndsAsATestsIsNone() {
        var task =
                List.of(
                        score("days-test-before", "accuracy", 0.8),
                        score("days-test-after", "accuracy", 0.2),
                        score("days-test", "accuracy-change", -0.6));
        assertThat(Forgotten.worse(task, "", "-after"))
                .hasValueSatisfying(worse -> assertThat(worse).isCloseTo(0.75, within(1e-12)));
        var texts =
                List.of(
                        score("law-before", "perplexity", 10),
                        score("law-after", "perplexity", 11),
                        score("law", "perplexity-rise", 0.1),
                        score("law-test-before", "perplexity", 10),
                        score("law-test-after", "perplexity", 12),
                        score("law-test", "perplexity-rise", 0.2));
        assertThat(Forgotten.worse(texts, "", "-after"))
                .hasValueSatisfying(worse -> assertThat(worse).isCloseTo(0.2, within(1e-12)));
    }
}
