package dev.espalier.cli;

import dev.espalier.io.Json;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import tools.jackson.databind.JsonNode;

/// Where a verb prints: results to standard output, all else to standard error; with `--json` both
/// as lines of JSON.
final class Console {
    private final Screen screen;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean json;
    private final boolean quiet;
    private final boolean terminal;
    private final boolean colour;

    /// @param terminal whether standard error is a terminal
    /// @param colour whether standard output is one that shows colours
    Console(Screen screen, boolean json, boolean quiet, boolean terminal, boolean colour) {
        this.screen = screen;
        out = screen.out();
        err = screen.err();
        this.json = json;
        this.quiet = quiet;
        this.terminal = terminal;
        this.colour = colour;
    }

    boolean json() {
        return json;
    }

    boolean colour() {
        return colour;
    }

    /// A result: `text` for a person, or `value` as a line of JSON (a record, map, list or node).
    void result(String text, Object value) {
        out.println(json ? Json.line(value) : text);
    }

    /// A part of a result that is text as it stands, without a newline: what a model writes, say.
    void print(String text) {
        out.print(text);
        out.flush();
    }

    /// Asks a person at a terminal for input.
    void ask(String prompt) {
        if (terminal && !json && !quiet) {
            err.print(prompt);
            err.flush();
        }
    }

    /// A remark on what goes on, not a result.
    void note(String message) {
        if (quiet) {
            return;
        }
        event("note", "message", message, message);
    }

    /// Something to look at beside the results, as text for a person or as a node for programs.
    void aside(String event, String text, JsonNode value) {
        if (quiet) {
            return;
        }
        if (json) {
            var line = Json.mapper().createObjectNode().put("event", event);
            line.set(event, value);
            err.println(Json.line(line));
        } else {
            err.println(text);
        }
    }

    void error(String kind, String message, int exitCode) {
        if (json) {
            var event = new LinkedHashMap<String, Object>();
            event.put("event", "error");
            event.put("kind", kind);
            event.put("message", message);
            event.put("exit-code", exitCode);
            err.println(Json.line(event));
        } else {
            err.println("espalier: " + message);
        }
    }

    /// The progress of `what` from `from` towards `total` of `unit` (0: unknown).
    Progress progress(String what, long from, long total, String unit) {
        var style =
                quiet
                        ? Progress.Style.NONE
                        : json
                                ? Progress.Style.JSON
                                : terminal ? Progress.Style.BAR : Progress.Style.LINES;
        return new Progress(screen, style, what, from, total, unit, System::nanoTime);
    }

    private void event(String event, String key, String value, String text) {
        if (json) {
            var line = new LinkedHashMap<String, Object>();
            line.put("event", event);
            line.put(key, value);
            err.println(Json.line(line));
        } else {
            err.println(text);
        }
    }
}
