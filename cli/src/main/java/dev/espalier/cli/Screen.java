package dev.espalier.cli;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/// A terminal whose last line may be a bar. What is printed to standard output or error stands
/// above it, each line of its own: the bar is cleared first, and drawn anew once a line has come to
/// its end. Safe for use by many threads.
final class Screen {
    // ECMA-48 and DEC: erase to the end of the line; a bar that is too long is cut, not wrapped.
    private static final String CLEAR = "\r\u001b[K";
    private static final String NO_WRAP = "\u001b[?7l";
    private static final String WRAP = "\u001b[?7h";

    private final PrintStream terminal;
    private final PrintStream out;
    private final PrintStream err;
    private String bar = "";
    private boolean drawn;
    private boolean inLine;

    Screen(PrintStream out, PrintStream err) {
        terminal = err;
        this.out = above(out);
        this.err = above(err);
    }

    /// Standard output, above the bar.
    PrintStream out() {
        return out;
    }

    /// Standard error, above the bar.
    PrintStream err() {
        return err;
    }

    /// Shows `line` as the bar, in place of what it was; none if it is empty.
    synchronized void bar(String line) {
        bar = line;
        if (line.isEmpty()) {
            clear();
        } else {
            draw();
        }
    }

    private void clear() {
        if (drawn) {
            terminal.print(CLEAR);
            terminal.flush();
            drawn = false;
        }
    }

    private void draw() {
        if (!bar.isEmpty() && !inLine) {
            terminal.print(CLEAR + NO_WRAP + bar + WRAP);
            terminal.flush();
            drawn = true;
        }
    }

    private PrintStream above(PrintStream stream) {
        return new PrintStream(new Above(stream), true, StandardCharsets.UTF_8);
    }

    private final class Above extends FilterOutputStream {
        Above(OutputStream stream) {
            super(stream);
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int start, int length) throws IOException {
            if (length == 0) {
                return;
            }
            synchronized (Screen.this) {
                clear();
                out.write(bytes, start, length);
                out.flush();
                inLine = bytes[start + length - 1] != '\n';
                draw();
            }
        }
    }
}
