package dev.espalier.tokenize.jinja;

import dev.espalier.tokenize.jinja.Node.Statement;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A parsed template. Immutable, and safe for use by many threads.
///
/// Known are `for` (with `else`, `if`, `break` and `continue`), `if`, `set`, `macro` and
/// `generation` blocks, all operators, and the filters, tests and methods of strings, lists and
/// maps that chat templates use; anything else is refused by its name. The steps that a template
/// may take and the characters that it may make are bounded, in proportion to what it is given.
public final class Jinja {
    /// Longer than any template that is published, by far.
    private static final int LONGEST = 1 << 20;

    private final List<Statement> statements;

    private Jinja(List<Statement> statements) {
        this.statements = statements;
    }

    /// @throws JinjaException if it is broken, or needs what is not known
    public static Jinja parse(String template) {
        if (template.length() > LONGEST) {
            throw new JinjaException(
                    "a template of %,d characters is longer than %,d"
                            .formatted(template.length(), LONGEST));
        }
        return new Jinja(Parser.parse(template));
    }

    /// What a template made.
    ///
    /// @param generated the stretches that its `generation` blocks wrote, as [from, to) each
    public record Rendering(Text text, List<Stretch> generated) {
        public Rendering {
            generated = List.copyOf(generated);
        }
    }

    /// A stretch of text, from the character at `from` to before that at `to`.
    public record Stretch(int from, int to) {}

    /// A function that a template may call with texts. What it throws as a [JinjaException] ends
    /// the rendering.
    public interface Function {
        Text call(List<Text> arguments);
    }

    /// Renders the template with these variables: null (`none`), [Text]s, numbers (`Long` or
    /// `Double`), truth values, [Function]s, and lists and maps of all these with `String` keys;
    /// `raise_exception`, `namespace` and `range` are there always.
    ///
    /// @throws JinjaException if it fails, refuses, or takes too long
    public Rendering render(Map<String, @Nullable Object> variables) {
        return new Interpreter(variables).render(statements);
    }
}
