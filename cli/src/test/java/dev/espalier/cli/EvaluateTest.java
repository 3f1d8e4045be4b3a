package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class EvaluateTest {
    @TempDir Path temp;

    private static List<JsonNode> run(String... args) {
        return run(new StringBuilder(), args);
    }

    /// @param said what goes to standard error
    private static List<JsonNode> run(StringBuilder said, String... args) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        var code =
                new Main(new PrintStream(out, true, StandardCharsets.UTF_8), errors, false)
                        .run(stop, Stream.concat(Stream.of(args), Stream.of("--json")).toList());
        stop.finished();
        said.append(err.toString(StandardCharsets.UTF_8));
        assertThat(code).as(said.toString()).isZero();
        return out.toString(StandardCharsets.UTF_8)
                .lines()
                .map(line -> Json.mapper().readTree(line))
                .toList();
    }

    /// What is said where the data are bad.
    private static String refusedData(String... args) {
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        assertThat(new Main(errors, errors, false).run(stop, List.of(args))).isEqualTo(3);
        stop.finished();
        return err.toString(StandardCharsets.UTF_8);
    }

    /// Labels are what the classifier itself says, but for five of twenty.
    @Test
    void theAccuracyAndItsIntervalAreRight() throws IOException {
        var base = TinyModel.write(temp.resolve("base"), List.of());
        var body = HuggingFace.readDecoder(base);
        var classifier = new SequenceClassifier(body.model(), List.of("no", "yes"));
        classifier.initializeHead(7);
        var model = temp.resolve("classifier");
        HuggingFace.save(model, classifier, body.config());
        Tokenizers.read(base).save(model);
        classifier.free();

        var texts = IntStream.range(0, 20).mapToObj(i -> "line " + (char) ('a' + i)).toList();
        var predict = new ArrayList<>(List.of("predict", model.toString()));
        predict.addAll(texts);
        var told =
                run(predict.toArray(String[]::new)).stream()
                        .map(line -> line.get("label").asString())
                        .toList();
        var csv = new StringBuilder("text,label\n");
        for (var i = 0; i < 20; i++) {
            var label = i % 4 == 0 ? told.get(i).equals("no") ? "yes" : "no" : told.get(i);
            csv.append(texts.get(i)).append(',').append(label).append('\n');
        }
        var file = Files.writeString(temp.resolve("test.csv"), csv);

        var accuracy =
                run("evaluate", model.toString(), "--data", "mine=" + file).stream()
                        .filter(line -> line.path("metric").asString("").equals("accuracy"))
                        .findFirst()
                        .orElseThrow();
        assertThat(accuracy.get("data").asString()).isEqualTo("mine");
        assertThat(accuracy.get("n").asInt()).isEqualTo(20);
        assertThat(accuracy.get("value").asDouble()).isEqualTo(0.75);
        // Wilson's interval of 15 of 20.
        assertThat(accuracy.get("low").asDouble()).isCloseTo(0.5313, within(1e-4));
        assertThat(accuracy.get("high").asDouble()).isCloseTo(0.8881, within(1e-4));
    }

    /// The tokens that are measured are the answers' characters and the token that ends each.
    @Test
    void anAssistantIsMeasuredOnItsAnswersAlone() throws IOException {
        var model = TinyModel.write(temp.resolve("chat"), List.of("<|im_start|>", "<|im_end|>"));
        var tokenizer = Tokenizers.read(model);
        var file =
                Files.writeString(
                        temp.resolve("held-out.jsonl"),
                        """
                        {"instruction": "Who comes", "output": "Lise"}
                        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                          {"role": "user", "content": "c"}, {"role": "assistant", "content": "de"}]}
                        """
                                .replace(",\n ", ", "));
        var data = new String[] {"evaluate", model.toString(), "--answers", "--data", "x=" + file};
        assertThat(refusedData(data)).contains("has no chat template");

        ChatTemplate.of(ChatTemplate.Known.CHATML, tokenizer).write(model);
        var scores = run(data);
        assertThat(scores)
                .extracting(s -> s.get("metric").asString())
                .containsExactly("loss", "perplexity", "bits-per-byte");
        // Lise, b, de, and three ends; seven bytes.
        assertThat(scores.get(0).get("n").asInt()).isEqualTo(10);
        assertThat(scores.get(2).get("n").asInt()).isEqualTo(7);

        var pairs =
                Files.writeString(
                        temp.resolve("pairs.jsonl"),
                        """
                        {"prompt": "a", "chosen": "b", "rejected": "c"}
                        {"prompt": "a", "chosen": "c", "rejected": "b"}
                        """);
        var preferred = run("evaluate", model.toString(), "--preferences", "--data", "x=" + pairs);
        assertThat(preferred)
                .extracting(s -> s.get("metric").asString() + " " + s.get("value").asDouble())
                .containsExactly("preference-accuracy 0.5", "preference-accuracy-per-token 0.5");

        var told = run("predict", model.toString(), "Who comes");
        var written =
                run(
                        "generate",
                        model.toString(),
                        "Who comes",
                        "--temperature",
                        "0",
                        "--max-new-tokens",
                        "256");
        assertThat(told.getFirst().get("answer")).isEqualTo(written.getFirst().get("text"));
    }

    /// The second record is too long by its last turns, the third by its oldest ones alone.
    @Test
    void answersThatAreTooLongAreLeftOutAndCounted() throws IOException {
        var model = TinyModel.write(temp.resolve("chat"), List.of("<|im_start|>", "<|im_end|>"));
        ChatTemplate.of(ChatTemplate.Known.CHATML, Tokenizers.read(model)).write(model);
        var turns =
                "{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}";
        var long_ = "x".repeat(200);
        var held =
                Files.writeString(
                        temp.resolve("held.jsonl"),
                        "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"a\", \"output\": \"%s\"}\n{\"messages\": [%s]}\n"
                                .formatted(
                                        long_, String.join(", ", Collections.nCopies(5, turns))));
        var data = "x=" + held;
        var said = said("evaluate", model.toString(), "--answers", "--data", data);
        assertThat(said)
                .contains(
                        "1 of 3 conversations are longer than 96 tokens and are left out",
                        "1 of 3 conversations are longer than 96 tokens and lost their oldest turns");
        var pairs =
                Files.writeString(
                        temp.resolve("pairs.jsonl"),
                        "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"%s\"}\n{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n"
                                .formatted(long_));
        var preferences =
                new String[] {
                    "evaluate", model.toString(), "--preferences", "--data", "x=" + pairs
                };
        assertThat(said(preferences))
                .contains("1 of 2 pairs are longer than 96 tokens and are left out");
        assertThat(run(preferences).getFirst().get("n").asInt()).isEqualTo(1);

        // As long as in training, where that is known.
        var config = model.resolve("config.json");
        var json = HuggingFace.config(model);
        HuggingFace.own(json).put("max_length", 40);
        Files.writeString(config, Json.line(json));
        assertThat(said("evaluate", model.toString(), "--answers", "--data", data))
                .contains("are longer than 40 tokens and are left out");
        HuggingFace.own(json).put("max_length", 8);
        Files.writeString(config, Json.line(json));
        assertThat(refusedData(preferences)).contains("all 2 records are longer than the 8 tokens");
    }

    /// What is said beside the results.
    private static String said(String... args) {
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        assertThat(
                        new Main(new PrintStream(new ByteArrayOutputStream()), errors, false)
                                .run(stop, List.of(args)))
                .as(err.toString(StandardCharsets.UTF_8))
                .isZero();
        stop.finished();
        return err.toString(StandardCharsets.UTF_8);
    }

    /// Where the run left the adapter alone, what it said of itself is said of its folder, and the
    /// answers are those of the merged model.
    @ParameterizedTest
    @CsvSource({"instruction, false", "instruction, true", "preference, true"})
    void anAdapterAnswersAsTheModelThatItMakes(String task, boolean dora) throws IOException {
        var base = TinyModel.write(temp.resolve("chat"), List.of("<|im_start|>", "<|im_end|>"));
        var records =
                task.equals("instruction")
                        ? "{\"instruction\": \"Who comes\", \"output\": \"Lise\"}\n"
                        : "{\"prompt\": \"a\", \"chosen\": \"be\", \"rejected\": \"cd\"}\n";
        var train = Files.writeString(temp.resolve("train.jsonl"), records.repeat(4));
        var held =
                Files.writeString(temp.resolve("held.jsonl"), records + records.replace("Li", "i"));
        var recipe =
                Files.writeString(
                        temp.resolve("recipe.yaml"),
                        """
                        name: adapted
                        output: "%s"
                        data: {train: "%s", validation: "%s"}
                        model: {path: "%s"}
                        task: {type: %s, template: chatml}
                        adapter: {type: lora, rank: 2, dora: %s, targets: all, merge: false}
                        training: {for: 6 steps, batch: 2, precision: fp32, optimizer: {type: adamw, rate: 0.1}}
                        """
                                .formatted(temp.resolve("run"), train, held, base, task, dora));
        run("finetune", recipe.toString());
        var adapter = temp.resolve("run/model");
        assertThat(adapter.resolve("model.safetensors")).doesNotExist();
        var merged = temp.resolve("merged");
        run("merge", base + "", "--adapter", adapter + "", "--output", merged.toString());

        var answers = run("predict", adapter.toString(), "Who comes", "ab");
        assertThat(answers).isEqualTo(run("predict", merged.toString(), "Who comes", "ab"));
        assertThat(answers).isNotEqualTo(run("predict", spoken(base), "Who comes", "ab"));
        var metric = task.equals("instruction") ? "loss" : "preference-accuracy";
        var measured =
                run(
                        "evaluate",
                        adapter.toString(),
                        task.equals("instruction") ? "--answers" : "--preferences",
                        "--data",
                        "validation=" + held);
        var said = Json.read(temp.resolve("run/evaluation.json"));
        assertThat(value(measured, metric)).isCloseTo(value(said, metric), within(1e-5));
    }

    /// What a run by LoRA left of a task with a head, or of an encoder with a decoder, is merged
    /// with all that it says of itself.
    @Test
    void adaptersOfWordsAndOfPairsAreMerged() throws IOException {
        var t5 = TinyModel.writeT5(temp.resolve("t5"));
        var bert = TinyModel.writeBert(temp.resolve("bert"), temp.resolve("x"), List.of("O", "A"));
        var pairs = "input,target\n" + "ab,yz\nba,zy\n".repeat(6);
        var words =
                Stream.of("quick", "brown", "jumps", "over", "lazy", "dog")
                        .map("the O\nfox B-ANIMAL\n%s O\n\n"::formatted)
                        .collect(Collectors.joining());
        var tasks =
                List.of(
                        List.of(
                                t5,
                                "pairs.csv",
                                pairs,
                                "sequence-to-sequence, prefix: \"c\"",
                                "ab"),
                        List.of(bert, "words.conll", words, "token-labelling", "the fox"));
        for (var task : tasks) {
            var data = Files.writeString(temp.resolve(task.get(1) + ""), task.get(2) + "");
            var run = temp.resolve("run-" + task.get(1));
            var recipe =
                    Files.writeString(
                            temp.resolve("recipe.yaml"),
                            """
                            name: adapted
                            output: "%s"
                            data: {train: "%s", validation-share: 25%%}
                            model: {path: "%s"}
                            task: {type: %s}
                            adapter: {type: lora, rank: 2, targets: all}
                            training: {for: 9 steps, batch: 2, optimizer: {type: adamw, rate: 0.03}}
                            """
                                    .formatted(run, data, task.get(0), task.get(3)));
            run("finetune", recipe.toString());
            var adapter = run.resolve("model").toString();
            var merged = temp.resolve("merged-" + task.get(1)).toString();
            run("merge", task.get(0) + "", "--adapter", adapter, "--output", merged);
            var text = task.get(4) + "";
            var told = run("predict", merged, text);
            assertThat(withoutNumbers(told))
                    .isEqualTo(withoutNumbers(run("predict", adapter, text)));
            if (task.get(0) == t5) {
                // Of what it has not learnt it writes other things.
                assertThat(withoutNumbers(told))
                        .isNotEqualTo(withoutNumbers(run("predict", t5.toString(), "c" + text)));
            } else {
                assertThat(probabilities(told))
                        .hasSameSizeAs(probabilities(run("predict", adapter, text)))
                        .isNotEmpty()
                        .containsExactly(
                                probabilities(run("predict", adapter, text)), within(1e-4));
            }
        }
    }

    private static final Pattern NUMBER = Pattern.compile("\\d\\.\\d+(E-\\d+)?");

    /// Probabilities differ in their last digits.
    private static String withoutNumbers(List<JsonNode> lines) {
        return NUMBER.matcher(lines.toString()).replaceAll("p");
    }

    private static double[] probabilities(List<JsonNode> lines) {
        return NUMBER.matcher(lines.toString())
                .results()
                .mapToDouble(found -> Double.parseDouble(found.group()))
                .toArray();
    }

    private static String spoken(Path base) throws IOException {
        ChatTemplate.of(ChatTemplate.Known.CHATML, Tokenizers.read(base)).write(base);
        return base.toString();
    }

    private static double value(Iterable<JsonNode> scores, String metric) {
        for (var score : scores) {
            if (score.get("data").asString().equals("validation")
                    && score.get("metric").asString().equals(metric)) {
                return score.get("value").asDouble();
            }
        }
        throw new AssertionError(metric);
    }

    /// A model that knows nothing writes the same each time, and copying is right in one of four.
    @Test
    void textsWrittenFromOthersAreMeasuredBesideCopies() throws IOException {
        var model = TinyModel.writeT5(temp.resolve("t5"));
        var first = run("predict", model.toString(), "abc", "xyz");
        assertThat(first).hasSize(2);
        assertThat(first.get(1).get("input").asString()).isEqualTo("xyz");
        assertThat(first.get(1).get("truncated").asBoolean()).isFalse();
        assertThat(first).isEqualTo(run("predict", model.toString(), "abc", "xyz"));
        var text = first.get(0).get("text").asString();
        var file =
                Files.writeString(
                        temp.resolve("pairs.csv"),
                        "small,large\nabc,abc\nabc,%s\nxyz,zyx\nb,d\nd,b\n"
                                .formatted(text.isBlank() ? "q" : text));
        var scores =
                run(
                        "evaluate",
                        model.toString(),
                        "--data",
                        "pairs=" + file,
                        "--input",
                        "small",
                        "--target",
                        "large",
                        "--words",
                        "characters",
                        "--stemming");
        assertThat(scores)
                .extracting(s -> s.get("metric").asString())
                .contains("loss", "perplexity", "bleu", "rouge-lsum", "copy-chrf");
        assertThat(scores)
                .filteredOn(s -> s.get("metric").asString().equals("copy-exact-match"))
                .singleElement()
                .satisfies(s -> {
                    assertThat(s.get("value").asDouble()).isEqualTo(0.25);
                    assertThat(s.get("n").asInt()).isEqualTo(4);
                });
        assertThat(scores)
                .filteredOn(s -> s.get("metric").asString().equals("exact-match"))
                .singleElement()
                .satisfies(s ->
                        assertThat(s.get("value").asDouble())
                                .isGreaterThanOrEqualTo(text.isBlank() ? 0 : 0.25));
    }

    /// What is left out of a measurement, or measured otherwise than it stands there, is said.
    @Test
    void whatIsNotMeasuredIsSaid() throws IOException {
        var model = TinyModel.writeT5(temp.resolve("t5")).toString();
        var file =
                Files.writeString(
                        temp.resolve("pairs.csv"),
                        "in,out\nabc,abc\n,q\nb,%s\n".formatted("d".repeat(100)));
        var data = "pairs=" + file;
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        var args = List.of("evaluate", model, "--data", data, "--input", "in", "--target", "out");
        assertThat(new Main(errors, errors, false).run(stop, args)).isZero();
        stop.finished();
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains(
                        "not all records are used (dropped: 1 empty)",
                        "1 of 2 targets are longer than the model was trained to tell");
    }

    private Path classifier(Problem problem) {
        var base = TinyModel.write(temp.resolve("base"), List.of());
        var body = HuggingFace.readDecoder(base);
        var classifier = new SequenceClassifier(body.model(), problem);
        classifier.initializeHead(7);
        var model = temp.resolve("classifier");
        HuggingFace.save(model, classifier, body.config());
        Tokenizers.read(base).save(model);
        classifier.free();
        return model;
    }

    private static double value(List<JsonNode> lines, String metric) {
        return lines.stream()
                .filter(line -> line.path("metric").asString("").equals(metric))
                .mapToDouble(line -> line.get("value").asDouble())
                .findFirst()
                .orElseThrow();
    }

    /// Labels are what the model itself says of each pair, in a table and as arguments.
    @Test
    void severalLabelsOfPairsArePredictedAndMeasured() throws IOException {
        var model =
                classifier(new Problem.MultiLabel(List.of("low", "mid", "top"), 0.5)).toString();
        var pairs = new StringBuilder("a,b\n");
        for (var i = 0; i < 12; i++) {
            pairs.append("line %c,then %c\n".formatted('a' + i, 'm' + i));
        }
        var file = Files.writeString(temp.resolve("pairs.csv"), pairs);
        var told = run("predict", model, "--file", file.toString(), "--field", "a", "--pair", "b");
        assertThat(told).hasSize(12);
        var one = run("predict", model, "line c", "--pair", "then o").getFirst();
        assertThat(one.at("/probabilities/low").asDouble())
                .isCloseTo(told.get(2).at("/probabilities/low").asDouble(), within(1e-5));
        assertThat(one.get("pair").asString()).isEqualTo("then o");
        assertThat(run("predict", model, "line c").getFirst().get("probabilities"))
                .isNotEqualTo(one.get("probabilities"));

        var labelled = new StringBuilder();
        for (var line : told) {
            labelled.append(
                            Json.line(
                                    java.util.Map.of(
                                            "a", line.get("text").asString(),
                                            "b", line.get("pair").asString(),
                                            "is", line.get("labels"))))
                    .append('\n');
        }
        var test = Files.writeString(temp.resolve("test.jsonl"), labelled).toString();
        var scores =
                run(
                        "evaluate",
                        model,
                        "--data",
                        test,
                        "--text",
                        "a",
                        "--pair",
                        "b",
                        "--label",
                        "is");
        assertThat(value(scores, "micro-f1")).isEqualTo(1);
        assertThat(value(scores, "subset-accuracy")).isEqualTo(1);
        assertThat(value(scores, "data-majority-micro-f1")).isPositive();
    }

    @Test
    void numbersArePredictedAndMeasured() throws IOException {
        var model = classifier(new Problem.Regression(50, 10)).toString();
        var told = run("predict", model, "line a", "line b", "line c", "line d");
        var csv = new StringBuilder("text,label\n");
        for (var line : told) {
            // Three too many each.
            csv.append(line.get("text").asString())
                    .append(',')
                    .append(line.get("number").asDouble() - 3)
                    .append('\n');
        }
        var test = Files.writeString(temp.resolve("test.csv"), csv).toString();
        var scores = run("evaluate", model, "--data", test);
        assertThat(value(scores, "mse")).isCloseTo(9, within(1e-3));
        assertThat(value(scores, "mae")).isCloseTo(3, within(1e-4));
        assertThat(value(scores, "pearson")).isCloseTo(1, within(1e-6));
        assertThat(value(scores, "mean-mae")).isPositive();
    }

    /// Nothing is known before training: every token is as likely, and the tags are what `predict`
    /// tells.
    @Test
    void encodersTellHiddenTokensAndLabellersWords() throws IOException {
        var labeller = temp.resolve("labeller");
        var labels = List.of("O", "B-X", "I-X");
        var bert = TinyModel.writeBert(temp.resolve("bert"), labeller, labels);
        var text =
                Files.writeString(
                        temp.resolve("text.txt"),
                        "the quick brown fox jumps over the lazy dog\n".repeat(9));
        var scores = run("evaluate", bert.toString(), "--data", "fox=" + text);
        assertThat(scores)
                .extracting(s -> s.get("metric").asString())
                .containsExactly("loss", "accuracy");
        var vocabulary = Tokenizers.read(bert).vocabularySize();
        assertThat(scores.getFirst().get("value").asDouble())
                .isCloseTo(Math.log(vocabulary), within(0.05));
        var tokens = Tokenizers.read(bert).plain().encode(Files.readString(text)).length;
        assertThat(scores.getFirst().get("n").asDouble())
                .isCloseTo(0.15 * tokens, within(0.05 * tokens));
        assertThat(run("evaluate", bert.toString(), "--data", "fox=" + text)).isEqualTo(scores);

        var words = List.of("the", "quick", "fox");
        var told = run("predict", labeller.toString(), String.join(" ", words)).getFirst();
        var lines = new StringBuilder();
        for (var i = 0; i < words.size(); i++) {
            var tag = told.get("words").get(i).get("label").asString();
            lines.append(words.get(i)).append(' ').append(tag).append('\n');
        }
        var tagged = Files.writeString(temp.resolve("test.conll"), lines);
        assertThat(run("evaluate", labeller.toString(), "--data", "x=" + tagged))
                .filteredOn(s -> s.get("metric").asString().equals("accuracy"))
                .singleElement()
                .satisfies(s -> {
                    assertThat(s.get("value").asDouble()).isEqualTo(1);
                    assertThat(s.get("n").asInt()).isEqualTo(3);
                });

        var other = Files.writeString(temp.resolve("other.conll"), "the B-Y\n");
        assertThat(refusedData("evaluate", labeller.toString(), "--data", other.toString()))
                .contains("other.conll:1", "`B-Y`", "O, B-X, I-X");

        // A tag that is not learnt, and a word of more letters than the model sees at once.
        var more =
                Files.writeString(
                        temp.resolve("more.conll"), lines + "the B-Y\n" + "o".repeat(40) + " O\n");
        var said = new StringBuilder();
        assertThat(run(said, "evaluate", labeller.toString(), "--data", more.toString()))
                .filteredOn(s -> s.get("metric").asString().equals("accuracy"))
                .singleElement()
                .satisfies(s -> assertThat(s.get("n").asInt()).isEqualTo(5));
        assertThat(said)
                .containsOnlyOnce("B-Y (1)")
                .containsOnlyOnce("1 words are longer than the model sees at once");
    }
}
