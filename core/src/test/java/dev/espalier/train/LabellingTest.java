package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.TokenLabeller;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Whole runs of token labelling at a tiny size.
class LabellingTest {
    private static final String[] FIRST = {"Anna", "Peter", "Maria", "Otto"};
    private static final String[] LAST = {"Hale", "Bram", "Miller"};
    private static final String[] PLACES = {"Paris", "Rome", "Oslo"};

    @TempDir Path folder;

    @BeforeEach
    void writeText() throws IOException {
        var conll = new StringBuilder();
        var spans = new StringBuilder();
        for (var i = 0; i < 200; i++) {
            var rng = Rng.at(i);
            var first = FIRST[rng.nextInt(4)];
            var last = LAST[rng.nextInt(3)];
            var place = PLACES[rng.nextInt(3)];
            conll.append(
                    "Today O\n%s B-PER\n%s I-PER\nwent O\nto O\n%s B-LOC\n. O\n\n"
                            .formatted(first, last, place));
            var text = "Today %s %s went to %s.".formatted(first, last, place);
            spans.append(
                    "{\"text\": \"%s\", \"spans\": [{\"start\": 6, \"end\": %d, \"label\": \"PER\"}, {\"start\": %d, \"end\": %d, \"label\": \"LOC\"}]}\n"
                            .formatted(
                                    text,
                                    7 + first.length() + last.length(),
                                    text.indexOf(place),
                                    text.indexOf(place) + place.length()));
        }
        Files.writeString(folder.resolve("names.conll"), conll);
        Files.writeString(folder.resolve("names.jsonl"), spans);
    }

    private Run.Result run(String name, String data, String model, String more) {
        return runOn(name, data + ", validation-share: 25%", model, more);
    }

    private Run.Result runOn(String name, String data, String model, String more) {
        return runOn(name, data, model, more, new ArrayList<>());
    }

    /// @param said what the run says
    private Run.Result runOn(
            String name, String data, String model, String more, List<String> said) {
        return new Run(
                        Recipes.parse(
                                """
                                name: %s
                                output: %s/%s
                                data: {train: %s/%s}
                                %s
                                task: {type: token-labelling}
                                training: {for: 4 epochs, batch: 16, optimizer: {type: adamw, rate: 5e-3}}
                                %s
                                """
                                        .formatted(name, folder, name, folder, data, model, more),
                                name))
                .train(
                        new Watcher() {
                            @Override
                            public void said(String line) {
                                said.add(line);
                            }
                        },
                        false);
    }

    private static double value(Run.Result result, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals("validation") && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"bert, names.conll", "gpt2, names.conll", "distilbert, names.jsonl"})
    void entitiesAreLearntAndPredicted(String type, String data) {
        var tokenizer =
                type.equals("gpt2")
                        ? "tokenizer: {type: bpe, vocabulary: 300}\n"
                        : "tokenizer: {type: wordpiece, vocabulary: 80}\n";
        var result =
                run(
                        "tagger",
                        data,
                        tokenizer
                                + "model: {type: %s, layers: 1, heads: 2, width: 32, context: 32}"
                                        .formatted(type),
                        "");
        assertThat(value(result, "f1")).isGreaterThan(0.9);
        assertThat(value(result, "accuracy")).isGreaterThan(0.95);
        assertThat(value(result, "majority-accuracy")).isLessThan(0.7);
        assertThat(HuggingFace.isTokenClassifier(result.model())).isTrue();
        assertThat(result.folder().resolve("report.html")).isNotEmptyFile();
        var text = "Today Maria Bram went to Oslo.";
        try (var labeller = TokenLabeller.load(result.model())) {
            var prediction = labeller.label(text);
            assertThat(prediction.words()).hasSize(7);
            assertThat(prediction.spans())
                    .extracting(s -> text.substring(s.start(), s.end()) + "/" + s.label())
                    .containsExactly("Maria Bram/PER", "Oslo/LOC");
            assertThat(prediction.spans()).allMatch(s -> s.probability() > 0.5);
            // Longer than the model sees: in pieces.
            var long_ = (text + " ").repeat(10);
            assertThat(labeller.label(long_).words()).hasSize(70);
            assertThat(labeller.label("").words()).isEmpty();
            var records =
                    TaggedReader.read(folder.resolve(data), "", "text", "spans", Ledger.strict());
            assertThat(labeller.evaluate("all", records, 1).scores())
                    .extracting(Score::metric)
                    .contains("majority-accuracy");
        }
    }

    @Test
    void entitiesDecideWhichWeightsAreKeptAndWordClassesCannot() throws IOException {
        assertThat(value(byF1("names.conll"), "f1")).isGreaterThan(0.9);
        var classes = Files.readString(folder.resolve("names.conll"));
        Files.writeString(
                folder.resolve("classes.conll"),
                classes.replaceAll(" (B|I)-\\w+", " NOUN").replaceAll(" O", " VERB"));
        assertThatThrownBy(() -> byF1("classes.conll"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("f1 counts entities");
    }

    /// Where the recipe stops early by nothing: a labeller that finds no entity is right of most
    /// words. Tags that are of none have no F1.
    @Test
    void whatTagsAreJudgedByDependsOnWhatTheyAre() throws IOException {
        Files.writeString(
                folder.resolve("classes.conll"),
                Files.readString(folder.resolve("names.conll"))
                        .replaceAll(" (B|I)-\\w+", " NOUN")
                        .replaceAll(" O", " VERB"));
        var accuracy = new Score("validation", "accuracy", 0.9, 0.8, 1, 50);
        var f1 = new Score("validation", "f1", 0.2, 0.1, 0.3, 50);
        assertThat(selected("names.conll", accuracy, f1)).isEqualTo(0.2);
        assertThat(selected("classes.conll", accuracy)).isEqualTo(0.9);
        assertThatThrownBy(() -> selected("names.conll", accuracy))
                .hasMessageContaining("f1 is not in");
    }

    private @Nullable Double selected(String data, Score... scores) {
        var recipe =
                Recipes.parse(
                        """
                        data: {train: %s/%s, validation-share: 25%%}
                        tokenizer: {type: wordpiece, vocabulary: 80}
                        model: {type: bert, layers: 1, heads: 2, width: 32, context: 32}
                        task: {type: token-labelling}
                        training: {for: 4 epochs, early-stopping: none}
                        """
                                .formatted(folder, data),
                        "selected");
        return new Run(recipe).aside(new Watcher() {}, (_, job) -> job.selection(List.of(scores)));
    }

    private Run.Result byF1(String data) {
        return new Run(
                        Recipes.parse(
                                """
                                name: by-f1
                                output: %s/by-%s
                                data: {train: %s/%s, validation-share: 25%%}
                                tokenizer: {type: wordpiece, vocabulary: 80}
                                model: {type: bert, layers: 1, heads: 2, width: 32, context: 32}
                                task: {type: token-labelling}
                                training:
                                  for: 4 epochs
                                  batch: 16
                                  optimizer: {type: adamw, rate: 5e-3}
                                  early-stopping: {patience: 3, metric: f1}
                                evaluate: {every: 1 epoch}
                                """
                                        .formatted(folder, data, folder, data),
                                "by-f1"))
                .train(s -> {});
    }

    @Test
    void adaptersOfAPretrainedModelAreSavedAndRead() {
        var tagger =
                run(
                        "base",
                        "names.conll",
                        "tokenizer: {type: wordpiece, vocabulary: 80}\n"
                                + "model: {type: bert, layers: 1, heads: 2, width: 32, context: 32}",
                        "");
        var lora =
                run(
                        "lora",
                        "names.conll",
                        "model: {path: %s}".formatted(tagger.model()),
                        "adapter: {type: lora, rank: 4, alpha: 8, targets: all, dora: true}");
        assertThat(HuggingFace.isAdapter(lora.model())).isTrue();
        var passport = Json.read(lora.folder().resolve("passport.json"));
        var parent = tagger.model().resolve("model.safetensors");
        assertThat(passport.at("/parent-model/files").valueStream().map(Object::toString))
                .anyMatch(f -> f.contains(AtomicFiles.sha256(parent)));
        assertThat(passport.at("/tokenizer/path").asString(""))
                .isEqualTo(tagger.model().toString());
        assertThat(value(lora, "f1")).isGreaterThan(0.9);
        var text = "Today Otto Hale went to Rome.";
        try (var labeller = TokenLabeller.load(lora.model())) {
            assertThat(labeller.label(text).spans())
                    .extracting(TokenLabeller.Span::label)
                    .containsExactly("PER", "LOC");
        }
    }

    /// A model is used as it was measured: longer texts are read in pieces as long as in training.
    @Test
    void aLabellerReadsAsMuchAtOnceAsInTraining() throws IOException {
        var result =
                new Run(
                                Recipes.parse(
                                        """
                                        name: short
                                        output: %s/short
                                        data: {train: %s/names.conll, validation-share: 25%%}
                                        tokenizer: {type: wordpiece, vocabulary: 80}
                                        model: {type: bert, layers: 1, heads: 2, width: 32, context: 32}
                                        task: {type: token-labelling, max-length: 9}
                                        training: {for: 1 epoch, batch: 16}
                                        """
                                                .formatted(folder, folder),
                                        "short"))
                        .train(s -> {});
        TokenLabeller.load(result.model()).close();
        var config = result.model().resolve("config.json");
        Files.writeString(
                config,
                Files.readString(config).replace("\"max_length\": 9", "\"max_length\": 99"));
        assertThatThrownBy(() -> TokenLabeller.load(result.model()))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("espalier.max_length is 99");
    }

    private static final String TINY =
            "tokenizer: {type: wordpiece, vocabulary: 80}\nmodel: {type: bert, layers: 1, heads: 2, width: 8, context: 32}";

    @Test
    void tagsAreThoseOfTheTrainingFile() throws IOException {
        Files.writeString(folder.resolve("known.conll"), "Rome B-LOC\n\n");
        var known = runOn("known", "names.conll, validation: " + folder + "/known.conll", TINY, "");
        assertThat(HuggingFace.readTokenClassifier(known.model()).model().labels())
                .containsExactly("B-LOC", "B-PER", "I-PER", "O");
        Files.writeString(folder.resolve("classes.conll"), "Rome B-LOC\nLtd NOUN\n\n");
        Files.writeString(folder.resolve("others.conll"), "Rome B-ORG\nLtd I-ORG\n\n");
        for (var other :
                List.of(
                        List.of("classes.conll", "the tag `NOUN`"),
                        List.of("others.conll", "the first has `B-ORG`"))) {
            var data = "names.conll, validation-share: 25%, test: " + folder + "/" + other.get(0);
            assertThatThrownBy(() -> runOn("other", data, TINY, ""))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContainingAll(
                            other.get(0) + ":1", other.get(1), "[B-LOC, B-PER, I-PER, O]");
        }
    }

    /// A tag that is not learnt is never told: its words are wrong, and its entities are missed.
    @Test
    void entitiesOfTagsThatAreNotLearntAreMissed() throws IOException {
        var known = "Today O\nAnna B-PER\nHale I-PER\nwent O\nto O\nRome B-LOC\n. O\n\n";
        Files.writeString(
                folder.resolve("later.conll"),
                known.repeat(3) + "Today O\nto O\nRome B-LOC\nLtd B-ORG\nLtd I-ORG\n\n");
        var said = new ArrayList<String>();
        var result =
                runOn(
                        "later",
                        "names.conll, validation-share: 25%, test: " + folder + "/later.conll",
                        TINY,
                        "",
                        said);
        assertThat(said)
                .filteredOn(line -> line.contains("not learnt"))
                .singleElement()
                .asString()
                .startsWith("test: 2 words")
                .endsWith("B-ORG (1), I-ORG (1)");
        Function<String, Score> scores =
                metric -> Score.find(result.scores(), "test", metric).orElseThrow();
        // 7 entities of 4 sentences and one that is missed; 26 words, of which 24 have a loss.
        assertThat(scores.apply("recall").n()).isEqualTo(8);
        assertThat(scores.apply("recall").value()).isLessThanOrEqualTo(7 / 8.0);
        assertThat(scores.apply("accuracy").n()).isEqualTo(26);
        assertThat(scores.apply("accuracy").value()).isLessThanOrEqualTo(24 / 26.0);
        assertThat(scores.apply("loss").n()).isEqualTo(24);
        assertThat(scores.apply("loss").value()).isBetween(0.0, Math.log(4) + 1);
        assertThat(scores.apply("f1:ORG").value()).isZero();
        assertThat(scores.apply("f1:ORG").n()).isEqualTo(1);
        assertThat(result.folder().resolve("report.html")).content().contains("B-ORG");
        assertThat(
                        Json.read(result.folder().resolve("passport.json"))
                                .at("/data/test-words-of-unknown-tags")
                                .asInt(-1))
                .isEqualTo(2);
        try (var labeller = TokenLabeller.load(result.model())) {
            var records =
                    TaggedReader.read(
                            folder.resolve("later.conll"), "", "text", "spans", Ledger.strict());
            var again = labeller.evaluate("test", records, 1);
            assertThat(again.truth().unknown()).containsOnlyKeys("B-ORG", "I-ORG");
            assertThat(again.scores())
                    .filteredOn(s -> s.metric().equals("recall"))
                    .singleElement()
                    .isEqualTo(scores.apply("recall"));
        }
    }

    /// Their first tokens tell their tags, which is said.
    @Test
    void wordsLongerThanTheModelSeesAreCounted() throws IOException {
        var word = "Anna".repeat(24);
        Files.writeString(folder.resolve("long.conll"), word + " B-PER\nHale I-PER\n\n");
        var said = new ArrayList<String>();
        var result =
                runOn(
                        "long",
                        "names.conll, validation-share: 25%, test: " + folder + "/long.conll",
                        TINY,
                        "",
                        said);
        assertThat(said)
                .contains(
                        "test: 1 of 2 words are longer than 32 tokens and are told by their first ones");
        assertThat(said).noneMatch(line -> line.matches("(training|validation): .* longer .*"));
        try (var labeller = TokenLabeller.load(result.model())) {
            var told = labeller.label(List.of("Today " + word + " went", "Today Anna went"));
            assertThat(told.get(0).words()).hasSize(3);
            assertThat(told.get(0).truncated()).isTrue();
            assertThat(told.get(1).truncated()).isFalse();
            var records =
                    TaggedReader.read(
                            folder.resolve("long.conll"), "", "text", "spans", Ledger.strict());
            assertThat(labeller.evaluate("test", records, 1).cut()).isEqualTo(1);
        }
    }

    /// Who trained on words that others cut has theirs labelled, whatever the text looks like.
    @Test
    void wordsThatAreCutAlreadyAreLabelledAsTheyAre() {
        var result = run("cut", "names.conll", TINY, "");
        try (var labeller = TokenLabeller.load(result.model())) {
            var words = TaggedReader.spaced("Today Ann-Marie went");
            var told = labeller.labelWords(List.of(words)).getFirst();
            assertThat(told.words())
                    .extracting(s -> told.text().substring(s.start(), s.end()))
                    .containsExactly("Today", "Ann-Marie", "went");
            assertThat(labeller.tags(List.of(words)).getFirst())
                    .isEqualTo(told.words().stream().map(TokenLabeller.Span::label).toList());
            assertThat(labeller.label(words.text()).words()).hasSize(5);
        }
    }

    @Test
    void oneTagAloneIsRefused() throws IOException {
        Files.writeString(folder.resolve("one.conll"), "a O\nb O\n\n".repeat(40));
        assertThatThrownBy(() ->
                        run(
                                "one",
                                "one.conll",
                                "tokenizer: {type: wordpiece, vocabulary: 20}\n"
                                        + "model: {type: bert, layers: 1, heads: 2, width: 32, context: 32}",
                                ""))
                .isInstanceOf(EspalierException.class)
                .hasMessageMatching("(?s).*(at least two tags|too few).*");
    }
}
