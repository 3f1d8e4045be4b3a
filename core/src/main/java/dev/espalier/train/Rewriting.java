package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.TextPair;
import dev.espalier.evaluate.PairedText;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.model.Decoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.SequencePair;
import dev.espalier.objective.SequenceToSequenceBatch;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TaskRecipe.SequenceToSequence;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.TextRewriter;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning an encoder with a decoder to write one text from another.
final class Rewriting implements Job {
    /// Examples of either kind that the report shows.
    private static final int SHOWN = 6;

    private final FinetuneRecipe recipe;
    private final SequenceToSequence task;
    private final Tokenizer tokenizer;
    private final EncoderDecoder model;
    private final ObjectNode config;
    private final ObjectNode generation;
    private final Lora.@Nullable Settings lora;
    private final TextRewriter rewriter;
    private final ExamplesByLength learner;
    private final int meanInput;
    private final int meanTarget;
    private final Records validation;
    private final @Nullable Records test;
    private final ObjectNode passport;
    private final Watcher watcher;
    private long tokensWritten;
    private double secondsWriting;

    /// Records as texts and as the model reads them.
    private record Records(List<TextPair> texts, TextRewriter.Pairs learnt) {
        Records first(int count) {
            return new Records(
                    texts.subList(0, count),
                    new TextRewriter.Pairs(learnt.pairs().subList(0, count), 0, 0));
        }
    }

    private Rewriting(
            FinetuneRecipe recipe,
            SequenceToSequence task,
            Tokenizer tokenizer,
            EncoderDecoder model,
            ObjectNode config,
            ObjectNode generation,
            Lora.@Nullable Settings lora,
            TextRewriter rewriter,
            List<SequencePair> training,
            Records validation,
            @Nullable Records test,
            ObjectNode passport,
            Watcher watcher) {
        var longest = 1;
        var lengths = new int[training.size()];
        double inputs = 0, targets = 0;
        for (var i = 0; i < lengths.length; i++) {
            var pair = training.get(i);
            lengths[i] = pair.input().length + pair.target().length;
            longest = Math.max(longest, lengths[i]);
            inputs += pair.input().length / (double) lengths.length;
            targets += pair.target().length / (double) lengths.length;
        }
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null ? CausalLearner.autoMicroBatch(model, batch, longest) : micro;
        this.recipe = Finetuning.completed(recipe, microBatch);
        this.task = task;
        this.tokenizer = tokenizer;
        this.model = model;
        this.config = config;
        this.generation = generation;
        this.lora = lora;
        this.rewriter = rewriter;
        this.validation = validation;
        this.test = test;
        this.passport = passport;
        this.watcher = watcher;
        meanInput = (int) Math.round(inputs);
        meanTarget = (int) Math.round(targets);
        learner =
                new ExamplesByLength(
                        model,
                        lengths,
                        batch,
                        microBatch,
                        recipe.seed(),
                        (_, places) ->
                                new SequenceToSequenceBatch(
                                        model,
                                        SequenceToSequenceLearner.TERM,
                                        1,
                                        places.stream().map(training::get).toList(),
                                        Run.loss(recipe.training())));
    }

    static Job prepare(
            FinetuneRecipe recipe, SequenceToSequence task, Path folder, Watcher watcher) {
        var data = TextData.paired(recipe.data(), task, recipe.seed(), folder, watcher);
        var prefix = task.prefix() == null ? "" : task.prefix();
        Iterable<String> texts =
                () ->
                        Stream.concat(
                                        Stream.of(prefix),
                                        data.train().stream()
                                                .flatMap(pair ->
                                                        Stream.of(pair.input(), pair.target())))
                                .iterator();
        var tokenizer = TextData.tokenizer(recipe, texts, folder, watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        if (!(ready.model() instanceof EncoderDecoder model)) {
            throw EspalierException.usage(
                    "task: sequence-to-sequence needs an encoder with a decoder, such as a BART or a T5; %s is none"
                            .formatted(ready.model().family().architecture()));
        }
        var added = tokenizer.template().endedBy(model.end()).addedToOne();
        var lengths =
                new TextRewriter.Lengths(
                        most("task.max-input", task.maxInput(), model, added),
                        most("task.max-target", task.maxTarget(), model, added));
        ready.config().remove(HuggingFace.OWN);
        lengths.describe(ready.config());
        var longest = 0;
        var reader =
                new TextRewriter(model, tokenizer, lengths, TextRewriter.usual(model, 1), prefix);
        var cut = task.longTargets() == SequenceToSequence.LongTargets.CUT;
        var train = reader.pairs(data.train(), cut);
        var validation = new Records(data.validation(), reader.pairs(data.validation(), cut));
        var test =
                data.test() == null
                        ? null
                        : new Records(data.test(), reader.pairs(data.test(), cut));
        for (var pair : train.pairs()) {
            longest = Math.max(longest, pair.target().length);
        }
        var asked = task.generation().maxNewTokens();
        var newTokens = asked == null ? longest : asked;
        var usual = TextRewriter.usual(model, newTokens);
        var generation = generation(recipe, task.generation(), newTokens, model, ready.config());
        var penalties = usual.with(generation).penalties();
        var completed =
                new SequenceToSequence(
                        task.input(),
                        task.target(),
                        task.prefix(),
                        lengths.input(),
                        lengths.target(),
                        task.longTargets(),
                        new SequenceToSequence.Generation(
                                task.generation().beams(),
                                task.generation().lengthPenalty(),
                                newTokens,
                                penalties.minNewTokens(),
                                penalties.noRepeatNgram(),
                                penalties.repetition()),
                        task.metrics());
        if (task.prefix() == null) {
            ready.config().remove("prefix");
        } else {
            ready.config().put("prefix", task.prefix());
        }
        var lora = Finetuning.adapt(recipe, model, model);
        if (recipe.adapter() instanceof AdapterRecipe.Frozen f && f.lastBlocks() == 0) {
            trainHead(model);
        }
        say(watcher, "training", data.train().size(), train, lengths);
        say(watcher, "validation", data.validation().size(), validation.learnt(), lengths);
        if (test != null) {
            say(watcher, "test", test.texts().size(), test.learnt(), lengths);
        }
        watcher.said(
                String.format(
                        Locale.ROOT,
                        "%,d pairs; a model of %,d parameters",
                        train.pairs().size(),
                        model.parameterCount()));
        return new Rewriting(
                recipe.with(recipe.model(), completed, recipe.training()),
                completed,
                tokenizer,
                model,
                ready.config(),
                generation,
                lora,
                new TextRewriter(model, tokenizer, lengths, usual.with(generation), prefix),
                train.pairs(),
                validation,
                test,
                counted(data.passport(), train, validation.learnt(), test),
                watcher);
    }

    /// The `generation_config.json` of the model that is trained: the base's, with what is `asked`.
    static ObjectNode generation(
            FinetuneRecipe recipe,
            SequenceToSequence.Generation asked,
            int newTokens,
            EncoderDecoder model,
            ObjectNode config) {
        var json =
                recipe.model() instanceof ModelRecipe.Saved saved
                        ? GenerationConfig.json(saved.path(), TextRewriter.usual(model, newTokens))
                        : HuggingFace.generationConfig(model, config);
        json.put("do_sample", false);
        json.put("num_beams", asked.beams());
        json.put("length_penalty", asked.lengthPenalty());
        json.put("max_new_tokens", newTokens);
        if (asked.minNewTokens() != null) {
            json.put("min_new_tokens", asked.minNewTokens());
        }
        if (asked.noRepeatNgram() != null) {
            json.put("no_repeat_ngram_size", asked.noRepeatNgram());
        }
        if (asked.repetitionPenalty() != null) {
            json.put("repetition_penalty", asked.repetitionPenalty());
        }
        var least = TextRewriter.usual(model, newTokens).with(json).penalties().minNewTokens();
        if (least > newTokens) {
            throw EspalierException.usage(
                    "task.generation.min-new-tokens: no text could end by itself: at least %d tokens are to be written%s, and at most %d; say another"
                            .formatted(
                                    least,
                                    asked.minNewTokens() == null
                                            ? ", as the base model's generation_config.json says"
                                            : "",
                                    newTokens));
        }
        return json;
    }

    private static int most(String key, @Nullable Integer asked, EncoderDecoder model, int added) {
        var length = asked == null ? model.context() : asked;
        if (length > model.longest()) {
            throw EspalierException.usage(
                    "%s: %d tokens are more than the model's context of %d"
                            .formatted(key, length, model.longest()));
        }
        if (length <= added) {
            throw EspalierException.usage(
                    "%s: %d tokens leave no room for text beside the %d special ones"
                            .formatted(key, length, added));
        }
        return length;
    }

    /// Of all that writes the vocabulary's head alone is the task's, where it is not the table of
    /// the inputs' tokens as well.
    private static void trainHead(EncoderDecoder model) {
        var head = model.parameters().get(Decoder.HEAD);
        if (head == null) {
            throw EspalierException.usage(
                    "adapter: frozen leaves nothing to train, since this %s writes by the table that it reads by; allowed: none, lora, frozen with last-blocks"
                            .formatted(model.family().architecture()));
        }
        head.trained(true);
    }

    private static void say(
            Watcher watcher,
            String name,
            int records,
            TextRewriter.Pairs pairs,
            TextRewriter.Lengths lengths) {
        if (pairs.inputsCut() > 0) {
            watcher.said(
                    "%s: %d of %d inputs are longer than %d tokens and were cut"
                            .formatted(name, pairs.inputsCut(), records, lengths.input()));
        }
        if (pairs.targetsCut() > 0) {
            watcher.said(
                    "%s: %d of %d targets are longer than %d tokens and were cut"
                            .formatted(name, pairs.targetsCut(), records, lengths.target()));
        }
    }

    private static ObjectNode counted(
            ObjectNode passport,
            TextRewriter.Pairs train,
            TextRewriter.Pairs validation,
            @Nullable Records test) {
        count(passport, "training", train);
        count(passport, "validation", validation);
        if (test != null) {
            count(passport, "test", test.learnt());
        }
        return passport;
    }

    private static void count(ObjectNode passport, String name, TextRewriter.Pairs pairs) {
        passport.put(name + "-pairs", pairs.pairs().size());
        passport.put(name + "-inputs-cut", pairs.inputsCut());
        passport.put(name + "-targets-cut", pairs.targetsCut());
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public List<ExampleText> examples(long step) {
        return Job.examples(learner, step, tokenizer);
    }

    @Override
    public double flopsPerToken() {
        return Cost.flopsPerToken(model, meanInput, meanTarget);
    }

    @Override
    public Double attentionFlops() {
        return Cost.attentionFlops(Anatomy.of(model.configJson()), meanInput, meanTarget);
    }

    private WrittenTexts.Settings settings() {
        return TextData.settings(task.metrics());
    }

    /// What the model writes for the inputs, beside what it should have written.
    private WrittenTexts written(String name, TextRewriter.Questions questions) {
        var output = rewriter.write(rewriter.inputs(questions.inputs()).ids());
        tokensWritten += output.tokens();
        secondsWriting += output.seconds();
        watcher.said(
                String.format(
                        Locale.ROOT,
                        "%s: %,d tokens written in %.1f s, %,.0f a second",
                        name,
                        output.tokens(),
                        output.seconds(),
                        output.tokens() / output.seconds()));
        return questions.beside(output.texts());
    }

    private List<Score> scores(String name, Records records) {
        var scores =
                new ArrayList<>(
                        new PairedText(records.learnt().pairs()).scores(name, model, bf16()));
        var texts = written(name, TextRewriter.Questions.of(records.texts()));
        scores.addAll(texts.scores(name, "", settings(), recipe.seed()));
        return scores;
    }

    @Override
    public List<Score> validate(long tokens) {
        var most = new PairedText(validation.learnt().pairs()).first(tokens).pairs().size();
        return scores("validation", validation.first(most));
    }

    @Override
    public long validated(long tokens) {
        return Math.min(
                tokens,
                validation.learnt().pairs().stream()
                        .mapToLong(p -> p.input().length + p.target().length)
                        .sum());
    }

    @Override
    public String chosenBy() {
        return Finetuning.chosenBy(recipe, Metric.LOSS).score();
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", validation));
        all.addAll(copies("validation", validation));
        if (test != null) {
            all.addAll(scores("test", test));
            all.addAll(copies("test", test));
        }
        return all;
    }

    private List<Score> copies(String name, Records records) {
        return TextRewriter.copies(
                name, TextRewriter.Questions.of(records.texts()), settings(), recipe.seed());
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        Finetuning.writeModel(folder, recipe, model, config, lora);
        HuggingFace.writeGenerationConfig(folder, generation);
        tokenizer.save(folder);
    }

    @Override
    public JsonNode dataPassport() {
        return passport;
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        var name = test == null ? "validation" : "test";
        var questions = TextRewriter.Questions.of(test == null ? validation.texts() : test.texts());
        var texts = written(name, questions);
        var order = texts.bestFirst();
        var few = Math.min(SHOWN, order.size());
        RunReports.rewriting(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                samples(order.subList(0, few), questions, texts),
                samples(
                        order.subList(order.size() - few, order.size()).reversed(),
                        questions,
                        texts),
                tokensWritten,
                secondsWriting,
                dataPassport());
    }

    private static List<Block.Sample> samples(
            List<Integer> places, TextRewriter.Questions questions, WrittenTexts texts) {
        return places.stream()
                .map(i ->
                        new Block.Sample(
                                questions.inputs().get(i) + " → ",
                                texts.written().get(i),
                                "wanted: " + String.join(" | ", texts.references().get(i))))
                .toList();
    }
}
