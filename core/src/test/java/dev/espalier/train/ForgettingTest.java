package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.Score;
import dev.espalier.io.Json;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What runs measure of what they forget.
class ForgettingTest {
    @TempDir static Path folder;

    @BeforeAll
    static void write() throws IOException {
        var prose = new StringBuilder();
        var places = new StringBuilder("text,label\n");
        var days = new StringBuilder("text,label\n");
        var tags = new StringBuilder();
        var words = List.of("flour", "bread", "wheat", "boats", "nets", "herring");
        for (var i = 0; i < 120; i++) {
            var word = words.get(i % 6);
            var text = "On day " + i % 17 + " they sold the " + word;
            prose.append(text).append(".\n");
            places.append(text).append(i % 6 < 3 ? ",mill\n" : ",sea\n");
            days.append(text).append(i % 17 < 9 ? ",early\n" : ",late\n");
            tags.append("they O\nsold O\n").append(word).append(i % 6 < 3 ? " B-MILL" : " B-SEA");
            tags.append("\n\n");
        }
        Files.writeString(folder.resolve("prose.txt"), prose);
        Files.writeString(folder.resolve("law.txt"), "they the sold boats nets. ".repeat(40));
        Files.writeString(folder.resolve("places.csv"), places);
        Files.writeString(folder.resolve("test.csv"), places);
        Files.writeString(folder.resolve("days.csv"), days);
        Files.writeString(folder.resolve("tags.conll"), tags);
        Files.writeString(
                folder.resolve("pairs.jsonl"),
                """
                {"sentence_good": "they sold the nets", "sentence_bad": "they the sold nets"}
                {"sentence_good": "On day 3 they sold", "sentence_bad": "On 3 day they sold"}
                """);
        for (var type : List.of("gpt2", "llama", "roberta")) {
            var encoder = type.equals("roberta");
            new Run(
                            Recipes.parse(
                                    """
                                    output: %1$s/%2$s
                                    data: {sources: [{type: text, path: "%1$s/prose.txt"}], validation: 10%%}
                                    tokenizer: {type: characters%3$s}
                                    model: {type: %2$s, layers: 1, heads: 2, width: 16, context: 48%4$s}
                                    objective: {type: %5$s}
                                    training: {for: %6$d steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                                    """
                                            .formatted(
                                                    folder,
                                                    type,
                                                    encoder
                                                            ? ", special-tokens: [<pad>, <s>, </s>, <mask>]"
                                                            : "",
                                                    type.equals("llama")
                                                            ? ", hidden: 24, key-value-heads: 1, tied: false"
                                                            : "",
                                                    encoder ? "masked" : "causal",
                                                    encoder ? 60 : 20),
                                    type))
                    .train(s -> {});
        }
    }

    private static Recipe recipe(
            String name, Path model, String data, String task, String forgetting) {
        return Recipes.parse(
                """
                output: %1$s/%2$s
                data: %4$s
                model: {path: %3$s}
                task: {type: %5$s}
                training: {for: 6 steps, batch: 8, precision: fp32, optimizer: {type: adamw, rate: 2e-2}, early-stopping: none}
                evaluate: {every: 3 steps}
                save: {every: 6 steps}
                %6$s
                """
                        .formatted(folder, name, model, data, task, forgetting),
                name);
    }

    private static String places() {
        return "{train: %1$s/places.csv, validation-share: 25%%, test: %1$s/test.csv}"
                .formatted(folder);
    }

    private static String days() {
        return "{train: %s/days.csv, validation-share: 25%%}".formatted(folder);
    }

    private static double value(List<Score> scores, String data, String metric) {
        return scores.stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow(() -> new AssertionError(data + " " + metric + " of " + scores));
    }

    /// What a run leaves is what the next one starts from: its task is asked by the head that it
    /// had, which stays as it was.
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama", "roberta"})
    void anEarlierTaskIsAskedByTheHeadThatItHad(String type) {
        var base = folder.resolve(type).resolve("model");
        var first =
                new Run(recipe(type + "-places", base, places(), "classification", ""))
                        .train(s -> {});
        var tags =
                new Run(
                                recipe(
                                        type + "-tags",
                                        first.model(),
                                        "{train: %s/tags.conll, validation-share: 25%%}"
                                                .formatted(folder),
                                        "token-labelling",
                                        "forgetting: {measure: {tasks: [%s]}}"
                                                .formatted(first.folder())))
                        .train(s -> {})
                        .folder();
        var measure =
                "forgetting: {measure: {tasks: [%s, %s], corpus: %s/prose.txt, domains: [{name: law, corpus: %s/law.txt}], pairs: %s/pairs.jsonl, head: %s}}"
                        .formatted(first.folder(), tags, folder, folder, folder, base);
        var tuned =
                new Run(
                                recipe(
                                        type + "-days",
                                        tags.resolve("model"),
                                        days(),
                                        "classification",
                                        measure))
                        .train(s -> {});
        var told = tuned.scores();
        var taught = Json.read(tags.resolve("evaluation.json"));
        assertThat(taught.findValuesAsString("data")).contains(type + "-places-test-after");
        // Before is what the run before left.
        assertThat(value(told, type + "-tags-before", "f1"))
                .isEqualTo(value(read(tags), "validation", "f1"));
        assertThat(value(told, type + "-places-test-before", "accuracy"))
                .isEqualTo(value(read(tags), type + "-places-test-after", "accuracy"));
        assertThat(value(read(tags), type + "-places-test-before", "accuracy"))
                .isEqualTo(value(first.scores(), "test", "accuracy"));
        assertThat(value(told, type + "-places-test", "accuracy-change"))
                .isCloseTo(
                        value(told, type + "-places-test-after", "accuracy")
                                - value(told, type + "-places-test-before", "accuracy"),
                        within(1e-12));
        // The body has moved.
        assertThat(value(told, type + "-places-after", "loss"))
                .isNotEqualTo(value(told, type + "-places-before", "loss"));
        assertThat(value(told, "law", "perplexity-rise")).isNotZero();
        assertThat(value(told, "general-after", "perplexity")).isGreaterThan(1);
        assertThat(value(told, "pairs-before", "accuracy")).isBetween(0.0, 1.0);
        assertThat(tuned.folder().resolve("report.html"))
                .content()
                .contains("Learning against forgetting", "Forgetting over training");
        if (!type.equals("gpt2")) {
            assertThat(told).anyMatch(s -> s.data().equals("general-after"));
            assertThatThrownBy(() ->
                            new Run(
                                            recipe(
                                                    type + "-headless",
                                                    first.model(),
                                                    days(),
                                                    "classification",
                                                    "forgetting: {measure: {corpus: %s/prose.txt}}"
                                                            .formatted(folder)))
                                    .train(s -> {}))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("forgetting.measure.head");
        }
        if (type.equals("roberta")) {
            assertThat(value(told, "general-before", "accuracy")).isBetween(0.0, 1.0);
        }
    }

    /// Of two runs of one name, and of pairs in paradigms of different sizes.
    @Test
    void everyFigureHasANameAndAChangeOfItsOwn() throws IOException {
        var base = folder.resolve("gpt2/model");
        var runs = new java.util.ArrayList<Path>();
        for (var data : List.of(places(), days())) {
            var recipe = recipe("once-" + runs.size(), base, data, "classification", "");
            var yaml = Recipes.write(recipe).replaceFirst("name: \\S+", "name: pairs");
            runs.add(new Run(Recipes.parse(yaml, "once")).train(s -> {}).folder());
        }
        var pairs = new StringBuilder();
        for (var i = 0; i < 9; i++) {
            pairs.append(
                    "{\"sentence_good\": \"On day %d they sold\", \"sentence_bad\": \"On day they sold %d\", \"UID\": \"%s\"}%n"
                            .formatted(i, i, i < 7 ? "large" : "small"));
        }
        var file = folder.resolve("paradigms.jsonl");
        Files.writeString(file, pairs);
        var told =
                new Run(
                                recipe(
                                        "twice",
                                        base,
                                        days(),
                                        "classification",
                                        "forgetting: {measure: {tasks: %s, pairs: %s}}"
                                                .formatted(runs, file)))
                        .train(s -> {})
                        .scores();
        for (var name : List.of("pairs", "pairs-2", "pairs-3")) {
            assertThat(value(told, name, "accuracy-change"))
                    .isCloseTo(
                            value(told, name + "-after", "accuracy")
                                    - value(told, name + "-before", "accuracy"),
                            within(1e-12));
        }
        assertThat(told.stream().map(s -> s.data() + " " + s.metric())).doesNotHaveDuplicates();
    }

    private static List<Score> read(Path run) {
        return List.of(Json.read(run.resolve("evaluation.json"), Score[].class));
    }

    @Test
    void whatIsFrozenForgetsNothing() {
        var base = folder.resolve("roberta/model");
        var told =
                new Run(
                                recipe(
                                        "frozen",
                                        base,
                                        days(),
                                        "classification",
                                        "adapter: {type: frozen}\nforgetting: {measure: {corpus: %s/prose.txt}, budget: 0}"
                                                .formatted(folder)))
                        .train(s -> {})
                        .scores();
        assertThat(value(told, "general", "perplexity-rise")).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"replay", "ewc", "lwf"})
    void encodersAreHeldToTheirText(String defence) {
        var base = folder.resolve("roberta/model");
        var free =
                new Run(
                                recipe(
                                        defence + "-free",
                                        base,
                                        days(),
                                        "classification",
                                        "forgetting: {measure: {corpus: %s/prose.txt}}"
                                                .formatted(folder)))
                        .train(s -> {})
                        .scores();
        var held =
                new Run(
                                recipe(
                                        defence,
                                        base,
                                        days(),
                                        "classification",
                                        "forgetting: {measure: {corpus: %1$s/prose.txt}, defence: {type: %2$s}}"
                                                .formatted(
                                                        folder,
                                                        switch (defence) {
                                                            case "ewc" ->
                                                                    "ewc, strength: 1e6, windows: 20, corpus: %s/prose.txt"
                                                                            .formatted(folder);
                                                            case "lwf" -> "lwf, weight: 20";
                                                            default ->
                                                                    "replay, fraction: 50%%, corpus: %s/prose.txt"
                                                                            .formatted(folder);
                                                        })))
                        .train(s -> {})
                        .scores();
        assertThat(value(held, "general", "perplexity-rise"))
                .isLessThan(value(free, "general", "perplexity-rise"));
    }

    @Test
    void aBudgetHoldsForWhateverIsMeasured() {
        var first =
                new Run(
                                recipe(
                                        "learnt",
                                        folder.resolve("gpt2/model"),
                                        places(),
                                        "classification",
                                        ""))
                        .train(s -> {});
        var measure =
                "forgetting: {measure: {tasks: [%s], corpus: %s/prose.txt}, budget: 1e-4}"
                        .formatted(first.folder(), folder);
        assertThatThrownBy(() ->
                        new Run(recipe("beyond", first.model(), days(), "classification", measure))
                                .train(s -> {}))
                .hasMessageContaining("beyond forgetting.budget");
    }

    @Test
    void whatCannotBeMeasuredIsRefused() {
        var base = folder.resolve("gpt2/model");
        for (var bad :
                List.of(
                        "{}",
                        "{domains: [{name: general, corpus: x}]}",
                        "{tasks: [%1$s/gpt2]}".formatted(folder),
                        "{tasks: [%1$s]}".formatted(folder),
                        "{pairs: %s/prose.txt}".formatted(folder))) {
            assertThatThrownBy(() ->
                            new Run(
                                            recipe(
                                                    "bad",
                                                    base,
                                                    days(),
                                                    "classification",
                                                    "forgetting: {measure: %s}".formatted(bad)))
                                    .train(s -> {}))
                    .as(bad)
                    .isInstanceOf(EspalierException.class);
        }
        // Another family's head fits nothing.
        var other =
                new Run(
                                recipe(
                                        "other",
                                        folder.resolve("roberta/model"),
                                        days(),
                                        "classification",
                                        ""))
                        .train(s -> {});
        assertThatThrownBy(() ->
                        new Run(
                                        recipe(
                                                "bad",
                                                base,
                                                days(),
                                                "classification",
                                                "forgetting: {measure: {tasks: [%s]}}"
                                                        .formatted(other.folder())))
                                .train(s -> {}))
                .hasMessageContaining("tokenizer");
    }
}
