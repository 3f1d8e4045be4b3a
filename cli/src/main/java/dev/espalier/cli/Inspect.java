package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.checkpoint.SafeTensors.Entry;
import dev.espalier.checkpoint.WeightFiles;
import dev.espalier.data.TokenShard;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Drawing;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.objective.ExampleText;
import dev.espalier.recipe.Recipes;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;

@Command(
        name = "inspect",
        description =
                "Says what a model, adapter, checkpoint, run, tokenizer, token shard or safetensors"
                        + " file is. Of a recipe, shows what its model would be trained on: a step's"
                        + " first examples, with what is noise and what is to be told.",
        footerHeading = "%nExample:%n",
        footer = {
            "  espalier inspect runs/java-prose",
            "  espalier inspect runs/java-prose/model/model.safetensors --tensors",
            "  espalier inspect recipes/pretrain/bart-toy.yaml --step 100"
        })
final class Inspect implements Callable<Integer> {
    /// On a sheet, and beside one another.
    private static final int PICTURES = 64;

    private static final int COLUMNS = 8;

    private final Main.Context context;

    @Parameters(paramLabel = "PATH", description = "A folder, file or recipe.")
    private Path path = Path.of("");

    @Option(names = "--tensors", description = "List every tensor with its type and shape.")
    private boolean tensors;

    @Option(
            names = "--step",
            defaultValue = "0",
            paramLabel = "N",
            description = "The step of a recipe, from 0. Default: ${DEFAULT-VALUE}.")
    private long step;

    @Option(
            names = "--examples",
            defaultValue = "3",
            paramLabel = "N",
            description = "How many of the step's examples. Default: ${DEFAULT-VALUE}.")
    private int examples;

    @Option(
            names = "--sheet",
            paramLabel = "FILE",
            description =
                    "Where a sheet of the examples' pictures goes, as PNG, where the model reads"
                            + " pictures: as it sees them, changed at random, with what it is to"
                            + " tell drawn in. Default: the recipe's name and the step in the"
                            + " working directory.")
    private @Nullable Path sheet;

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    Inspect(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        Given.path(path);
        if (Files.isRegularFile(path) && path.toString().matches("(?i).*\\.ya?ml")) {
            examples(context.console());
            return 0;
        }
        var facts = Files.isDirectory(path) ? folder(path) : file(path);
        context.console().result(text(facts), facts);
        return 0;
    }

    private void examples(Console console) {
        if (step < 0 || examples < 1) {
            throw EspalierException.usage("--step must be at least 0, and --examples at least 1");
        }
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        console.note(line);
                    }
                };
        var recipe = Recipes.read(path, overrides);
        var all = new Run(recipe).examples(step, watcher);
        var shown = new ShownExamples(console.colour());
        all.stream()
                .limit(examples)
                .forEach(example ->
                        console.result(shown.text(example), ShownExamples.json(example)));
        console.note(
                "%d of %d examples of step %d; %s"
                        .formatted(
                                Math.min(examples, all.size()), all.size(), step, shown.legend()));
        var pictures =
                all.stream()
                        .map(ExampleText::picture)
                        .filter(Objects::nonNull)
                        .limit(PICTURES)
                        .toList();
        if (!pictures.isEmpty()) {
            var name = "%s-step-%d.png".formatted(recipe.name(), step);
            var file = sheet == null ? Path.of(name) : sheet;
            AtomicFiles.write(file, to -> Files.write(to, Drawing.sheet(pictures, COLUMNS)));
            console.note("%s: a sheet of %d pictures".formatted(file, pictures.size()));
        }
    }

    /// A fact a line, `key: value`; lists of facts are indented.
    static String text(Map<String, ?> facts) {
        return facts.entrySet().stream()
                .map(fact ->
                        fact.getValue() instanceof Map<?, ?> more && more.size() > 0
                                ? fact.getKey()
                                        + ":\n"
                                        + text(named(more)).indent(2).stripTrailing()
                                : fact.getKey() + ": " + text(fact.getValue()))
                .collect(Collectors.joining("\n"));
    }

    private static String text(@Nullable Object value) {
        return switch (value) {
            case Long n -> "%,d".formatted(n);
            case Double d -> "%.4g".formatted(d);
            case List<?> list when list.stream().anyMatch(Score.class::isInstance) -> {
                var scores = list.stream().map(Score.class::cast).toList();
                yield "\n" + Scores.table(scores).indent(2).stripTrailing();
            }
            case null, default -> String.valueOf(value);
        };
    }

    private static Map<String, Object> named(Map<?, ?> map) {
        var named = new LinkedHashMap<String, Object>();
        map.forEach((key, value) -> named.put(String.valueOf(key), value));
        return named;
    }

    private SequencedMap<String, Object> file(Path file) {
        var name = String.valueOf(file.getFileName());
        if (name.endsWith(".safetensors")) {
            return safeTensors(file);
        }
        if (TokenShard.isShard(file)) {
            try (var shard = TokenShard.open(file)) {
                var facts = facts("token shard");
                Json.mapper()
                        .valueToTree(shard.summary())
                        .properties()
                        .forEach(fact -> facts.put(fact.getKey(), fact.getValue()));
                return facts;
            }
        }
        if (name.endsWith(".json") && Json.read(file).has("model")) {
            return tokenizer(file);
        }
        throw EspalierException.data(
                file
                        + ": is neither a safetensors file, a token shard nor a tokenizer.json; inspect"
                        + " knows these");
    }

    private SequencedMap<String, Object> folder(Path folder) {
        if (has(folder, "run.lock") || Files.isDirectory(folder.resolve("checkpoints"))) {
            return run(folder);
        }
        if (has(folder, "manifest.json")) {
            Checkpoints.check(folder);
            var facts = facts("checkpoint, whole");
            facts.put("model", folder(folder.resolve("model")));
            return facts;
        }
        if (has(folder, "adapter_config.json")) {
            var config = Json.read(folder.resolve("adapter_config.json"));
            var facts = facts("adapter");
            for (var key :
                    new String[] {
                        "peft_type", "task_type", "r", "lora_alpha", "base_model_name_or_path"
                    }) {
                if (config.hasNonNull(key)) {
                    var value = config.get(key);
                    facts.put(key, value.isString() ? value.asString() : value);
                }
            }
            facts.putAll(safeTensors(folder.resolve("adapter_model.safetensors")));
            facts.put("kind", "adapter");
            return facts;
        }
        if (has(folder, "config.json")) {
            return model(folder);
        }
        if (has(folder, "tokenizer.json") || has(folder, "vocab.json")) {
            return tokenizer(folder);
        }
        throw EspalierException.data(
                folder
                        + ": holds no config.json, adapter_config.json, tokenizer.json, manifest.json"
                        + " or checkpoints, so it is no model, adapter, tokenizer, checkpoint or run");
    }

    private SequencedMap<String, Object> model(Path folder) {
        var config = Json.read(folder.resolve("config.json"));
        var facts = facts("model");
        facts.put("type", config.path("model_type").asString("unknown"));
        if (config.path("architectures").path(0).isString()) {
            facts.put("architecture", config.path("architectures").path(0).asString());
        }
        for (var key :
                new String[] {
                    "n_layer",
                    "n_head",
                    "n_embd",
                    "n_positions",
                    "num_hidden_layers",
                    "hidden_size",
                    "num_attention_heads",
                    "num_key_value_heads",
                    "max_position_embeddings",
                    "vocab_size"
                }) {
            if (config.path(key).isIntegralNumber()) {
                facts.put(key, config.path(key).asInt());
            }
        }
        if (config.path("id2label").size() > 0) {
            facts.put(
                    "labels",
                    config.path("id2label").valueStream().map(n -> n.asString()).toList());
        }
        if (has(folder, WeightFiles.SINGLE) || has(folder, WeightFiles.INDEX)) {
            try (var weights = WeightFiles.open(folder)) {
                facts.put("weights", weights(weights.entries()));
            }
        } else {
            facts.put("weights", "no " + WeightFiles.SINGLE);
        }
        if (has(folder, "tokenizer.json") || has(folder, "vocab.json")) {
            facts.put("tokenizer", TokenizerVerb.facts(Tokenizers.read(folder)));
        }
        return facts;
    }

    private static SequencedMap<String, Object> tokenizer(Path path) {
        var facts = facts("tokenizer");
        facts.putAll(TokenizerVerb.facts(Tokenizers.read(path)));
        return facts;
    }

    private SequencedMap<String, Object> safeTensors(Path file) {
        try (var open = SafeTensors.open(file)) {
            var facts = facts("safetensors");
            facts.putAll(weights(open.entries()));
            if (!open.metadata().isEmpty()) {
                facts.put("metadata", open.metadata());
            }
            return facts;
        }
    }

    private SequencedMap<String, Object> weights(List<Entry> entries) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("tensors", (long) entries.size());
        facts.put("elements", entries.stream().mapToLong(Inspect::elements).sum());
        facts.put("bytes", entries.stream().mapToLong(entry -> entry.data().byteSize()).sum());
        facts.put("types", entries.stream().map(entry -> entry.dtype().name()).distinct().toList());
        if (tensors) {
            var list = new LinkedHashMap<String, Object>();
            entries.forEach(entry ->
                    list.put(entry.name(), entry.dtype() + " " + Arrays.toString(entry.shape())));
            facts.put("list", list);
        }
        return facts;
    }

    private static long elements(Entry entry) {
        return entry.data().byteSize() / entry.dtype().size();
    }

    private SequencedMap<String, Object> run(Path folder) {
        var facts = facts("run");
        var checkpoints = new LinkedHashMap<String, Object>();
        for (var checkpoint : new Checkpoints(folder.resolve("checkpoints")).list()) {
            checkpoints.put(
                    String.valueOf(checkpoint.folder().getFileName()), state(checkpoint.folder()));
        }
        facts.put("checkpoints", checkpoints.isEmpty() ? "none" : checkpoints);
        if (has(folder, "metrics.jsonl")) {
            facts.put("last-metrics", lastMetrics(folder.resolve("metrics.jsonl")));
        }
        if (has(folder, "evaluation.json")) {
            facts.put(
                    "evaluation",
                    List.of(Json.read(folder.resolve("evaluation.json"), Score[].class)));
        }
        if (has(folder.resolve("model"), "config.json")) {
            facts.put("model", model(folder.resolve("model")));
        }
        return facts;
    }

    private static String state(Path checkpoint) {
        try {
            Checkpoints.check(checkpoint);
            return "whole";
        } catch (EspalierException e) {
            return "broken: " + e.getMessage();
        }
    }

    /// The figures of the last whole line; one that a run is writing, or was killed in, is not.
    private static Map<String, Object> lastMetrics(Path file) {
        try (var lines = Files.lines(file)) {
            var last =
                    lines.filter(line -> line.endsWith("}")).reduce("{}", (before, line) -> line);
            return Json.mapper()
                    .readValue(last, new TypeReference<LinkedHashMap<String, Object>>() {});
        } catch (JacksonException e) {
            throw EspalierException.data(
                    file + ": its last line is broken (" + Json.why(e) + ")", e);
        } catch (IOException | UncheckedIOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static boolean has(Path folder, String file) {
        return Files.isRegularFile(folder.resolve(file));
    }

    private static SequencedMap<String, Object> facts(String kind) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("kind", kind);
        return facts;
    }
}
