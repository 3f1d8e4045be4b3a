package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.TextPair;
import dev.espalier.evaluate.PairedText;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.generate.TokenGenerator;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.SequencePair;
import dev.espalier.tokenize.Template;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A fine-tuned encoder with a decoder that writes one text from another, ready to use: a summary,
/// a translation, another spelling. Safe for use by many threads until it is closed.
public final class TextRewriter implements AutoCloseable {
    /// Inputs and what is written for them hold at most about this many tokens in a batch, each
    /// beam counted, padding included.
    private static final int BATCH_TOKENS = 8192;

    private final EncoderDecoder model;
    private final Tokenizer tokenizer;
    private final Lengths lengths;
    private final GenerationConfig generation;
    private final String prefix;

    /// The most tokens of an input and of a target, with those that are put around them.
    public record Lengths(int input, int target) {
        private static final String INPUT = "max_input";
        private static final String TARGET = "max_target";

        /// Says them in `config`, for [#load].
        public void describe(ObjectNode config) {
            HuggingFace.own(config).put(INPUT, input).put(TARGET, target);
        }

        private static Lengths of(Path folder, JsonNode config, EncoderDecoder model) {
            var own = config.path(HuggingFace.OWN);
            int usual = model.context(), most = model.longest();
            return new Lengths(
                    TextReader.within(folder, own, INPUT, usual, 1, most),
                    TextReader.within(folder, own, TARGET, usual, 1, most));
        }
    }

    /// What was written for a text.
    ///
    /// @param truncated whether the text was longer than the model sees and was cut
    public record Written(String text, boolean truncated) {}

    /// A rewriter of `model`, which it owns from now on.
    ///
    /// @param prefix put before each text
    /// @throws EspalierException (DATA) if the tokenizer and the model do not belong together
    public TextRewriter(
            EncoderDecoder model,
            Tokenizer tokenizer,
            Lengths lengths,
            GenerationConfig generation,
            String prefix) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.lengths = lengths;
        this.generation = generation;
        this.prefix = prefix;
        var ends = template().apply(new int[0]);
        if (ends[ends.length - 1] != model.end()) {
            throw EspalierException.data(
                    "the tokenizer ends a text by `%s`, but the model by the token %d%s; they do not belong together"
                            .formatted(
                                    tokenizer.token(ends[ends.length - 1]),
                                    model.end(),
                                    model.end() < tokenizer.vocabularySize()
                                            ? ", `" + tokenizer.token(model.end()) + "`"
                                            : ""));
        }
    }

    /// Reads the model that a fine-tuning run left in `folder`, in the Hugging Face layout with a
    /// tokenizer; `prefix` in its `config.json` is put before each text, and
    /// `generation_config.json` says how to write.
    ///
    /// @throws EspalierException if the folder holds no encoder with a decoder that can be used
    public static TextRewriter load(Path folder) {
        var loaded = HuggingFace.readEncoderDecoder(folder);
        try {
            var tokenizer = Tokenizers.read(folder).plain();
            TextClassifier.checkVocabulary(folder, tokenizer, loaded.model().vocabulary());
            return new TextRewriter(
                    loaded.model(),
                    tokenizer,
                    Lengths.of(folder, loaded.config(), loaded.model()),
                    GenerationConfig.read(
                            folder, usual(loaded.model(), loaded.model().context() - 1)),
                    loaded.config().path("prefix").asString(""));
        } catch (EspalierException e) {
            loaded.model().free();
            throw e;
        }
    }

    /// The likeliest token always, until the model ends the text.
    public static GenerationConfig usual(EncoderDecoder model, int newTokens) {
        return GenerationConfig.of(
                Sampling.greedy(), new Limits(newTokens, List.of(), Set.of(model.end())));
    }

    private Template template() {
        return tokenizer.template().endedBy(model.end());
    }

    /// Texts as the model reads them, and of which so many were cut.
    public record Inputs(List<int[]> ids, int truncated) {}

    /// What the encoder reads of `texts`.
    public Inputs inputs(List<String> texts) {
        var cut = 0;
        var ids = new ArrayList<int[]>();
        for (var text : texts) {
            var all = template().apply(tokenizer.encode(prefix + text));
            cut += all.length > lengths.input() ? 1 : 0;
            ids.add(
                    all.length > lengths.input()
                            ? template().apply(tokenizer.encode(prefix + text), lengths.input())
                            : all);
        }
        return new Inputs(ids, cut);
    }

    /// Pairs as the model learns them.
    ///
    /// @param inputsCut inputs that were longer than the model sees and were cut
    /// @param targetsCut targets that were
    public record Pairs(List<SequencePair> pairs, int inputsCut, int targetsCut) {
        public Pairs {
            pairs = List.copyOf(pairs);
        }
    }

    /// What the model learns of `pairs`.
    ///
    /// @param cut whether longer targets are cut
    /// @throws EspalierException (DATA) if a target is longer, and is not to be cut
    public Pairs pairs(List<TextPair> pairs, boolean cut) {
        var inputs = inputs(pairs.stream().map(TextPair::input).toList());
        var targetsCut = 0;
        var made = new ArrayList<SequencePair>();
        for (var i = 0; i < pairs.size(); i++) {
            var pair = pairs.get(i);
            var target = template().apply(tokenizer.encode(pair.target()));
            if (target.length > lengths.target()) {
                if (!cut) {
                    throw EspalierException.data(
                            "%s: the target has %d tokens with those around it, more than the %d of task.max-target; task.long-targets: cut cuts it"
                                    .formatted(pair.where(), target.length, lengths.target()));
                }
                targetsCut++;
                target = template().apply(tokenizer.encode(pair.target()), lengths.target());
            }
            made.add(new SequencePair(inputs.ids().get(i), target, pair.where()));
        }
        return new Pairs(made, inputs.truncated(), targetsCut);
    }

    public String rewrite(String text) {
        return rewrite(List.of(text)).getFirst().text();
    }

    /// What is written for each of `texts`, in their order.
    public List<Written> rewrite(List<String> texts) {
        var all = texts.stream().map(text -> inputs(List.of(text))).toList();
        var output = write(all.stream().map(input -> input.ids().getFirst()).toList());
        return IntStream.range(0, texts.size())
                .mapToObj(i -> new Written(output.texts().get(i), all.get(i).truncated() > 0))
                .toList();
    }

    /// What was written.
    ///
    /// @param tokens how many tokens, the ends included
    /// @param seconds that it took
    public record Output(List<String> texts, long tokens, double seconds) {
        public Output {
            texts = List.copyOf(texts);
        }
    }

    /// What is written for each of `inputs`, in their order; those of like length go together.
    public Output write(List<int[]> inputs) {
        var start = System.nanoTime();
        var generator = new TokenGenerator(model, tokenizer.vocabularySize());
        var order =
                IntStream.range(0, inputs.size())
                        .boxed()
                        .sorted(Comparator.comparingInt(i -> inputs.get(i).length))
                        .toList();
        var texts = new String[inputs.size()];
        var tokens = 0L;
        for (var from = 0; from < texts.length; ) {
            var to = from + 1;
            while (to < texts.length
                    && (to + 1L - from) * rowTokens(inputs.get(order.get(to))) <= BATCH_TOKENS) {
                to++;
            }
            var batch = order.subList(from, to);
            var written = generator.write(batch.stream().map(inputs::get).toList(), generation);
            for (var i = 0; i < batch.size(); i++) {
                tokens += written.get(i).size();
                texts[batch.get(i)] = plain(tokenizer, written.get(i));
            }
            from = to;
        }
        return new Output(List.of(texts), tokens, (System.nanoTime() - start) / 1e9);
    }

    /// What `ids` say, without the tokens that are no text.
    static String plain(Tokenizer tokenizer, List<Integer> ids) {
        return tokenizer.decode(
                ids.stream()
                        .filter(id -> !tokenizer.isSpecial(id))
                        .mapToInt(Integer::intValue)
                        .toArray());
    }

    private long rowTokens(int[] input) {
        return (long) generation.beams().count()
                * (input.length + Math.min(generation.limits().maxNewTokens(), model.longest()));
    }

    /// The texts of pairs: those that have the same input are one question, with all their targets
    /// for right answers.
    public record Questions(List<String> inputs, List<List<String>> answers) {
        /// In the order in which the inputs first come.
        public static Questions of(List<TextPair> pairs) {
            var answers = new LinkedHashMap<String, List<String>>();
            for (var pair : pairs) {
                answers.computeIfAbsent(pair.input(), input -> new ArrayList<>())
                        .add(pair.target());
            }
            return new Questions(
                    List.copyOf(answers.keySet()),
                    answers.values().stream().map(List::copyOf).toList());
        }

        /// Texts written for the inputs, beside the answers.
        public WrittenTexts beside(List<String> written) {
            return new WrittenTexts(written.stream().map(String::strip).toList(), answers);
        }
    }

    /// What the model makes of pairs.
    ///
    /// @param output null where there were no scores of written texts
    /// @param truncated inputs that were longer than the model sees and were cut
    /// @param targetsCut targets that were cut for the loss
    public record Evaluation(
            List<Score> scores, WrittenTexts texts, Output output, int truncated, int targetsCut) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    /// Judges the model by `pairs`: the loss and perplexity of a token of the targets, and all of
    /// [WrittenTexts#scores] of what it writes; as `copy-…` those that copying the input, without
    /// the prefix, would reach.
    ///
    /// @param seed of the intervals' bootstrap
    public Evaluation evaluate(
            String data, List<TextPair> pairs, WrittenTexts.Settings settings, long seed) {
        var learnt = pairs(pairs, true);
        var scores = new ArrayList<>(new PairedText(learnt.pairs()).scores(data, model, false));
        var questions = Questions.of(pairs);
        var inputs = inputs(questions.inputs());
        var output = write(inputs.ids());
        var texts = questions.beside(output.texts());
        scores.addAll(texts.scores(data, "", settings, seed));
        scores.addAll(copies(data, questions, settings, seed));
        return new Evaluation(scores, texts, output, inputs.truncated(), learnt.targetsCut());
    }

    /// What copying the inputs would reach.
    public static List<Score> copies(
            String data, Questions questions, WrittenTexts.Settings settings, long seed) {
        return questions.beside(questions.inputs()).scores(data, "copy-", settings, seed);
    }

    @Override
    public void close() {
        model.free();
    }
}
