package dev.espalier.cli;

import dev.espalier.EspalierException;
import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/// The texts of a verb after which nothing can be written: each is told as it comes, the others go
/// on, and the end says how many there were.
final class Refusals {
    private final Console console;
    private final String what;
    private final String missing;
    private long taken;
    private long refused;
    private @Nullable EspalierException first;

    /// @param what is refused, in messages and as a key of JSON: `prompt`
    /// @param missing what it is left without: `a text`
    Refusals(Console console, String what, String missing) {
        this.console = console;
        this.what = what;
        this.missing = missing;
    }

    /// Counts texts, refused ones among them.
    void taken(int more) {
        taken += more;
    }

    /// @param number its place, from 1
    void refuse(long number, String text, EspalierException why) {
        var named =
                new EspalierException(
                        why.kind(), "%s %d: %s".formatted(what, number, why.getMessage()), why);
        first = first == null ? named : first;
        refused++;
        if (console.json()) {
            var json = new LinkedHashMap<String, Object>();
            json.put(what, text);
            json.put("error", String.valueOf(why.getMessage()));
            console.result("", json);
        } else {
            console.note(String.valueOf(named.getMessage()));
        }
    }

    /// @throws EspalierException if one was refused: (DATA) with the count, or as the first was if
    ///   all were
    void end() {
        if (first != null && refused == taken) {
            throw first;
        } else if (first != null) {
            throw EspalierException.data(
                    "%d of %d %ss are without %s; %s"
                            .formatted(refused, taken, what, missing, first.getMessage()));
        }
    }
}
