package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Each toy recipe of `recipes/`, cut to two steps on the beginning of its data: a run that goes
/// from what the recipe says to a model and a report. Those that begin where another ends do so
/// here too.
class ToyRecipesTest {
    private static final Path ROOT = Path.of("../recipes");
    private static final Pattern RUN = Pattern.compile("runs/([\\w.-]+)");

    /// What a file is cut to, in characters.
    private static final int CHARACTERS = 2_500;

    @TempDir static Path folder;
    private static final Map<String, Run.Result> RUNS = new HashMap<>();

    /// But for the study of the verb `compare` and the defence `cheapest`, which are many runs, and
    /// for those that have but another defence or loss than a recipe that runs here: each of these
    /// has whole runs of its own in [DefendingTest] or [PreferringTest].
    private static final Pattern LEFT_OUT =
            Pattern.compile(
                    ".*(compare|forgetting-(cheapest|ewc|l2-sp|lwf|soup|wise-ft)|preference-(ipo|kto))-toy.yaml");

    static Stream<String> recipes() throws IOException {
        try (var files = Files.walk(ROOT)) {
            return files
                    .map(Path::toString)
                    .filter(f -> f.endsWith("-toy.yaml") && !LEFT_OUT.matcher(f).matches())
                    .map(f -> ROOT.relativize(Path.of(f)).toString())
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    /// Whole lines of what stands in them in no order that matters, whole texts of the rest.
    @BeforeAll
    static void cutData() throws IOException {
        try (var files = Files.list(ROOT.resolve("data"))) {
            for (var file : files.toList()) {
                var name = String.valueOf(file.getFileName());
                if (name.matches(".*\\.(csv|tsv|jsonl|txt|conll)") && !name.startsWith("yard")) {
                    var text = Files.readString(file);
                    var end = text.indexOf(name.endsWith("conll") ? "\n\n" : "\n", CHARACTERS);
                    Files.writeString(
                            folder.resolve(name), end < 0 ? text : text.substring(0, end) + "\n");
                }
            }
        }
    }

    private static Run.Result run(String name) {
        if (RUNS.get(name) instanceof Run.Result result) {
            return result;
        }
        try {
            var file = recipes().filter(f -> f.endsWith("/" + name + ".yaml")).findFirst();
            var text = Files.readString(ROOT.resolve(file.orElseThrow()));
            RUN.matcher(text)
                    .results()
                    .map(m -> m.group(1))
                    .distinct()
                    .forEach(from -> {
                        if (!from.equals(name)) {
                            run(from);
                        }
                    });
            var recipe = folder.resolve(name + ".yaml");
            Files.writeString(recipe, RUN.matcher(text).replaceAll(folder + "/$1"));
            var changed = Files.readString(recipe);
            try (var files = Files.list(folder)) {
                for (var data : files.map(f -> String.valueOf(f.getFileName())).toList()) {
                    changed = changed.replace("recipes/data/" + data, folder + "/" + data);
                }
            }
            Files.writeString(recipe, changed.replace(" recipes/data/", " " + ROOT + "/data/"));
            var result =
                    new Run(
                                    Recipes.read(
                                            recipe,
                                            List.of(
                                                    "training.for=2 steps",
                                                    "training.batch=4",
                                                    "output=" + folder.resolve(name))))
                            .train(_ -> {});
            RUNS.put(name, result);
            return result;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void runsFromItsDataToAModelAndAReport(String file) throws IOException {
        var name = file.replaceFirst(".*/", "").replace(".yaml", "");
        var result = run(name);
        assertThat(result.progress().step()).isEqualTo(2);
        assertThat(result.scores()).isNotEmpty();
        assertThat(result.scores()).allMatch(s -> Double.isFinite(s.value()));
        assertThat(Files.readAllLines(result.folder().resolve("metrics.jsonl"))).hasSize(2);
        assertThat(result.folder().resolve("report.html")).isNotEmptyFile();
        assertThat(
                        result.model().resolve("config.json").toFile().exists()
                                || HuggingFace.isAdapter(result.model()))
                .isTrue();
        var adapted =
                Recipes.read(result.folder().resolve("recipe.yaml")) instanceof FinetuneRecipe f
                        && f.adapter() instanceof AdapterRecipe.Lora lora
                        && !lora.merge();
        assertThat(HuggingFace.isAdapter(result.model())).isEqualTo(adapted);
    }
}
