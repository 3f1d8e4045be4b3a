package dev.espalier.tokenize.jinja;

import dev.espalier.tokenize.jinja.Lexer.Kind;
import dev.espalier.tokenize.jinja.Lexer.Token;
import dev.espalier.tokenize.jinja.Node.Arguments;
import dev.espalier.tokenize.jinja.Node.Expression;
import dev.espalier.tokenize.jinja.Node.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Tokens as statements and expressions, with the precedence that Jinja gives its operators.
final class Parser {
    /// Nesting that no person writes; deeper would end the stack.
    private static final int DEEPEST = 100;

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> NO_ARGUMENT =
            Set.of("and", "or", "not", "else", "if", "in", "is", "for");

    private final List<Token> tokens;
    private int at;
    private int depth;

    private Parser(List<Token> tokens) {
        this.tokens = tokens;
    }

    static List<Statement> parse(String template) {
        var parser = new Parser(Lexer.tokens(template));
        var statements = parser.statements(Set.of());
        if (parser.next().kind() != Kind.END) {
            throw parser.unexpected();
        }
        return statements;
    }

    private Token next() {
        return tokens.get(at);
    }

    private Token take() {
        return tokens.get(at++);
    }

    private JinjaException broken(String what) {
        return new JinjaException(what, next().line());
    }

    private JinjaException unexpected() {
        return broken(
                next().kind() == Kind.END
                        ? "the template ends too early"
                        : "'" + next().text().strip() + "' is not expected here");
    }

    private boolean taken(String operator) {
        if (next().is(operator)) {
            at++;
            return true;
        }
        return false;
    }

    private boolean takenName(String name) {
        if (next().isName(name)) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(String operator) {
        if (!taken(operator)) {
            throw broken("'" + operator + "' is expected before '" + next().text().strip() + "'");
        }
    }

    private void expect(Kind kind) {
        if (take().kind() != kind) {
            at--;
            throw unexpected();
        }
    }

    private String name() {
        var token = next();
        expect(Kind.NAME);
        return token.text();
    }

    private void deeper() {
        if (++depth > DEEPEST) {
            throw broken("nested deeper than " + DEEPEST + " levels");
        }
    }

    /// Up to a block whose name is one of `ends`, which is left to be read, or to the end.
    private List<Statement> statements(Set<String> ends) {
        deeper();
        var statements = new ArrayList<Statement>();
        while (true) {
            switch (next().kind()) {
                case DATA ->
                        statements.add(new Node.Output(new Node.Literal(Text.of(take().text()))));
                case BEGIN_OUTPUT -> {
                    at++;
                    statements.add(new Node.Output(tuple()));
                    expect(Kind.END_OUTPUT);
                }
                case BEGIN_BLOCK -> {
                    if (ends.contains(tokens.get(at + 1).text())) {
                        depth--;
                        return statements;
                    }
                    at++;
                    statements.add(block());
                }
                default -> {
                    if (!ends.isEmpty()) {
                        throw unexpected();
                    }
                    depth--;
                    return statements;
                }
            }
        }
    }

    /// The name of the block at `at`, which is passed over.
    private String end() {
        expect(Kind.BEGIN_BLOCK);
        return name();
    }

    private void closing() {
        expect(Kind.END_BLOCK);
    }

    private List<Statement> body(String end) {
        closing();
        var body = statements(Set.of(end));
        end();
        return body;
    }

    private Statement block() {
        var token = next();
        var block = name();
        var statement =
                switch (block) {
                    case "if" -> ifs();
                    case "for" -> loop();
                    case "set" -> assign();
                    case "macro" -> macro();
                    case "generation" -> new Node.Generation(body("endgeneration"));
                    case "break" -> new Node.Leave(true);
                    case "continue" -> new Node.Leave(false);
                    default ->
                            throw new JinjaException(
                                    "the block '%s' is not known; known are if, for, set, macro,"
                                                    .formatted(block)
                                            + " generation, break and continue",
                                    token.line());
                };
        closing();
        return statement;
    }

    private Statement ifs() {
        var conditions = new ArrayList<Expression>();
        var bodies = new ArrayList<List<Statement>>();
        var end = "elif";
        while (end.equals("elif")) {
            conditions.add(tuple());
            closing();
            bodies.add(statements(Set.of("elif", "else", "endif")));
            end = end();
        }
        if (end.equals("else")) {
            bodies.add(body("endif"));
        }
        return new Node.If(List.copyOf(conditions), List.copyOf(bodies));
    }

    private List<String> targets() {
        var names = new ArrayList<String>();
        do {
            var parenthesis = taken("(");
            names.add(name());
            while (parenthesis && taken(",")) {
                names.add(name());
            }
            if (parenthesis) {
                expect(")");
            }
        } while (taken(","));
        return names;
    }

    private Statement loop() {
        var targets = targets();
        if (!takenName("in")) {
            throw broken("'in' is expected");
        }
        var over = or();
        var condition = takenName("if") ? or() : null;
        closing();
        var body = statements(Set.of("else", "endfor"));
        List<Statement> otherwise = List.of();
        if (end().equals("else")) {
            otherwise = body("endfor");
        }
        return new Node.For(targets, over, condition, body, otherwise);
    }

    private Statement assign() {
        var names = targets();
        var attribute = names.size() == 1 && taken(".") ? name() : null;
        if (taken("=")) {
            return new Node.Assign(names, attribute, tuple());
        }
        if (names.size() > 1 || attribute != null) {
            throw broken("'=' is expected");
        }
        return new Node.Capture(names.getFirst(), body("endset"));
    }

    private Statement macro() {
        var name = name();
        var parameters = new ArrayList<String>();
        var defaults = new ArrayList<@Nullable Expression>();
        expect("(");
        while (!taken(")")) {
            parameters.add(name());
            defaults.add(taken("=") ? expression() : null);
            if (!next().is(")")) {
                expect(",");
            }
        }
        return new Node.Macro(name, parameters, defaults, body("endmacro"));
    }

    /// An expression, or several with commas between them.
    private Expression tuple() {
        var first = expression();
        if (!next().is(",")) {
            return first;
        }
        var items = new ArrayList<Expression>(List.of(first));
        while (taken(",")) {
            var end = next().kind();
            if (end == Kind.END_OUTPUT || end == Kind.END_BLOCK || next().is(")")) {
                break;
            }
            items.add(expression());
        }
        return new Node.ListOf(items);
    }

    private Expression expression() {
        deeper();
        var then = or();
        while (takenName("if")) {
            var condition = or();
            then = new Node.Choice(then, condition, takenName("else") ? expression() : null);
        }
        depth--;
        return then;
    }

    private Expression or() {
        var left = and();
        while (takenName("or")) {
            left = new Node.Binary("or", left, and());
        }
        return left;
    }

    private Expression and() {
        var left = not();
        while (takenName("and")) {
            left = new Node.Binary("and", left, not());
        }
        return left;
    }

    private Expression not() {
        if (!takenName("not")) {
            return comparison();
        }
        deeper();
        var of = not();
        depth--;
        return new Node.Unary("not", of);
    }

    private Expression comparison() {
        var operands = new ArrayList<Expression>(List.of(sum()));
        var operators = new ArrayList<String>();
        while (true) {
            if (next().kind() == Kind.OPERATOR && COMPARISONS.contains(next().text())) {
                operators.add(take().text());
            } else if (takenName("in")) {
                operators.add("in");
            } else if (next().isName("not") && tokens.get(at + 1).isName("in")) {
                at += 2;
                operators.add("not in");
            } else {
                return operators.isEmpty()
                        ? operands.getFirst()
                        : new Node.Comparison(operands, operators);
            }
            operands.add(sum());
        }
    }

    private Expression sum() {
        var left = concatenation();
        while (next().is("+") || next().is("-")) {
            left = new Node.Binary(take().text(), left, concatenation());
        }
        return left;
    }

    private Expression concatenation() {
        var left = product();
        while (taken("~")) {
            left = new Node.Binary("~", left, product());
        }
        return left;
    }

    private Expression product() {
        var left = power();
        while (next().is("*") || next().is("/") || next().is("//") || next().is("%")) {
            left = new Node.Binary(take().text(), left, power());
        }
        return left;
    }

    private Expression power() {
        var left = unary(true);
        while (taken("**")) {
            left = new Node.Binary("**", left, unary(true));
        }
        return left;
    }

    private Expression unary(boolean filtered) {
        deeper();
        Expression expression;
        if (next().is("-") || next().is("+")) {
            expression = new Node.Unary(take().text(), unary(false));
        } else {
            expression = postfix(primary());
        }
        depth--;
        return filtered ? filters(expression) : expression;
    }

    private Expression primary() {
        var token = take();
        switch (token.kind()) {
            case NAME -> {
                return switch (token.text()) {
                    case "true", "True" -> new Node.Literal(true);
                    case "false", "False" -> new Node.Literal(false);
                    case "none", "None" -> new Node.Literal(null);
                    default -> new Node.Name(token.text());
                };
            }
            case STRING -> {
                var text = new StringBuilder(token.text());
                while (next().kind() == Kind.STRING) {
                    text.append(take().text());
                }
                return new Node.Literal(Text.of(text.toString()));
            }
            case INTEGER -> {
                return new Node.Literal(Long.parseLong(token.text()));
            }
            case FLOAT -> {
                return new Node.Literal(Double.parseDouble(token.text()));
            }
            default -> {}
        }
        if (token.is("(")) {
            if (taken(")")) {
                return new Node.ListOf(List.of());
            }
            var inside = tuple();
            expect(")");
            return inside;
        }
        if (token.is("[")) {
            var items = new ArrayList<Expression>();
            while (!taken("]")) {
                items.add(expression());
                if (!next().is("]")) {
                    expect(",");
                }
            }
            return new Node.ListOf(items);
        }
        if (token.is("{")) {
            return map();
        }
        at--;
        throw unexpected();
    }

    private Expression map() {
        var keys = new ArrayList<Expression>();
        var values = new ArrayList<Expression>();
        while (!taken("}")) {
            keys.add(expression());
            expect(":");
            values.add(expression());
            if (!next().is("}")) {
                expect(",");
            }
        }
        return new Node.MapOf(keys, values);
    }

    private Expression postfix(Expression first) {
        var expression = first;
        while (true) {
            if (taken(".")) {
                var key = take();
                expression =
                        switch (key.kind()) {
                            case NAME ->
                                    new Node.Item(
                                            expression, new Node.Literal(Text.of(key.text())));
                            case INTEGER ->
                                    new Node.Item(
                                            expression,
                                            new Node.Literal(Long.parseLong(key.text())));
                            default -> {
                                at--;
                                throw unexpected();
                            }
                        };
            } else if (taken("[")) {
                expression = subscript(expression);
            } else if (next().is("(")) {
                expression = new Node.Call(expression, arguments());
            } else {
                return expression;
            }
        }
    }

    private Expression subscript(Expression of) {
        var from = next().is(":") ? null : expression();
        if (from != null && taken("]")) {
            return new Node.Item(of, from);
        }
        expect(":");
        var to = next().is(":") || next().is("]") ? null : expression();
        var step = taken(":") && !next().is("]") ? expression() : null;
        expect("]");
        return new Node.Slice(of, from, to, step);
    }

    private Arguments arguments() {
        expect("(");
        var places = new ArrayList<Expression>();
        var names = new ArrayList<String>();
        var named = new ArrayList<Expression>();
        while (!taken(")")) {
            if (next().kind() == Kind.NAME && tokens.get(at + 1).is("=")) {
                names.add(take().text());
                at++;
                named.add(expression());
            } else {
                places.add(expression());
            }
            if (!next().is(")")) {
                expect(",");
            }
        }
        return new Arguments(places, names, named);
    }

    private Expression filters(Expression first) {
        var expression = first;
        while (true) {
            if (taken("|")) {
                var name = name();
                expression =
                        new Node.Filter(
                                expression, name, next().is("(") ? arguments() : Arguments.NONE);
            } else if (takenName("is")) {
                var not = takenName("not");
                var test = new Node.Test(expression, name(), testArguments());
                expression = not ? new Node.Unary("not", test) : test;
            } else if (next().is("(")) {
                expression = new Node.Call(expression, arguments());
            } else {
                return expression;
            }
        }
    }

    private Arguments testArguments() {
        if (next().is("(")) {
            return arguments();
        }
        var begins =
                switch (next().kind()) {
                    case NAME -> !NO_ARGUMENT.contains(next().text());
                    case STRING, INTEGER, FLOAT -> true;
                    case OPERATOR -> next().is("[") || next().is("{");
                    default -> false;
                };
        return begins
                ? new Arguments(List.of(postfix(primary())), List.of(), List.of())
                : Arguments.NONE;
    }
}
