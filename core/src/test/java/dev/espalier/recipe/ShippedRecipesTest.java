package dev.espalier.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What stands in `recipes/` and `docs/recipes.md` is what this package says.
class ShippedRecipesTest {
    private static final Path ROOT = Path.of("..");

    static Stream<Path> recipes() throws IOException {
        try (var files = Files.walk(ROOT.resolve("recipes"))) {
            return files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList().stream();
        }
    }

    /// Every objective on each family that has it, every task, and of those of texts each kind, has
    /// a recipe at a toy size and one at a published size.
    @Test
    void areAllThere() throws IOException {
        var toys = new TreeSet<String>();
        var published = new TreeSet<String>();
        for (var file : recipes().filter(f -> !f.toString().contains("experiments")).toList()) {
            var text = file.toString();
            if (!text.contains("-books") && !text.contains("shakespeare")) {
                (text.contains("-toy") ? toys : published).add(kind(Recipes.read(file)));
            }
        }
        assertThat(toys).isEqualTo(published);
        for (var sealed :
                List.of(
                        ObjectiveRecipe.class,
                        TaskRecipe.class,
                        ProblemRecipe.class,
                        PreferenceLossRecipe.class)) {
            for (var one : sealed.getPermittedSubclasses()) {
                assertThat(toys).anyMatch(kind -> kind.contains(one.getSimpleName()));
            }
        }
        for (var family : List.of("Gpt2", "Llama", "Bart", "encoder", "Distilbert")) {
            assertThat(toys).contains("SingleLabel of " + family);
        }
    }

    /// What is learnt, and by which family where it matters.
    private static String kind(Recipe recipe) {
        var family = family(recipe.model());
        return switch (recipe) {
            case PretrainRecipe p -> p.objective().getClass().getSimpleName() + " of " + family;
            case FinetuneRecipe f ->
                    switch (f.task()) {
                        case TaskRecipe.Classification c -> {
                            var kind = c.problem().getClass().getSimpleName();
                            yield !kind.equals("SingleLabel")
                                    ? kind
                                    : c.windows() != null
                                            ? "Classification of windows"
                                            : c.pair() != null
                                                    ? "Classification of pairs"
                                                    : kind + " of " + family;
                        }
                        case TaskRecipe.Preference p ->
                                "Preference by " + p.loss().getClass().getSimpleName();
                        case TaskRecipe.TokenLabelling _ ->
                                "TokenLabelling of "
                                        + (TaggedReader.ending(f.data().train()).equals("jsonl")
                                                ? "spans"
                                                : "words");
                        case TaskRecipe.SequenceToSequence _ ->
                                "SequenceToSequence of " + family.replace(" 1.1", "");
                        default -> f.task().getClass().getSimpleName();
                    };
        };
    }

    /// A saved model's is in its folder's name; encoders but for DistilBERT, which has no pooler,
    /// are fine-tuned alike.
    private static String family(ModelRecipe model) {
        return switch (model) {
            case ModelRecipe.Saved saved -> {
                var path = saved.path().toString();
                yield Stream.of("distilbert", "bart", "bert", "gpt2", "llama", "t5")
                        .filter(path::contains)
                        .findFirst()
                        .map(name ->
                                name.equals("bert")
                                        ? "encoder"
                                        : Character.toUpperCase(name.charAt(0)) + name.substring(1))
                        .orElse(path);
            }
            case ModelRecipe.T5 t -> t.gated() ? "T5 1.1" : "T5";
            default -> model.getClass().getSimpleName();
        };
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void parseAndReadBackEqual(Path file) {
        var recipe = Recipes.read(file);
        assertThat(Recipes.parse(Recipes.write(recipe), "x")).isEqualTo(recipe);
        assertThat(recipe.name()).isEqualTo(file.getFileName().toString().replace(".yaml", ""));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void keepToTheSchemaAsWrittenAndCompleted(Path file) throws IOException {
        assertThat(mistakes(Files.readString(file))).isEmpty();
        assertThat(mistakes(Recipes.write(Recipes.read(file)))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "seed: 1",
                "seed: x",
                "bacth: 1",
                "model: {type: gpt3}",
                "model: {layers: 1}",
                "task: classification",
                "data: {sources: []}",
                "training: {for: 3 apples}",
                "training: {for: 3 steps, clip: -1}",
                "training: {for: 3 steps, optimizer: {type: adamw, rate: 0}}",
                "objective: {type: causal, length: many}"
            })
    void theSchemaRefusesWhatTheReaderRefuses(String change) throws IOException {
        var whole = Files.readString(ROOT.resolve("recipes/pretrain/gpt2-toy.yaml"));
        var key = change.substring(0, change.indexOf(':'));
        var without = whole.replaceAll("(?m)^" + key + ":.*\\n(?:[ ].*\\n)*", "");
        assertThat(mistakes(without + change + "\n").isEmpty()).isEqualTo(change.equals("seed: 1"));
    }

    private static List<com.networknt.schema.Error> mistakes(String yaml) {
        var registry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
        return registry.getSchema(RecipeSchema.json()).validate(yaml, InputFormat.YAML);
    }

    @Test
    void schemaForEditorsIsTheGeneratedOne() throws IOException {
        same("recipes/recipe.schema.json", RecipeSchema.json());
        assertThat(Json.mapper().readTree(RecipeSchema.json()).get("$schema").asString())
                .isEqualTo("https://json-schema.org/draft/2020-12/schema");
    }

    @Test
    void referenceIsTheGeneratedOne() throws IOException {
        same("docs/recipes.md", RecipeReference.markdown());
    }

    @Test
    void dataIsWhatTheGrammarMakes() throws IOException {
        var train = ToyData.records(3, 60, "");
        var validation = ToyData.records(4, 15, train);
        var questions = ToyData.questions(8, 400, "");
        var dates = ToyData.dates(8, 1500, "");
        var preferences = ToyData.preferences(10, 200, "");
        var tagged = ToyData.tagged(6, 300, "");
        var files = new TreeMap<String, String>();
        files.put("dates-train.csv", dates);
        files.put("dates-test.csv", ToyData.dates(9, 200, dates));
        files.put("preferences-train.jsonl", preferences);
        files.put("preferences-test.jsonl", ToyData.preferences(11, 60, preferences));
        files.put("questions-train.jsonl", questions);
        files.put("questions-test.jsonl", ToyData.questions(9, 60, questions));
        files.put("topics-train.csv", train);
        files.put("topics-validation.csv", validation);
        files.put("topics-test.csv", ToyData.records(5, 25, train + validation));
        files.put("village-tagged.conll", tagged);
        files.put("village-tagged-test.conll", ToyData.tagged(7, 100, tagged));
        var spans = ToyData.spans(17, 300, "");
        files.put("village-spans.jsonl", spans);
        files.put("village-spans-test.jsonl", ToyData.spans(18, 100, spans));
        files.put("village.txt", ToyData.prose(1, 60_000));
        files.put("village-later.txt", ToyData.prose(2, 8_000));
        var days = ToyData.days(8, 240, "");
        files.put("days-train.csv", days);
        files.put("days-test.csv", ToyData.days(12, 100, days));
        var weather = ToyData.weather(9, 240, "");
        files.put("weather-train.csv", weather);
        files.put("weather-test.csv", ToyData.weather(13, 100, weather));
        var pairs = ToyData.pairs(10, 400, "");
        files.put("pairs-train.tsv", pairs);
        files.put("pairs-test.tsv", ToyData.pairs(14, 100, pairs));
        var pages = ToyData.pages(11, 40, "");
        files.put("pages-train.jsonl", pages);
        files.put("pages-test.jsonl", ToyData.pages(15, 20, pages));
        var pictures = new TreeMap<String, byte[]>();
        pictures.put("shapes-train-images-idx3-ubyte", ToyData.shapes(12, 450));
        pictures.put("shapes-train-labels-idx1-ubyte", ToyData.shapeLabels(450));
        pictures.put("shapes-test-images-idx3-ubyte", ToyData.shapes(16, 90));
        pictures.put("shapes-test-labels-idx1-ubyte", ToyData.shapeLabels(90));
        for (var i = 0; i < 20; i++) {
            var part = "ponds/" + (i < 14 ? "train" : "test");
            var name = "/%02d.bmp".formatted(i);
            pictures.put(part + "/images" + name, ToyData.ponds(100 + i, false));
            pictures.put(part + "/masks" + name, ToyData.ponds(100 + i, true));
        }
        for (var i = 0; i < 80; i++) {
            pictures.put("yard/%02d.bmp".formatted(i), ToyData.yard(i));
        }
        files.put("yard-train.json", ToyData.yards(0, 60));
        files.put("yard-test.json", ToyData.yards(60, 20));
        files.put("yard-toys-train.csv", ToyData.yardToys(0, 60));
        files.put("yard-toys-test.csv", ToyData.yardToys(60, 20));
        files.put("yard-captions-train.csv", ToyData.yardCaptions(0, 60));
        files.put("yard-captions-test.csv", ToyData.yardCaptions(60, 20));
        for (var file : pictures.entrySet()) {
            Files.write(made("recipes/data/" + file.getKey()), file.getValue());
        }
        for (var file : pictures.entrySet()) {
            assertThat(ROOT.resolve("recipes/data/" + file.getKey()))
                    .hasBinaryContent(file.getValue());
        }
        for (var file : files.entrySet()) {
            make("recipes/data/" + file.getKey(), file.getValue());
        }
        for (var file : files.entrySet()) {
            same("recipes/data/" + file.getKey(), file.getValue());
        }
    }

    /// `content` must be what is committed; it is left in `target` to copy where it is not.
    private static void same(String path, String content) throws IOException {
        make(path, content);
        assertThat(ROOT.resolve(path))
                .as("after a wanted change: cp core/target/generated/%s %s", path, path)
                .hasContent(content);
    }

    private static void make(String path, String content) throws IOException {
        Files.writeString(made(path), content);
    }

    private static Path made(String path) throws IOException {
        var made = Path.of("target/generated").resolve(path);
        Files.createDirectories(made.getParent());
        return made;
    }
}
