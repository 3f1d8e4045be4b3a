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
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/// A model that answers by its chat template, ready to use. Not safe for use by several threads.
public final class Assistant implements AutoCloseable {
    private static final int NEW_TOKENS = 256;

    private final Decoder model;
    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final GenerationConfig config;

    private Assistant(
            Decoder model, Tokenizer tokenizer, ChatTemplate template, GenerationConfig config) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.template = template;
        this.config = config;
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
        // Said first of a folder that holds no model at all.
        HuggingFace.config(folder);
        var template =
                ChatTemplate.readOnly(folder)
                        .orElseThrow(() ->
                                EspalierException.data(
                                        folder
                                                + ": has no chat template, so that it cannot be asked; 'espalier"
                                                + " finetune' with an instruction task writes one"));
        var model = HuggingFace.readDecoder(folder).model();
        try {
            var tokenizer = Tokenizers.read(folder);
            TextClassifier.checkVocabulary(folder, tokenizer, model.vocabulary());
            var greedy =
                    GenerationConfig.of(new Sampling(0, 0, 1, 1), Limits.of(tokenizer, NEW_TOKENS));
            var config = GenerationConfig.read(folder, greedy).answering(tokenizer, template);
            return new Assistant(model, tokenizer, template, config);
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
    public List<Generated> answer(List<String> questions, long before) {
        var prompts =
                questions.stream()
                        .map(q ->
                                template.encode(
                                        tokenizer, List.of(new Message(ChatTemplate.USER, q))))
                        .toList();
        return new Generator(model, tokenizer)
                .generateAfter(prompts, before, config, _ -> {}).stream()
                        .map(List::getFirst)
                        .toList();
    }

    /// How well the model tells the answers of `conversations`, which lose their oldest turns where
    /// they are longer than its context: every answer, or the last alone where the template tells
    /// earlier ones in another way.
    ///
    /// @throws EspalierException (DATA) if one cannot be told, see [Dialogue#of]
    public TextLoss loss(List<Conversation> conversations) {
        var settings =
                new Answered.Settings(
                        template, tokenizer, which(), model.context(), Answered.Longer.FORGET);
        return AnswerBatch.measure(model, told(conversations.stream(), settings), tokenizer, false);
    }

    /// How often, and by how much, the model finds the chosen answers likelier than the rejected
    /// ones.
    ///
    /// @throws EspalierException (DATA) if one cannot be told, see [Dialogue#of], or is too long
    public PreferenceScores preferences(List<Preference> pairs) {
        var settings =
                new Answered.Settings(
                        template,
                        tokenizer,
                        Dialogue.Which.LAST,
                        model.context(),
                        Answered.Longer.REFUSE);
        var chosen = told(pairs.stream().map(p -> p.answered(p.chosen())), settings);
        var rejected = told(pairs.stream().map(p -> p.answered(p.rejected())), settings);
        return PreferenceScores.of(
                chosen,
                AnswerBatch.logProbabilities(model, chosen, false),
                rejected,
                AnswerBatch.logProbabilities(model, rejected, false));
    }

    private static List<Answered> told(
            Stream<Conversation> conversations, Answered.Settings settings) {
        return conversations.map(c -> Objects.requireNonNull(Answered.of(c, settings))).toList();
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
