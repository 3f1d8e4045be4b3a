package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.evaluate.Entities;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.Shares;
import dev.espalier.model.Decoder;
import dev.espalier.model.TokenClassifier;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// A fine-tuned model that tags the words of texts, ready to use. Safe for use by many threads
/// until it is closed.
public final class TokenLabeller implements AutoCloseable {
    /// Texts in a batch hold at most about this many tokens, padding included.
    private static final int BATCH_TOKENS = 4096;

    private static final String MAJORITY = "majority-accuracy";

    private final TokenClassifier model;
    private final Tokenizer tokenizer;
    private final int maxLength;
    private final @Nullable String commonest;

    /// A stretch of a text, from `start` to before `end` in chars.
    ///
    /// @param probability of the label; of a span's the mean over its words
    public record Span(int start, int end, String label, double probability) {}

    /// What a text is taken for.
    ///
    /// @param words each with its tag
    /// @param spans the entities; empty where the tags are no scheme of entities
    public record Prediction(String text, List<Span> words, List<Span> spans) {
        public Prediction {
            words = List.copyOf(words);
            spans = List.copyOf(spans);
        }
    }

    /// A labeller of `model`, which it owns from now on.
    ///
    /// @param maxLength tokens of a stretch of text that the model sees at once
    public TokenLabeller(TokenClassifier model, Tokenizer tokenizer, int maxLength) {
        this(model, tokenizer, maxLength, null);
    }

    private TokenLabeller(
            TokenClassifier model, Tokenizer tokenizer, int maxLength, @Nullable String commonest) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.maxLength = maxLength;
        this.commonest = commonest;
    }

    /// Says in `config` how many tokens the model sees at once, for [#load].
    public static void describe(ObjectNode config, int maxLength) {
        HuggingFace.own(config).put(TextReader.MAX_LENGTH, maxLength);
    }

    /// Reads the labeller that a fine-tuning run left in `folder`, in the Hugging Face layout with
    /// a tokenizer.
    ///
    /// @throws EspalierException if the folder holds no labeller that can be used
    public static TokenLabeller load(Path folder) {
        var loaded = HuggingFace.readTokenClassifier(folder);
        if (!loaded.missing().isEmpty()) {
            throw EspalierException.data(
                    folder
                            + ": "
                            + loaded.missing()
                            + " is missing; this model was not fine-tuned to label tokens");
        }
        var tokenizer = Tokenizers.read(folder).plain();
        TextClassifier.checkVocabulary(folder, tokenizer, loaded.model().body().vocabulary());
        var context = loaded.model().body().context();
        return new TokenLabeller(
                loaded.model(),
                tokenizer,
                TextReader.within(
                        folder,
                        loaded.config().path(HuggingFace.OWN),
                        TextReader.MAX_LENGTH,
                        context,
                        tokenizer.template().addedToOne() + 1,
                        context),
                Commonest.first(folder, loaded.config(), loaded.model().labels()));
    }

    public List<String> labels() {
        return model.labels();
    }

    /// The words of a text, as [TaggedReader#WORD] cuts them, with their tags, and its entities.
    public Prediction label(String text) {
        return label(List.of(text)).getFirst();
    }

    /// The predictions of `texts`, in their order.
    public List<Prediction> label(List<String> texts) {
        var words = texts.stream().map(TaggedReader::untagged).toList();
        var probabilities = probabilities(model, tokenizer, words, maxLength);
        return IntStream.range(0, texts.size())
                .mapToObj(i -> prediction(words.get(i), probabilities.get(i)))
                .toList();
    }

    /// The tag of each word of each of `texts`, whatever their own tags are, in their order.
    public List<List<String>> tags(List<TaggedText> texts) {
        return probabilities(model, tokenizer, texts, maxLength).stream()
                .map(each ->
                        Arrays.stream(Answers.likeliest(each)).mapToObj(labels()::get).toList())
                .toList();
    }

    private Prediction prediction(TaggedText text, double[][] probabilities) {
        var classes = Answers.likeliest(probabilities);
        var words = new ArrayList<Span>();
        var tags = new ArrayList<String>();
        for (var w = 0; w < classes.length; w++) {
            tags.add(labels().get(classes[w]));
            words.add(
                    new Span(
                            text.starts()[w],
                            text.ends()[w],
                            tags.getLast(),
                            probabilities[w][classes[w]]));
        }
        var spans = new ArrayList<Span>();
        if (Entities.areTags(labels())) {
            for (var entity : Entities.of(tags)) {
                spans.add(
                        new Span(
                                text.starts()[entity.first()],
                                text.ends()[entity.last()],
                                entity.type(),
                                words.subList(entity.first(), entity.last() + 1).stream()
                                        .mapToDouble(Span::probability)
                                        .average()
                                        .orElseThrow()));
            }
        }
        return new Prediction(text.text(), words, spans);
    }

    /// The class of each word of `text` by its tag, as a place in `labels`.
    ///
    /// @throws EspalierException (DATA) if a tag is none of them
    public static int[] classes(TaggedText text, List<String> labels) {
        var classes = text.tags().stream().mapToInt(labels::indexOf).toArray();
        for (var w = 0; w < classes.length; w++) {
            if (classes[w] < 0) {
                throw EspalierException.data(
                        "%s: the tag `%s` is none of those that are learnt: %s"
                                .formatted(text.where(), text.tags().get(w), labels));
            }
        }
        return classes;
    }

    /// How well `records` are told, by the metrics of [#scores]; where the model's folder does not
    /// tell the training words' commonest tag, theirs stands for it, as `data-majority-accuracy`.
    ///
    /// @throws EspalierException (DATA) if a tag is none of the model's
    public List<Score> evaluate(String data, List<TaggedText> records, long seed) {
        var counts = new int[labels().size()];
        var truth = new ArrayList<int[]>();
        for (var record : records) {
            var classes = classes(record, labels());
            Arrays.stream(classes).forEach(c -> counts[c]++);
            truth.add(classes);
        }
        var known = commonest;
        var majority =
                known == null
                        ? IntStream.range(0, counts.length)
                                .boxed()
                                .max(Comparator.comparingInt(c -> counts[c]))
                                .orElseThrow()
                        : labels().indexOf(known);
        var probabilities = probabilities(model, tokenizer, records, maxLength);
        return scores(data, labels(), truth, probabilities, majority, seed).stream()
                .map(score ->
                        score.metric().equals(MAJORITY)
                                ? Score.of(
                                        data,
                                        Commonest.name(MAJORITY, known),
                                        score.interval(),
                                        score.n())
                                : score)
                .toList();
    }

    /// Which token of a word tells its tag; see [TaggedTokens#of].
    public static boolean byLast(TokenClassifier model) {
        return model.body() instanceof Decoder;
    }

    /// The probability of each class for each word of each of `texts`, in their order.
    public static List<double[][]> probabilities(
            TokenClassifier model, Tokenizer tokenizer, List<TaggedText> texts, int maxLength) {
        record Part(int text, TaggedTokens tokens) {}
        var parts = new ArrayList<Part>();
        var result = new ArrayList<double[][]>();
        for (var t = 0; t < texts.size(); t++) {
            for (var part : TaggedTokens.of(tokenizer, texts.get(t), maxLength, byLast(model))) {
                parts.add(new Part(t, part));
            }
            result.add(new double[texts.get(t).words()][]);
        }
        parts.sort(Comparator.comparingInt(p -> p.tokens().ids().length));
        var classes = model.labels().size();
        for (var start = 0; start < parts.size(); ) {
            var end = start + 1;
            while (end < parts.size()
                    && (long) (end + 1 - start) * parts.get(end).tokens().ids().length
                            <= BATCH_TOKENS) {
                end++;
            }
            var batch = parts.subList(start, end);
            float[] rows;
            try (var scope = new Scope()) {
                rows =
                        Torch.noGrad(() ->
                                TokenLabelBatch.scores(
                                                model, batch.stream().map(Part::tokens).toList())
                                        .softmax(-1)
                                        .floats());
            }
            var row = 0;
            for (var part : batch) {
                for (var w = 0; w < part.tokens().words(); w++, row++) {
                    var probabilities = new double[classes];
                    for (var c = 0; c < classes; c++) {
                        probabilities[c] = rows[row * classes + c];
                    }
                    result.get(part.text())[part.tokens().firstWord() + w] = probabilities;
                }
            }
            start = end;
        }
        return result;
    }

    /// All metrics of a test: the loss in nats a word and the accuracy of tags; for tags of
    /// entities those of [Entities#scores]; and as `majority-accuracy` what always answering the
    /// class `majority` would reach.
    ///
    /// @param truth the classes of each text's words
    /// @param seed of the intervals' bootstrap
    public static List<Score> scores(
            String data,
            List<String> labels,
            List<int[]> truth,
            List<double[][]> probabilities,
            int majority,
            long seed) {
        var losses = new double[truth.size()];
        var often = new double[losses.length];
        var told = new ArrayList<List<String>>();
        for (var i = 0; i < losses.length; i++) {
            var classes = Answers.likeliest(probabilities.get(i));
            for (var w = 0; w < classes.length; w++) {
                var wanted = truth.get(i)[w];
                losses[i] -= Math.log(Math.max(1e-12, probabilities.get(i)[w][wanted]));
                often[i] += majority == wanted ? 1 : 0;
            }
            told.add(Arrays.stream(classes).mapToObj(labels::get).toList());
        }
        var wanted =
                truth.stream().map(t -> Arrays.stream(t).mapToObj(labels::get).toList()).toList();
        var right = Shares.ofWords(wanted, told);
        var words = right.of();
        var n = (long) Arrays.stream(words).sum();
        var scores = new ArrayList<Score>();
        scores.add(Score.of(data, "loss", Interval.loss(losses, words), n));
        scores.add(Score.of(data, "accuracy", Shares.interval(List.of(right)), n));
        if (Entities.areTags(labels)) {
            scores.addAll(Entities.scores(data, wanted, told, seed));
        } else {
            var counts = new int[truth.size()][labels.size()][3];
            for (var i = 0; i < counts.length; i++) {
                var classes = Answers.likeliest(probabilities.get(i));
                for (var w = 0; w < classes.length; w++) {
                    Entities.count(counts[i], truth.get(i)[w], classes[w]);
                }
            }
            scores.add(Score.of(data, "macro-f1", Entities.macroF1(counts, seed), n));
        }
        scores.add(Score.of(data, MAJORITY, Interval.clustered(often, words), n));
        return List.copyOf(scores);
    }

    @Override
    public void close() {
        model.free();
    }
}
