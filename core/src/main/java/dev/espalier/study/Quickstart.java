package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.generate.Generator;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.io.AtomicFiles;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.plan.Cost;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.ScheduleRecipe;
import dev.espalier.recipe.Share;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.task.Answers;
import dev.espalier.task.Example;
import dev.espalier.task.TextReader;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.train.CausalLearner;
import dev.espalier.train.ClassificationLearner;
import dev.espalier.train.GeneralText;
import dev.espalier.train.Replaying;
import dev.espalier.train.StepFigures;
import dev.espalier.train.Trainer;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The whole journey in a few minutes: a tokenizer and a causal model from raw prose, then
/// classifiers from few and from more labels, fine-tuned from that model and trained from scratch,
/// with LoRA and with replay, beside a bag-of-words model and the majority class; and what
/// fine-tuning forgot of the prose.
///
/// Every count is fixed, so that the same seed and text give the same figures wherever the
/// arithmetic rounds alike.
public final class Quickstart {
    /// What the figures call fine-tuning all weights of the pre-trained model, and the same model
    /// without pre-training.
    static final String TUNED = "fine-tuned";

    static final String SCRATCH = "from scratch";

    private static final String END_OF_TEXT = "<|endoftext|>";
    private static final int VOCABULARY = 4096;
    private static final int LENGTH = 64;
    private static final int BATCH = 8;
    private static final long HELD_OUT_TOKENS = 32_768;
    private static final int TEST_RECORDS = 880;
    private static final int TASK_BATCH = 8;
    private static final double REPLAY = 0.2;

    /// A number of labels, and how many passes over them are made: fewer labels, more passes.
    public record Budget(int labels, int epochs) {}

    /// How large the model is, and how much it is fine-tuned.
    ///
    /// @param seeds trainings at each budget
    public record Sizes(int width, int layers, int heads, List<Budget> budgets, int seeds) {
        /// What takes some minutes on two cores.
        public static final Sizes STANDARD =
                new Sizes(192, 4, 6, List.of(new Budget(64, 8), new Budget(512, 3)), 3);

        public Sizes {
            budgets = List.copyOf(budgets);
        }
    }

    /// The text and the labelled paragraphs that the journey is made with.
    ///
    /// @param name what the text is, for the report
    /// @param documents to pre-train on
    /// @param heldOut to measure the language model on; no document of it is among the others
    /// @param train labelled paragraphs to draw the labels from
    /// @param test labelled paragraphs of other files
    public record Corpus(
            String name,
            List<String> documents,
            List<String> heldOut,
            List<LabelledText> train,
            List<LabelledText> test) {
        public Corpus {
            documents = List.copyOf(documents);
            heldOut = List.copyOf(heldOut);
            train = List.copyOf(train);
            test = List.copyOf(test);
        }
    }

    /// The accuracy of a method, over seeds, at a number of labels.
    ///
    /// @param labels how many labels it learnt from
    /// @param accuracies one a seed
    /// @param mean of them, with the 95 % interval by Student's t
    /// @param seconds that one training took, the mean
    public record Cell(
            String method, int labels, List<Double> accuracies, Interval mean, double seconds) {}

    /// What the prose's loss became.
    ///
    /// @param method how the model was fine-tuned; the pre-trained model itself is the first
    /// @param rise of the perplexity since before, relative, and its interval; null for the first
    /// @param accuracy in the task; null for the first
    public record Forgetting(
            String method,
            Interval perplexity,
            Interval bitsPerByte,
            @Nullable Interval rise,
            @Nullable Double accuracy) {}

    /// All that was found.
    public record Result(
            String corpus,
            long documents,
            long corpusCharacters,
            int vocabulary,
            long parameters,
            long tokens,
            List<StepFigures> pretraining,
            List<Score> before,
            List<Score> after,
            String prompt,
            String continuation,
            List<String> labels,
            int testRecords,
            List<Cell> cells,
            List<Forgetting> forgetting,
            List<Classification> confusion,
            SortedMap<String, Double> seconds,
            String processor,
            double matmulGflops) {}

    /// Who looks on.
    public interface Listener {
        /// A part of the journey begins.
        void begins(String part);

        /// `done` of `total` steps of the part that began last.
        void step(long done, long total, String detail);

        /// Text that the model writes.
        void wrote(String prompt, String continuation);

        /// Whether to stop here.
        default boolean stop() {
            return false;
        }
    }

    private final Corpus corpus;
    private final Sizes sizes;
    private final long tokens;
    private final long seed;
    private final Listener listener;
    private final SortedMap<String, Double> seconds = new TreeMap<>();

    /// @param tokens that pre-training sees
    public Quickstart(Corpus corpus, Sizes sizes, long tokens, long seed, Listener listener) {
        this.corpus = corpus;
        this.sizes = sizes;
        this.tokens = tokens;
        this.seed = seed;
        this.listener = listener;
    }

    /// Makes the journey, and leaves the tokenizer and the pre-trained model in `folder`/model and
    /// the classifier of the most labels in `folder`/classifier.
    public Result run(Path folder) {
        var tokenizer = timed("tokenizer", this::tokenizer);
        var text = encode(tokenizer, corpus.documents(), tokens + LENGTH);
        var held =
                GeneralText.of(
                        encode(tokenizer, corpus.heldOut(), HELD_OUT_TOKENS), tokenizer, LENGTH);
        var shape =
                Gpt2Config.of(
                                tokenizer.vocabularySize(),
                                LENGTH,
                                sizes.width(),
                                sizes.layers(),
                                sizes.heads(),
                                0)
                        .withActivation("gelu");
        var base = new Gpt2(shape).initialize(seed);
        var parameters = base.parameterCount();
        var rate = Machine.usualMatmulRate(false);
        listener.begins("pre-training");
        var before = held.loss(base, false);
        var windows = GeneralText.of(text, tokenizer, LENGTH).windows();
        var steps = timed("pre-training", () -> pretrain(base, windows, rate));
        var after = held.loss(base, false);
        var end = tokenizer.specials().endOfText().orElseThrow();
        AtomicFiles.writeFolder(
                folder.resolve("model"),
                aside -> {
                    HuggingFace.write(aside, base, HuggingFace.newConfig(end, null));
                    tokenizer.save(aside);
                });
        var prompt = prompt();
        var sample = sample(base, tokenizer, prompt);
        listener.wrote(prompt, sample);

        var weights = snapshot(base);
        base.free();
        var labels =
                List.copyOf(
                        new TreeSet<>(corpus.train().stream().map(LabelledText::label).toList()));
        var test = sample(corpus.test(), TEST_RECORDS, Rng.seed(seed, 100));
        var cells = new ArrayList<Cell>();
        var confusion = new ArrayList<Classification>();
        var forgetting = new ArrayList<Forgetting>();
        forgetting.add(
                new Forgetting("pre-trained", after.perplexity(), after.bitsPerByte(), null, null));
        var study =
                new Study(tokenizer, shape, weights, windows, held, after, labels, test, folder);
        listener.begins("fine-tuning");
        for (var budget : sizes.budgets()) {
            var last = budget == sizes.budgets().getLast();
            cells.addAll(study.cells(budget, last, confusion, forgetting));
        }
        return new Result(
                corpus.name(),
                corpus.documents().size(),
                corpus.documents().stream().mapToLong(String::length).sum(),
                tokenizer.vocabularySize(),
                parameters,
                steps.getLast().tokens(),
                steps,
                before.scores("prose"),
                after.scores("prose"),
                prompt,
                sample,
                labels,
                test.size(),
                cells,
                forgetting,
                confusion,
                seconds,
                Machine.processor(),
                rate / 1e9);
    }

    private <T> T timed(String part, java.util.function.Supplier<T> body) {
        var start = System.nanoTime();
        var result = body.get();
        seconds.merge(part, (System.nanoTime() - start) / 1e9, Double::sum);
        return result;
    }

    private Tokenizer tokenizer() {
        listener.begins("tokenizer");
        var sample = new ArrayList<String>();
        var characters = 0L;
        for (var document : corpus.documents()) {
            if (characters > 8_000_000) {
                break;
            }
            sample.add(document);
            characters += document.length();
        }
        return BytePairTrainer.train(sample, VOCABULARY, 2, List.of(END_OF_TEXT)).plain();
    }

    /// The tokens of the first documents, each with the end of text behind it, until there are
    /// `most`.
    private static int[] encode(Tokenizer tokenizer, List<String> documents, long most) {
        var end = tokenizer.specials().endOfText().orElseThrow();
        var all = new int[Math.toIntExact(most)];
        var count = 0;
        for (var document : documents) {
            var ids = tokenizer.encode(document);
            var take = Math.min(ids.length, all.length - count);
            System.arraycopy(ids, 0, all, count, take);
            count += take;
            if (count == all.length) {
                return all;
            }
            all[count++] = end;
        }
        if (count < 4 * LENGTH) {
            throw EspalierException.data(
                    "the corpus has only " + count + " tokens; quickstart needs some thousands");
        }
        return Arrays.copyOf(all, count);
    }

    private static TrainingRecipe recipe(Duration duration, int batch, double rate) {
        return new TrainingRecipe(
                duration,
                batch,
                null,
                new OptimizerRecipe.AdamW(rate, List.of(0.9, 0.95), 1e-8, 0.1),
                new ScheduleRecipe.Cosine(new Share(0.1), 0.05),
                1,
                TrainingRecipe.Precision.FP32,
                false,
                null);
    }

    private List<StepFigures> pretrain(Gpt2 model, List<int[]> windows, double matmulRate) {
        var full = windows.stream().filter(w -> w.length == LENGTH + 1).toList();
        var order = new ArrayList<>(full);
        Draws.shuffle(order, Rng.at(seed, 1));
        var learner =
                new CausalLearner(
                        model,
                        LENGTH,
                        BATCH,
                        CausalLearner.autoMicroBatch(model, BATCH, LENGTH),
                        order.size(),
                        i -> order.get((int) (i % order.size())));
        var speeds = new Trainer.Speeds(matmulRate, Cost.flopsPerToken(model, LENGTH));
        var figures = new ArrayList<StepFigures>();
        var trainer =
                new Trainer(
                        learner, recipe(Duration.tokens(tokens), BATCH, 2e-3), false, seed, speeds);
        while (!trainer.done()) {
            checkStop();
            var step = trainer.step();
            figures.add(step);
            listener.step(
                    step.step(),
                    trainer.totalSteps(),
                    String.format(
                            java.util.Locale.ROOT,
                            "loss %.3f, %,.0f tokens/s",
                            step.loss(),
                            step.tokensPerSecond()));
        }
        trainer.release();
        return figures;
    }

    private void checkStop() {
        if (listener.stop()) {
            throw new EspalierException(
                    EspalierException.Kind.INTERRUPTED, "quickstart was stopped");
        }
    }

    /// The beginning of a held-out document: enough to go on from, at a word's end.
    private String prompt() {
        var first = corpus.heldOut().getFirst().strip();
        var words = first.split("\\s+", 9);
        return String.join(" ", Arrays.copyOf(words, Math.min(8, words.length)));
    }

    private String sample(Gpt2 model, Tokenizer tokenizer, String prompt) {
        var end = tokenizer.specials().endOfText().orElseThrow();
        return new Generator(model, tokenizer)
                .generate(
                        prompt,
                        new Sampling(0.7, 40, 1, seed),
                        new Limits(44, List.of(), Set.of(end)))
                .text();
    }

    private static Map<String, float[]> snapshot(Gpt2 model) {
        var weights = new LinkedHashMap<String, float[]>();
        model.parameters().forEach((name, p) -> weights.put(name, p.value().floats()));
        return weights;
    }

    private static <T> List<T> sample(List<T> list, int size, long seed) {
        var copy = new ArrayList<>(list);
        Draws.shuffle(copy, Rng.at(seed));
        return List.copyOf(copy.subList(0, Math.min(size, copy.size())));
    }

    /// The fine-tunings, which share the text, the base and the test.
    private final class Study {
        private final Tokenizer tokenizer;
        private final Gpt2Config shape;
        private final Map<String, float[]> base;
        private final List<int[]> replayed;
        private final GeneralText held;
        private final TextLoss before;
        private final List<String> labels;
        private final List<LabelledText> test;
        private final List<TextReader.Read> testTexts;
        private final Problem problem;
        private final int[] truth;
        private final Path folder;

        Study(
                Tokenizer tokenizer,
                Gpt2Config shape,
                Map<String, float[]> base,
                List<int[]> windows,
                GeneralText held,
                TextLoss before,
                List<String> labels,
                List<LabelledText> test,
                Path folder) {
            this.tokenizer = tokenizer;
            this.shape = shape;
            this.base = base;
            replayed = windows.stream().filter(w -> w.length == LENGTH + 1).toList();
            this.held = held;
            this.before = before;
            this.labels = labels;
            this.test = test;
            this.folder = folder;
            problem = new Problem.SingleLabel(labels);
            testTexts = read(test);
            truth = classes(test);
        }

        private List<TextReader.Read> read(List<LabelledText> texts) {
            var reader = new TextReader(tokenizer, LENGTH, 0);
            return texts.stream().map(t -> reader.read(t.text(), null)).toList();
        }

        private int[] classes(List<LabelledText> texts) {
            return texts.stream().mapToInt(t -> labels.indexOf(t.label())).toArray();
        }

        /// Every method at one number of labels.
        List<Cell> cells(
                Budget budget,
                boolean last,
                List<Classification> confusion,
                List<Forgetting> forgetting) {
            var methods = last ? Method.values() : new Method[] {Method.FULL, Method.SCRATCH};
            var accuracies = new LinkedHashMap<String, List<Double>>();
            var times = new LinkedHashMap<String, Double>();
            for (var taskSeed = 1; taskSeed <= sizes.seeds(); taskSeed++) {
                var drawn =
                        Draws.balanced(
                                corpus.train(), budget.labels(), Rng.seed(seed, 200, taskSeed));
                for (var method : methods) {
                    if (!method.everySeed && taskSeed > 1) {
                        continue;
                    }
                    checkStop();
                    var start = System.nanoTime();
                    var model = train(method, drawn, budget, Rng.seed(seed, 300, taskSeed));
                    var took = (System.nanoTime() - start) / 1e9;
                    var predicted = Answers.likeliest(Answers.of(model, testTexts));
                    var result = new Classification(labels, truth, predicted);
                    add(accuracies, method.title, result.accuracy().value());
                    times.merge(method.title, took, Double::sum);
                    seconds.merge("fine-tuning: " + method.title, took, Double::sum);
                    if (last && taskSeed == 1 && method != Method.SCRATCH) {
                        var loss = held.loss(model.decoder(), false);
                        forgetting.add(
                                new Forgetting(
                                        method.title,
                                        loss.perplexity(),
                                        loss.bitsPerByte(),
                                        loss.riseSince(before),
                                        result.accuracy().value()));
                    }
                    if (last && taskSeed == 1 && method == Method.FULL) {
                        confusion.add(result);
                        var end = tokenizer.specials().endOfText().orElseThrow();
                        AtomicFiles.writeFolder(
                                folder.resolve("classifier"),
                                aside -> {
                                    HuggingFace.write(
                                            aside, model, HuggingFace.newConfig(end, null));
                                    tokenizer.save(aside);
                                });
                    }
                    model.free();
                    listener.step(
                            taskSeed,
                            sizes.seeds(),
                            String.format(
                                    java.util.Locale.ROOT,
                                    "%d labels, seed %d, %s: accuracy %.1f %%",
                                    budget.labels(),
                                    taskSeed,
                                    method.title,
                                    100 * result.accuracy().value()));
                }
                var start = System.nanoTime();
                var bag =
                        BagOfWords.fit(
                                problem,
                                drawn,
                                drawn.stream()
                                        .map(t -> Example.truth(problem, t))
                                        .toArray(double[][]::new));
                var guesses = Answers.likeliest(bag.answers(test));
                times.merge("bag of words", (System.nanoTime() - start) / 1e9, Double::sum);
                add(
                        accuracies,
                        "bag of words",
                        new Classification(labels, truth, guesses).accuracy().value());
                var majority = Classification.majority(classes(drawn), labels.size());
                add(
                        accuracies,
                        "majority class",
                        new Classification(labels, truth, guesses)
                                .always(majority)
                                .accuracy()
                                .value());
            }
            var cells = new ArrayList<Cell>();
            accuracies.forEach((method, values) ->
                    cells.add(
                            new Cell(
                                    method,
                                    budget.labels(),
                                    List.copyOf(values),
                                    Interval.mean(values.stream().mapToDouble(v -> v).toArray()),
                                    times.getOrDefault(method, 0.0) / values.size())));
            return cells;
        }

        private static void add(Map<String, List<Double>> into, String method, double value) {
            into.computeIfAbsent(method, m -> new ArrayList<>()).add(value);
        }

        private SequenceClassifier train(
                Method method, List<LabelledText> drawn, Budget budget, long taskSeed) {
            var body = new Gpt2(shape);
            if (method == Method.SCRATCH) {
                body.initialize(taskSeed);
            } else {
                body.parameters()
                        .forEach((name, p) ->
                                p.value()
                                        .segment()
                                        .copyFrom(
                                                MemorySegment.ofArray(
                                                        java.util.Objects.requireNonNull(
                                                                base.get(name)))));
            }
            var model = new SequenceClassifier(body, labels);
            model.initializeHead(taskSeed);
            if (method == Method.LORA) {
                Lora.attach(
                        model,
                        new Lora.Settings(
                                8,
                                16,
                                0,
                                List.of("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")),
                        taskSeed);
                model.trainHead();
            }
            var read = read(drawn);
            var examples =
                    IntStream.range(0, read.size())
                            .mapToObj(i ->
                                    new Example(
                                            read.get(i).windows().getFirst(),
                                            Example.truth(problem, drawn.get(i)),
                                            1,
                                            drawn.get(i).where()))
                            .toList();
            var perEpoch = (int) Math.ceil(examples.size() / (double) TASK_BATCH);
            var replays = method == Method.REPLAY;
            var microBatch = CausalLearner.autoMicroBatch(model, TASK_BATCH, LENGTH);
            var task =
                    new ClassificationLearner(
                            model,
                            examples,
                            step -> batch(examples.size(), perEpoch, taskSeed, step),
                            perEpoch,
                            microBatch,
                            null,
                            true,
                            CrossEntropy.PLAIN,
                            replays ? 1 - REPLAY : 1);
            var learner =
                    replays
                            ? new Replaying(
                                    task,
                                    model.decoder(),
                                    (int) Math.round(TASK_BATCH * REPLAY / (1 - REPLAY)),
                                    REPLAY,
                                    i -> replayed.get((int) (i % replayed.size())),
                                    null,
                                    microBatch,
                                    CrossEntropy.PLAIN)
                            : task;
            var trainer =
                    new Trainer(
                            learner,
                            recipe(
                                    Duration.steps((long) budget.epochs() * perEpoch),
                                    TASK_BATCH,
                                    method.rate),
                            false,
                            taskSeed,
                            Trainer.Speeds.UNKNOWN);
            while (!trainer.done()) {
                trainer.step();
            }
            trainer.release();
            return model;
        }

        private static int[] batch(int size, int perEpoch, long seed, long step) {
            var order = new ArrayList<Integer>();
            for (var i = 0; i < size; i++) {
                order.add(i);
            }
            Draws.shuffle(order, Rng.at(seed, step / perEpoch));
            var from = (int) (step % perEpoch) * TASK_BATCH;
            return order.subList(from, Math.min(size, from + TASK_BATCH)).stream()
                    .mapToInt(i -> i)
                    .toArray();
        }
    }

    /// How a classifier is trained, and at which rate.
    private enum Method {
        FULL(Quickstart.TUNED, 1e-3, true),
        SCRATCH(Quickstart.SCRATCH, 1e-3, true),
        LORA("fine-tuned, LoRA", 3e-3, false),
        REPLAY("fine-tuned, replay", 1e-3, false);

        private final String title;
        private final double rate;
        private final boolean everySeed;

        Method(String title, double rate, boolean everySeed) {
            this.title = title;
            this.rate = rate;
            this.everySeed = everySeed;
        }
    }
}
