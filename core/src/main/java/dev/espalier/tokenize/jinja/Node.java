package dev.espalier.tokenize.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A part of a parsed template.
sealed interface Node {
    /// Something that has a value.
    sealed interface Expression extends Node {}

    record Literal(@Nullable Object value) implements Expression {}

    record Name(String name) implements Expression {}

    record ListOf(List<Expression> items) implements Expression {}

    record MapOf(List<Expression> keys, List<Expression> values) implements Expression {}

    /// `of.name` or `of[key]`.
    record Item(Expression of, Expression key) implements Expression {}

    record Slice(
            Expression of,
            @Nullable Expression from,
            @Nullable Expression to,
            @Nullable Expression step)
            implements Expression {}

    record Call(Expression function, Arguments arguments) implements Expression {}

    record Filter(Expression of, String name, Arguments arguments) implements Expression {}

    record Test(Expression of, String name, Arguments arguments) implements Expression {}

    record Unary(String operator, Expression of) implements Expression {}

    record Binary(String operator, Expression left, Expression right) implements Expression {}

    /// `a < b <= c` and the like: the operators stand between the operands.
    record Comparison(List<Expression> operands, List<String> operators) implements Expression {}

    record Choice(Expression then, Expression condition, @Nullable Expression otherwise)
            implements Expression {}

    /// Of a call.
    record Arguments(List<Expression> places, List<String> names, List<Expression> named) {
        static final Arguments NONE = new Arguments(List.of(), List.of(), List.of());
    }

    /// Something that is done.
    sealed interface Statement extends Node {}

    record Output(Expression value) implements Statement {}

    record If(List<Expression> conditions, List<List<Statement>> bodies) implements Statement {}

    record For(
            List<String> targets,
            Expression over,
            @Nullable Expression condition,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    /// `name`, or an attribute of the namespace of that name.
    record Assign(List<String> names, @Nullable String attribute, Expression value)
            implements Statement {}

    record Capture(String name, List<Statement> body) implements Statement {}

    record Macro(
            String name,
            List<String> parameters,
            List<@Nullable Expression> defaults,
            List<Statement> body)
            implements Statement {}

    record Generation(List<Statement> body) implements Statement {}

    /// Of the innermost loop.
    record Leave(boolean whole) implements Statement {}
}
