package dev.espalier.generate;

import java.util.List;

/// Gives text on as it arrives, up to the first stop string, and holds back only what may be the
/// start of one. That string counts as first which is complete first, and of those the longest, so
/// that the result does not depend on the pieces in which the text arrives.
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean stopped;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /// Whether a stop string has been seen.
    boolean stopped() {
        return stopped;
    }

    /// The text that `piece` makes certain.
    String next(String piece) {
        if (stops.isEmpty()) {
            return piece;
        }
        for (var i = 0; i < piece.length() && !stopped; i++) {
            held.append(piece.charAt(i));
            var stop = longestSuffix();
            if (stop > 0) {
                held.setLength(held.length() - stop);
                stopped = true;
            }
        }
        return release(stopped ? 0 : longestStart());
    }

    /// What was held back, when no text follows.
    String finish() {
        return release(0);
    }

    private String release(int keep) {
        var text = held.substring(0, held.length() - keep);
        held.delete(0, text.length());
        return text;
    }

    private int longestSuffix() {
        var longest = 0;
        for (var stop : stops) {
            if (stop.length() > longest && endsWith(stop, stop.length())) {
                longest = stop.length();
            }
        }
        return longest;
    }

    /// The length of the longest end of the text that a stop string starts with.
    private int longestStart() {
        var longest = 0;
        for (var stop : stops) {
            for (var length = stop.length() - 1; length > longest; length--) {
                if (endsWith(stop, length)) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    private boolean endsWith(String stop, int length) {
        var start = held.length() - length;
        for (var i = 0; i < length; i++) {
            if (start < 0 || held.charAt(start + i) != stop.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
