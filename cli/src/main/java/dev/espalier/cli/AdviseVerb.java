package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Machine;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Advice;
import dev.espalier.study.Advice.Way;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.GeneralText;
import dev.espalier.train.Planning;
import dev.espalier.train.Watcher;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "advise",
        description = {
            "Recommends which way to go to a classifier, with reasons and costs, by rules that",
            "docs/advice.md explains, and writes recipes for it that are ready to run."
        },
        footer = {
            "",
            "Example: espalier advise --labels train.csv --test test.csv --model runs/books/model --text docs.txt --general books.txt"
        })
final class AdviseVerb implements Callable<Integer> {
    /// Tokens of each text that the base model is asked to foresee.
    private static final int MEASURED_TOKENS = 16_384;

    private final Main.Context context;

    @Option(names = "--labels", paramLabel = "FILE", description = "The labelled records.")
    private @Nullable Path labels;

    @Option(names = "--test", paramLabel = "FILE", description = "Records that are to be the test.")
    private @Nullable Path test;

    @Option(
            names = "--columns",
            split = ",",
            description = "Columns of text and label (default: ${DEFAULT-VALUE}).")
    private List<String> columns = List.of("text", "label");

    @Option(names = "--model", paramLabel = "FOLDER", description = "A pre-trained base model.")
    private @Nullable Path model;

    @Option(
            names = "--text",
            paramLabel = "FILE",
            description = "Unlabelled text of the domain, a file or a glob.")
    private @Nullable String text;

    @Option(
            names = "--general",
            paramLabel = "FILE",
            description = "Text like that of the base model, to hold the domain's against.")
    private @Nullable String general;

    @Option(
            names = "--keep-general",
            description = "The model must go on with general text as before.")
    private boolean keepGeneral;

    @Option(
            names = "--latency",
            paramLabel = "MS",
            description = "Milliseconds that telling one text may take.")
    private @Nullable Double latency;

    @Option(
            names = "--output",
            paramLabel = "FOLDER",
            description = "Where recipes are written (default: ${DEFAULT-VALUE}).")
    private Path output = Path.of("advice");

    AdviseVerb(Main.Context context) {
        this.context = context;
    }

    /// What was measured, what follows, and what it costs.
    record Result(
            Advice.Situation situation,
            Advice advice,
            Map<String, Plan.Estimate> costs,
            Map<String, Path> recipes) {}

    @Override
    public Integer call() {
        if (columns.size() != 2) {
            throw EspalierException.usage("--columns: two names, such as text,label");
        }
        var console = context.console();
        var records = labels == null ? List.<LabelledText>of() : read(labels);
        var counts = new HashMap<String, Integer>();
        records.forEach(r -> counts.merge(r.label(), 1, Integer::sum));
        var recipes = new LinkedHashMap<String, Path>();
        var costs = new LinkedHashMap<String, Plan.Estimate>();
        Plan tuned = null;
        if (labels != null && model != null) {
            for (var way : List.of(Way.FINE_TUNE, Way.ADAPTER, Way.PRETRAIN_FURTHER)) {
                if (way == Way.PRETRAIN_FURTHER && text == null) {
                    continue;
                }
                var file = output.resolve(way.title().replace(' ', '-') + ".yaml");
                AtomicFiles.write(file, recipe(way));
                var planned =
                        Planning.plan(
                                Recipes.read(file),
                                true,
                                Hardware.builtIn(),
                                History.ofUser(),
                                new Watcher() {});
                recipes.put(way.title(), file);
                costs.put(way.title(), planned.machines().getFirst());
                tuned = way == Way.FINE_TUNE ? planned : tuned;
            }
        }
        var perText = tuned == null ? null : seconds(tuned, records);
        var room = Machine.availableBytes();
        var situation =
                new Advice.Situation(
                        text == null ? null : tokens(text),
                        counts.isEmpty()
                                ? null
                                : counts.values().stream().min(Integer::compare).orElse(null),
                        counts.isEmpty()
                                ? null
                                : counts.values().stream().max(Integer::compare).orElse(null),
                        records.isEmpty() ? null : Double.valueOf(conflicts(records)),
                        test == null || records.isEmpty()
                                ? null
                                : Double.valueOf(leaked(records, read(test))),
                        model != null,
                        distance(),
                        keepGeneral,
                        room == 0 ? null : Long.valueOf(room),
                        tuned == null ? null : Long.valueOf(tuned.training().total()),
                        perText,
                        latency == null ? null : Double.valueOf(latency / 1000));
        var advice = Advice.of(situation);
        var result = new Result(situation, advice, costs, recipes);
        console.result(text(result), result);
        return 0;
    }

    private List<LabelledText> read(Path file) {
        try (var ledger = Ledger.strict()) {
            return LabelledReader.read(
                    Given.file(file),
                    new LabelledReader.Columns(columns.get(0), columns.get(1)),
                    null,
                    ledger);
        }
    }

    /// The share of records whose text stands with another label too.
    private static double conflicts(List<LabelledText> records) {
        var labels = new HashMap<String, HashSet<String>>();
        records.forEach(r -> labels.computeIfAbsent(plain(r), _ -> new HashSet<>()).add(r.label()));
        return records.stream()
                        .filter(r -> labels.getOrDefault(plain(r), new HashSet<>()).size() > 1)
                        .count()
                / (double) records.size();
    }

    private static double leaked(List<LabelledText> records, List<LabelledText> test) {
        var seen = new HashSet<>(records.stream().map(AdviseVerb::plain).toList());
        return test.stream().filter(r -> seen.contains(plain(r))).count()
                / (double) Math.max(1, test.size());
    }

    /// A text but for case and white space.
    private static String plain(LabelledText record) {
        return record.text().toLowerCase(Locale.ROOT).strip().replaceAll("\\s+", " ");
    }

    private long tokens(String pattern) {
        if (model == null) {
            // English prose has about four characters a token.
            return dev.espalier.corpus.FileSource.text(pattern).files().stream()
                            .mapToLong(AdviseVerb::size)
                            .sum()
                    / 4;
        }
        return GeneralText.read(pattern, Tokenizers.read(model), 1024, Integer.MAX_VALUE).tokens();
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (java.io.IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    /// The loss a byte of the domain's text over that of general text; null where it cannot be
    /// told.
    private @Nullable Double distance() {
        if (model == null || text == null || general == null) {
            return null;
        }
        var loaded = HuggingFace.readModel(Given.folder(model, "a model"), null).model();
        try {
            if (!(loaded instanceof Decoder decoder)) {
                return null;
            }
            var tokenizer = Tokenizers.read(model);
            var length = GeneralText.length(decoder.context());
            var domain = GeneralText.read(text, tokenizer, length, MEASURED_TOKENS);
            var own = GeneralText.read(general, tokenizer, length, MEASURED_TOKENS);
            return domain.loss(decoder, false).bitsPerByte().value()
                    / own.loss(decoder, false).bitsPerByte().value();
        } finally {
            loaded.free();
        }
    }

    /// A third of a training step's share of a text: the forward pass.
    private static @Nullable Double seconds(Plan plan, List<LabelledText> records) {
        var rate = plan.machines().getFirst().tokensPerSecond();
        var data = plan.work().dataTokens();
        return rate == null || data == null || records.isEmpty()
                ? null
                : Double.valueOf(data / records.size() / rate / 3);
    }

    private String recipe(Way way) {
        var base = java.util.Objects.requireNonNull(model);
        if (way == Way.PRETRAIN_FURTHER) {
            return """
            # Pre-trains %s further on the domain's text; then run fine-tune.yaml with
            # --set model.path=runs/advice-further/model
            name: advice-further
            data: {sources: [{type: text, path: %s}]}
            model: {path: %s}
            objective: {type: causal}
            training: {for: 3 epochs, optimizer: {type: adamw, rate: 3e-4}}
            """
                    .formatted(base, Json.line(String.valueOf(text)), Json.line(base.toString()));
        }
        return """
        name: advice-%s
        data: {train: %s%s}
        model: {path: %s}
        task: {type: classification, text: %s, label: %s}
        adapter: {type: %s}
        training: {for: 10 epochs, optimizer: {type: adamw, rate: %s}}
        """
                .formatted(
                        way.title().replace(' ', '-'),
                        Json.line(String.valueOf(labels)),
                        test == null ? "" : ", test: " + Json.line(test.toString()),
                        Json.line(base.toString()),
                        Json.line(columns.get(0)),
                        Json.line(columns.get(1)),
                        way == Way.ADAPTER ? "lora" : "none",
                        way == Way.ADAPTER ? "2e-3" : "3e-4");
    }

    private static String text(Result r) {
        var out = new StringBuilder("recommended: " + r.advice().way().title() + "\n");
        if (r.advice().reasons().isEmpty()) {
            out.append("  no rule speaks against fine-tuning all weights\n");
        }
        r.advice()
                .reasons()
                .forEach(reason ->
                        out.append(
                                "  %s: %s%n".formatted(reason.rule().title(), reason.because())));
        r.costs()
                .forEach((way, cost) ->
                        out.append(
                                "%s: %s here (%s), recipe %s%n"
                                        .formatted(
                                                way,
                                                cost.seconds() == null
                                                        ? "unknown time"
                                                        : "%.0f s".formatted(cost.seconds()),
                                                cost.basis(),
                                                r.recipes().get(way))));
        return out.append(
                        "the rules: docs/advice.md; to measure instead of supposing: espalier compare")
                .toString();
    }
}
