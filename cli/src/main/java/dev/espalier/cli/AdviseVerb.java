package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.data.NearCopies;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.ConfidentLearning;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Machine;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Advice;
import dev.espalier.study.Advice.Way;
import dev.espalier.study.Compare;
import dev.espalier.task.Answers;
import dev.espalier.task.Example;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.GeneralText;
import dev.espalier.train.Planning;
import dev.espalier.train.Watcher;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "advise",
        description = {
            "Recommends which way to go to a classifier, with reasons and costs, by rules that",
            "docs/advice.md explains, and writes recipes for it that are ready to run.",
            "Without flags it asks."
        },
        footer = {
            "",
            "Example: espalier advise --labels train.csv --test test.csv --model runs/books/model --text docs.txt --general books.txt"
        })
final class AdviseVerb implements Callable<Integer> {
    /// Tokens of each text that the base model is asked to foresee.
    private static final int MEASURED_TOKENS = 16_384;

    /// Characters of a document whose words are counted.
    private static final int MEASURED_CHARACTERS = 100_000;

    /// Records whose labels are told by others.
    private static final int TOLD = 4096;

    /// The share of general text in what is pre-trained further on, where it must be kept.
    private static final double REPLAYED = 0.05;

    /// How often telling one text is timed.
    private static final int TIMES = 9;

    /// Where the recipe that pre-trains leaves its model.
    private static final Path PRETRAINED = Path.of("runs/advice-pretrain/model");

    private final Main.Context context;

    @Option(
            names = "--labels",
            paramLabel = "FILE",
            description = "The labelled records, or a folder of pictures for each label.")
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

    @Option(names = "--hours", paramLabel = "H", description = "Hours that training may take.")
    private @Nullable Double hours;

    @Option(
            names = "--money",
            paramLabel = "N",
            description = "What training may cost, in the currency of the table of --hardware.")
    private @Nullable Double money;

    @Option(
            names = "--memory",
            paramLabel = "GIB",
            description = "Memory that training may take (default: what is free here).")
    private @Nullable Double memory;

    @Mixin private HardwareTable hardware = new HardwareTable();

    @Option(names = "--private", description = "The text must not get out.")
    private boolean isPrivate;

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
            Map<String, String> recipes) {}

    /// Asks for what flags would tell; an empty answer leaves it open.
    ///
    /// @param table money is asked for where it has a price
    private void ask(Console console, Hardware table) {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        labels =
                path(
                        console,
                        lines,
                        "labelled records: a CSV, TSV or JSONL file, or a folder of pictures for each label");
        if (labels != null && !Files.isDirectory(labels)) {
            var asked = answer(console, lines, "columns of text and label [text,label]");
            columns = asked.isEmpty() ? columns : List.of(asked.split("\\s*,\\s*"));
        }
        if (labels != null) {
            test = path(console, lines, "records that are to be the test");
        }
        model = path(console, lines, "folder of a pre-trained base model");
        var domain = answer(console, lines, "unlabelled text of the domain, a file or a glob");
        text = domain.isEmpty() ? null : domain;
        if (text != null && model != null) {
            var like = answer(console, lines, "text like that of the base model, a file or a glob");
            general = like.isEmpty() ? null : like;
        }
        keepGeneral = yes(console, lines, "must the model go on with general text as before? [no]");
        latency = number(console, lines, "milliseconds that telling one text may take");
        hours = number(console, lines, "hours that training may take");
        if (Plan.Estimate.here(table, 1, "").price() != null) {
            money = number(console, lines, table.currency() + " that training may cost");
        }
        memory = number(console, lines, "GiB of memory that training may take [what is free here]");
        isPrivate = yes(console, lines, "must the text not get out? [no]");
    }

    private static String answer(Console console, BufferedReader lines, String question) {
        console.note(question + ":");
        try {
            var line = lines.readLine();
            return line == null ? "" : line.strip();
        } catch (IOException e) {
            throw EspalierException.data(
                    "standard input: cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static @Nullable Path path(Console console, BufferedReader lines, String question) {
        while (true) {
            var given = answer(console, lines, question);
            if (given.isEmpty()) {
                return null;
            }
            if (Files.exists(Path.of(given))) {
                return Path.of(given);
            }
            console.note(given + ": there is no such file; an empty line leaves it open");
        }
    }

    private static boolean yes(Console console, BufferedReader lines, String question) {
        return answer(console, lines, question).toLowerCase(Locale.ROOT).startsWith("y");
    }

    private static @Nullable Double number(Console console, BufferedReader lines, String question) {
        while (true) {
            var given = answer(console, lines, question);
            if (given.isEmpty()) {
                return null;
            }
            try {
                var number = Double.parseDouble(given);
                if (number > 0) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // Said below.
            }
            console.note(given + ": a number above 0 is needed; an empty line leaves it open");
        }
    }

    @Override
    public Integer call() {
        if (labels == null
                && test == null
                && model == null
                && text == null
                && general == null
                && latency == null
                && hours == null
                && money == null
                && memory == null
                && !keepGeneral
                && !isPrivate) {
            ask(context.console(), hardware.read());
        }
        for (var limit : new Double[] {latency, hours, money, memory}) {
            if (limit != null && !(limit > 0)) {
                throw EspalierException.usage(
                        "--latency, --hours, --money, --memory: a number above 0 is needed");
            }
        }
        var table = hardware.read();
        if (money != null && Plan.Estimate.here(table, 1, "").price() == null) {
            throw EspalierException.usage(
                    "--money: the table has neither a price nor the watts of '%s'; see plan --table, and --hardware"
                            .formatted(Hardware.HERE));
        }
        if (columns.size() != 2) {
            throw EspalierException.usage("--columns: two names, such as text,label");
        }
        var console = context.console();
        var pictures = labels != null && Files.isDirectory(labels);
        var records = labels == null || pictures ? List.<LabelledText>of() : read(labels);
        var counts = new HashMap<String, Integer>();
        records.forEach(r -> counts.merge(r.label(), 1, Integer::sum));
        if (pictures) {
            pictures(Objects.requireNonNull(labels), counts);
        }
        var recipes = new LinkedHashMap<String, String>();
        var costs = new LinkedHashMap<String, Plan.Estimate>();
        var noise = records.isEmpty() ? null : errors(records, table, costs);
        Plan tuned = null, adapted = null;
        var written = text == null ? null : Long.valueOf(tokens(text));
        if (pictures) {
            write("pictures", Way.FINE_TUNE, recipeOfPictures(), recipes);
        } else if (model == null
                && text != null
                && written != null
                && written >= Advice.LITTLE_TEXT) {
            var file = write("pretrain", Way.PRETRAIN, recipeOfText(text, written), recipes);
            costs.put(Way.PRETRAIN.title(), planned(file, table).here());
            if (labels != null) {
                write("fine-tune", Way.FINE_TUNE, recipe(Way.FINE_TUNE, PRETRAINED), recipes);
            }
        } else if (labels != null && model != null) {
            for (var way : List.of(Way.FINE_TUNE, Way.ADAPTER, Way.PRETRAIN_FURTHER)) {
                if (way == Way.PRETRAIN_FURTHER && text == null) {
                    continue;
                }
                var name = way.title().replace(' ', '-');
                var planned = planned(write(name, way, recipe(way, model), recipes), table);
                costs.put(way.title(), planned.here());
                tuned = way == Way.FINE_TUNE ? planned : tuned;
                adapted = way == Way.ADAPTER ? planned : adapted;
            }
        }
        if (model != null) {
            pretrained(model, table, costs);
        }
        var perText = tuned == null || model == null ? null : seconds(model, records);
        var room = memory == null ? Machine.availableBytes() : (long) (memory * 0x1p30);
        var situation =
                new Advice.Situation(
                        written,
                        counts.isEmpty()
                                ? null
                                : counts.values().stream().min(Integer::compare).orElse(null),
                        counts.isEmpty()
                                ? null
                                : counts.values().stream().max(Integer::compare).orElse(null),
                        counts.isEmpty() ? null : Integer.valueOf(counts.size()),
                        records.isEmpty() ? null : Double.valueOf(conflicts(records)),
                        test == null || records.isEmpty()
                                ? null
                                : Double.valueOf(leaked(records, read(test))),
                        model != null,
                        distance(),
                        keepGeneral,
                        room == 0 ? null : Long.valueOf(room),
                        tuned == null ? null : Long.valueOf(tuned.peak()),
                        adapted == null ? null : Long.valueOf(adapted.peak()),
                        perText,
                        latency == null ? null : Double.valueOf(latency / 1000),
                        fertility(),
                        test == null || records.isEmpty()
                                ? null
                                : Double.valueOf(nearCopies(records, read(test))),
                        pictures
                                ? Integer.valueOf(counts.values().stream().mapToInt(n -> n).sum())
                                : null,
                        tuned == null ? null : tuned.here().all(),
                        adapted == null ? null : adapted.here().all(),
                        hours == null ? null : Double.valueOf(3600 * hours),
                        tuned == null ? null : tuned.here().price(),
                        adapted == null ? null : adapted.here().price(),
                        money,
                        noise == null ? null : Double.valueOf(noise.wrong()),
                        isPrivate);
        var advice = Advice.of(situation);
        var result = new Result(situation, advice, costs, recipes);
        console.result(text(result), result);
        return 0;
    }

    private Path write(String name, Way way, String recipe, Map<String, String> recipes) {
        var file = output.resolve(name + ".yaml");
        AtomicFiles.write(file, recipe);
        recipes.put(way.title(), file.toString());
        return file;
    }

    private static Plan planned(Path recipe, Hardware table) {
        return Planning.plan(Recipes.read(recipe), true, table, History.ofUser(), new Watcher() {});
    }

    /// What the base cost, where the run that made it tells.
    private static void pretrained(Path model, Hardware table, Map<String, Plan.Estimate> costs) {
        var passport = model.resolveSibling("passport.json");
        if (Files.isRegularFile(passport)) {
            var seconds = Json.read(passport).at("/cost/training-seconds");
            if (seconds.isNumber()) {
                costs.put(
                        Way.PRETRAIN.title(),
                        Plan.Estimate.here(
                                table,
                                seconds.doubleValue(),
                                "what the base took, once for all tasks"));
            }
        }
    }

    /// What of the labels looks wrong to a bag of words that has not seen them; null where it finds
    /// the task too hard to tell. What that model costs is told by the way.
    private @Nullable ConfidentLearning errors(
            List<LabelledText> all, Hardware table, Map<String, Plan.Estimate> costs) {
        var count = Math.min(TOLD, all.size());
        var records =
                IntStream.range(0, count)
                        .mapToObj(i -> all.get((int) ((long) i * all.size() / count)))
                        .toList();
        var problem = new Problem.SingleLabel(LabelledReader.labels(records));
        if (problem.labels().size() < 2) {
            return null;
        }
        var truth = records.stream().map(r -> Example.truth(problem, r)).toArray(double[][]::new);
        var start = System.nanoTime();
        var told = BagOfWords.heldOut(problem, records, truth);
        if (told == null) {
            return null;
        }
        // Five times four fifths of the records.
        var once = (System.nanoTime() - start) / 4e9;
        costs.put(
                Way.BAG_OF_WORDS.title(),
                Plan.Estimate.here(
                        table,
                        once * all.size() / count,
                        "measured on %,d records".formatted(count)));
        var given = Arrays.stream(truth).mapToInt(t -> (int) t[0]).toArray();
        var likeliest = Answers.likeliest(told);
        var right = IntStream.range(0, count).filter(i -> likeliest[i] == given[i]).count();
        if (right < Advice.EASY * count) {
            return null;
        }
        var found = ConfidentLearning.of(given, told);
        if (found.wrong() > 0) {
            context.console()
                    .note(
                            "labels that look wrong, the likeliest first: "
                                    + found.suspects().stream()
                                            .limit(5)
                                            .map(i -> records.get(i).where())
                                            .toList());
        }
        return found;
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

    /// The share of test records that are nearly, and not wholly, a training record.
    private static double nearCopies(List<LabelledText> records, List<LabelledText> test) {
        var seen = new HashSet<>(records.stream().map(AdviseVerb::plain).toList());
        var copies = new NearCopies(records.stream().map(LabelledText::text).toList(), 0.8);
        return test.stream().filter(r -> !seen.contains(plain(r)) && copies.has(r.text())).count()
                / (double) Math.max(1, test.size());
    }

    private static void pictures(Path folder, Map<String, Integer> counts) {
        var wanted = new ImageData.Wanted.Labels("image", "label", new LabelledReader.Labels.One());
        try (var ledger = new Ledger(null, new Ledger.Limit.Share(1))) {
            ImageReader.read(new ImageData.Place(folder, null), wanted, ledger)
                    .images()
                    .forEach(p -> counts.merge(String.join(" ", p.labels()), 1, Integer::sum));
        }
    }

    /// Tokens a word of the domain's text over those of general text; null where it cannot be told.
    private @Nullable Double fertility() {
        if (model == null || text == null || general == null) {
            return null;
        }
        var tokenizer = Tokenizers.read(model).plain();
        return tokensPerWord(text, tokenizer) / tokensPerWord(general, tokenizer);
    }

    private static double tokensPerWord(String pattern, Tokenizer tokenizer) {
        long tokens = 0, words = 0;
        try (var documents = FileSource.text(pattern).documents(Ledger.strict())) {
            for (var document : (Iterable<Document>) documents::iterator) {
                var text = document.text();
                var part = text.substring(0, Math.min(text.length(), MEASURED_CHARACTERS));
                tokens += tokenizer.encode(part).length;
                words += part.split("\\s+").length;
                if (words > MEASURED_TOKENS) {
                    break;
                }
            }
        }
        return tokens / (double) Math.max(1, words);
    }

    /// A text but for case and white space.
    private static String plain(LabelledText record) {
        return record.text().toLowerCase(Locale.ROOT).strip().replaceAll("\\s+", " ");
    }

    private long tokens(String pattern) {
        if (model == null) {
            // English prose has about four characters a token.
            return size(pattern) / 4;
        }
        return GeneralText.read(pattern, Tokenizers.read(model), 1024, Integer.MAX_VALUE).tokens();
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    /// The loss a byte of the domain's text over that of general text; null where it cannot be
    /// told.
    private @Nullable Double distance() {
        if (model == null || text == null || general == null) {
            return null;
        }
        var loaded = HuggingFace.readModel(Given.folder(model, "a model"), null);
        try {
            if (loaded.model() instanceof EncoderDecoder || !loaded.missing().isEmpty()) {
                context.console()
                        .note(
                                "%s foresees no text by itself, so how far the domain lies from its own is not measured"
                                        .formatted(model));
                return null;
            }
            var tokenizer = Tokenizers.read(model);
            return bitsPerByte(text, loaded.model(), tokenizer)
                    / bitsPerByte(general, loaded.model(), tokenizer);
        } finally {
            loaded.model().free();
        }
    }

    /// Of the text, or, by an encoder, of the tokens of it that are hidden.
    private static double bitsPerByte(String pattern, LanguageModel model, Tokenizer tokenizer) {
        var read = GeneralText.read(FileSource.text(pattern), tokenizer, model, MEASURED_TOKENS);
        var loss =
                switch (model) {
                    case Decoder decoder -> read.loss(decoder, false);
                    case Encoder encoder ->
                            read.hidden(tokenizer, 1)
                                    .measure(encoder, false, id -> tokenizer.bytes(id).length)
                                    .loss();
                    case EncoderDecoder _ -> throw new IllegalArgumentException();
                };
        return loss.bitsPerByte().value();
    }

    /// Seconds in which a classifier on the base tells one text by itself, of the middle length:
    /// the middle one of several times, after two that warm up.
    private static @Nullable Double seconds(Path model, List<LabelledText> records) {
        if (records.isEmpty()) {
            return null;
        }
        var body = HuggingFace.readModel(model, null).model();
        var head = new SequenceClassifier(body, List.of("one", "other"));
        head.initializeHead(1);
        try (var classifier =
                new TextClassifier(head, Tokenizers.read(model).plain(), body.context())) {
            var text =
                    records.stream()
                            .map(LabelledText::text)
                            .sorted(Comparator.comparingInt(String::length))
                            .toList()
                            .get(records.size() / 2);
            var times = new double[TIMES];
            for (var i = -2; i < TIMES; i++) {
                var start = System.nanoTime();
                var unused = classifier.predict(List.of(new TextClassifier.Input(text, null)));
                if (i >= 0) {
                    times[i] = (System.nanoTime() - start) / 1e9;
                }
            }
            Arrays.sort(times);
            return times[TIMES / 2];
        }
    }

    private String recipeOfPictures() {
        return """
        # Train all weights of a published ViT, or of a new one where no path is given.
        name: advice-pictures
        data: {train: %s%s}
        model: %s
        task: {type: image-classification}
        training: {for: 20 epochs, batch: 32, optimizer: {type: adamw, rate: %s}}
        """
                .formatted(
                        Json.line(String.valueOf(labels)),
                        test == null ? "" : ", test: " + Json.line(test.toString()),
                        model == null
                                ? "{type: vit, layers: 4, heads: 4, width: 96, image: 64, patch: 8}"
                                : "{path: " + Json.line(model.toString()) + "}",
                        model == null ? "1e-3" : "1e-4");
    }

    /// The largest GPT-2 of 64 of width a layer and a head for which there are 20 tokens a weight
    /// (Hoffmann et al. 2022, arXiv:2203.15556).
    static String recipeOfText(String text, long tokens) {
        var vocabulary = tokens < 100_000_000 ? 4096 : tokens < 1_000_000_000 ? 8192 : 32_000;
        var layers = 2;
        while (weights(layers + 1, vocabulary) <= tokens / 20) {
            layers++;
        }
        return """
        # Pre-trains a new model of the size that the text is enough for.
        name: advice-pretrain
        data: {sources: [{type: text, path: %s}], validation: 1%%}
        tokenizer: {type: bpe, vocabulary: %d}
        model: {type: gpt2, layers: %d, heads: %d, width: %d, context: 256, dropout: 0}
        objective: {type: causal}
        training:
          for: 1 epoch
          batch: 32
          optimizer: {type: muon, rate: 0.02, adamw: {rate: 3e-3, betas: [0.9, 0.95]}}
          schedule: {type: cosine, warmup: 2%%, floor: 10%%}
          clip: 1
        """
                .formatted(Json.line(text), vocabulary, layers, layers, 64 * layers);
    }

    private static long weights(long layers, long vocabulary) {
        var width = 64 * layers;
        return width * (12 * layers * width + vocabulary + 256);
    }

    /// By which general text is one twentieth of what is seen. At most the thousand that a recipe
    /// may have.
    private static double weight(@Nullable String domain, String general) {
        var weight = REPLAYED / (1 - REPLAYED) * size(String.valueOf(domain)) / size(general);
        return Double.parseDouble(
                String.format(Locale.ROOT, "%.3g", Math.clamp(weight, 0.001, 1000)));
    }

    private static long size(String pattern) {
        return FileSource.text(pattern).files().stream().mapToLong(AdviseVerb::size).sum();
    }

    private String recipe(Way way, Path base) {
        if (way == Way.PRETRAIN_FURTHER) {
            var replay =
                    keepGeneral && general != null
                            ? ", {type: text, path: %s, weight: %s}"
                                    .formatted(Json.line(general), weight(text, general))
                            : "";
            return """
            # Pre-trains %s further on the domain's text; then run fine-tune.yaml with
            # --set model.path=runs/advice-further/model
            name: advice-further
            data: {sources: [{type: text, path: %s}%s]}
            model: {path: %s}
            objective: {type: %s}
            training: {for: 3 epochs, optimizer: {type: adamw, rate: 3e-4}}
            """
                    .formatted(
                            base,
                            Json.line(String.valueOf(text)),
                            replay,
                            Json.line(base.toString()),
                            Compare.objective(base));
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
        r.recipes()
                .forEach((way, recipe) ->
                        out.append("%s: %s%s%n".formatted(way, recipe, cost(r.costs().get(way)))));
        r.costs()
                .forEach((way, cost) -> {
                    if (!r.recipes().containsKey(way)) {
                        out.append("%s%s%n".formatted(way, cost(cost)));
                    }
                });
        return out.append(
                        "the rules: docs/advice.md; to measure instead of supposing: espalier compare")
                .toString();
    }

    private static String cost(Plan.@Nullable Estimate cost) {
        if (cost == null) {
            return "";
        }
        var time = cost.all() == null ? "unknown time" : "%.0f s".formatted(cost.all());
        var price = cost.price() == null ? "" : ", a price of %.2f".formatted(cost.price());
        return ", %s here%s (%s)".formatted(time, price, cost.basis());
    }
}
