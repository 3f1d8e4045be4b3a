package dev.espalier.fuzz;

import dev.espalier.Rng;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/// Makes hostile files out of valid ones; a pure function of the random stream.
final class Mutator {
    /// What is longer or deeper than any reader should follow.
    private static final int DEEP = 20_000;

    private static final List<String> TOKENS =
            List.of(
                    "{",
                    "}",
                    "[",
                    "]",
                    "\"",
                    "\"\"",
                    ":",
                    ",",
                    "\n",
                    "\r",
                    "\t",
                    "\0",
                    "- ",
                    "&a ",
                    "*a",
                    "!!int ",
                    "|",
                    ">",
                    "?",
                    "---\n",
                    "null",
                    "true",
                    "NaN",
                    "{}",
                    "[]",
                    "\"a\":",
                    "\"dtype\"",
                    "\"F64\"",
                    "__metadata__",
                    "\\u0000",
                    "\\ud800",
                    "\u00e9\ud83c\udf33",
                    "\ufeff",
                    "%",
                    "../");

    private static final List<String> NUMBERS =
            List.of(
                    "0",
                    "-1",
                    "1.5",
                    "65535",
                    "100000000",
                    "2147483647",
                    "2147483648",
                    "-9223372036854775808",
                    "9223372036854775807",
                    "99999999999999999999999",
                    "1e9",
                    "1e308",
                    "1e999999",
                    "-0.0",
                    "\"7\"",
                    "null",
                    "[]",
                    "{}");

    private Mutator() {}

    /// One to four changes to `seed`, of which some take bytes from `other`.
    static byte[] mutate(byte[] seed, byte[] other, Rng random) {
        var bytes = seed;
        for (var changes = 1 + random.nextInt(4); changes > 0; changes--) {
            bytes = change(bytes, other, random);
        }
        return bytes;
    }

    private static byte[] change(byte[] bytes, byte[] other, Rng random) {
        var at = random.nextInt(bytes.length + 1);
        var length = Math.min(1 + random.nextInt(32), bytes.length - at);
        return switch (random.nextInt(16)) {
            case 0, 1 -> {
                var flipped = bytes.clone();
                if (at < bytes.length) {
                    flipped[at] ^= (byte) (1 << random.nextInt(8));
                }
                yield flipped;
            }
            case 2 -> {
                var set = bytes.clone();
                if (at < bytes.length) {
                    set[at] = (byte) random.nextInt(256);
                }
                yield set;
            }
            case 3 -> Arrays.copyOf(bytes, at);
            case 4 -> replaced(bytes, at, length, new byte[0]);
            case 5 -> replaced(bytes, at, 0, Arrays.copyOfRange(bytes, at, at + length));
            case 6 -> {
                var from = random.nextInt(other.length + 1);
                var to = Math.min(other.length, from + random.nextInt(256));
                yield replaced(bytes, at, length, Arrays.copyOfRange(other, from, to));
            }
            case 7, 8 -> replaced(bytes, at, 0, utf8(any(TOKENS, random)));
            case 9, 10, 11, 12 -> number(bytes, at, random);
            case 13 -> replaced(bytes, at, length, lastBytes(random));
            case 14 -> {
                // Deep nesting, or one very long run: seldom, since it makes large inputs.
                var token = random.nextInt(8) > 0 ? "" : any(TOKENS, random);
                yield replaced(bytes, at, 0, utf8(token.repeat(random.nextInt(DEEP))));
            }
            default -> swapped(bytes, at, random.nextInt(bytes.length + 1));
        };
    }

    /// Puts another number in the place of the first one behind `at`.
    private static byte[] number(byte[] bytes, int at, Rng random) {
        var from = at;
        while (from < bytes.length && !digit(bytes[from])) {
            from++;
        }
        var to = from;
        while (to < bytes.length && (digit(bytes[to]) || bytes[to] == '.')) {
            to++;
        }
        return replaced(bytes, from, to - from, utf8(any(NUMBERS, random)));
    }

    /// Four or eight bytes of a count or an offset that is too large.
    private static byte[] lastBytes(Rng random) {
        var count = new byte[random.nextInt(2) == 0 ? 4 : 8];
        Arrays.fill(count, (byte) (random.nextInt(2) == 0 ? 0xFF : 0));
        count[random.nextInt(count.length)] = (byte) random.nextInt(256);
        return count;
    }

    private static byte[] swapped(byte[] bytes, int a, int b) {
        var cut = Math.min(a, b);
        var out = new ByteArrayOutputStream(bytes.length);
        out.write(bytes, cut, bytes.length - cut);
        out.write(bytes, 0, cut);
        return out.toByteArray();
    }

    private static byte[] replaced(byte[] bytes, int at, int length, byte[] by) {
        var out = new ByteArrayOutputStream(bytes.length + by.length);
        out.write(bytes, 0, at);
        out.writeBytes(by);
        out.write(bytes, at + length, bytes.length - at - length);
        return out.toByteArray();
    }

    private static boolean digit(byte b) {
        return b >= '0' && b <= '9';
    }

    private static String any(List<String> list, Rng random) {
        return list.get(random.nextInt(list.size()));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
