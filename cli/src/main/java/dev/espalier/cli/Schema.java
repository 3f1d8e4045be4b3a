package dev.espalier.cli;

import dev.espalier.io.Json;
import dev.espalier.recipe.RecipeSchema;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
        name = "schema",
        description = "Prints the JSON Schema of recipes, for editors to complete and check them.",
        footerHeading = "%nExample:%n",
        footer = "  espalier schema > recipe.schema.json")
final class Schema implements Callable<Integer> {
    private final Main.Context context;

    Schema(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var schema = RecipeSchema.json();
        context.console().result(schema.stripTrailing(), Json.mapper().readTree(schema));
        return 0;
    }
}
