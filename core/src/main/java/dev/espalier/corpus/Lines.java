package dev.espalier.corpus;

import java.io.IOException;
import java.io.Reader;
import org.jspecify.annotations.Nullable;

/// The lines of a text, which end with `\n`, `\r\n` or `\r`. Of a line that is too long to be held,
/// nothing is: a packed file of a few kilobytes can be one line of gigabytes.
public final class Lines {
    private final Reader text;
    private final int longest;
    private final char[] buffer = new char[1 << 13];
    private int position;
    private int filled;
    private boolean tooLong;
    private boolean afterReturn;

    /// @param longest in characters, without a line's end
    public Lines(Reader text, int longest) {
        this.text = text;
        this.longest = longest;
    }

    /// The next line without its end, or null after the last; empty where it is too long, of which
    /// [#tooLong] tells.
    public @Nullable String next() throws IOException {
        tooLong = false;
        var gathered = new StringBuilder();
        var started = false;
        while (fill()) {
            if (afterReturn) {
                afterReturn = false;
                if (buffer[position] == '\n') {
                    position++;
                    continue;
                }
            }
            started = true;
            var from = position;
            while (position < filled && buffer[position] != '\n' && buffer[position] != '\r') {
                position++;
            }
            if (gathered.length() + position - from > longest) {
                tooLong = true;
            }
            if (tooLong) {
                gathered.setLength(0);
            } else {
                gathered.append(buffer, from, position - from);
            }
            if (position < filled) {
                afterReturn = buffer[position++] == '\r';
                return gathered.toString();
            }
        }
        return started ? gathered.toString() : null;
    }

    /// Whether the line that was given last is empty because it is longer than can be held.
    public boolean tooLong() {
        return tooLong;
    }

    /// Whether more can be read without waiting for it.
    public boolean ready() throws IOException {
        if (afterReturn && (position < filled || text.ready() && fill())) {
            afterReturn = false;
            position += buffer[position] == '\n' ? 1 : 0;
        }
        return position < filled || text.ready();
    }

    private boolean fill() throws IOException {
        if (position == filled) {
            filled = Math.max(0, text.read(buffer, 0, buffer.length));
            position = 0;
        }
        return filled > 0;
    }
}
