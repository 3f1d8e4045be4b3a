package dev.espalier.cli;

import dev.espalier.evaluate.Score;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Scores as lines of text.
final class Scores {
    private Scores() {}

    /// A line a score: what on, which, the value, its 95 % interval where it is told, from how
    /// many.
    static String table(List<Score> scores) {
        return scores.stream()
                .map(s ->
                        String.format(
                                Locale.ROOT,
                                "%-16s %-18s %10.4f  %s  n = %d%n",
                                s.data(),
                                s.metric(),
                                s.value(),
                                Double.isFinite(s.low()) && Double.isFinite(s.high())
                                        ? String.format(
                                                Locale.ROOT, "[%.4f, %.4f]", s.low(), s.high())
                                        : " ".repeat(16),
                                s.n()))
                .collect(Collectors.joining());
    }

    /// All on one line, without intervals.
    static String line(List<Score> scores) {
        return scores.stream()
                .map(s -> String.format(Locale.ROOT, "%s %s %.4f", s.data(), s.metric(), s.value()))
                .collect(Collectors.joining(", "));
    }
}
