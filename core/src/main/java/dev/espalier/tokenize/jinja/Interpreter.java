package dev.espalier.tokenize.jinja;

import dev.espalier.tokenize.jinja.Jinja.Stretch;
import dev.espalier.tokenize.jinja.Node.Arguments;
import dev.espalier.tokenize.jinja.Node.Expression;
import dev.espalier.tokenize.jinja.Node.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Carries out one rendering. Values are null (`none`), [Undefined], `Boolean`, `Long`, `Double`,
/// [Text], `List`, `Map` with `String` keys, [Namespace] and [Callable].
final class Interpreter {
    /// Nesting of evaluation, macros within macros included, that fits any stack.
    private static final int DEEPEST = 400;

    /// A name or an item that is not there: empty when it is written, and false.
    record Undefined(String name) {}

    /// What `namespace()` makes: the one value that changes.
    record Namespace(Map<String, @Nullable Object> values) {}

    /// What can be called.
    interface Callable {
        @Nullable Object call(List<@Nullable Object> places, Map<String, @Nullable Object> named);
    }

    /// What a statement did to the loop around it.
    private enum Flow {
        ON,
        CONTINUE,
        BREAK
    }

    private static final class Frame {
        private final Map<String, @Nullable Object> values = new HashMap<>();
        private final @Nullable Frame outer;

        Frame(@Nullable Frame outer) {
            this.outer = outer;
        }
    }

    private final Budget budget;
    private final Values values;
    private final Frame top = new Frame(null);
    private final List<Stretch> generated = new ArrayList<>();
    private final Text.Builder main = new Text.Builder();
    private Text.Builder out = main;
    private Frame frame = top;
    private int depth;

    Interpreter(Map<String, @Nullable Object> variables) {
        budget = new Budget();
        variables.values().forEach(budget::allow);
        values = new Values(budget, this::deeper, this::shallower);
        top.values.put("raise_exception", (Callable) Interpreter::raise);
        top.values.put(
                "namespace",
                (Callable)
                        (places, named) -> {
                            var namespace = new Namespace(new LinkedHashMap<>());
                            if (!places.isEmpty() && places.getFirst() instanceof Map<?, ?> map) {
                                map.forEach((k, v) -> namespace.values().put(k + "", v));
                            }
                            namespace.values().putAll(named);
                            return namespace;
                        });
        top.values.put(
                "range",
                (Callable)
                        (List<@Nullable Object> places, Map<String, @Nullable Object> named) ->
                                values.range(places));
        top.values.put(
                "dict",
                (Callable) (places, named) -> new LinkedHashMap<String, @Nullable Object>(named));
        variables.forEach((name, value) ->
                top.values.put(
                        name,
                        value instanceof Jinja.Function function ? callable(function) : value));
    }

    private static Callable callable(Jinja.Function function) {
        return (places, named) -> {
            var texts = new ArrayList<Text>();
            for (var place : places) {
                if (!(place instanceof Text text)) {
                    throw new JinjaException("a function of texts is called with something else");
                }
                texts.add(text);
            }
            return function.call(texts);
        };
    }

    private static @Nullable Object raise(
            List<@Nullable Object> places, Map<String, @Nullable Object> named) {
        throw new JinjaException(
                places.isEmpty() ? "no reason given" : String.valueOf(places.getFirst()), true);
    }

    Jinja.Rendering render(List<Statement> statements) {
        run(statements);
        return new Jinja.Rendering(out.text(), generated);
    }

    private void deeper() {
        if (++depth > DEEPEST) {
            throw new JinjaException("evaluation is nested deeper than " + DEEPEST + " levels");
        }
    }

    private void shallower() {
        depth--;
    }

    private Flow run(List<Statement> statements) {
        deeper();
        for (var statement : statements) {
            budget.spend(1);
            var flow = run(statement);
            if (flow != Flow.ON) {
                shallower();
                return flow;
            }
        }
        shallower();
        return Flow.ON;
    }

    private Flow run(Statement statement) {
        switch (statement) {
            case Node.Output(var value) -> {
                var text = values.string(evaluate(value));
                budget.spend(text.length());
                out.add(text);
            }
            case Node.If(var conditions, var bodies) -> {
                for (var i = 0; i < bodies.size(); i++) {
                    if (i == conditions.size() || values.isTrue(evaluate(conditions.get(i)))) {
                        return run(bodies.get(i));
                    }
                }
            }
            case Node.For loop -> {
                return loop(loop);
            }
            case Node.Assign(var names, var attribute, var value) ->
                    assign(names, attribute, evaluate(value));
            case Node.Capture(var name, var body) -> frame.values.put(name, captured(body));
            case Node.Macro macro -> frame.values.put(macro.name(), macro(macro, frame));
            case Node.Generation(var body) -> {
                if (out != main) {
                    throw new JinjaException(
                            "a generation block within a macro or a set block is not known");
                }
                var from = out.length();
                var flow = run(body);
                generated.add(new Stretch(from, out.length()));
                return flow;
            }
            case Node.Leave(var whole) -> {
                return whole ? Flow.BREAK : Flow.CONTINUE;
            }
        }
        return Flow.ON;
    }

    private Text captured(List<Statement> body) {
        var before = out;
        out = new Text.Builder();
        run(body);
        var text = out.text();
        out = before;
        return text;
    }

    private void assign(List<String> names, @Nullable String attribute, @Nullable Object value) {
        if (attribute != null) {
            var name = names.getFirst();
            if (!(find(name) instanceof Namespace namespace)) {
                throw new JinjaException("'" + name + "' is no namespace, and cannot be changed");
            }
            namespace.values().put(attribute, value);
        } else if (names.size() == 1) {
            frame.values.put(names.getFirst(), value);
        } else {
            unpack(names, value);
        }
    }

    private void unpack(List<String> names, @Nullable Object value) {
        var parts = values.items(value);
        if (parts.size() != names.size()) {
            throw new JinjaException(
                    "%d values for the %d names %s"
                            .formatted(parts.size(), names.size(), String.join(", ", names)));
        }
        for (var i = 0; i < parts.size(); i++) {
            frame.values.put(names.get(i), parts.get(i));
        }
    }

    private Flow loop(Node.For loop) {
        var outer = frame;
        var items = new ArrayList<@Nullable Object>();
        for (var item : values.items(evaluate(loop.over()))) {
            budget.spend(1);
            if (loop.condition() != null) {
                frame = new Frame(outer);
                target(loop, item);
                if (!values.isTrue(evaluate(loop.condition()))) {
                    continue;
                }
            }
            items.add(item);
        }
        frame = outer;
        if (items.isEmpty()) {
            return run(loop.otherwise());
        }
        for (var i = 0; i < items.size(); i++) {
            budget.spend(8);
            frame = new Frame(outer);
            target(loop, items.get(i));
            frame.values.put("loop", facts(items, i));
            var flow = run(loop.body());
            frame = outer;
            if (flow == Flow.BREAK) {
                break;
            }
        }
        return Flow.ON;
    }

    private void target(Node.For loop, @Nullable Object item) {
        if (loop.targets().size() == 1) {
            frame.values.put(loop.targets().getFirst(), item);
        } else {
            unpack(loop.targets(), item);
        }
    }

    private static Map<String, @Nullable Object> facts(List<@Nullable Object> items, int i) {
        var facts = new HashMap<String, @Nullable Object>();
        var n = items.size();
        facts.put("index", i + 1L);
        facts.put("index0", (long) i);
        facts.put("revindex", (long) n - i);
        facts.put("revindex0", n - i - 1L);
        facts.put("first", i == 0);
        facts.put("last", i == n - 1);
        facts.put("length", (long) n);
        facts.put("previtem", i == 0 ? new Undefined("loop.previtem") : items.get(i - 1));
        facts.put("nextitem", i == n - 1 ? new Undefined("loop.nextitem") : items.get(i + 1));
        facts.put(
                "cycle",
                (Callable)
                        (places, named) -> places.isEmpty() ? null : places.get(i % places.size()));
        return facts;
    }

    private Callable macro(Node.Macro macro, Frame defined) {
        return (places, named) -> {
            var caller = frame;
            frame = new Frame(defined);
            if (places.size() > macro.parameters().size()) {
                throw new JinjaException(
                        "the macro '%s' takes %d values, not %d"
                                .formatted(macro.name(), macro.parameters().size(), places.size()));
            }
            for (var i = 0; i < macro.parameters().size(); i++) {
                var parameter = macro.parameters().get(i);
                var byDefault = macro.defaults().get(i);
                if (i < places.size()) {
                    frame.values.put(parameter, places.get(i));
                } else if (named.containsKey(parameter)) {
                    frame.values.put(parameter, named.get(parameter));
                } else {
                    frame.values.put(
                            parameter,
                            byDefault == null ? new Undefined(parameter) : evaluate(byDefault));
                }
            }
            var text = captured(macro.body());
            frame = caller;
            return text;
        };
    }

    private @Nullable Object find(String name) {
        for (Frame f = frame; f != null; f = f.outer) {
            if (f.values.containsKey(name)) {
                return f.values.get(name);
            }
        }
        return new Undefined(name);
    }

    private @Nullable Object evaluate(Expression expression) {
        budget.spend(1);
        deeper();
        var value =
                switch (expression) {
                    case Node.Literal(var literal) -> literal;
                    case Node.Name(var name) -> find(name);
                    case Node.ListOf(var items) -> all(items);
                    case Node.MapOf map -> map(map);
                    case Node.Item(var of, var key) -> values.item(evaluate(of), evaluate(key));
                    case Node.Slice(var of, var from, var to, var step) ->
                            values.slice(evaluate(of), whole(from), whole(to), whole(step));
                    case Node.Call call -> call(call);
                    case Node.Filter(var of, var name, var arguments) ->
                            new Filters(values)
                                    .apply(
                                            name,
                                            evaluate(of),
                                            all(arguments.places()),
                                            named(arguments));
                    case Node.Test(var of, var name, var arguments) ->
                            values.test(name, evaluate(of), all(arguments.places()));
                    case Node.Unary(var operator, var of) ->
                            operator.equals("not")
                                    ? (Object) !values.isTrue(evaluate(of))
                                    : values.signed(operator, evaluate(of));
                    case Node.Binary binary -> binary(binary);
                    case Node.Comparison comparison -> compare(comparison);
                    case Node.Choice(var then, var condition, var otherwise) ->
                            values.isTrue(evaluate(condition))
                                    ? evaluate(then)
                                    : otherwise == null
                                            ? new Undefined("nothing")
                                            : evaluate(otherwise);
                };
        shallower();
        return value;
    }

    private List<@Nullable Object> all(List<Expression> expressions) {
        var all = new ArrayList<@Nullable Object>();
        expressions.forEach(e -> all.add(evaluate(e)));
        return all;
    }

    private Map<String, @Nullable Object> named(Arguments arguments) {
        var named = new LinkedHashMap<String, @Nullable Object>();
        for (var i = 0; i < arguments.names().size(); i++) {
            named.put(arguments.names().get(i), evaluate(arguments.named().get(i)));
        }
        return named;
    }

    private Map<String, @Nullable Object> map(Node.MapOf map) {
        var result = new LinkedHashMap<String, @Nullable Object>();
        for (var i = 0; i < map.keys().size(); i++) {
            if (!(evaluate(map.keys().get(i)) instanceof Text key)) {
                throw new JinjaException("the key of a map is no string");
            }
            result.put(key.toString(), evaluate(map.values().get(i)));
        }
        return result;
    }

    private @Nullable Long whole(@Nullable Expression expression) {
        var value = expression == null ? null : evaluate(expression);
        if (value == null) {
            return null;
        }
        return values.whole(value);
    }

    private @Nullable Object call(Node.Call call) {
        if (call.function() instanceof Node.Item(var of, Node.Literal(var key))
                && key instanceof Text name) {
            var self = evaluate(of);
            var own =
                    self instanceof Map || self instanceof Namespace
                            ? values.item(self, name)
                            : null;
            if (!(own instanceof Callable)) {
                return new Filters(values)
                        .method(
                                name.toString(),
                                self,
                                all(call.arguments().places()),
                                named(call.arguments()));
            }
        }
        if (!(evaluate(call.function()) instanceof Callable callable)) {
            throw new JinjaException(
                    call.function() instanceof Node.Name(var name)
                            ? "the function '" + name + "' is not known"
                            : "something is called that is no function");
        }
        deeper();
        var result = callable.call(all(call.arguments().places()), named(call.arguments()));
        shallower();
        return result;
    }

    private @Nullable Object binary(Node.Binary binary) {
        var left = evaluate(binary.left());
        return switch (binary.operator()) {
            case "and" -> values.isTrue(left) ? evaluate(binary.right()) : left;
            case "or" -> values.isTrue(left) ? left : evaluate(binary.right());
            default -> values.binary(binary.operator(), left, evaluate(binary.right()));
        };
    }

    private boolean compare(Node.Comparison comparison) {
        var left = evaluate(comparison.operands().getFirst());
        for (var i = 0; i < comparison.operators().size(); i++) {
            var right = evaluate(comparison.operands().get(i + 1));
            if (!values.compare(comparison.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    /// The work that a rendering may still do. One unit is a step, or a character that is made.
    static final class Budget {
        private static final long BASE = 1L << 22;
        private static final long PER_CHARACTER = 64;

        private long left = BASE;

        private void allow(@Nullable Object value) {
            switch (value) {
                case Text text -> left += PER_CHARACTER * text.length();
                case List<?> list -> {
                    left += PER_CHARACTER;
                    list.forEach(this::allow);
                }
                case Map<?, ?> map -> {
                    left += PER_CHARACTER;
                    map.values().forEach(this::allow);
                }
                case null, default -> left += PER_CHARACTER;
            }
        }

        void spend(long units) {
            left -= units;
            if (left < 0) {
                throw new JinjaException("it takes too many steps, or makes too much text");
            }
        }
    }
}
