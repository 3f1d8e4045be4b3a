package dev.espalier.report;

import dev.espalier.evaluate.Interval;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/// Numbers as a person reads them, the same in every locale.
public final class Numbers {
    private static final Pattern NUMERIC =
            Pattern.compile("[-−+±]?(\\d|∞)[\\d ,.\\u2009\\u202f]*(\\D.*)?", Pattern.DOTALL);

    private Numbers() {}

    /// `1 234 567`, with thin spaces that do not break.
    public static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n).replace(',', '\u202f').replace('-', '−');
    }

    /// `decimals` places, with a proper minus sign; `–` for a number that is not finite.
    public static String fixed(double value, int decimals) {
        if (!Double.isFinite(value)) {
            return "–";
        }
        return String.format(Locale.ROOT, "%." + decimals + "f", value == 0 ? 0.0 : value)
                .replace('-', '−');
    }

    /// A share as `61.2 %`.
    public static String percent(double share) {
        return Double.isFinite(share) ? fixed(100 * share, 1) + "\u202f%" : "–";
    }

    /// A share as `61.2 ± 1.4 %`; without a finite interval, the share alone.
    public static String percent(Interval share) {
        return Double.isFinite(share.margin())
                ? fixed(100 * share.value(), 1) + " ± " + fixed(100 * share.margin(), 1) + "\u202f%"
                : percent(share.value());
    }

    /// `3.41 (3.38 to 3.44)`; without a finite interval, the value alone.
    public static String range(Interval value, int decimals) {
        return fixed(value.value(), decimals)
                + (Double.isFinite(value.margin())
                        ? " ("
                                + fixed(value.low(), decimals)
                                + " to "
                                + fixed(value.high(), decimals)
                                + ")"
                        : "");
    }

    /// `0.7 M`, `12 k`: three digits at most, for axes and cards.
    public static String compact(double value) {
        var size = Math.abs(value);
        if (size >= 999.5e6) {
            return digits(value / 1e9) + "\u202fG";
        }
        if (size >= 999.5e3) {
            return digits(value / 1e6) + "\u202fM";
        }
        return size >= 9999.5 ? digits(value / 1e3) + "\u202fk" : digits(value);
    }

    /// `1.5 TFLOP`.
    public static String operations(double value) {
        var units = List.of("", "k", "M", "G", "T", "P", "E", "Z", "Y");
        var unit = 0;
        while (value >= 1000 && unit < units.size() - 1) {
            value /= 1000;
            unit++;
        }
        return fixed(value, 1) + "\u202f" + units.get(unit) + "FLOP";
    }

    /// `512 MiB`.
    public static String bytes(double bytes) {
        var units = new String[] {"B", "KiB", "MiB", "GiB", "TiB"};
        var unit = 0;
        while (bytes >= 1000 && unit < units.length - 1) {
            bytes /= 1024;
            unit++;
        }
        return digits(bytes) + "\u202f" + units[unit];
    }

    /// `45 s`, `3 min 20 s`, `2 h 5 min`, `12 d 3 h`.
    public static String duration(double seconds) {
        if (!(seconds >= 0) || Double.isInfinite(seconds)) {
            return "–";
        }
        if (seconds < 9.95) {
            return fixed(seconds, 1) + "\u202fs";
        }
        var s = Math.round(seconds);
        if (s < 60) {
            return s + "\u202fs";
        }
        if (s >= 360_000) {
            return s / 86_400 + "\u202fd " + s % 86_400 / 3600 + "\u202fh";
        }
        return s < 3600
                ? s / 60 + "\u202fmin " + s % 60 + "\u202fs"
                : s / 3600 + "\u202fh " + s % 3600 / 60 + "\u202fmin";
    }

    /// Whether a cell is a number, perhaps with an interval or a unit behind it.
    static boolean isNumeric(String cell) {
        var stripped = cell.strip();
        return stripped.equals("–") || NUMERIC.matcher(stripped).matches();
    }

    private static String digits(double value) {
        var size = Math.abs(value);
        if (value == Math.rint(value) && size < 1e6) {
            return fixed(value, 0);
        }
        return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
    }
}
