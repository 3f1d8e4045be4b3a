package dev.espalier;

import org.jspecify.annotations.Nullable;

/// What went wrong outside of our own code, in one message for a person: which file, line, column,
/// key or record, what is wrong with it, and what is allowed. Anything else that a method throws is
/// a fault of ours.
public final class EspalierException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /// No message of ours is longer; what a broken file holds may be.
    private static final int LONGEST = 2000;

    /// The kinds of failure, and the exit code of each.
    public enum Kind {
        /// A wrong command line, recipe or argument.
        USAGE(2),
        /// Data, a model or a checkpoint that cannot be used.
        DATA(3),
        /// Not enough memory or disk, or a place that cannot be written.
        RESOURCES(4),
        /// A check that was asked for (parity, resuming, a budget) did not hold.
        CHECK(5),
        /// Stopped by the user or the system, after saving.
        INTERRUPTED(130);

        private final int exitCode;

        Kind(int exitCode) {
            this.exitCode = exitCode;
        }

        public int exitCode() {
            return exitCode;
        }
    }

    private final Kind kind;

    public EspalierException(Kind kind, String message, @Nullable Throwable cause) {
        super(printable(message), cause);
        this.kind = kind;
    }

    /// `message` without the control characters by which a hostile file could write to a terminal,
    /// and without the middle of what it quotes at length.
    private static String printable(String message) {
        var text = message;
        if (text.length() > LONGEST) {
            var end = text.length() - LONGEST / 4;
            text = text.substring(0, LONGEST - LONGEST / 4) + " […] " + text.substring(end);
        }
        var clean = new StringBuilder(text.length());
        text.codePoints()
                .map(c -> Character.isISOControl(c) && c != '\n' && c != '\t' ? '\uFFFD' : c)
                .map(c ->
                        c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? '\uFFFD' : c)
                .forEach(clean::appendCodePoint);
        return clean.toString();
    }

    public EspalierException(Kind kind, String message) {
        this(kind, message, null);
    }

    public Kind kind() {
        return kind;
    }

    public static EspalierException usage(String message) {
        return new EspalierException(Kind.USAGE, message);
    }

    public static EspalierException data(String message) {
        return new EspalierException(Kind.DATA, message);
    }

    public static EspalierException data(String message, Throwable cause) {
        return new EspalierException(Kind.DATA, message, cause);
    }

    public static EspalierException resources(String message) {
        return new EspalierException(Kind.RESOURCES, message);
    }

    public static EspalierException check(String message) {
        return new EspalierException(Kind.CHECK, message);
    }
}
