package dev.espalier.report;

import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.LabelSets;
import dev.espalier.evaluate.Regression;
import dev.espalier.evaluate.Score;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The reports that Espalier writes, from plain figures.
public final class RunReport {
    /// A curve of more steps is drawn as means over so many stretches.
    private static final int STRETCHES = 150;

    /// Begins the names of what copying the input would reach.
    private static final String BEFORE = "-before";

    private static final String COPY = "copy-";

    private RunReport() {}

    /// One step of training, as `metrics.jsonl` has it.
    ///
    /// @param matmulShare 0 where unknown
    public record Step(
            long step,
            long tokens,
            double loss,
            double rate,
            double gradientNorm,
            double tokensPerSecond,
            double matmulShare,
            long memory,
            double seconds) {}

    /// The scores that an evaluation after `step` gave.
    public record Evaluation(long step, List<Score> scores) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    /// What a run says of itself.
    ///
    /// @param title its name
    /// @param subtitle when and where
    /// @param passport the recipe, the data, the machine
    /// @param unit what passed through the model: `tokens` or `images`
    public record Heading(
            String title, String subtitle, List<Block.Definition> passport, String unit) {
        public Heading {
            passport = List.copyOf(passport);
        }
    }

    /// A run of pre-training.
    ///
    /// @param evaluations over time; the metric `loss` is drawn beside the training loss
    /// @param scores at the end
    /// @param samples what the model writes; may be empty
    public static Report pretraining(
            Heading heading,
            List<Step> steps,
            List<Evaluation> evaluations,
            List<Score> scores,
            List<Block.Sample> samples) {
        var sections = new ArrayList<Report.Section>();
        sections.add(
                new Report.Section("What it learnt", learning(steps, evaluations, scores, "loss")));
        if (!samples.isEmpty()) {
            sections.add(
                    new Report.Section(
                            "What it writes",
                            new Block.Samples("Continuations; what was given is grey", samples)));
        }
        sections.add(training(steps, heading.unit()));
        sections.add(new Report.Section("Passport", new Block.Definitions(heading.passport())));
        var figures = new ArrayList<Report.Figure>();
        find(scores, "loss")
                .ifPresent(s -> {
                    figures.add(figure("loss, nats a token", s, 3));
                    figures.add(
                            new Report.Figure(
                                    "perplexity",
                                    Numbers.fixed(Math.exp(s.value()), 1),
                                    "on " + s.data()));
                });
        find(scores, "bits-per-byte").ifPresent(s -> figures.add(figure("bits a byte", s, 3)));
        find(scores, "accuracy").ifPresent(s -> figures.add(figure("hidden tokens told", s, 3)));
        figures.addAll(costs(steps, heading.unit()));
        var verdict =
                find(scores, "loss")
                        .map(s ->
                                "Of the held-out text each token costs "
                                        + Numbers.range(s.interval(), 3)
                                        + " nats, after training on "
                                        + Numbers.compact(
                                                steps.isEmpty() ? 0 : steps.getLast().tokens())
                                        + " tokens in "
                                        + Numbers.duration(
                                                steps.isEmpty() ? 0 : steps.getLast().seconds())
                                        + ".")
                        .orElse("");
        return new Report(heading.title(), heading.subtitle(), verdict, figures, sections);
    }

    /// The general text before and after fine-tuning.
    ///
    /// @param method how the model was fine-tuned; the model before it is a row of its own
    /// @param rise of the perplexity since before, relative; null for the model before
    public record Forgetting(
            String method, Interval perplexity, Interval bitsPerByte, @Nullable Interval rise) {}

    /// Scores of simpler models on the same records are named by these and the metric.
    private static final Map<String, String> SIMPLER =
            Map.of(
                    "majority", "the most frequent answer",
                    "mean", "always the mean",
                    "bag-of-words", "bag of words");

    /// The simpler model that `score` is of, or null.
    private static @Nullable String simpler(Score score) {
        return SIMPLER.keySet().stream()
                .filter(name -> score.metric().startsWith(name + "-"))
                .findFirst()
                .orElse(null);
    }

    private static final String CASES = "Best and worst cases";

    /// The metric by which a judgement is summed up.
    private static String headline(Judgement result) {
        return switch (result) {
            case Classification _ -> "accuracy";
            case LabelSets _ -> "micro-f1";
            case Regression _ -> "mae";
        };
    }

    /// A run of fine-tuning a model to tell labels or numbers.
    ///
    /// @param scores on the test at the end, with those of simpler models
    /// @param result of the test
    /// @param cases examples of what it told; may be empty
    public static Report finetuning(
            Heading heading,
            List<Step> steps,
            List<Evaluation> evaluations,
            List<Score> scores,
            Judgement result,
            Forgotten forgotten,
            List<Block> cases) {
        var metric = headline(result);
        var own = find(scores, metric);
        var beside =
                scores.stream()
                        .filter(s -> s.metric().endsWith("-" + metric) && simpler(s) != null)
                        .toList();
        var sections = new ArrayList<Report.Section>();
        var judged = new ArrayList<Block>();
        own.filter(s -> !beside.isEmpty())
                .ifPresent(s -> {
                    var rows = new ArrayList<Block.Row>();
                    rows.add(new Block.Row("this model", List.of(shown(s, metric))));
                    beside.forEach(
                            b -> rows.add(new Block.Row(name(b), List.of(shown(b, metric)))));
                    judged.add(
                            new Block.DotChart(
                                    capital(metricName(metric)) + " beside simpler models",
                                    "The bars are 95 % intervals over the records of the test.",
                                    metricName(metric) + (isShare(metric) ? ", %" : ""),
                                    List.of(metricName(metric)),
                                    rows));
                });
        var overall =
                scores.stream()
                        .filter(s -> !s.metric().contains(":") && simpler(s) == null)
                        .toList();
        if (!overall.isEmpty()) {
            judged.add(scoreTable("Scores with their 95 % intervals", overall));
        }
        switch (result) {
            case Classification classes -> {
                judged.add(new Block.Matrix("What is taken for what", classes.confusion()));
                judged.add(labelTable(classes.sets()));
            }
            case LabelSets sets -> judged.add(labelTable(sets));
            case Regression numbers -> judged.add(toldBesideTrue(numbers));
        }
        sections.add(new Report.Section("How well it does the task", judged));
        if (!cases.isEmpty()) {
            sections.add(new Report.Section(CASES, cases));
        }
        if (!forgotten.kept().isEmpty()) {
            sections.add(
                    forgotten.section(evaluations, metric, metricName(metric), isShare(metric)));
        }
        sections.add(
                new Report.Section(
                        "How it learnt",
                        learning(
                                steps,
                                evaluations,
                                List.of(),
                                evaluations.stream()
                                                .anyMatch(e -> find(e.scores(), "loss").isPresent())
                                        ? "loss"
                                        : metric)));
        sections.add(training(steps, heading.unit()));
        sections.add(new Report.Section("Passport", new Block.Definitions(heading.passport())));
        var figures = new ArrayList<Report.Figure>();
        own.ifPresent(s -> figures.add(taskFigure(s)));
        for (var other : List.of("macro-f1", "subset-accuracy", "spearman")) {
            find(scores, other).ifPresent(s -> figures.add(taskFigure(s)));
        }
        beside.forEach(b ->
                figures.add(
                        new Report.Figure(
                                name(b), value(b, metric), metricName(metric) + " of it")));
        if (!forgotten.kept().isEmpty()) {
            var first = forgotten.kept().getFirst();
            figures.add(
                    new Report.Figure(
                            first.name().equals("general") ? "general text" : first.name(),
                            signedPercent(first.change().value()),
                            metricName(first.metric()) + " since before"));
        }
        figures.addAll(costs(steps, heading.unit()));
        var verdict =
                own.map(s ->
                                sentence(result, s)
                                        + beside.stream()
                                                .map(b -> "; " + name(b) + ": " + value(b, metric))
                                                .collect(Collectors.joining())
                                        + ".")
                        .orElse("");
        return new Report(heading.title(), heading.subtitle(), verdict, figures, sections);
    }

    /// A run of fine-tuning a model to tell what is where in pictures.
    ///
    /// @param scores on the test at the end; those of single classes have a `:` in their names
    /// @param metric that sums them up, in the validations too
    /// @param taken what was taken for what; may be empty
    /// @param cases pictures with what is true of them and what was told; may be empty
    public static Report seeing(
            Heading heading,
            List<Step> steps,
            List<Evaluation> evaluations,
            List<Score> scores,
            String metric,
            List<Block> taken,
            List<Block> cases) {
        var whole = scores.stream().filter(s -> !s.metric().contains(":")).toList();
        var each = scores.stream().filter(s -> s.metric().contains(":")).toList();
        var judged = new ArrayList<Block>();
        judged.add(scoreTable("Scores with their 95 % intervals", whole));
        if (!each.isEmpty()) {
            judged.add(scoreTable("Of each class", each));
        }
        judged.addAll(taken);
        var sections = new ArrayList<Report.Section>();
        sections.add(new Report.Section("How well it does the task", judged));
        if (!cases.isEmpty()) {
            sections.add(new Report.Section(CASES, cases));
        }
        sections.add(
                new Report.Section(
                        "How it learnt", learning(steps, evaluations, List.of(), metric)));
        sections.add(training(steps, heading.unit()));
        sections.add(new Report.Section("Passport", new Block.Definitions(heading.passport())));
        var figures = new ArrayList<Report.Figure>();
        find(scores, metric).ifPresent(s -> figures.add(taskFigure(s)));
        figures.addAll(costs(steps, heading.unit()));
        return new Report(heading.title(), heading.subtitle(), "", figures, sections);
    }

    /// How fast texts were written.
    public record Writing(long tokens, double seconds) {}

    /// A run of fine-tuning a model to write one text from another.
    ///
    /// @param scores on the test at the end; those that begin with `copy-` are what copying the
    ///   input would reach
    /// @param best texts that are nearest to what was wanted
    /// @param worst those that are farthest from it
    public static Report rewriting(
            Heading heading,
            List<Step> steps,
            List<Evaluation> evaluations,
            List<Score> scores,
            List<Block.Sample> best,
            List<Block.Sample> worst,
            Writing writing) {
        var sections = new ArrayList<Report.Section>();
        var rows = new ArrayList<List<String>>();
        for (var score : scores) {
            if (!score.metric().startsWith(COPY)) {
                rows.add(
                        List.of(
                                metricName(score.metric()),
                                Numbers.fixed(score.value(), decimals(score)),
                                between(score, decimals(score)),
                                find(scores, COPY + score.metric())
                                        .map(s -> Numbers.fixed(s.value(), decimals(s)))
                                        .orElse("–"),
                                Numbers.count(score.n())));
            }
        }
        sections.add(
                new Report.Section(
                        "How well it writes",
                        List.of(
                                new Block.Table(
                                        "Scores with their 95 % intervals, beside what copying the input would reach",
                                        List.of("metric", "value", "interval", "copied", "n"),
                                        rows))));
        sections.add(
                new Report.Section(
                        "What it writes",
                        List.of(
                                new Block.Samples(
                                        "Nearest to what was wanted, by chrF; what was given is grey",
                                        best),
                                new Block.Samples("Farthest from what was wanted", worst))));
        sections.add(
                new Report.Section(
                        "How it learnt", learning(steps, evaluations, List.of(), "loss")));
        sections.add(training(steps, heading.unit()));
        sections.add(new Report.Section("Passport", new Block.Definitions(heading.passport())));
        var figures = new ArrayList<Report.Figure>();
        for (var metric : List.of("exact-match", "word-error-rate", "chrf", "rouge-l")) {
            find(scores, metric)
                    .ifPresent(s ->
                            figures.add(
                                    new Report.Figure(
                                            metricName(metric),
                                            Numbers.fixed(s.value(), decimals(s)),
                                            find(scores, COPY + metric)
                                                    .map(c ->
                                                            "copying: "
                                                                    + Numbers.fixed(
                                                                            c.value(), decimals(c)))
                                                    .orElse(""))));
        }
        figures.addAll(costs(steps, heading.unit()));
        figures.add(
                new Report.Figure(
                        "tokens written a second",
                        Numbers.compact(writing.tokens() / Math.max(1e-9, writing.seconds())),
                        Numbers.compact(writing.tokens())
                                + " in "
                                + Numbers.duration(writing.seconds())));
        var verdict =
                find(scores, "exact-match")
                        .map(s ->
                                Numbers.percent(s.value())
                                        + " of "
                                        + Numbers.count(s.n())
                                        + " held-out texts are written exactly as wanted ("
                                        + percentRange(s.interval())
                                        + ")"
                                        + find(scores, "chrf")
                                                .map(c ->
                                                        "; chrF is "
                                                                + Numbers.range(c.interval(), 1)
                                                                + " of 100")
                                                .orElse("")
                                        + ".")
                        .orElse("");
        return new Report(heading.title(), heading.subtitle(), verdict, figures, sections);
    }

    private static String sentence(Judgement result, Score score) {
        var value = value(score, score.metric());
        var records = Numbers.count(score.n()) + " held-out records";
        var range = range(score);
        return switch (result) {
            case Classification _ ->
                    value + " of " + records + " are labelled correctly (" + range + ")";
            case LabelSets _ ->
                    "The labels of "
                            + records
                            + " are told with a micro-F1 of "
                            + value
                            + " ("
                            + range
                            + ")";
            case Regression _ ->
                    "The numbers of "
                            + records
                            + " are told to within "
                            + value
                            + " on average ("
                            + range
                            + ")";
        };
    }

    private static Report.Figure taskFigure(Score score) {
        return new Report.Figure(
                metricName(score.metric()), value(score, score.metric()), range(score));
    }

    private static String name(Score ofSimpler) {
        return Objects.requireNonNull(SIMPLER.get(Objects.requireNonNull(simpler(ofSimpler))));
    }

    private static String value(Score score, String metric) {
        return isShare(metric)
                ? Numbers.percent(score.value())
                : Numbers.fixed(score.value(), decimals(score));
    }

    private static String range(Score score) {
        return isShare(score.metric())
                ? percentRange(score.interval())
                : between(score, decimals(score));
    }

    private static Interval shown(Score score, String metric) {
        return isShare(metric) ? hundred(score.interval()) : score.interval();
    }

    private static String capital(String words) {
        return Character.toUpperCase(words.charAt(0)) + words.substring(1);
    }

    /// Means of what is told over tenths of the records by what is true.
    private static Block toldBesideTrue(Regression numbers) {
        double[] truth = numbers.truth(), told = numbers.told();
        var order =
                IntStream.range(0, truth.length)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> truth[i]))
                        .toList();
        var parts = Math.min(10, truth.length);
        var means = new ArrayList<Block.Point>();
        var right = new ArrayList<Block.Point>();
        for (var part = 0; part < parts; part++) {
            var of = order.subList(part * order.size() / parts, (part + 1) * order.size() / parts);
            var x = of.stream().mapToDouble(i -> truth[i]).average().orElseThrow();
            means.add(
                    new Block.Point(
                            x, Interval.mean(of.stream().mapToDouble(i -> told[i]).toArray())));
            right.add(new Block.Point(x, x));
        }
        return new Block.LineChart(
                "What is told, by what is true",
                "A point is the mean over a tenth of the records, with its 95 % interval.",
                "true number",
                "told number",
                false,
                false,
                List.of(new Block.Series("told", means), new Block.Series("true", right)));
    }

    /// A run of fine-tuning whose held-out figures stand beside those of the model before it.
    ///
    /// @param scores at the end; those of the model before are of data whose names end in `-before`
    /// @param first the metrics to be seen first, the most telling one before the others
    public static Report beforeAndAfter(
            Heading heading,
            List<Step> steps,
            List<Evaluation> evaluations,
            List<Score> scores,
            List<String> first) {
        var rows = new ArrayList<List<String>>();
        var compared = scores.stream().anyMatch(s -> s.data().endsWith(BEFORE));
        for (var score : scores) {
            if (score.data().endsWith(BEFORE) || !compared) {
                continue;
            }
            rows.add(
                    List.of(
                            metricName(score.metric()),
                            score.data(),
                            before(scores, score)
                                    .map(b -> Numbers.fixed(b.value(), decimals(b)))
                                    .orElse("–"),
                            Numbers.fixed(score.value(), decimals(score)),
                            between(score, decimals(score)),
                            Numbers.count(score.n())));
        }
        var sections = new ArrayList<Report.Section>();
        sections.add(
                new Report.Section(
                        "What it learnt",
                        List.of(
                                compared
                                        ? new Block.Table(
                                                "Scores with their 95 % intervals, beside those of the model before",
                                                List.of(
                                                        "metric",
                                                        "data",
                                                        "before",
                                                        "after",
                                                        "interval",
                                                        "n"),
                                                rows)
                                        : scoreTable("Scores with their 95 % intervals", scores))));
        sections.add(
                new Report.Section(
                        "How it learnt", learning(steps, evaluations, List.of(), "loss")));
        sections.add(training(steps, heading.unit()));
        sections.add(new Report.Section("Passport", new Block.Definitions(heading.passport())));
        var data = scores.stream().anyMatch(s -> s.data().equals("test")) ? "test" : "validation";
        var shown = new ArrayList<Score>();
        for (var metric : first) {
            scores.stream()
                    .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                    .forEach(shown::add);
        }
        var figures = new ArrayList<Report.Figure>();
        for (var score : shown) {
            figures.add(
                    new Report.Figure(
                            metricName(score.metric()),
                            Numbers.fixed(score.value(), decimals(score)),
                            before(scores, score)
                                    .map(b -> "before: " + Numbers.fixed(b.value(), decimals(b)))
                                    .orElse("on " + data)));
        }
        figures.addAll(costs(steps, heading.unit()));
        var verdict =
                shown.stream()
                        .findFirst()
                        .map(s ->
                                "On the held-out records the %s is %s%s."
                                        .formatted(
                                                metricName(s.metric()),
                                                Numbers.range(s.interval(), decimals(s)),
                                                before(scores, s)
                                                        .map(b ->
                                                                ", where it was "
                                                                        + Numbers.fixed(
                                                                                b.value(),
                                                                                decimals(b))
                                                                        + " before")
                                                        .orElse("")))
                        .orElse("");
        return new Report(heading.title(), heading.subtitle(), verdict, figures, sections);
    }

    private static Optional<Score> before(List<Score> scores, Score after) {
        return scores.stream()
                .filter(s ->
                        s.data().equals(after.data() + BEFORE) && s.metric().equals(after.metric()))
                .findFirst();
    }

    /// A method at a number of labels.
    ///
    /// @param accuracies one a seed
    /// @param seconds that one training took
    public record Cell(String method, int labels, List<Double> accuracies, double seconds) {
        public Cell {
            accuracies = List.copyOf(accuracies);
        }

        Interval mean() {
            return Interval.mean(accuracies.stream().mapToDouble(a -> a).toArray());
        }
    }

    /// The whole journey of `quickstart`.
    ///
    /// @param before scores of the held-out text before pre-training
    /// @param after scores of it afterwards
    /// @param cells every method at every number of labels
    /// @param tuned the method to speak of first, which `scratch` is what it would be without
    ///   pre-training
    /// @param forgetting the model before fine-tuning first
    public record Journey(
            Heading heading,
            List<Step> steps,
            List<Score> before,
            List<Score> after,
            List<Block.Sample> samples,
            List<Cell> cells,
            String tuned,
            String scratch,
            int testRecords,
            @Nullable ConfusionMatrix confusion,
            List<Forgetting> forgetting,
            List<Block.Definition> costs) {
        public Journey {
            steps = List.copyOf(steps);
            before = List.copyOf(before);
            after = List.copyOf(after);
            samples = List.copyOf(samples);
            cells = List.copyOf(cells);
            forgetting = List.copyOf(forgetting);
            costs = List.copyOf(costs);
        }
    }

    public static Report quickstart(Journey journey) {
        var sections = new ArrayList<Report.Section>();
        var learnt = new ArrayList<Block>(learning(journey.steps(), List.of(), List.of(), "loss"));
        var scores = new ArrayList<List<String>>();
        for (var score : journey.after()) {
            scores.add(
                    List.of(
                            metricName(score.metric()),
                            find(journey.before(), score.metric())
                                    .map(s -> Numbers.fixed(s.value(), decimals(s)))
                                    .orElse("–"),
                            Numbers.range(score.interval(), decimals(score))));
        }
        learnt.add(
                new Block.Table(
                        "The held-out text, before and after pre-training",
                        List.of("", "before", "after, with 95 % interval"),
                        scores));
        sections.add(new Report.Section("What pre-training learnt", learnt));
        if (!journey.samples().isEmpty()) {
            sections.add(
                    new Report.Section(
                            "What the model writes",
                            new Block.Samples(
                                    "A continuation; what was given is grey", journey.samples())));
        }
        var task = new ArrayList<Block>();
        task.add(accuracyChart(journey));
        task.add(accuracyTable(journey.cells()));
        if (journey.confusion() != null) {
            task.add(
                    new Block.Matrix(
                            "What the fine-tuned model takes for what", journey.confusion()));
        }
        sections.add(new Report.Section("What it is worth for a task", task));
        if (!journey.forgetting().isEmpty()) {
            sections.add(
                    new Report.Section(
                            "What fine-tuning forgot", forgettingTable(journey.forgetting())));
        }
        sections.add(training(journey.steps(), journey.heading().unit()));
        sections.add(new Report.Section("What it cost", new Block.Definitions(journey.costs())));
        sections.add(
                new Report.Section(
                        "Passport", new Block.Definitions(journey.heading().passport())));
        return new Report(
                journey.heading().title(),
                journey.heading().subtitle(),
                verdict(journey),
                journeyFigures(journey),
                sections);
    }

    private static List<Report.Figure> journeyFigures(Journey journey) {
        var figures = new ArrayList<Report.Figure>();
        find(journey.after(), "perplexity")
                .ifPresent(s ->
                        figures.add(
                                new Report.Figure(
                                        "perplexity",
                                        Numbers.fixed(s.value(), 1),
                                        find(journey.before(), "perplexity")
                                                .map(b -> "before: " + Numbers.compact(b.value()))
                                                .orElse(""))));
        for (var labels : labelCounts(journey.cells())) {
            cell(journey, journey.tuned(), labels)
                    .ifPresent(c ->
                            figures.add(
                                    new Report.Figure(
                                            "accuracy, " + labels + " labels",
                                            Numbers.percent(c.mean().value()),
                                            cell(journey, journey.scratch(), labels)
                                                    .map(s ->
                                                            s.method()
                                                                    + ": "
                                                                    + Numbers.percent(
                                                                            s.mean().value()))
                                                    .orElse(""))));
        }
        figures.addAll(costs(journey.steps(), journey.heading().unit()));
        return figures;
    }

    /// Says for each number of labels whether pre-training helped, from differences seed by seed.
    private static String verdict(Journey journey) {
        var sentences = new ArrayList<String>();
        for (var labels : labelCounts(journey.cells())) {
            var tuned = cell(journey, journey.tuned(), labels);
            var scratch = cell(journey, journey.scratch(), labels);
            if (tuned.isEmpty() || scratch.isEmpty()) {
                continue;
            }
            var a = tuned.get().accuracies();
            var b = scratch.get().accuracies();
            var pairs = Math.min(a.size(), b.size());
            var gain = new double[pairs];
            for (var seed = 0; seed < pairs; seed++) {
                gain[seed] = 100 * (a.get(seed) - b.get(seed));
            }
            var difference = Interval.mean(gain);
            var points = Numbers.fixed(Math.abs(difference.value()), 1) + " points";
            var bounds =
                    Double.isFinite(difference.margin())
                            ? " (95 % interval over "
                                    + pairs
                                    + " seeds: "
                                    + Numbers.fixed(difference.low(), 1)
                                    + " to "
                                    + Numbers.fixed(difference.high(), 1)
                                    + ")"
                            : "";
            sentences.add(
                    "With "
                            + labels
                            + " labels, "
                            + (difference.excludes(0)
                                    ? "pre-training "
                                            + (difference.value() > 0 ? "adds " : "costs ")
                                            + points
                                    : "a gain from pre-training cannot be told from chance: "
                                            + (difference.value() < 0 ? "−" : "+")
                                            + points)
                            + " of accuracy"
                            + bounds
                            + ".");
        }
        return String.join(" ", sentences);
    }

    private static Block accuracyChart(Journey journey) {
        var counts = labelCounts(journey.cells());
        var rows = new ArrayList<Block.Row>();
        for (var method : methods(journey.cells())) {
            rows.add(
                    new Block.Row(
                            method,
                            counts.stream()
                                    .map(labels ->
                                            cell(journey, method, labels)
                                                    .map(c -> hundred(c.mean()))
                                                    .orElse(
                                                            new Interval(
                                                                    Double.NaN,
                                                                    Double.NaN,
                                                                    Double.NaN)))
                                    .toList()));
        }
        return new Block.DotChart(
                "Accuracy by method and number of labels",
                "Means over seeds on "
                        + Numbers.count(journey.testRecords())
                        + " test records; the bars are 95 % intervals of the mean over seeds (Student's t). A method run with one seed has none.",
                "accuracy, %",
                counts.stream().map(n -> n + " labels").toList(),
                rows);
    }

    private static Block accuracyTable(List<Cell> cells) {
        var counts = labelCounts(cells);
        var columns = new ArrayList<String>();
        columns.add("method");
        counts.forEach(n -> columns.add(n + " labels"));
        counts.stream()
                .reduce((_, last) -> last)
                .ifPresent(n -> columns.add("one training, " + n + " labels"));
        var rows = new ArrayList<List<String>>();
        for (var method : methods(cells)) {
            var row = new ArrayList<String>();
            row.add(method);
            var seconds = "–";
            for (var labels : counts) {
                var cell =
                        cells.stream()
                                .filter(c -> c.labels() == labels && c.method().equals(method))
                                .findFirst();
                row.add(cell.map(c -> Numbers.percent(c.mean())).orElse("–"));
                seconds =
                        cell.map(c -> c.seconds() > 0 ? Numbers.duration(c.seconds()) : "–")
                                .orElse("–");
            }
            row.add(seconds);
            rows.add(row);
        }
        return new Block.Table("Accuracy, mean ± 95 % interval over seeds", columns, rows);
    }

    private static Block forgettingTable(List<Forgetting> forgetting) {
        var rows = new ArrayList<List<String>>();
        for (var f : forgetting) {
            var rise = f.rise();
            rows.add(
                    List.of(
                            f.method(),
                            Numbers.fixed(f.perplexity().value(), 1),
                            Numbers.fixed(f.bitsPerByte().value(), 3),
                            rise == null
                                    ? "–"
                                    : signedPercent(rise.value())
                                            + " ("
                                            + signedPercent(rise.low())
                                            + " to "
                                            + signedPercent(rise.high())
                                            + ")"));
        }
        return new Block.Table(
                "The general text before and after fine-tuning; the rise of the perplexity with its 95 % interval",
                List.of("model", "perplexity", "bits a byte", "rise of the perplexity"), rows);
    }

    private static List<Block> learning(
            List<Step> steps, List<Evaluation> evaluations, List<Score> scores, String metric) {
        var blocks = new ArrayList<Block>();
        var series = new ArrayList<Block.Series>();
        if (metric.equals("loss") || evaluations.isEmpty()) {
            series.add(new Block.Series("training", curve(steps, Step::loss)));
        }
        var validation = new ArrayList<Block.Point>();
        for (var evaluation : evaluations) {
            find(evaluation.scores(), metric)
                    .ifPresent(
                            s -> validation.add(new Block.Point(evaluation.step(), s.interval())));
        }
        if (!validation.isEmpty()) {
            series.add(new Block.Series("validation", validation));
        }
        var loss = metric.equals("loss") || evaluations.isEmpty();
        blocks.add(
                new Block.LineChart(
                        loss ? "Loss over training" : "Validation " + metric + " over training",
                        (steps.size() > STRETCHES
                                        ? "The training line is a mean over stretches of "
                                                + stretch(steps.size())
                                                + " steps, the band their range."
                                        : "")
                                + (validation.isEmpty()
                                        ? ""
                                        : " Validation is shown with its 95 % interval."),
                        "step",
                        loss ? "loss" : metric,
                        false,
                        !loss,
                        series));
        if (!scores.isEmpty()) {
            blocks.add(scoreTable("Scores with their 95 % intervals", scores));
        }
        return blocks;
    }

    private static Report.Section training(List<Step> steps, String unit) {
        var blocks = new ArrayList<Block>();
        blocks.add(
                new Block.LineChart(
                        "Training rate, " + unit + " a second",
                        "",
                        "step",
                        unit + " a second",
                        false,
                        true,
                        List.of(
                                new Block.Series(
                                        unit + " a second", curve(steps, Step::tokensPerSecond)))));
        blocks.add(
                new Block.LineChart(
                        "Gradient norm before clipping",
                        "",
                        "step",
                        "norm",
                        false,
                        true,
                        List.of(
                                new Block.Series(
                                        "gradient norm", curve(steps, Step::gradientNorm)))));
        blocks.add(
                new Block.LineChart(
                        "Learning rate, in thousandths",
                        "",
                        "step",
                        "learning rate",
                        false,
                        true,
                        List.of(
                                new Block.Series(
                                        "learning rate", curve(steps, s -> 1000 * s.rate())))));
        return new Report.Section("How training went", blocks);
    }

    private static int stretch(int steps) {
        return (steps + STRETCHES - 1) / STRETCHES;
    }

    /// The curve itself, or means over stretches with their ranges.
    private static List<Block.Point> curve(List<Step> steps, ToDoubleFunction<Step> value) {
        var stretch = stretch(steps.size());
        var points = new ArrayList<Block.Point>();
        for (var start = 0; start < steps.size(); start += stretch) {
            var part = steps.subList(start, Math.min(steps.size(), start + stretch));
            var statistics = part.stream().mapToDouble(value).summaryStatistics();
            var middle = (part.getFirst().step() + part.getLast().step()) / 2.0;
            points.add(
                    stretch == 1
                            ? new Block.Point(middle, statistics.getAverage())
                            : new Block.Point(
                                    middle,
                                    statistics.getAverage(),
                                    statistics.getMin(),
                                    statistics.getMax()));
        }
        return points;
    }

    private static List<Report.Figure> costs(List<Step> steps, String unit) {
        if (steps.isEmpty()) {
            return List.of();
        }
        var last = steps.getLast();
        var figures = new ArrayList<Report.Figure>();
        figures.add(
                new Report.Figure(
                        "training",
                        Numbers.duration(last.seconds()),
                        Numbers.compact(last.tokens())
                                + " "
                                + unit
                                + ", "
                                + Numbers.count(last.step())
                                + " steps"));
        var rates = steps.stream().mapToDouble(Step::tokensPerSecond).sorted().toArray();
        var shares = steps.stream().mapToDouble(Step::matmulShare).sorted().toArray();
        var share = shares[shares.length / 2];
        figures.add(
                new Report.Figure(
                        unit + " a second",
                        Numbers.compact(rates[rates.length / 2]),
                        share > 0
                                ? Numbers.percent(share) + " of the matmul rate"
                                : "the median step"));
        var memory = steps.stream().mapToLong(Step::memory).max().orElse(0);
        if (memory > 0) {
            figures.add(
                    new Report.Figure("memory", Numbers.bytes(memory), "the process at its peak"));
        }
        return figures;
    }

    private static Block scoreTable(String caption, List<Score> scores) {
        var rows = new ArrayList<List<String>>();
        for (var score : scores) {
            var percent = isShare(score.metric());
            rows.add(
                    List.of(
                            metricName(score.metric()),
                            score.data(),
                            percent
                                    ? Numbers.percent(score.value())
                                    : Numbers.fixed(score.value(), decimals(score)),
                            percent
                                    ? percentRange(score.interval())
                                    : between(score, decimals(score)),
                            Numbers.count(score.n())));
        }
        return new Block.Table(caption, List.of("metric", "data", "value", "interval", "n"), rows);
    }

    private static Block labelTable(LabelSets sets) {
        return new Block.Table(
                "Label by label",
                List.of("label", "precision", "recall", "F1", "records"),
                sets.each().stream()
                        .map(l ->
                                List.of(
                                        l.label(),
                                        Numbers.percent(l.precision()),
                                        Numbers.percent(l.recall()),
                                        Numbers.percent(l.f1()),
                                        Numbers.count(l.support())))
                        .toList());
    }

    private static Optional<Score> find(List<Score> scores, String metric) {
        return scores.stream().filter(s -> s.metric().equals(metric)).findFirst();
    }

    private static Optional<Cell> cell(Journey journey, String method, int labels) {
        return journey.cells().stream()
                .filter(c -> c.labels() == labels && c.method().equals(method))
                .findFirst();
    }

    private static List<Integer> labelCounts(List<Cell> cells) {
        return cells.stream().map(Cell::labels).distinct().sorted().toList();
    }

    private static List<String> methods(List<Cell> cells) {
        var methods = new LinkedHashSet<String>();
        cells.forEach(c -> methods.add(c.method()));
        return List.copyOf(methods);
    }

    private static boolean isShare(String metric) {
        return metric.endsWith("accuracy")
                || metric.startsWith("macro-")
                || metric.startsWith("micro-")
                || metric.startsWith("precision")
                || metric.startsWith("recall")
                || metric.startsWith("f1");
    }

    /// A metric as people write it.
    public static String metricName(String metric) {
        return switch (metric) {
            case "macro-f1" -> "macro-F1";
            case "micro-f1" -> "micro-F1";
            case "mae" -> "mean absolute error";
            case "mse" -> "mean squared error";
            case "pearson" -> "Pearson's correlation";
            case "spearman" -> "Spearman's correlation";
            case "bleu" -> "BLEU";
            case "cider" -> "CIDEr-D";
            case "chrf" -> "chrF";
            case "chrf-plus-plus" -> "chrF++";
            default ->
                    metric.startsWith("rouge-")
                            ? "ROUGE" + metric.substring(5).replace("l", "L")
                            : metric.toLowerCase(Locale.ROOT).replace('-', ' ');
        };
    }

    private static int decimals(Score score) {
        return switch (score.metric().replaceFirst("^" + COPY, "")) {
            case "perplexity" -> score.value() < 1000 ? 1 : 0;
            case "bleu", "commonest-bleu", "chrf", "chrf-plus-plus" -> 1;
            // Errors are in the user's units, of any size.
            case "mae", "mse", "mean-mae", "bag-of-words-mae" ->
                    score.value() > 0
                            ? Math.clamp(2 - (int) Math.floor(Math.log10(score.value())), 0, 9)
                            : 3;
            default -> 3;
        };
    }

    /// Nothing where the interval cannot be told.
    private static String between(Score score, int decimals) {
        return Double.isFinite(score.low()) && Double.isFinite(score.high())
                ? Numbers.fixed(score.low(), decimals)
                        + " to "
                        + Numbers.fixed(score.high(), decimals)
                : "";
    }

    private static Report.Figure figure(String label, Score score, int decimals) {
        return new Report.Figure(
                label,
                Numbers.fixed(score.value(), decimals),
                Double.isFinite(score.low()) && Double.isFinite(score.high())
                        ? between(score, decimals)
                        : "on " + score.data());
    }

    private static Interval hundred(Interval share) {
        return share.map(v -> 100 * v);
    }

    private static String percentRange(Interval share) {
        return Double.isFinite(share.margin())
                ? Numbers.fixed(100 * share.low(), 1) + " to " + Numbers.percent(share.high())
                : "";
    }

    private static String signedPercent(double share) {
        return (share >= 0 ? "+" : "") + Numbers.percent(share);
    }
}
