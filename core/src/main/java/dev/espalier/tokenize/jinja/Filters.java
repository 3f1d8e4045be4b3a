package dev.espalier.tokenize.jinja;

import dev.espalier.tokenize.jinja.Interpreter.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The filters, and the methods of strings, lists and maps.
final class Filters {
    private final Values values;

    Filters(Values values) {
        this.values = values;
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    /// The arguments of a filter or method, by place or by name.
    private record Given(
            String of, List<@Nullable Object> places, Map<String, @Nullable Object> named) {
        boolean has(int place, String name) {
            return places.size() > place || named.containsKey(name);
        }

        @Nullable Object get(int place, String name) {
            return places.size() > place ? places.get(place) : named.get(name);
        }

        Text text(int place, String name) {
            if (get(place, name) instanceof Text text) {
                return text;
            }
            throw new JinjaException("'" + of + "' needs a string");
        }

        @Nullable String stripped() {
            return get(0, "chars") instanceof Text text ? text.toString() : null;
        }
    }

    @Nullable Object apply(
            String name,
            @Nullable Object value,
            List<@Nullable Object> places,
            Map<String, @Nullable Object> named) {
        var given = new Given(name, places, named);
        return switch (name) {
            case "default", "d" -> {
                var absent =
                        value instanceof Undefined
                                || values.isTrue(given.get(1, "boolean")) && !values.isTrue(value);
                yield absent
                        ? given.has(0, "default_value") ? given.get(0, "default_value") : Text.EMPTY
                        : value;
            }
            case "trim" -> text(value).strip(given.stripped(), true, true);
            case "upper", "lower", "title", "capitalize" -> cased(name, text(value));
            case "length", "count" -> length(value);
            case "tojson" -> {
                var out = new Text.Builder();
                new Dump(
                                values,
                                given.get(0, "indent"),
                                values.isTrue(named.get("ensure_ascii")),
                                values.isTrue(named.get("sort_keys")))
                        .write(value, out, 0);
                yield out.text();
            }
            case "string" -> values.string(value);
            case "safe" -> value;
            case "list" -> values.items(value);
            case "items" -> value instanceof Undefined ? List.of() : entries(value);
            case "dictsort" -> sorted(entries(value), entry -> values.item(entry, 0L));
            case "first" -> {
                var items = values.items(value);
                yield items.isEmpty() ? new Undefined("first") : items.getFirst();
            }
            case "last" -> {
                var items = values.items(value);
                yield items.isEmpty() ? new Undefined("last") : items.getLast();
            }
            case "reverse" ->
                    value instanceof Text
                            ? values.slice(value, null, null, -1L)
                            : values.items(value).reversed();
            case "sort" -> {
                var items = sorted(values.items(value), item -> attribute(item, given, 2));
                yield values.isTrue(given.get(0, "reverse")) ? items.reversed() : items;
            }
            case "unique" -> {
                var unique = new ArrayList<@Nullable Object>();
                for (var item : values.items(value)) {
                    if (!values.contains(unique, item)) {
                        unique.add(item);
                    }
                }
                yield unique;
            }
            case "join" -> join(value, given);
            case "map" -> map(value, given);
            case "select", "reject", "selectattr", "rejectattr" -> select(name, value, given);
            case "replace" -> method("replace", text(value), places, named);
            case "indent" -> indent(text(value), given);
            case "abs" ->
                    value instanceof Double real
                            ? (Object) Math.abs(real)
                            : Math.abs(values.whole(value));
            case "int" -> whole(value, given);
            case "float" -> {
                try {
                    yield Double.parseDouble(values.string(value).toString().strip());
                } catch (NumberFormatException e) {
                    yield given.has(0, "default") ? given.get(0, "default") : 0.0;
                }
            }
            default -> throw new JinjaException("the filter '" + name + "' is not known");
        };
    }

    private @Nullable Object whole(@Nullable Object value, Given given) {
        if (value instanceof Double real) {
            return (long) real.doubleValue();
        }
        try {
            return Long.parseLong(values.string(value).toString().strip());
        } catch (NumberFormatException e) {
            return given.has(0, "default") ? given.get(0, "default") : 0L;
        }
    }

    private Text text(@Nullable Object value) {
        var text = values.string(value);
        values.spend(text.length());
        return text;
    }

    private long length(@Nullable Object value) {
        return switch (value) {
            case Undefined _ -> 0;
            case Text text -> text.toString().codePointCount(0, text.length());
            case List<?> list -> list.size();
            case Map<?, ?> map -> map.size();
            case null, default -> throw new JinjaException(Values.kind(value) + " has no length");
        };
    }

    private Text cased(String how, Text text) {
        var string = text.toString();
        return text.mapped(
                switch (how) {
                    case "upper" -> upper(string);
                    case "lower" -> lower(string);
                    case "capitalize" ->
                            string.isEmpty()
                                    ? ""
                                    : upper(string.substring(0, 1)) + lower(string.substring(1));
                    default -> title(string);
                });
    }

    private static String title(String string) {
        var title = new StringBuilder(string.length());
        var before = ' ';
        for (var c : string.toCharArray()) {
            title.append(
                    Character.isLetter(before)
                            ? Character.toLowerCase(c)
                            : Character.toTitleCase(c));
            before = c;
        }
        return title.toString();
    }

    private List<@Nullable Object> entries(@Nullable Object value) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new JinjaException(Values.kind(value) + " has no items");
        }
        var entries = new ArrayList<@Nullable Object>();
        map.forEach((key, item) -> {
            var entry = new ArrayList<@Nullable Object>();
            entry.add(Text.of(key + ""));
            entry.add(item);
            entries.add(entry);
        });
        values.spend(entries.size());
        return entries;
    }

    private List<@Nullable Object> sorted(
            List<@Nullable Object> items,
            java.util.function.Function<@Nullable Object, @Nullable Object> key) {
        values.spend(16L * items.size());
        var sorted = new ArrayList<@Nullable Object>(items);
        sorted.sort((a, b) -> values.order(key.apply(a), key.apply(b)));
        return sorted;
    }

    /// The attribute of `item` that is asked for, or the item where none is.
    private @Nullable Object attribute(@Nullable Object item, Given given, int place) {
        var name = given.get(place, "attribute");
        var value = item;
        if (name instanceof Text path) {
            for (var part : path.toString().split("\\.", -1)) {
                value = values.item(value, Text.of(part));
            }
        }
        return value;
    }

    private Text join(@Nullable Object value, Given given) {
        var separator = given.get(0, "d") instanceof Text text ? text : Text.EMPTY;
        var out = new Text.Builder();
        var first = true;
        for (var item : values.items(value)) {
            if (!first) {
                out.add(separator);
            }
            first = false;
            var text = text(attribute(item, given, 1));
            values.spend(separator.length());
            out.add(text);
        }
        return out.text();
    }

    private List<@Nullable Object> map(@Nullable Object value, Given given) {
        var mapped = new ArrayList<@Nullable Object>();
        for (var item : values.items(value)) {
            if (given.named().containsKey("attribute")) {
                var found = attribute(item, given, Integer.MAX_VALUE);
                mapped.add(
                        found instanceof Undefined && given.named().containsKey("default")
                                ? given.named().get("default")
                                : found);
            } else {
                mapped.add(
                        apply(
                                given.text(0, "filter").toString(),
                                item,
                                rest(given.places(), 1),
                                given.named()));
            }
        }
        return mapped;
    }

    private static List<@Nullable Object> rest(List<@Nullable Object> list, int from) {
        return list.subList(Math.min(from, list.size()), list.size());
    }

    private List<@Nullable Object> select(String how, @Nullable Object value, Given given) {
        var byAttribute = how.endsWith("attr");
        var at = byAttribute ? 1 : 0;
        var selected = new ArrayList<@Nullable Object>();
        for (var item : values.items(value)) {
            var tested = byAttribute ? values.item(item, given.text(0, "attr")) : item;
            var holds =
                    given.places().size() > at
                            ? values.test(
                                    test(given.text(at, "test").toString()),
                                    tested,
                                    rest(given.places(), at + 1))
                            : values.isTrue(tested);
            if (holds == how.startsWith("select")) {
                selected.add(item);
            }
        }
        return selected;
    }

    private static String test(String name) {
        return switch (name) {
            case "==" -> "eq";
            case "!=" -> "ne";
            default -> name;
        };
    }

    private Text indent(Text text, Given given) {
        var by = given.get(0, "width");
        var width = by instanceof Text prefix ? prefix : Text.of(" ".repeat(width(by)));
        var out = new Text.Builder();
        var first = true;
        for (var line : lines(text)) {
            var indented = first ? values.isTrue(given.get(1, "first")) : !line.isEmpty();
            out.add(first ? "" : "\n");
            first = false;
            if (indented) {
                values.spend(width.length());
                out.add(width);
            }
            out.add(line);
        }
        return out.text();
    }

    private int width(@Nullable Object by) {
        var width = by == null ? 4 : values.whole(by);
        if (width < 0 || width > 1000) {
            throw new JinjaException("an indent of " + width);
        }
        return (int) width;
    }

    private List<Text> lines(Text text) {
        return split(text, "\n", Integer.MAX_VALUE);
    }

    private List<Text> split(Text text, String separator, int most) {
        values.search(text, separator.length());
        var parts = new ArrayList<Text>();
        var from = 0;
        var string = text.toString();
        while (parts.size() < most) {
            var at = string.indexOf(separator, from);
            if (at < 0) {
                break;
            }
            parts.add(text.sub(from, at));
            from = at + separator.length();
        }
        parts.add(text.sub(from, text.length()));
        return parts;
    }

    private List<Text> splitFromRight(Text text, String separator, int most) {
        values.search(text, separator.length());
        var parts = new ArrayList<Text>();
        var to = text.length();
        var string = text.toString();
        while (parts.size() < most) {
            var at = string.lastIndexOf(separator, to - separator.length());
            if (at < 0) {
                break;
            }
            parts.add(text.sub(at + separator.length(), to));
            to = at;
        }
        parts.add(text.sub(0, to));
        Collections.reverse(parts);
        return parts;
    }

    private static List<Text> words(Text text, int most) {
        var words = new ArrayList<Text>();
        var string = text.toString();
        for (var at = 0; at < text.length(); ) {
            if (Text.isSpace(string.charAt(at))) {
                at++;
                continue;
            }
            var end = at;
            while (end < text.length()
                    && (words.size() == most || !Text.isSpace(string.charAt(end)))) {
                end++;
            }
            words.add(text.sub(at, end).strip(null, false, true));
            at = end;
        }
        return words;
    }

    @Nullable Object method(
            String name,
            @Nullable Object self,
            List<@Nullable Object> places,
            Map<String, @Nullable Object> named) {
        var given = new Given(name, places, named);
        return switch (self) {
            case Undefined undefined -> throw Values.undefined(undefined);
            case Text text -> ofText(text, given);
            case Map<?, ?> map -> ofMap(map, given);
            case List<?> list when name.equals("index") || name.equals("count") ->
                    ofList(list, given);
            case null, default ->
                    throw new JinjaException(
                            Values.kind(self) + " has no method '" + name + "' that is known");
        };
    }

    private long ofList(List<?> list, Given given) {
        var places = new ArrayList<Long>();
        for (var i = 0; i < list.size(); i++) {
            if (values.same(list.get(i), given.get(0, "value"))) {
                places.add((long) i);
            }
        }
        if (given.of().equals("count")) {
            return places.size();
        }
        if (places.isEmpty()) {
            throw new JinjaException("the list has no such item");
        }
        return places.getFirst();
    }

    private @Nullable Object ofMap(Map<?, ?> map, Given given) {
        return switch (given.of()) {
            case "items" -> entries(map);
            case "keys" -> values.items(map);
            case "values" -> new ArrayList<@Nullable Object>(map.values());
            case "get" -> {
                var key = given.text(0, "key").toString();
                yield map.containsKey(key) ? map.get(key) : given.get(1, "default");
            }
            default ->
                    throw new JinjaException(
                            "a map has no method '" + given.of() + "' that is known");
        };
    }

    private @Nullable Object ofText(Text text, Given given) {
        values.spend(text.length());
        var string = text.toString();
        return switch (given.of()) {
            case "strip" -> text.strip(given.stripped(), true, true);
            case "lstrip" -> text.strip(given.stripped(), true, false);
            case "rstrip" -> text.strip(given.stripped(), false, true);
            case "upper", "lower", "title", "capitalize" -> cased(given.of(), text);
            case "startswith" -> any(given, string::startsWith);
            case "endswith" -> any(given, string::endsWith);
            case "split", "rsplit" -> split(text, given);
            case "splitlines" -> {
                var lines = lines(text);
                yield text.isEmpty() || string.endsWith("\n")
                        ? lines.subList(0, lines.size() - 1)
                        : lines;
            }
            case "replace" -> replace(text, given);
            case "join" ->
                    join(given.get(0, "iterable"), new Given("join", List.of(text), Map.of()));
            case "find", "rfind" -> {
                var part = given.text(0, "sub").toString();
                values.search(text, part.length());
                yield (long)
                        (given.of().equals("find")
                                ? string.indexOf(part)
                                : string.lastIndexOf(part));
            }
            case "count" -> {
                var part = given.text(0, "sub").toString();
                yield part.isEmpty()
                        ? string.length() + 1L
                        : split(text, part, Integer.MAX_VALUE).size() - 1L;
            }
            case "removeprefix" -> {
                var part = given.text(0, "prefix").toString();
                yield string.startsWith(part) ? text.sub(part.length(), text.length()) : text;
            }
            case "removesuffix" -> {
                var part = given.text(0, "suffix").toString();
                yield string.endsWith(part) ? text.sub(0, text.length() - part.length()) : text;
            }
            case "isdigit" -> !text.isEmpty() && string.chars().allMatch(Character::isDigit);
            case "isspace" ->
                    !text.isEmpty() && string.chars().allMatch(c -> Text.isSpace((char) c));
            default ->
                    throw new JinjaException(
                            "a string has no method '" + given.of() + "' that is known");
        };
    }

    private static boolean any(Given given, java.util.function.Predicate<String> holds) {
        return given.get(0, "prefix") instanceof List<?> list
                ? list.stream().anyMatch(part -> holds.test(part + ""))
                : holds.test(given.text(0, "prefix").toString());
    }

    private List<Text> split(Text text, Given given) {
        var asked = given.get(1, "maxsplit");
        var limit = asked == null ? -1 : values.whole(asked);
        var most = limit < 0 ? Integer.MAX_VALUE : (int) Math.min(limit, Integer.MAX_VALUE);
        var separator = given.get(0, "sep");
        List<Text> parts;
        if (separator == null && given.of().equals("split")) {
            parts = words(text, most);
        } else {
            var by = given.text(0, "sep").toString();
            if (by.isEmpty()) {
                throw new JinjaException("a string is split by an empty one");
            }
            parts =
                    given.of().equals("split")
                            ? split(text, by, most)
                            : splitFromRight(text, by, most);
        }
        values.spend(parts.size());
        return parts;
    }

    private Text replace(Text text, Given given) {
        var old = given.text(0, "old").toString();
        var fresh = given.text(1, "new");
        var asked = given.get(2, "count");
        var most = asked == null || values.whole(asked) < 0 ? Long.MAX_VALUE : values.whole(asked);
        if (old.isEmpty()) {
            throw new JinjaException("an empty string is to be replaced");
        }
        var out = new Text.Builder();
        var first = true;
        for (var part : split(text, old, (int) Math.min(most, Integer.MAX_VALUE))) {
            if (!first) {
                values.spend(fresh.length());
                out.add(fresh);
            }
            first = false;
            out.add(part);
        }
        return out.text();
    }

    /// JSON as Python writes it (`json.dumps`), with what is not ASCII as it stands.
    private record Dump(Values values, @Nullable Object indent, boolean ascii, boolean sorted) {
        void write(@Nullable Object value, Text.Builder out, int level) {
            values.spend(1);
            if (level > 100) {
                throw new JinjaException("a value is nested too deep for tojson");
            }
            switch (value) {
                case null -> out.add("null");
                case Boolean truth -> out.add(truth.toString());
                case Long whole -> out.add(whole.toString());
                case Double real -> out.add(Values.real(real));
                case Text text -> string(text, out);
                case List<?> list -> {
                    out.add("[");
                    for (var i = 0; i < list.size(); i++) {
                        out.add(i == 0 ? "" : indent == null ? ", " : ",");
                        line(out, level + 1);
                        write(list.get(i), out, level + 1);
                    }
                    close(out, "]", level, list.isEmpty());
                }
                case Map<?, ?> map -> {
                    out.add("{");
                    var first = true;
                    var keys = new ArrayList<>(map.keySet());
                    if (sorted) {
                        keys.sort((a, b) -> String.valueOf(a).compareTo(String.valueOf(b)));
                    }
                    for (var key : keys) {
                        out.add(first ? "" : indent == null ? ", " : ",");
                        first = false;
                        line(out, level + 1);
                        string(Text.of(key + ""), out);
                        out.add(": ");
                        write(map.get(key), out, level + 1);
                    }
                    close(out, "}", level, first);
                }
                default -> throw new JinjaException(Values.kind(value) + " has no JSON");
            }
        }

        private void close(Text.Builder out, String bracket, int level, boolean empty) {
            if (!empty) {
                line(out, level);
            }
            out.add(bracket);
        }

        private void line(Text.Builder out, int level) {
            if (indent != null) {
                var by =
                        indent instanceof Text text
                                ? text.toString()
                                : " ".repeat((int) Math.clamp(values.whole(indent), 0, 100));
                values.spend((long) by.length() * level);
                out.add("\n" + by.repeat(level));
            }
        }

        private void string(Text text, Text.Builder out) {
            values.spend(text.length());
            out.add("\"");
            var string = text.toString();
            var done = 0;
            for (var i = 0; i < string.length(); i++) {
                var c = string.charAt(i);
                var escape =
                        switch (c) {
                            case '"' -> "\\\"";
                            case '\\' -> "\\\\";
                            case '\n' -> "\\n";
                            case '\r' -> "\\r";
                            case '\t' -> "\\t";
                            case '\b' -> "\\b";
                            case '\f' -> "\\f";
                            default ->
                                    c < ' ' || ascii && c > '~'
                                            ? "\\u%04x".formatted((int) c)
                                            : null;
                        };
                if (escape != null) {
                    out.add(text.sub(done, i)).add(escape);
                    done = i + 1;
                }
            }
            out.add(text.sub(done, text.length())).add("\"");
        }
    }
}
