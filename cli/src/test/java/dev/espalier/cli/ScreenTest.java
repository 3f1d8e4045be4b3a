package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScreenTest {
    private final ByteArrayOutputStream terminal = new ByteArrayOutputStream();
    private final PrintStream stream = new PrintStream(terminal, true, StandardCharsets.UTF_8);
    private final Screen screen = new Screen(stream, stream);

    /// What a person sees in the end on a terminal to which `text` is written.
    static String seen(String text) {
        var lines = new StringBuilder();
        var line = new StringBuilder();
        var column = 0;
        var plain = text.replaceAll("\u001b\\[\\?7[lh]", "");
        for (var i = 0; i < plain.length(); i++) {
            var c = plain.charAt(i);
            switch (c) {
                case '\r' -> column = 0;
                case '\n' -> {
                    lines.append(line).append('\n');
                    line.setLength(0);
                    column = 0;
                }
                case '\u001b' -> {
                    assertThat(plain.substring(i)).startsWith("\u001b[K");
                    line.setLength(Math.min(column, line.length()));
                    i += 2;
                }
                default -> {
                    line.replace(column, Math.min(column + 1, line.length()), String.valueOf(c));
                    column++;
                }
            }
        }
        return lines.append(line).toString();
    }

    private String seen() {
        return seen(terminal.toString(StandardCharsets.UTF_8));
    }

    @Test
    void whatIsPrintedStandsAboveTheBar() {
        screen.bar("training [###-------] 30%");
        assertThat(seen()).isEqualTo("training [###-------] 30%");
        screen.err().println("a note");
        assertThat(seen()).isEqualTo("a note\ntraining [###-------] 30%");
        screen.bar("50%");
        screen.out().println("a result\nof two lines");
        assertThat(seen()).isEqualTo("a note\na result\nof two lines\n50%");
        screen.bar("");
        assertThat(seen()).isEqualTo("a note\na result\nof two lines\n");
    }

    @Test
    void theBarWaitsForTheEndOfALine() {
        screen.bar("30%");
        for (var piece : List.of("wri", "tten ")) {
            screen.out().print(piece);
            screen.bar("40%");
        }
        assertThat(seen()).isEqualTo("written ");
        screen.out().println("bit by bit");
        assertThat(seen()).isEqualTo("written bit by bit\n40%");
    }

    @Test
    void notesResultsAndTheLogLeaveNoTraceOfTheBar() {
        var console = new Console(screen, false, false, true, false);
        try (var progress = console.progress("training", 0, 4, "steps")) {
            progress.at(1, "loss 3");
            screen.bar("training, as it looks after a while");
            console.note("step 1: validation loss 2.5");
            console.result("a result", "");
            screen.err().println("WARN: from the log");
            progress.at(4, "loss 2");
        }
        assertThat(seen().lines())
                .startsWith("step 1: validation loss 2.5", "a result", "WARN: from the log")
                .hasSize(4)
                .last()
                .asString()
                .startsWith("training [##########] 100% 4 steps");
    }
}
