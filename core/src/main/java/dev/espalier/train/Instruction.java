package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Conversation;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Decoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.task.AnswerBatch;
import dev.espalier.task.Answered;
import dev.espalier.task.Assistant;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Dialogue;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a decoder to answer in conversations (Ouyang et al. 2022, arXiv:2203.02155, section
/// 3.5), with the loss on the answers alone.
final class Instruction implements Job {
    /// Examples that are shown before the first step.
    private static final int SHOWN = 3;

    private final FinetuneRecipe recipe;
    private final Chat chat;
    private final Decoder model;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final Examples train;
    private final Examples validation;
    private final @Nullable Examples test;
    private final TextLoss validationBefore;
    private final @Nullable TextLoss testBefore;
    private final Learner learner;
    private final double meanLength;
    private final Forgetting forgetting;
    private final ObjectNode passport;

    /// How a model is talked to.
    ///
    /// @param ends the tokens that end its turn
    record Chat(Tokenizer tokenizer, ChatTemplate template, TreeSet<Integer> ends) {
        /// That of a model whose answers end with these tokens.
        static Chat of(Tokenizer tokenizer, ChatTemplate template, List<Answered> answers) {
            var ends = new TreeSet<Integer>();
            for (var a : answers) {
                var last = a.told().length - 1;
                while (!a.told()[last]) {
                    last--;
                }
                ends.add(a.ids()[last]);
            }
            return new Chat(tokenizer, template, ends);
        }

        /// The tokens that end its turn, for a person.
        String shownEnds() {
            return ends.stream().map(tokenizer::token).collect(Collectors.joining(" or "));
        }

        /// Writes `model` with what `chat` and `generate` need.
        void writeModel(
                Path folder,
                FinetuneRecipe recipe,
                Decoder model,
                ObjectNode config,
                Lora.@Nullable Settings lora)
                throws IOException {
            Finetuning.writeModel(folder, recipe, model, config, lora);
            if (recipe.model() instanceof ModelRecipe.Saved saved) {
                HuggingFace.copyGenerationConfig(saved.path(), folder);
            }
            tokenizer.save(folder);
            template.write(folder);
            var all = new ArrayList<>(ends);
            tokenizer
                    .specials()
                    .endOfText()
                    .ifPresent(id -> {
                        if (!ends.contains(id)) {
                            all.add(id);
                        }
                    });
            HuggingFace.writeEnds(folder, all);
        }
    }

    /// Conversations as tokens.
    ///
    /// @param forgotten how many lost turns for their length
    /// @param leftOut how many are left out for it
    private record Examples(List<Answered> all, long forgotten, long leftOut) {
        long told() {
            return all.stream().mapToLong(Answered::count).sum();
        }

        long tokens() {
            return all.stream().mapToLong(a -> a.ids().length).sum();
        }
    }

    private Instruction(
            FinetuneRecipe recipe,
            Chat chat,
            Decoder model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            Examples train,
            Examples validation,
            @Nullable Examples test,
            List<@Nullable TextLoss> before,
            Learner learner,
            double meanLength,
            Forgetting forgetting,
            ObjectNode passport) {
        this.recipe = recipe;
        this.chat = chat;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.train = train;
        this.validation = validation;
        this.test = test;
        validationBefore = Objects.requireNonNull(before.get(0));
        testBefore = before.get(1);
        this.learner = learner;
        this.meanLength = meanLength;
        this.forgetting = forgetting;
        this.passport = passport;
    }

    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Instruction task, Path folder, Watcher watcher) {
        var data = TextData.conversations(recipe.data(), recipe.seed(), folder, watcher);
        var tokenizer =
                TextData.chatTokenizer(
                        recipe,
                        data.train().stream().map(Conversation::text).toList(),
                        folder,
                        watcher);
        requireKnown(recipe);
        var template = template(recipe, task.template(), task.date(), tokenizer, watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        var model = decoder(recipe, ready);
        var length = Finetuning.maxLength(task.maxLength(), model, tokenizer);
        Assistant.describe(ready.config(), length);
        var settings =
                new Answered.Settings(
                        template,
                        tokenizer,
                        switch (task.answers()) {
                            case EVERY -> Dialogue.Which.EVERY;
                            case LAST -> Dialogue.Which.LAST;
                        },
                        length,
                        switch (task.longer()) {
                            case FORGET -> Answered.Longer.FORGET;
                            case LEAVE_OUT -> Answered.Longer.LEAVE_OUT;
                            case REFUSE -> Answered.Longer.REFUSE;
                        });
        var train = examples("training", recipe, data.train(), settings, watcher);
        var validation = examples("validation", recipe, data.validation(), settings, watcher);
        var test =
                data.test() == null
                        ? null
                        : examples("test", recipe, data.test(), settings, watcher);
        var lengths = train.all().stream().mapToInt(a -> a.ids().length - 1).toArray();
        var rows =
                task.packing()
                        ? Answered.packed(lengths, length).stream()
                                .map(row -> Arrays.stream(row).mapToObj(train.all()::get).toList())
                                .toList()
                        : train.all().stream().map(List::of).toList();
        var rowLengths =
                rows.stream()
                        .mapToInt(row -> row.stream().mapToInt(a -> a.ids().length - 1).sum())
                        .toArray();
        var chat = Chat.of(tokenizer, template, train.all());
        watcher.said(
                "%,d conversations in %,d rows: %,d of %,d tokens are the assistant's, and trained; each answer ends with %s"
                        .formatted(
                                train.all().size(),
                                rows.size(),
                                train.told(),
                                train.tokens(),
                                chat.shownEnds()));
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var longest = Arrays.stream(rowLengths).max().orElse(1);
        var microBatch =
                micro == null ? CausalLearner.autoMicroBatch(model, batch, longest) : micro;
        var completed = Finetuning.completed(recipe, Math.min(microBatch, batch));
        var bf16 = completed.training().precision() == TrainingRecipe.Precision.BF16;
        var before = new ArrayList<@Nullable TextLoss>();
        before.add(AnswerBatch.measure(model, validation.all(), tokenizer, bf16));
        before.add(test == null ? null : AnswerBatch.measure(model, test.all(), tokenizer, bf16));
        var forgetting = Forgetting.of(recipe.forgetting(), model, tokenizer, bf16, recipe.seed());
        var lora = Finetuning.adapt(recipe, model, model);
        trainHead(recipe, model);
        var loss = Run.loss(recipe.training());
        var weight = Replaying.taskWeight(recipe);
        var answers =
                new ExamplesByLength(
                        model,
                        rowLengths,
                        batch,
                        microBatch,
                        recipe.seed(),
                        (_, places) ->
                                new AnswerBatch(
                                        model,
                                        weight,
                                        places.stream().map(rows::get).toList(),
                                        loss));
        return new Instruction(
                completed,
                chat,
                model,
                ready.config(),
                lora,
                train,
                validation,
                test,
                before,
                Defending.of(
                        recipe,
                        Replaying.of(recipe, answers, model, tokenizer, microBatch),
                        model,
                        tokenizer,
                        microBatch,
                        null),
                answers.meanLength(),
                forgetting,
                data.passport());
    }

    static Decoder decoder(FinetuneRecipe recipe, Models.Ready ready) {
        ready.requireHead(recipe);
        if (ready.model() instanceof Decoder decoder) {
            return decoder;
        }
        throw EspalierException.usage(
                "model: conversations are told by a decoder, such as gpt2, llama, mistral or qwen2");
    }

    /// Beside an adapter the rows of the vocabulary stay as they are, so that a new token, such as
    /// the one that ends an answer, could not be learnt.
    static void requireKnown(FinetuneRecipe recipe) {
        if (recipe.adapter() instanceof AdapterRecipe.None
                || !(recipe.model() instanceof ModelRecipe.Saved saved)) {
            return;
        }
        var before = Tokenizers.read(saved.path());
        var fresh = saved.addTokens().stream().filter(t -> before.id(t).isEmpty()).toList();
        if (!fresh.isEmpty()) {
            throw EspalierException.usage(
                    "model.add-tokens: %s are new to the model, and an adapter leaves their rows untrained; train all weights (adapter: {type: none}), or take a template without new tokens, such as alpaca"
                            .formatted(String.join(", ", fresh)));
        }
    }

    /// Behind a body that is all frozen the vocabulary's head is trained, where it is not the table
    /// of the inputs' tokens as well.
    static void trainHead(FinetuneRecipe recipe, Decoder model) {
        if (!(recipe.adapter() instanceof AdapterRecipe.Frozen frozen) || frozen.lastBlocks() > 0) {
            return;
        }
        var head = model.parameters().get(Decoder.HEAD);
        if (head == null) {
            throw EspalierException.usage(
                    "adapter: frozen leaves nothing to train, since this %s writes by the table that it reads by; allowed: none, lora, frozen with last-blocks"
                            .formatted(model.family().architecture()));
        }
        head.trained(true);
    }

    /// The template that the recipe names, or else the tokenizer's own, on the recipe's date.
    static ChatTemplate template(
            FinetuneRecipe recipe,
            @Nullable String asked,
            @Nullable String date,
            Tokenizer tokenizer,
            Watcher watcher) {
        var template = asked == null ? own(recipe) : named(asked, tokenizer);
        var day = date == null ? null : LocalDate.parse(date);
        template.date()
                .filter(before -> !before.equals(day))
                .ifPresent(before ->
                        watcher.said(
                                "task.date: the template told %s when the model was trained before, and tells %s now"
                                        .formatted(before, day == null ? "no date" : day)));
        return template.on(day);
    }

    private static ChatTemplate named(String asked, Tokenizer tokenizer) {
        var file = Path.of(asked);
        if (!asked.endsWith(".jinja") && !asked.endsWith(".j2")) {
            return ChatTemplate.of(ChatTemplate.Known.of(asked), tokenizer);
        }
        try {
            return ChatTemplate.parse(asked, Files.readString(file));
        } catch (IOException e) {
            throw EspalierException.usage(
                    "task.template: " + asked + " cannot be read (" + e.getMessage() + ")");
        }
    }

    private static ChatTemplate own(FinetuneRecipe recipe) {
        var from =
                recipe.tokenizer() instanceof TokenizerRecipe.Saved t
                        ? t.path()
                        : recipe.model() instanceof ModelRecipe.Saved m ? m.path() : null;
        return (from == null ? Optional.<ChatTemplate>empty() : ChatTemplate.readOnly(from))
                .orElseThrow(() ->
                        EspalierException.usage(
                                "task.template: the tokenizer has no chat template of its own; name one: %s, or a .jinja file"
                                        .formatted(ChatTemplate.Known.labels())));
    }

    private static Examples examples(
            String name,
            FinetuneRecipe recipe,
            List<Conversation> conversations,
            Answered.Settings settings,
            Watcher watcher) {
        var all = new ArrayList<Answered>();
        long forgotten = 0, leftOut = 0;
        for (var conversation : conversations) {
            var answered = Answered.of(conversation, settings);
            if (answered == null) {
                leftOut++;
            } else {
                all.add(answered);
                forgotten += answered.forgotten() > 0 ? 1 : 0;
            }
        }
        if (forgotten > 0 || leftOut > 0) {
            watcher.said(
                    "%s: of %,d conversations %,d lost their oldest turns and %,d are left out, for being longer than %,d tokens"
                            .formatted(
                                    name,
                                    conversations.size(),
                                    forgotten,
                                    leftOut,
                                    settings.length()));
        }
        if (all.isEmpty()) {
            throw EspalierException.data(
                    "%s: all %,d %s conversations are longer than %,d tokens; a longer task.max-length helps"
                            .formatted(
                                    recipe.data().train(),
                                    conversations.size(),
                                    name,
                                    settings.length()));
        }
        return new Examples(List.copyOf(all), forgotten, leftOut);
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

    /// The first examples of the training data, from their beginning.
    @Override
    public List<ExampleText> preflight() {
        var shown = train.all().subList(0, Math.min(SHOWN, train.all().size()));
        return new AnswerBatch(model, 1, List.of(shown), CrossEntropy.PLAIN)
                .examples(chat.tokenizer());
    }

    @Override
    public double flopsPerToken() {
        return Cost.flopsPerToken(model, (int) Math.round(meanLength));
    }

    @Override
    public Double attentionFlops() {
        return Cost.attentionFlops(model, (int) Math.round(meanLength));
    }

    private List<Score> scores(String name, Examples examples) {
        return AnswerBatch.measure(model, examples.all(), chat.tokenizer(), bf16()).scores(name);
    }

    @Override
    public List<Score> validate(long tokens) {
        return scores("validation", validation);
    }

    @Override
    public long validated(long tokens) {
        return validation.tokens();
    }

    @Override
    public String chosenBy() {
        return "loss";
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(validationBefore.scores("validation-before"));
        all.addAll(scores("validation", validation));
        if (test != null && testBefore != null) {
            all.addAll(testBefore.scores("test-before"));
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
        json.put("training-tokens", train.tokens());
        json.put("training-answer-tokens", train.told());
        json.put("training-turns-forgotten", train.forgotten());
        json.put("training-left-out", train.leftOut());
        json.put("validation-turns-forgotten", validation.forgotten());
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
                List.of("loss", "perplexity", "bits-per-byte"),
                dataPassport());
    }
}
