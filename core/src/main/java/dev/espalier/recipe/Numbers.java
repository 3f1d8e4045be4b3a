package dev.espalier.recipe;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The ways in which a recipe may write numbers: `1_000_000`, `1e-3`, `16k`, `10M`, `2%`, `2000
/// steps`. `k`, `M` and `G` are powers of a thousand.
public final class Numbers {
    private static final Pattern NUMBER =
            Pattern.compile(
                    "([+-]?(?:\\d[\\d_]*(?:\\.[\\d_]*)?|\\.\\d[\\d_]*)(?:[eE][+-]?\\d{1,3})?)([kKMGB]?)");
    private static final int LONGEST = 40;

    private Numbers() {}

    /// The number that `text` writes, exactly; null if it is none.
    static @Nullable BigDecimal number(String text) {
        var match = NUMBER.matcher(text);
        if (text.length() > LONGEST || !match.matches()) {
            return null;
        }
        var digits = match.group(1);
        if (digits.endsWith("_")
                || digits.contains("_.")
                || digits.contains("._")
                || digits.contains("__")) {
            return null;
        }
        var number = new BigDecimal(digits.replace("_", ""));
        return switch (match.group(2)) {
            case "k", "K" -> number.scaleByPowerOfTen(3);
            case "M" -> number.scaleByPowerOfTen(6);
            case "G", "B" -> number.scaleByPowerOfTen(9);
            default -> number;
        };
    }

    /// The whole number that `text` writes; null if it is none, or beyond `most` either way.
    public static @Nullable Long whole(String text, long most) {
        var number = number(text);
        if (number == null || number.abs().compareTo(BigDecimal.valueOf(most)) > 0) {
            return null;
        }
        return number.stripTrailingZeros().scale() <= 0 ? (Long) number.longValueExact() : null;
    }

    /// A plain number or a percentage (`1%` is 0.01), in [0, 1] or not; null if it is neither.
    static @Nullable Double fraction(String text) {
        if (text.endsWith("%")) {
            var number = number(text.substring(0, text.length() - 1).strip());
            return number == null ? null : number.movePointLeft(2).doubleValue();
        }
        var number = number(text);
        return number == null ? null : (Double) number.doubleValue();
    }

    /// The duration that `text` writes; null if it is none.
    static @Nullable Duration duration(String text) {
        var parts = text.strip().split("\\s+");
        if (parts.length != 2) {
            return null;
        }
        var number = number(parts[0]);
        if (number == null) {
            return null;
        }
        var unit =
                switch (parts[1].toLowerCase(Locale.ROOT)) {
                    case "step", "steps" -> Duration.Unit.STEPS;
                    case "epoch", "epochs" -> Duration.Unit.EPOCHS;
                    case "token", "tokens" -> Duration.Unit.TOKENS;
                    default -> null;
                };
        if (unit == null) {
            return null;
        }
        try {
            return new Duration(number.doubleValue(), unit);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /// The share (`2%`) or duration that `text` writes; null if it is neither.
    static @Nullable Span span(String text) {
        if (!text.endsWith("%")) {
            return duration(text);
        }
        var share = fraction(text);
        return share != null && share >= 0 && share <= 1 ? new Share(share) : null;
    }

    /// `number` as a person writes it, reading back as the same double: no exponent from 1e-3 to
    /// 1e15.
    static String plain(double number) {
        if (number == Math.rint(number) && Math.abs(number) < 1e15) {
            return Long.toString((long) number);
        }
        var size = Math.abs(number);
        return size >= 1e-3 && size < 1e15
                ? new BigDecimal(Double.toString(number)).toPlainString()
                : Double.toString(number).replace(".0E", "e").replace('E', 'e');
    }

    /// `fraction` in per cent, reading back as the same double.
    static String percent(double fraction) {
        return new BigDecimal(Double.toString(fraction))
                        .movePointRight(2)
                        .stripTrailingZeros()
                        .toPlainString()
                + "%";
    }
}
