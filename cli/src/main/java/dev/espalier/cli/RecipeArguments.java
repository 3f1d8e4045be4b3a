package dev.espalier.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// What every verb that runs a recipe takes: a `@Mixin`.
final class RecipeArguments {
    @Parameters(paramLabel = "RECIPE", description = "A recipe in YAML.")
    Path recipe = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description =
                    "Overrides a value of the recipe, such as training.batch=32 or"
                            + " data.sources[0].path=books; may be given again.")
    List<String> overrides = new ArrayList<>();
}
