package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Conversation;
import dev.espalier.data.Preference;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.generate.Generated;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.model.Decoder;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.Dialogue;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/// A model that answers by its chat template, ready to use. Not safe for use by several threads.
public final class Assistant implements AutoCloseable {
    private static final int NEW_TOKENS = 256;

    /// Sequences or beams that are written together, whose caches and masks are held at once.
    private static final int ROWS = 16;

    private final Decoder model;
    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final GenerationConfig config;
    private final int length;

    /// An assistant of `model`, which it owns from now on.
    Assistant(
            Decoder model,
            Tokenizer tokenizer,
            ChatTemplate template,
            GenerationConfig config,
            int length) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.template = template;
        this.config = config;
        this.length = length;
    }

    /// What was measured.
    ///
    /// @param length the most tokens of a conversation
    /// @param forgotten how many conversations lost their oldest turns for being longer
    /// @param leftOut how many records are left out, since they are longer all the same
    public record Measured<T>(T figures, int length, long forgotten, long leftOut) {}

    /// Says in `config`, for [#load], how many tokens a conversation had at most in training.
    public static void describe(ObjectNode config, int length) {
        config.remove(HuggingFace.OWN);
        HuggingFace.own(config).put(TextReader.MAX_LENGTH, length);
    }

    /// Whether the model in `folder` is one that writes, with a chat template to be asked by.
    public static boolean isIn(Path folder) {
        return !HuggingFace.isClassifier(folder)
                && !HuggingFace.isTokenClassifier(folder)
                && ChatTemplate.read(folder).isPresent();
    }

    /// Reads the model in `folder`, in the Hugging Face layout with a tokenizer and its chat
    /// template. It writes what its `generation_config.json` says and else always the likeliest
    /// token, at most 256 of them.
    ///
    /// @throws EspalierException if the folder holds no such model
    public static Assistant load(Path folder) {
        return load(folder, UnaryOperator.identity());
    }

    /// As [#load], asked by what `told` makes of its template: the same [ChatTemplate#on] another
    /// date.
    public static Assistant load(Path folder, UnaryOperator<ChatTemplate> told) {
        // Said first of a folder that holds no model at all.
        HuggingFace.config(folder);
        var template =
                ChatTemplate.readOnly(folder)
                        .map(told)
                        .orElseThrow(() ->
                                EspalierException.data(
                                        folder
                                                + ": has no chat template, so that it cannot be asked; 'espalier"
                                                + " finetune' with an instruction task writes one"));
        var loaded = HuggingFace.readDecoder(folder);
        var model = loaded.model();
        try {
            var tokenizer = Tokenizers.read(folder);
            TextClassifier.checkVocabulary(folder, tokenizer, model.vocabulary());
            var greedy =
                    GenerationConfig.of(new Sampling(0, 0, 1, 1), Limits.of(tokenizer, NEW_TOKENS));
            var config = GenerationConfig.read(folder, greedy).answering(tokenizer, template);
            var length =
                    TextReader.within(
                            folder,
                            loaded.config().path(HuggingFace.OWN),
                            TextReader.MAX_LENGTH,
                            model.context(),
                            2,
                            model.context());
            return new Assistant(model, tokenizer, template, config, length);
        } catch (RuntimeException e) {
            model.free();
            throw e;
        }
    }

    /// The answers to questions that stand alone.
    public List<Generated> answer(List<String> questions) {
        return answer(questions, 0);
    }

    /// As above, behind `before` other questions: each answer is drawn by its question's number.
    ///
    /// @throws EspalierException if one cannot be asked, see [#check], which is named by its number
    ///   from 1; none is answered then
    public List<Generated> answer(List<String> questions, long before) {
        var generator = new Generator(model, tokenizer);
        var prompts = new ArrayList<int[]>();
        for (var question : questions) {
            try {
                prompts.add(prompt(generator, question));
            } catch (EspalierException e) {
                throw new EspalierException(
                        e.kind(),
                        "question %d: %s".formatted(before + prompts.size() + 1, e.getMessage()),
                        e);
            }
        }
        var part = Math.max(1, ROWS / Math.max(config.sequences(), config.beams().count()));
        var answers = new ArrayList<Generated>();
        for (var from = 0; from < prompts.size(); from += part) {
            var some = prompts.subList(from, Math.min(from + part, prompts.size()));
            generator
                    .generateAfter(some, before + from, config, _ -> {})
                    .forEach(written -> answers.add(written.getFirst()));
        }
        return List.copyOf(answers);
    }

    /// Refuses a question that cannot be asked, since the template has no place for it or it leaves
    /// no room in the model's context for an answer.
    ///
    /// @throws EspalierException that says why
    public void check(String question) {
        prompt(new Generator(model, tokenizer), question);
    }

    private int[] prompt(Generator generator, String question) {
        var ids = template.encode(tokenizer, List.of(new Message(ChatTemplate.USER, question)));
        generator.check(ids);
        return ids;
    }

    /// How well the model tells the answers of `conversations`, which lose their oldest turns where
    /// they are longer than in training, or than its context, and are left out where they are
    /// longer all the same: every answer, or the last alone where the template tells earlier ones
    /// in another way.
    ///
    /// @throws EspalierException (DATA) if one cannot be told, see [Dialogue#of], or all are too
    ///   long
    public Measured<TextLoss> loss(List<Conversation> conversations) {
        var settings = settings(which(), Answered.Longer.FORGET_OR_LEAVE_OUT);
        var told =
                conversations.stream()
                        .flatMap(c -> Stream.ofNullable(Answered.of(c, settings)))
                        .toList();
        requireSome(told, conversations.size());
        return new Measured<>(
                AnswerBatch.measure(model, told, tokenizer, false),
                length,
                told.stream().filter(a -> a.forgotten() > 0).count(),
                conversations.size() - told.size());
    }

    /// How often, and by how much, the model finds the chosen answers likelier than the rejected
    /// ones. Pairs of which one is longer with its prompt than in training, or than the context,
    /// are left out.
    ///
    /// @throws EspalierException (DATA) if one cannot be told, see [Dialogue#of], or all are too
    ///   long
    public Measured<PreferenceScores> preferences(List<Preference> pairs) {
        var settings = settings(Dialogue.Which.LAST, Answered.Longer.LEAVE_OUT);
        var chosen = new ArrayList<Answered>();
        var rejected = new ArrayList<Answered>();
        for (var pair : pairs) {
            var one = Answered.of(pair.answered(pair.chosen()), settings);
            var other = Answered.of(pair.answered(pair.rejected()), settings);
            if (one != null && other != null) {
                chosen.add(one);
                rejected.add(other);
            }
        }
        requireSome(chosen, pairs.size());
        var scores =
                PreferenceScores.of(
                        chosen,
                        AnswerBatch.logProbabilities(model, chosen, false),
                        rejected,
                        AnswerBatch.logProbabilities(model, rejected, false));
        return new Measured<>(scores, length, 0, pairs.size() - chosen.size());
    }

    private Answered.Settings settings(Dialogue.Which which, Answered.Longer longer) {
        return new Answered.Settings(template, tokenizer, which, length, longer);
    }

    private void requireSome(List<Answered> told, int records) {
        if (told.isEmpty()) {
            throw EspalierException.data(
                    "all %,d records are longer than the %,d tokens that the model was trained with, or sees"
                            .formatted(records, length));
        }
    }

    /// Asks the template with two turns.
    private Dialogue.Which which() {
        var turn =
                List.of(
                        new Message(ChatTemplate.USER, "q"),
                        new Message(ChatTemplate.ASSISTANT, "a"));
        try {
            var turns = Stream.concat(turn.stream(), turn.stream()).toList();
            Dialogue.of(template, tokenizer, turns, Dialogue.Which.EVERY);
            return Dialogue.Which.EVERY;
        } catch (EspalierException _) {
            return Dialogue.Which.LAST;
        }
    }

    @Override
    public void close() {
        model.free();
    }
}
