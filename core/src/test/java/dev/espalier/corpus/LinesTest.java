package dev.espalier.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LinesTest {
    private static List<String> all(Lines lines) throws IOException {
        var all = new ArrayList<String>();
        for (var line = lines.next(); line != null; line = lines.next()) {
            all.add(lines.tooLong() ? "too long" : line);
        }
        return all;
    }

    /// Gives a character at a time, or as many as fit.
    private static class Slow extends StringReader {
        private final boolean slow;

        Slow(String text, boolean slow) {
            super(text);
            this.slow = slow;
        }

        @Override
        public int read(char[] into, int from, int length) throws IOException {
            return super.read(into, from, slow ? Math.min(length, 1) : length);
        }
    }

    @Test
    void linesEndAsTheLibraryHasIt() throws IOException {
        for (var seed = 0; seed < 500; seed++) {
            var rng = Rng.at(seed);
            var text = new StringBuilder();
            for (var i = rng.nextInt(40); i > 0; i--) {
                text.append("ab\n\r".charAt(rng.nextInt(4)));
            }
            var expected = new BufferedReader(new StringReader(text.toString())).lines().toList();
            for (var slow : List.of(true, false)) {
                var lines = new Lines(new Slow(text.toString(), slow), 100);
                assertThat(all(lines)).isEqualTo(expected);
                assertThat(lines.next()).isNull();
            }
        }
    }

    @Test
    void aLineThatIsTooLongIsPassedOver() throws IOException {
        var text = "short\n" + "x".repeat(9000) + "\n\n12345\n123456\nend";
        assertThat(all(new Lines(new StringReader(text), 5)))
                .containsExactly("short", "too long", "", "12345", "too long", "end");
    }

    /// A packed file of kilobytes unpacks to that.
    @Test
    void aLineOfGigabytesIsNotHeld() throws IOException {
        var endless =
                new Reader() {
                    private long left = 3_000_000_000L;

                    @Override
                    public int read(char[] into, int from, int length) {
                        var given = (int) Math.min(length, left);
                        left -= given;
                        return given == 0 ? -1 : given;
                    }

                    @Override
                    public void close() {}
                };
        assertThat(all(new Lines(endless, 1 << 10))).containsExactly("too long");
    }

    @Test
    void whatIsReadyIsKnownBehindAnyEnd() throws IOException {
        var lines = new Lines(new Slow("a\r\nb", false), 10);
        assertThat(lines.next()).isEqualTo("a");
        assertThat(lines.ready()).isTrue();
        var ended =
                new Lines(
                        new Slow("a\r\n", false) {
                            @Override
                            public boolean ready() {
                                return false;
                            }
                        },
                        10);
        assertThat(ended.next()).isEqualTo("a");
        assertThat(ended.ready()).isFalse();
        var slow = new Lines(new Slow("a\r\nb", true), 10);
        assertThat(slow.next()).isEqualTo("a");
        assertThat(slow.ready()).isTrue();
        assertThat(slow.next()).isEqualTo("b");
    }
}
