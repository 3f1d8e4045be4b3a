package dev.espalier.cli;

import dev.espalier.io.Json;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.function.LongSupplier;

/// The progress of one piece of work: a bar on a terminal, a line now and then elsewhere. Not for
/// many threads.
final class Progress implements AutoCloseable {
    enum Style {
        /// The screen's bar, ten times a second at most, and its last state as a line.
        BAR,
        /// A line every ten seconds at most.
        LINES,
        /// A line of JSON a second at most.
        JSON,
        NONE
    }

    private static final int WIDTH = 10;
    private static final double FADING = 0.9;

    private final Screen screen;
    private final PrintStream err;
    private final Style style;
    private final String what;
    private final long total;
    private final String unit;
    private final LongSupplier nanos;
    private final long pause;
    private final long start;
    private long shownAt;
    private long lastAt;
    private long last;
    private double weightedDone;
    private double weightedSeconds;
    private boolean pending;
    private String bar = "";
    private String detail = "";

    /// @param from how much of the total was done before, and says nothing of the rate
    Progress(
            Screen screen,
            Style style,
            String what,
            long from,
            long total,
            String unit,
            LongSupplier nanos) {
        this.screen = screen;
        err = screen.err();
        this.style = style;
        this.what = what;
        last = from;
        this.total = total;
        this.unit = unit;
        this.nanos = nanos;
        this.pause =
                switch (style) {
                    case BAR -> 100_000_000L;
                    case LINES -> 10_000_000_000L;
                    case JSON -> 1_000_000_000L;
                    case NONE -> Long.MAX_VALUE;
                };
        start = nanos.getAsLong();
        lastAt = start;
        shownAt = start;
    }

    /// `done` of the total are done; `detail`, such as `loss 3.21`, is shown with it.
    void at(long done, String detail) {
        var now = nanos.getAsLong();
        // Recent steps weigh more, so that the rate follows a change and yet does not flicker.
        weightedDone = FADING * weightedDone + (done - last);
        weightedSeconds = FADING * weightedSeconds + (now - lastAt) / 1e9;
        last = done;
        lastAt = now;
        this.detail = detail;
        pending = true;
        if (now - shownAt >= pause) {
            show(now);
        }
    }

    /// Shows the last state, whenever it was.
    @Override
    public void close() {
        if (pending && style != Style.NONE) {
            show(nanos.getAsLong());
        }
        if (!bar.isEmpty()) {
            screen.bar("");
            err.println(bar);
            bar = "";
        }
    }

    private void show(long now) {
        shownAt = now;
        pending = false;
        var rate = weightedSeconds > 0 ? weightedDone / weightedSeconds : 0;
        var left = rate > 0 && total > last ? Math.round((total - last) / rate) : -1;
        switch (style) {
            case BAR -> {
                bar = line(rate, left);
                screen.bar(bar);
            }
            case LINES -> err.println(line(rate, left));
            case JSON -> {
                var event = new LinkedHashMap<String, Object>();
                event.put("event", "progress");
                event.put("what", what);
                event.put("done", last);
                event.put("total", total);
                event.put("unit", unit);
                event.put("per-second", rate);
                event.put("seconds", (now - start) / 1e9);
                if (left >= 0) {
                    event.put("seconds-left", left);
                }
                event.put("detail", detail);
                err.println(Json.line(event));
            }
            case NONE -> {}
        }
    }

    private String line(double rate, long left) {
        var line = new StringBuilder(what).append(' ');
        if (total > 0) {
            var share = Math.clamp((double) last / total, 0, 1);
            if (style == Style.BAR) {
                var full = (int) (share * WIDTH);
                line.append('[').append("#".repeat(full)).append("-".repeat(WIDTH - full));
                line.append("] ");
            }
            line.append("%d%% ".formatted((int) (share * 100)));
        }
        line.append(count(last)).append(' ').append(unit);
        line.append(", ").append(count(rate)).append("/s");
        if (left >= 0) {
            line.append(", ").append(time(left)).append(" left");
        }
        if (!detail.isEmpty()) {
            line.append(", ").append(detail);
        }
        return line.toString();
    }

    /// Three digits or so: 0.52, 7.4, 831, 12k, 3.4M, 1.2G.
    static String count(double count) {
        if (count >= 999.5) {
            return count >= 999.5e6
                    ? "%.1fG".formatted(count / 1e9)
                    : count >= 999.5e3
                            ? "%.1fM".formatted(count / 1e6)
                            : (count < 9950 ? "%.1fk" : "%.0fk").formatted(count / 1e3);
        }
        return count == Math.rint(count)
                ? "%.0f".formatted(count)
                : (count < 1 ? "%.2f" : count < 10 ? "%.1f" : "%.0f").formatted(count);
    }

    /// 42s, 3m05s, 2h07m.
    static String time(long seconds) {
        return seconds < 60
                ? seconds + "s"
                : seconds < 3600
                        ? "%dm%02ds".formatted(seconds / 60, seconds % 60)
                        : "%dh%02dm".formatted(seconds / 3600, seconds % 3600 / 60);
    }
}
