package dev.espalier.tokenize.jinja;

import dev.espalier.tokenize.jinja.Interpreter.Budget;
import dev.espalier.tokenize.jinja.Interpreter.Callable;
import dev.espalier.tokenize.jinja.Interpreter.Namespace;
import dev.espalier.tokenize.jinja.Interpreter.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What can be done with the values of a template, as Python does it.
final class Values {
    private final Budget budget;
    private final Runnable deeper;
    private final Runnable shallower;

    Values(Budget budget, Runnable deeper, Runnable shallower) {
        this.budget = budget;
        this.deeper = deeper;
        this.shallower = shallower;
    }

    void spend(long units) {
        budget.spend(units);
    }

    /// Spends what the search for a part of that length may take: all of the part at every place.
    void search(Text text, int length) {
        spend(text.length() + length + (long) text.length() * length / 256);
    }

    static JinjaException undefined(Undefined undefined) {
        return new JinjaException("'" + undefined.name() + "' is undefined");
    }

    static String kind(@Nullable Object value) {
        return switch (value) {
            case null -> "none";
            case Undefined _ -> "something undefined";
            case Boolean _ -> "a truth value";
            case Long _, Double _ -> "a number";
            case Text _ -> "a string";
            case List<?> _ -> "a list";
            case Map<?, ?> _ -> "a map";
            default -> "a function or namespace";
        };
    }

    boolean isTrue(@Nullable Object value) {
        return switch (value) {
            case null -> false;
            case Undefined _ -> false;
            case Boolean truth -> truth;
            case Long whole -> whole != 0;
            case Double real -> real != 0;
            case Text text -> !text.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            default -> true;
        };
    }

    /// What is written for a value.
    Text string(@Nullable Object value) {
        return switch (value) {
            case Undefined _ -> Text.EMPTY;
            case Text text -> text;
            case null, default -> {
                var out = new Text.Builder();
                represent(value, out);
                yield out.text();
            }
        };
    }

    private void represent(@Nullable Object value, Text.Builder out) {
        spend(1);
        deeper.run();
        switch (value) {
            case null -> out.add("None");
            case Boolean truth -> out.add(truth ? "True" : "False");
            case Long whole -> out.add(Long.toString(whole));
            case Double real -> out.add(real(real));
            case Text text -> quoted(text, out);
            case List<?> list -> {
                out.add("[");
                var separator = "";
                for (var item : list) {
                    out.add(separator);
                    represent(item, out);
                    separator = ", ";
                }
                out.add("]");
            }
            case Map<?, ?> map -> {
                out.add("{");
                var separator = "";
                for (var entry : map.entrySet()) {
                    out.add(separator);
                    quoted(Text.of(entry.getKey() + ""), out);
                    out.add(": ");
                    represent(entry.getValue(), out);
                    separator = ", ";
                }
                out.add("}");
            }
            default -> throw new JinjaException(kind(value) + " cannot be written");
        }
        shallower.run();
    }

    static String real(double real) {
        if (real == Math.rint(real) && Math.abs(real) < 1e16) {
            return (long) real + ".0";
        }
        return Double.toString(real);
    }

    private void quoted(Text text, Text.Builder out) {
        spend(text.length());
        var string = text.toString();
        var quote = string.contains("'") && !string.contains("\"") ? "\"" : "'";
        out.add(quote);
        for (var i = 0; i < text.length(); i++) {
            var c = string.charAt(i);
            switch (c) {
                case '\n' -> out.add("\\n");
                case '\t' -> out.add("\\t");
                case '\r' -> out.add("\\r");
                case '\\' -> out.add("\\\\");
                case '\'' -> out.add(quote.equals("'") ? "\\'" : "'");
                default -> out.add(text.sub(i, i + 1));
            }
        }
        out.add(quote);
    }

    /// The items that a loop goes over: of a map its keys.
    List<@Nullable Object> items(@Nullable Object value) {
        var items = new ArrayList<@Nullable Object>();
        switch (value) {
            case Undefined _ -> {}
            case List<?> list -> items.addAll(list);
            case Map<?, ?> map -> map.keySet().forEach(key -> items.add(Text.of(key + "")));
            case Text text -> {
                spend(text.length());
                for (var i = 0; i < text.length(); ) {
                    var end = i + Character.charCount(text.toString().codePointAt(i));
                    items.add(text.sub(i, end));
                    i = end;
                }
            }
            case null, default -> throw new JinjaException(kind(value) + " cannot be gone through");
        }
        spend(items.size());
        return items;
    }

    @Nullable Object item(@Nullable Object of, @Nullable Object key) {
        switch (of) {
            case Undefined undefined -> throw undefined(undefined);
            case Map<?, ?> map -> {
                var name = key instanceof Text text ? text.toString() : "";
                return map.containsKey(name) ? map.get(name) : new Undefined(name);
            }
            case Namespace namespace -> {
                var name = String.valueOf(key);
                return namespace.values().containsKey(name)
                        ? namespace.values().get(name)
                        : new Undefined(name);
            }
            case List<?> list when key instanceof Long place -> {
                var at = place < 0 ? place + list.size() : place;
                return at >= 0 && at < list.size()
                        ? list.get((int) at)
                        : new Undefined("item " + place);
            }
            case Text text when key instanceof Long place -> {
                var at = place < 0 ? place + text.length() : place;
                return at >= 0 && at < text.length()
                        ? text.sub((int) at, (int) at + 1)
                        : new Undefined("character " + place);
            }
            case null, default -> {
                return new Undefined(String.valueOf(key));
            }
        }
    }

    Object slice(
            @Nullable Object of, @Nullable Long from, @Nullable Long to, @Nullable Long stepOf) {
        long step = stepOf == null ? 1 : stepOf;
        long size =
                switch (of) {
                    case Text text -> text.length();
                    case List<?> list -> list.size();
                    case Undefined undefined -> throw undefined(undefined);
                    case null, default -> throw new JinjaException(kind(of) + " has no parts");
                };
        if (step == 0) {
            throw new JinjaException("a slice with a step of 0");
        }
        spend(size);
        var first = bound(from, step > 0 ? 0 : size - 1, size, step);
        var end = bound(to, step > 0 ? size : -1, size, step);
        if (of instanceof Text text && step == 1) {
            return text.sub((int) first, (int) Math.max(first, end));
        }
        var items = new ArrayList<@Nullable Object>();
        var characters = new Text.Builder();
        // No step leads further than out of the list.
        var stride = Math.clamp(step, -size - 1, size + 1);
        for (var i = first; stride > 0 ? i < end : i > end; i += stride) {
            if (of instanceof Text text) {
                characters.add(text.sub((int) i, (int) i + 1));
            } else {
                items.add(((List<?>) Objects.requireNonNull(of)).get((int) i));
            }
        }
        return of instanceof Text ? characters.text() : items;
    }

    private static long bound(@Nullable Long given, long otherwise, long size, long step) {
        if (given == null) {
            return otherwise;
        }
        var at = given < 0 ? given + size : given;
        return Math.clamp(at, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    }

    long whole(@Nullable Object value) {
        return switch (value) {
            case Long whole -> whole;
            case Boolean truth -> truth ? 1 : 0;
            case null, default ->
                    throw new JinjaException(
                            kind(value) + " stands where a whole number is needed");
        };
    }

    private static @Nullable Double number(@Nullable Object value) {
        return switch (value) {
            case Long whole -> (double) whole;
            case Double real -> real;
            case Boolean truth -> truth ? 1.0 : 0.0;
            case null, default -> null;
        };
    }

    List<@Nullable Object> range(List<@Nullable Object> bounds) {
        if (bounds.isEmpty() || bounds.size() > 3) {
            throw new JinjaException("range takes one to three numbers");
        }
        var from = bounds.size() > 1 ? whole(bounds.get(0)) : 0;
        var to = whole(bounds.get(bounds.size() > 1 ? 1 : 0));
        var step = bounds.size() > 2 ? whole(bounds.get(2)) : 1;
        if (step == 0) {
            throw new JinjaException("a range with a step of 0");
        }
        var items = new ArrayList<@Nullable Object>();
        for (var i = from; step > 0 ? i < to : i > to; i += step) {
            spend(4);
            items.add(i);
        }
        return items;
    }

    Object signed(String operator, @Nullable Object value) {
        if (value instanceof Double real) {
            return operator.equals("-") ? -real : real;
        }
        return operator.equals("-") ? -whole(value) : whole(value);
    }

    Object binary(String operator, @Nullable Object left, @Nullable Object right) {
        if (operator.equals("~")) {
            return concatenated(string(left), string(right));
        }
        if (left instanceof Undefined undefined) {
            throw undefined(undefined);
        }
        if (right instanceof Undefined undefined) {
            throw undefined(undefined);
        }
        if (operator.equals("+")) {
            if (left instanceof Text a && right instanceof Text b) {
                return concatenated(a, b);
            }
            if (left instanceof List<?> a && right instanceof List<?> b) {
                spend((long) a.size() + b.size());
                var both = new ArrayList<@Nullable Object>(a);
                both.addAll(b);
                return both;
            }
        }
        if (operator.equals("*") && left instanceof Text text && right instanceof Long times) {
            spend(Math.max(0, times) * Math.max(1L, text.length()));
            var out = new Text.Builder();
            for (var i = 0L; i < times; i++) {
                out.add(text);
            }
            return out.text();
        }
        var a = number(left);
        var b = number(right);
        if (a == null || b == null) {
            throw new JinjaException(
                    "'%s' between %s and %s is not known"
                            .formatted(operator, kind(left), kind(right)));
        }
        if (left instanceof Double || right instanceof Double) {
            return real(operator, a, b);
        }
        return whole(operator, whole(left), whole(right));
    }

    private static Object whole(String operator, long a, long b) {
        if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw new JinjaException("a division by 0");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> (double) a / b;
            case "//" -> Math.floorDiv(a, b);
            case "%" -> Math.floorMod(a, b);
            default -> b < 0 ? (Object) Math.pow(a, b) : (Object) (long) Math.pow(a, b);
        };
    }

    private static double real(String operator, double a, double b) {
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - b * Math.floor(a / b);
            default -> Math.pow(a, b);
        };
    }

    Text concatenated(Text a, Text b) {
        spend((long) a.length() + b.length());
        return new Text.Builder().add(a).add(b).text();
    }

    boolean same(@Nullable Object a, @Nullable Object b) {
        spend(1);
        var x = number(a);
        var y = number(b);
        if (x != null && y != null) {
            return x.doubleValue() == y.doubleValue();
        }
        if (a instanceof List<?> left && b instanceof List<?> right) {
            deeper.run();
            var same = left.size() == right.size();
            for (var i = 0; same && i < left.size(); i++) {
                same = same(left.get(i), right.get(i));
            }
            shallower.run();
            return same;
        }
        if (a instanceof Map<?, ?> left && b instanceof Map<?, ?> right) {
            deeper.run();
            var same = left.keySet().equals(right.keySet());
            for (var entry : left.entrySet()) {
                same = same && same(entry.getValue(), right.get(entry.getKey()));
            }
            shallower.run();
            return same;
        }
        if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        }
        if (a instanceof Text text) {
            spend(text.length() / 16);
            return text.equals(b);
        }
        return a == b;
    }

    boolean compare(String operator, @Nullable Object left, @Nullable Object right) {
        return switch (operator) {
            case "==" -> same(left, right);
            case "!=" -> !same(left, right);
            case "in" -> contains(right, left);
            case "not in" -> !contains(right, left);
            case "<" -> order(left, right) < 0;
            case "<=" -> order(left, right) <= 0;
            case ">" -> order(left, right) > 0;
            default -> order(left, right) >= 0;
        };
    }

    int order(@Nullable Object left, @Nullable Object right) {
        var a = number(left);
        var b = number(right);
        if (a != null && b != null) {
            return Double.compare(a, b);
        }
        if (left instanceof Text x && right instanceof Text y) {
            spend(Math.min(x.length(), y.length()));
            return x.compareTo(y);
        }
        throw new JinjaException(kind(left) + " and " + kind(right) + " have no order");
    }

    boolean contains(@Nullable Object container, @Nullable Object value) {
        switch (container) {
            case Text text when value instanceof Text part -> {
                search(text, part.length());
                return text.toString().contains(part.toString());
            }
            case List<?> list -> {
                return list.stream().anyMatch(item -> same(item, value));
            }
            case Map<?, ?> map -> {
                return value instanceof Text key && map.containsKey(key.toString());
            }
            case Undefined _ -> {
                return false;
            }
            case null, default ->
                    throw new JinjaException(
                            "'in' between %s and %s is not known"
                                    .formatted(kind(value), kind(container)));
        }
    }

    boolean test(String name, @Nullable Object value, List<@Nullable Object> arguments) {
        var argument = arguments.isEmpty() ? null : arguments.getFirst();
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "string" -> value instanceof Text;
            case "mapping" -> value instanceof Map;
            case "sequence" ->
                    value instanceof Text || value instanceof List || value instanceof Map;
            case "iterable" ->
                    value instanceof Text
                            || value instanceof List
                            || value instanceof Map
                            || value instanceof Undefined;
            case "number" ->
                    value instanceof Long || value instanceof Double || value instanceof Boolean;
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "boolean" -> value instanceof Boolean;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "callable" -> value instanceof Callable;
            case "odd" -> Math.floorMod(whole(value), 2L) == 1;
            case "even" -> Math.floorMod(whole(value), 2L) == 0;
            case "divisibleby" -> {
                var by = whole(argument);
                if (by == 0) {
                    throw new JinjaException("a division by 0");
                }
                yield whole(value) % by == 0;
            }
            case "equalto", "eq" -> same(value, argument);
            case "ne" -> !same(value, argument);
            case "in" -> contains(argument, value);
            case "lower" ->
                    value instanceof Text text
                            && text.toString().equals(Filters.lower(text.toString()));
            case "upper" ->
                    value instanceof Text text
                            && text.toString().equals(Filters.upper(text.toString()));
            default -> throw new JinjaException("the test '" + name + "' is not known");
        };
    }
}
