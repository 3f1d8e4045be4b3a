package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.data.Preference;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.PreferenceLossRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.AnswerBatch;
import dev.espalier.task.AnswerPair;
import dev.espalier.task.Answered;
import dev.espalier.task.Assistant;
import dev.espalier.task.PreferenceBatch;
import dev.espalier.task.PreferenceLoss;
import dev.espalier.tokenize.Dialogue;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a decoder on preferences between answers, see [PreferenceLoss]. The reference is the
/// model from which training starts; its log-probabilities are computed once, before the first
/// step, without dropout, as are those of the model that is trained.
final class Preferring implements Job {
    /// Pairs that are shown before the first step.
    private static final int SHOWN = 2;

    private final FinetuneRecipe recipe;
    private final Instruction.Chat chat;
    private final Decoder model;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final PreferenceLoss loss;
    private final Pairs train;
    private final Pairs validation;
    private final @Nullable Pairs test;
    private final List<Score> before;
    private final Learner learner;
    private final double meanLength;
    private final Forgetting forgetting;
    private final ObjectNode passport;

    /// Pairs as tokens.
    ///
    /// @param leftOut how many are left out for their length
    private record Pairs(List<AnswerPair> all, long leftOut) {}

    private Preferring(
            FinetuneRecipe recipe,
            Instruction.Chat chat,
            Decoder model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            PreferenceLoss loss,
            Pairs train,
            Pairs validation,
            @Nullable Pairs test,
            List<Score> before,
            Learner learner,
            double meanLength,
            Forgetting forgetting,
            ObjectNode passport) {
        this.recipe = recipe;
        this.chat = chat;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.loss = loss;
        this.train = train;
        this.validation = validation;
        this.test = test;
        this.before = before;
        this.learner = learner;
        this.meanLength = meanLength;
        this.forgetting = forgetting;
        this.passport = passport;
    }

    static Job prepare(
            FinetuneRecipe asked, TaskRecipe.Preference task, Path folder, Watcher watcher) {
        var recipe = withoutDropout(asked);
        var data = TextData.preferences(recipe.data(), recipe.seed(), folder, watcher);
        var tokenizer =
                TextData.chatTokenizer(
                        recipe,
                        data.train().stream().map(p -> p.answered(p.chosen()).text()).toList(),
                        folder,
                        watcher);
        Instruction.requireKnown(recipe);
        var template =
                Instruction.template(recipe, task.template(), task.date(), tokenizer, watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        var model = Instruction.decoder(recipe, ready);
        var length = Finetuning.maxLength(task.maxLength(), model, tokenizer);
        Assistant.describe(ready.config(), length);
        var settings =
                new Answered.Settings(
                        template,
                        tokenizer,
                        Dialogue.Which.LAST,
                        length,
                        switch (task.longer()) {
                            case LEAVE_OUT -> Answered.Longer.LEAVE_OUT;
                            case REFUSE -> Answered.Longer.REFUSE;
                        });
        var loss = loss(task.loss());
        var maker = new Maker(recipe, model, settings, loss instanceof PreferenceLoss.Kto, watcher);
        var train = maker.pairs("training", data.train());
        var validation = maker.pairs("validation", data.validation());
        var test = data.test() == null ? null : maker.pairs("test", data.test());
        var chat =
                Instruction.Chat.of(
                        tokenizer,
                        template,
                        train.all().stream()
                                .flatMap(p -> Stream.of(p.chosen(), p.rejected()))
                                .toList());
        watcher.said(
                "%,d pairs of answers, each of which ends with %s"
                        .formatted(train.all().size(), chat.shownEnds()));
        var lengths = train.all().stream().mapToInt(AnswerPair::length).toArray();
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var longest = Arrays.stream(lengths).max().orElse(1);
        var microBatch =
                Math.min(
                        batch,
                        micro == null
                                ? CausalLearner.autoMicroBatch(model, batch, longest)
                                : micro);
        var bf16 = maker.bf16();
        var before = new ArrayList<Score>();
        before.addAll(
                PreferenceBatch.measure(model, validation.all(), loss, bf16)
                        .scores("validation-before"));
        if (test != null) {
            before.addAll(
                    PreferenceBatch.measure(model, test.all(), loss, bf16).scores("test-before"));
        }
        var forgetting = Forgetting.of(recipe.forgetting(), model, tokenizer, bf16, recipe.seed());
        var lora = Finetuning.adapt(recipe, model, model);
        Instruction.trainHead(recipe, model);
        var weight = Replaying.taskWeight(recipe);
        var pairs =
                new ExamplesByLength(
                        model,
                        lengths,
                        batch,
                        loss instanceof PreferenceLoss.Kto ? batch : microBatch,
                        recipe.seed(),
                        (_, places) ->
                                new PreferenceBatch(
                                        model,
                                        weight,
                                        places.stream().map(train.all()::get).toList(),
                                        loss,
                                        microBatch));
        return new Preferring(
                Finetuning.completed(recipe, microBatch),
                chat,
                model,
                ready.config(),
                lora,
                loss,
                train,
                validation,
                test,
                before,
                Defending.of(
                        recipe,
                        Replaying.of(recipe, pairs, model, tokenizer, microBatch),
                        model,
                        tokenizer,
                        microBatch,
                        null),
                pairs.meanLength(),
                forgetting,
                data.passport());
    }

    /// Log-ratios are differences of two models, so that what dropout makes of one would count as
    /// one: a saved model drops nothing out unless the recipe says so.
    private static FinetuneRecipe withoutDropout(FinetuneRecipe r) {
        if (!(r.model() instanceof ModelRecipe.Saved saved) || saved.dropout() != null) {
            return r;
        }
        return r.with(
                new ModelRecipe.Saved(saved.path(), saved.addTokens(), 0.0, null),
                r.task(),
                r.training());
    }

    private static PreferenceLoss loss(PreferenceLossRecipe recipe) {
        return switch (recipe) {
            case PreferenceLossRecipe.Dpo r -> new PreferenceLoss.Dpo(r.beta(), r.labelSmoothing());
            case PreferenceLossRecipe.Ipo r -> new PreferenceLoss.Ipo(r.beta(), r.average());
            case PreferenceLossRecipe.Kto r ->
                    new PreferenceLoss.Kto(r.beta(), r.desirableWeight(), r.undesirableWeight());
        };
    }

    /// Makes pairs of records, while the model is still the reference.
    ///
    /// @param others whether each prompt is also seen with the next record's answers
    private record Maker(
            FinetuneRecipe recipe,
            Decoder model,
            Answered.Settings settings,
            boolean others,
            Watcher watcher) {
        boolean bf16() {
            return Run.completed(recipe.training(), 1).precision() == TrainingRecipe.Precision.BF16;
        }

        Pairs pairs(String name, List<Preference> records) {
            var kept = new ArrayList<Preference>();
            var answers = new ArrayList<List<Answered>>();
            for (var record : records) {
                var chosen = Answered.of(record.answered(record.chosen()), settings);
                var rejected = Answered.of(record.answered(record.rejected()), settings);
                if (chosen != null && rejected != null) {
                    kept.add(record);
                    answers.add(List.of(chosen, rejected));
                }
            }
            var leftOut = records.size() - kept.size();
            if (leftOut > 0) {
                watcher.said(
                        "%s: of %,d pairs %,d are left out, for an answer that is longer with its prompt than %,d tokens"
                                .formatted(name, records.size(), leftOut, settings.length()));
            }
            if (kept.isEmpty()) {
                throw EspalierException.data(
                        "%s: all %,d %s pairs are longer than %,d tokens; a longer task.max-length helps"
                                .formatted(
                                        recipe.data().train(),
                                        records.size(),
                                        name,
                                        settings.length()));
            }
            var all = new ArrayList<Answered>();
            var elsewhere = new ArrayList<List<Answered>>();
            for (var i = 0; i < kept.size(); i++) {
                elsewhere.add(others ? others(kept.get(i), other(kept, i)) : List.of());
                all.addAll(answers.get(i));
                all.addAll(elsewhere.get(i));
            }
            var reference = AnswerBatch.logProbabilities(model, all, bf16());
            var pairs = new ArrayList<AnswerPair>();
            var at = 0;
            for (var i = 0; i < kept.size(); i++) {
                var end = at + 2 + elsewhere.get(i).size();
                pairs.add(
                        new AnswerPair(
                                answers.get(i).get(0),
                                answers.get(i).get(1),
                                elsewhere.get(i),
                                Arrays.copyOfRange(reference, at, end)));
                at = end;
            }
            return new Pairs(List.copyOf(pairs), leftOut);
        }

        /// The next record behind that at `at`, or from the first on, which asks something else.
        private Preference other(List<Preference> records, int at) {
            var prompt = records.get(at).prompt();
            for (var i = 1; i < records.size(); i++) {
                var next = records.get((at + i) % records.size());
                if (!next.prompt().equals(prompt)) {
                    return next;
                }
            }
            throw EspalierException.data(
                    "%s: all pairs are of one prompt; KTO needs answers to another to compare with, which DPO and IPO do not (task.loss)"
                            .formatted(records.getFirst().where()));
        }

        /// Of those that fit.
        private List<Answered> others(Preference record, Preference next) {
            var fitting =
                    new Answered.Settings(
                            settings.template(),
                            settings.tokenizer(),
                            settings.which(),
                            settings.length(),
                            Answered.Longer.LEAVE_OUT);
            return Stream.of(next.chosen(), next.rejected())
                    .flatMap(answer ->
                            Stream.ofNullable(Answered.of(record.answered(answer), fitting)))
                    .toList();
        }
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
        return Job.examples(learner, step, chat.tokenizer());
    }

    @Override
    public List<ExampleText> preflight() {
        var shown = train.all().subList(0, Math.min(SHOWN, train.all().size()));
        return new PreferenceBatch(model, 1, shown, loss, 1).examples(chat.tokenizer());
    }

    @Override
    public double flopsPerToken() {
        return Cost.flopsPerToken(model, (int) Math.round(meanLength / 2));
    }

    @Override
    public Double attentionFlops() {
        return Cost.attentionFlops(model, (int) Math.round(meanLength / 2));
    }

    private List<Score> scores(String name, Pairs pairs) {
        return PreferenceBatch.measure(model, pairs.all(), loss, bf16()).scores(name);
    }

    @Override
    public List<Score> validate(long tokens) {
        return scores("validation", validation);
    }

    @Override
    public long validated(long tokens) {
        return validation.all().stream().mapToLong(AnswerPair::length).sum();
    }

    @Override
    public String chosenBy() {
        var metric = Finetuning.chosenBy(recipe, Metric.LOSS);
        return metric == Metric.ACCURACY ? "reward-accuracy" : "loss";
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(before);
        all.addAll(scores("validation", validation));
        if (test != null) {
            all.addAll(scores("test", test));
        }
        return all;
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        chat.writeModel(folder, recipe, model, config, lora);
    }

    @Override
    public JsonNode dataPassport() {
        var json = passport.deepCopy();
        json.put("chat-template", chat.template().name());
        json.put("training-pairs", train.all().size());
        json.put("training-left-out", train.leftOut());
        json.put("validation-pairs", validation.all().size());
        json.put("validation-left-out", validation.leftOut());
        return json;
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        RunReports.beforeAndAfter(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores,
                List.of("reward-accuracy", "preference-accuracy", "loss"),
                dataPassport());
    }
}
