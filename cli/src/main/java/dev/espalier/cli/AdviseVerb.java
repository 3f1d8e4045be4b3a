package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Machine;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe.Cheapest;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Advice;
import dev.espalier.study.Advice.Takes;
import dev.espalier.study.Advice.Way;
import dev.espalier.study.Compare;
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
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
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
    /// The share of general text in what is pre-trained further on, where it must be kept.
    private static final double REPLAYED = 0.05;

    /// Characters of general text that are measured, and as many that are replayed; of either a run
    /// reads 65,536 tokens.
    private static final int HALF = 400_000;

    /// Updates in which a ViT from scratch learnt from some hundreds of pictures, and one that had
    /// been pre-trained (docs/advice.md, few-pictures).
    private static final int STEPS_FROM_SCRATCH = 8000;

    private static final int STEPS_FROM_BASE = 300;

    /// Pictures of a step.
    private static final int BATCH = 32;

    /// Passes over pictures that are many.
    private static final int PASSES = 20;

    /// By how much a model that takes too long is made smaller than it would have to be by its
    /// operations alone.
    private static final double MARGIN = 0.9;

    private static final List<String> COLUMNS = List.of("text", "label");

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
    private List<String> columns = COLUMNS;

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

    /// What is found out about ways to go.
    private record Found(
            Hardware table,
            Takes may,
            Map<Way, Takes> takes,
            Map<String, Plan.Estimate> costs,
            Map<String, String> recipes) {
        private void put(Way way, Plan plan, Plan.Estimate cost) {
            put(way, new Takes(memory(plan), cost.all(), cost.price()), cost);
        }

        private void put(Way way, Takes what, Plan.Estimate cost) {
            takes.put(way, what);
            costs.put(way.title(), cost);
        }

        /// Null where what lies between the layers is not known, of which there is the most.
        private static @Nullable Long memory(Plan plan) {
            return plan.training().activations() == 0 && plan.seen() == 0
                    ? null
                    : Long.valueOf(plan.peak());
        }
    }

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
        var pictures = labels != null && Files.isDirectory(labels);
        if (!pictures) {
            var domain = answer(console, lines, "unlabelled text of the domain, a file or a glob");
            text = domain.isEmpty() ? null : domain;
            keepGeneral =
                    yes(console, lines, "must the model go on with general text as before? [no]");
            if (model != null && (text != null || keepGeneral)) {
                var like =
                        answer(
                                console,
                                lines,
                                "text like that of the base model, a file or a glob");
                general = like.isEmpty() ? null : like;
            }
            latency = number(console, lines, "milliseconds that telling one text may take");
        }
        hours = number(console, lines, "hours that training may take");
        if (Plan.Estimate.here(table, 1, "").price() != null) {
            money = number(console, lines, table.currency() + " that training may cost");
        }
        memory = number(console, lines, "GiB of memory that training may take [what is free here]");
        isPrivate = !pictures && yes(console, lines, "must the text not get out? [no]");
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
            refuseTexts();
            AdviseMeasures.pictures(Objects.requireNonNull(labels), counts);
        }
        var room = memory == null ? Machine.availableBytes() : (long) (memory * 0x1p30);
        var found =
                new Found(
                        table,
                        new Takes(
                                room == 0 ? null : Long.valueOf(room),
                                hours == null ? null : Double.valueOf(3600 * hours),
                                money),
                        new EnumMap<>(Way.class),
                        new LinkedHashMap<>(),
                        new LinkedHashMap<>());
        var bag = records.isEmpty() ? null : AdviseMeasures.bag(records);
        if (bag != null) {
            tell(bag, records.size(), found);
        }
        var written = text == null ? null : Long.valueOf(tokens(text));
        var seen = counts.values().stream().mapToInt(n -> n).sum();
        var base =
                model == null
                        ? new AdviseMeasures.Base(false, null, null)
                        : AdviseMeasures.base(model, text, general, records, console::note);
        if (pictures) {
            planPictures(seen, found);
        } else if (model != null) {
            planWithBase(model, base.foresees(), found);
        } else if (text != null && written != null && written >= Advice.LITTLE_TEXT) {
            pretrain(text, written, found);
            if (labels != null) {
                write("fine-tune", Way.FINE_TUNE, recipe(Way.FINE_TUNE, PRETRAINED), found);
            }
        }
        // Without a test one is split off, of which copies stay on one side, but not near ones.
        var held =
                test != null && !records.isEmpty()
                        ? read(test)
                        : AdviseMeasures.fifth(records, true);
        var learnt = test != null ? records : AdviseMeasures.fifth(records, false);
        var texts = AdviseMeasures.plain(learnt);
        var situation =
                new Advice.Situation(
                        written,
                        Advice.Labels.of(counts),
                        records.isEmpty()
                                ? null
                                : Double.valueOf(AdviseMeasures.conflicts(records)),
                        bag == null || bag.errors() == null
                                ? null
                                : Double.valueOf(bag.errors().wrong()),
                        bag == null ? null : bag.told(),
                        held.isEmpty() || test == null
                                ? null
                                : Double.valueOf(AdviseMeasures.leaked(texts, held)),
                        held.isEmpty()
                                ? null
                                : Double.valueOf(AdviseMeasures.nearCopies(texts, learnt, held)),
                        pictures ? Integer.valueOf(seen) : null,
                        model != null,
                        base.distance(),
                        model == null || text == null || general == null
                                ? null
                                : Double.valueOf(AdviseMeasures.fertility(model, text, general)),
                        keepGeneral,
                        isPrivate,
                        base.seconds(),
                        latency == null ? null : Double.valueOf(latency / 1000),
                        found.takes(),
                        found.may());
        var advice = Advice.of(situation);
        noteUnbound(advice.way(), found, base.seconds());
        if (model != null) {
            pretrained(model, table, found.costs());
        }
        var result = new Result(situation, advice, found.costs(), found.recipes());
        console.result(text(result), result);
        return 0;
    }

    /// What is said of texts says nothing of pictures.
    private void refuseTexts() {
        var given = new LinkedHashMap<String, Boolean>();
        given.put("--text", text != null);
        given.put("--general", general != null);
        given.put("--keep-general", keepGeneral);
        given.put("--latency", latency != null);
        given.put("--private", isPrivate);
        given.put("--columns", !columns.equals(COLUMNS));
        given.forEach((flag, isGiven) -> {
            if (isGiven) {
                throw EspalierException.usage(
                        "%s: is for texts, and %s is a folder of pictures".formatted(flag, labels));
            }
        });
    }

    /// A limit that nothing is known to hold against rules nothing out.
    private void noteUnbound(Way way, Found found, @Nullable Double perText) {
        var trains = way != Way.GATHER && way != Way.BAG_OF_WORDS && way != Way.NONE;
        var takes = found.takes().getOrDefault(way, Takes.UNKNOWN);
        var unbound = new ArrayList<String>();
        if (trains && hours != null && takes.seconds() == null) {
            unbound.add("--hours");
        }
        if (trains && money != null && takes.price() == null) {
            unbound.add("--money");
        }
        if (trains && memory != null && takes.memory() == null) {
            unbound.add("--memory");
        }
        if (latency != null && perText == null) {
            unbound.add("--latency");
        }
        if (!unbound.isEmpty()) {
            context.console()
                    .note(
                            "%s: what it takes is not known, so nothing is ruled out by it"
                                    .formatted(String.join(", ", unbound)));
        }
    }

    private void planPictures(int count, Found found) {
        for (var way : List.of(Way.FINE_TUNE, Way.ADAPTER)) {
            if (way == Way.FINE_TUNE || model != null) {
                planned(way, write(name(way), way, recipeOfPictures(way, count), found), found);
            }
        }
    }

    private void planWithBase(Path base, boolean foresees, Found found) {
        if (labels != null) {
            for (var way : List.of(Way.FINE_TUNE, Way.ADAPTER)) {
                planned(way, write(name(way), way, recipe(way, base), found), found);
            }
            if (keepGeneral && general == null) {
                context.console()
                        .note(
                                "what is forgotten is measured on text like that of the base; give it as --general");
            } else if (keepGeneral && foresees) {
                planDefended(base, general, found);
            }
        }
        if (text != null) {
            var way = Way.PRETRAIN_FURTHER;
            planned(way, write(name(way), way, recipe(way, base), found), found);
            var alone = found.takes().get(way);
            var after = found.takes().get(Way.FINE_TUNE);
            if (alone != null && after != null) {
                found.takes().put(way, alone.and(after));
            }
        }
    }

    /// Of the cheapest defence that is enough, where there is time to try all of them; else of the
    /// one that held best at the price of one run. It is also the dearest, so that none of the
    /// others takes more.
    private void planDefended(Path base, @Nullable String general, Found found) {
        var way = Way.FINE_TUNE_DEFENDED;
        var halves = halves(String.valueOf(general));
        var name = name(way);
        var one = write(name, way, recipe(way, base) + forgetting("lwf", halves), found);
        planned(way, one, found);
        var takes = found.takes().getOrDefault(way, Takes.UNKNOWN);
        // One run without a defence, and one with each.
        var runs = 1 + Cheapest.Way.values().length;
        var all = takes.times(runs);
        if (all.allowed(found.may()) < 1) {
            return;
        }
        write(name, way, recipe(way, base) + forgetting("cheapest", halves), found);
        var basis = "up to %d runs".formatted(runs);
        if (all.seconds() != null) {
            found.put(way, all, Plan.Estimate.here(found.table(), all.seconds(), basis));
        }
    }

    private static String forgetting(String defence, List<Path> halves) {
        return """
        forgetting:
          measure: {corpus: %s}
          budget: 0.05
          defence: {type: %s%s}
        """
                .formatted(
                        Json.line(halves.getFirst().toString()),
                        defence,
                        defence.equals("cheapest")
                                ? ", corpus: " + Json.line(halves.getLast().toString())
                                : "");
    }

    /// General text in two files, since what is replayed must not be what is measured.
    private List<Path> halves(String pattern) {
        var all = new StringBuilder();
        try (var documents = FileSource.text(pattern).documents(Ledger.strict())) {
            for (var document : (Iterable<Document>) documents::iterator) {
                all.append(document.text()).append("\n\n");
                if (all.length() >= 2 * HALF) {
                    all.setLength(whole(all, 2 * HALF));
                    break;
                }
            }
        }
        var middle = whole(all, all.length() / 2);
        var halves =
                List.of(
                        output.resolve("general-measured.txt"),
                        output.resolve("general-replayed.txt"));
        AtomicFiles.write(halves.getFirst(), all.substring(0, middle));
        AtomicFiles.write(halves.getLast(), all.substring(middle));
        return halves;
    }

    /// This place, or the one before it where it would part the two halves of a character.
    private static int whole(CharSequence text, int at) {
        return at < text.length() && Character.isLowSurrogate(text.charAt(at)) ? at - 1 : at;
    }

    /// Of a new model as large as all the text is enough for, or smaller, on less text, where that
    /// takes more than it may.
    private void pretrain(String text, long tokens, Found found) {
        var way = Way.PRETRAIN;
        var read = tokens;
        while (true) {
            planned(way, write(name(way), way, recipeOfText(text, tokens, read), found), found);
            var allowed = found.takes().getOrDefault(way, Takes.UNKNOWN).allowed(found.may());
            if (allowed >= 1 || read <= Advice.LITTLE_TEXT) {
                return;
            }
            // Weights grow with the tokens, and operations with both.
            read = Math.max(Advice.LITTLE_TEXT, (long) (MARGIN * Math.sqrt(allowed) * read));
        }
    }

    private static String name(Way way) {
        return way.title().replace(' ', '-');
    }

    private Path write(String name, Way way, String recipe, Found found) {
        var file = output.resolve(name + ".yaml");
        AtomicFiles.write(file, recipe);
        found.recipes().put(way.title(), file.toString());
        return file;
    }

    private void planned(Way way, Path recipe, Found found) {
        try {
            var plan =
                    Planning.plan(
                            Recipes.read(recipe),
                            true,
                            found.table(),
                            History.ofUser(),
                            new Watcher() {});
            found.put(way, plan, plan.here());
        } catch (EspalierException e) {
            // What is wrong with the data is no reason not to advise.
            context.console().note("%s is not planned: %s".formatted(recipe, e.getMessage()));
        }
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

    /// What a bag of words costs and tells, and which labels look wrong to it.
    private void tell(AdviseMeasures.Bag bag, int records, Found found) {
        var looked = bag.records().size();
        found.costs()
                .put(
                        Way.BAG_OF_WORDS.title(),
                        Plan.Estimate.here(
                                found.table(),
                                bag.seconds() * records / looked,
                                "measured on %,d records; of %,d that it has not seen it tells %.1f %%"
                                        .formatted(
                                                looked,
                                                bag.told().of(),
                                                100 * bag.told().right())));
        if (bag.errors() != null && bag.errors().wrong() > 0) {
            context.console()
                    .note(
                            "labels that look wrong, the likeliest first: "
                                    + bag.errors().suspects().stream()
                                            .limit(5)
                                            .map(i -> bag.records().get(i).where())
                                            .toList());
        }
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

    private String recipeOfPictures(Way way, int count) {
        var least = model == null ? STEPS_FROM_SCRATCH : STEPS_FROM_BASE;
        var length =
                (long) PASSES * count < (long) least * BATCH
                        ? least + " steps"
                        : PASSES + " epochs";
        var data =
                Json.line(String.valueOf(labels))
                        + (test == null ? "" : ", test: " + Json.line(test.toString()));
        if (model == null) {
            return """
            # Trains a new ViT, as recipes/experiments/sign-language-digits.yaml; no flip where left and right
            # tell labels apart.
            name: advice-pictures
            data: {train: %s}
            model: {type: vit, image: 48, patch: 6, width: 96, layers: 4, heads: 4}
            task:
              type: image-classification
              augment: {crop: {area: [0.6, 1], shape: 0.8}, flip: horizontal, rand-augment: {changes: 2, magnitude: 5}}
            training:
              for: %s
              batch: %d
              optimizer: {type: muon, rate: 0.02, weight-decay: 0.05, adamw: {rate: 2e-3, weight-decay: 0.05}}
              schedule: {type: cosine, warmup: 10%%, floor: 0}
              label-smoothing: 0.1
              early-stopping: none
            """
                    .formatted(data, length, BATCH);
        }
        return """
        name: advice-pictures-%s
        data: {train: %s}
        model: {path: %s}
        task: {type: image-classification}
        adapter: {type: %s}
        training: {for: %s, batch: %d, optimizer: {type: adamw, rate: %s}}
        """
                .formatted(
                        name(way),
                        data,
                        Json.line(model.toString()),
                        way == Way.ADAPTER ? "lora" : "none",
                        length,
                        BATCH,
                        way == Way.ADAPTER ? "1e-3" : "1e-4");
    }

    /// The largest GPT-2 of 64 of width a layer and a head for which there are 20 tokens a weight
    /// (Hoffmann et al. 2022, arXiv:2203.15556).
    ///
    /// @param tokens of the text
    /// @param read of which so many are learnt from
    static String recipeOfText(String text, long tokens, long read) {
        var vocabulary = read < 100_000_000 ? 4096 : read < 1_000_000_000 ? 8192 : 32_000;
        var layers = 2;
        while (weights(layers + 1, vocabulary) <= read / 20) {
            layers++;
        }
        return """
        # Pre-trains a new model of the size that the text is enough for, or that there is time for.
        name: advice-pretrain
        data: {sources: [{type: text, path: %s}], validation: 1%%}
        tokenizer: {type: bpe, vocabulary: %d}
        model: {type: gpt2, layers: %d, heads: %d, width: %d, context: 256, dropout: 0}
        objective: {type: causal}
        training:
          for: %s
          batch: 32
          optimizer: {type: muon, rate: 0.02, adamw: {rate: 3e-3, betas: [0.9, 0.95]}}
          schedule: {type: cosine, warmup: 2%%, floor: 10%%}
          clip: 1
        """
                .formatted(
                        Json.line(text),
                        vocabulary,
                        layers,
                        layers,
                        64 * layers,
                        read < tokens ? read + " tokens" : "1 epoch");
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
        // What has no head for classes learns to write the label.
        var task =
                base.equals(model) && Compare.objective(base).equals("span-corruption")
                        ? "{type: sequence-to-sequence, input: %s, target: %s}"
                        : "{type: classification, text: %s, label: %s}";
        return """
        name: advice-%s
        data: {train: %s%s}
        model: {path: %s}
        task: %s
        adapter: {type: %s}
        training: {for: 10 epochs, optimizer: {type: adamw, rate: %s}}
        """
                .formatted(
                        name(way),
                        Json.line(String.valueOf(labels)),
                        test == null ? "" : ", test: " + Json.line(test.toString()),
                        Json.line(base.toString()),
                        task.formatted(Json.line(columns.get(0)), Json.line(columns.get(1))),
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
