package dev.espalier.recipe;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;

/// The reference of recipes as Markdown, `docs/recipes.md`.
public final class RecipeReference {
    private static final String HEAD =
            """
            # Recipes

            <!-- Made from the records of dev.espalier.recipe by RecipeReference; a test compares it with them. -->

            A recipe is a YAML file that says what a run does: `espalier pretrain RECIPE` or `espalier finetune RECIPE`.
            With an `objective` it is pre-training, with a `task` fine-tuning. The run's folder keeps it completed, with
            every default written out. Working examples are in `recipes/`; `recipes/recipe.schema.json` lets an editor
            complete keys and mark mistakes.

            - Paths are relative to the working directory.
            - Counts may be written `10M`, `16k` or `10_000`, numbers `1e-3`, shares `2%`.
            - Durations are `2000 steps`, `3 epochs` (also `0.5 epochs`) or `50M tokens`.
            - Where a key has several kinds, `type` chooses one; a kind that needs no settings may stand alone:
              `objective: causal`.
            - A default that is a mapping is filled in key by key: what the recipe leaves out of it stays as the default
              says, unless the recipe chooses another `type`.
            - `--set path=value` changes a key: `--set training.batch=8`, `--set 'data.sources[0].path=books/*.txt'`. A
              value that starts with `{`, `[` or a quote is YAML.
            - Anchors, aliases and tags have no place in a recipe.
            """;

    private final StringBuilder out = new StringBuilder(HEAD);
    private final Deque<Class<?>> waiting = new ArrayDeque<>();
    private final Set<Class<?>> met = new LinkedHashSet<>();

    private RecipeReference() {}

    /// The whole page.
    public static String markdown() {
        var page = new RecipeReference();
        page.section("Pre-training", PretrainRecipe.class);
        page.section("Fine-tuning", FinetuneRecipe.class);
        while (!page.waiting.isEmpty()) {
            var type = page.waiting.pop();
            if (type.isSealed()) {
                page.choice(type);
            } else {
                page.section(title(type), type);
            }
        }
        return page.out.toString();
    }

    private void section(String title, Class<?> record) {
        out.append("\n## ")
                .append(title)
                .append("\n\n")
                .append(Shape.doc(record).value())
                .append("\n");
        keys(record);
    }

    private void choice(Class<?> sealed) {
        out.append("\n## ").append(title(sealed)).append('\n');
        Shape.kinds(sealed)
                .forEach((kind, record) -> {
                    out.append("\n### ")
                            .append(kind.isEmpty() ? "without a type" : "`type: " + kind + "`");
                    out.append("\n\n").append(Shape.doc(record).value()).append('\n');
                    keys(record);
                });
    }

    private void keys(Class<?> record) {
        var fields = Shape.fields(record);
        if (fields.isEmpty()) {
            return;
        }
        out.append("\n| key | value | default | meaning |\n|---|---|---|---|\n");
        for (var field : fields) {
            var doc = field.doc();
            var byDefault =
                    field.required()
                            ? "required"
                            : field.key().equals("name")
                                    ? doc.byDefault()
                                    : "`" + doc.byDefault() + "`";
            out.append("| `").append(field.key()).append("` | ");
            out.append(cell(value(field.type(), field))).append(" | ");
            out.append(cell(byDefault)).append(" | ").append(cell(doc.value())).append(" |\n");
        }
    }

    private String value(Type type, Shape.Field field) {
        var or = field.nullable() ? ", or `" + field.doc().nothing() + "`" : "";
        if (type instanceof ParameterizedType list) {
            return "list of " + value(list.getActualTypeArguments()[0], field);
        }
        var plain = (Class<?>) type;
        if (plain == Duration.class) {
            return "duration" + or;
        }
        if (plain == Span.class) {
            return "share or duration" + or;
        }
        if (Shape.isChoice(plain) || plain.isRecord()) {
            if (met.add(plain)) {
                waiting.add(plain);
            }
            var title = title(plain);
            return "["
                    + title
                    + "](#"
                    + title.toLowerCase(Locale.ROOT).replace(' ', '-')
                    + ")"
                    + or;
        }
        if (plain.isEnum()) {
            return "`" + String.join("`, `", Shape.words(plain)) + "`" + or;
        }
        if (plain == String.class) {
            return "text" + or;
        }
        if (plain == Path.class) {
            return "path" + or;
        }
        if (plain == boolean.class) {
            return "`true`, `false`";
        }
        var in = field.doc().in().isEmpty() ? "" : " in " + field.doc().in();
        return (plain == double.class || plain == Double.class ? "number" : "whole number")
                + in
                + or;
    }

    /// `PretrainData` is "Pretrain data", `ObjectiveRecipe` is "Objective".
    private static String title(Class<?> type) {
        var words = type.getSimpleName().replaceFirst("Recipe$", "").split("(?<=[a-z])(?=[A-Z])");
        var title = new StringBuilder(words[0]);
        for (var i = 1; i < words.length; i++) {
            title.append(' ').append(words[i].toLowerCase(Locale.ROOT));
        }
        return title.toString();
    }

    private static String cell(String text) {
        return text.replace("|", "\\|");
    }
}
