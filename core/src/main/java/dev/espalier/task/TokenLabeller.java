package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.evaluate.Classification;
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
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
    /// @param truncated whether a word was longer than the model sees at once, and was told by its
    ///   first tokens
    public record Prediction(String text, List<Span> words, List<Span> spans, boolean truncated) {
        public Prediction {
            words = List.copyOf(words);
            spans = List.copyOf(spans);
        }
    }

    /// How well texts were told.
    ///
    /// @param cut how many words were longer than the model sees at once, and were told by their
    ///   first tokens
    public record Evaluation(List<Score> scores, Truth truth, long cut) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    /// What the words of texts are to be told as.
    ///
    /// @param labels the tags that are learnt and, behind them, others that the texts have
    /// @param classes of each text's words, as places in `labels`
    /// @param unknown how many words have each of the tags that are not learnt
    public record Truth(
            List<String> labels, List<int[]> classes, SortedMap<String, Integer> unknown) {
        public Truth {
            labels = List.copyOf(labels);
            classes = List.copyOf(classes);
            unknown = Collections.unmodifiableSortedMap(unknown);
        }

        /// Tags of entities that are not learnt are missed, as seqeval counts them.
        ///
        /// @throws EspalierException (DATA) if no word has a tag that is learnt, or one has a tag
        ///   of no entity where those of entities are learnt
        public static Truth of(List<TaggedText> texts, List<String> learnt) {
            var ofEntities = Entities.areTags(learnt);
            var unknown = new TreeMap<String, Integer>();
            for (var text : texts) {
                for (var tag : text.tags()) {
                    if (learnt.contains(tag)) {
                        continue;
                    }
                    if (ofEntities && !Entities.areTags(List.of(tag))) {
                        throw EspalierException.data(
                                "%s: the tag `%s` is none of those that are learnt, nor of an entity: %s"
                                        .formatted(text.where(), tag, learnt));
                    }
                    unknown.merge(tag, 1, Integer::sum);
                }
            }
            var labels = Stream.concat(learnt.stream(), unknown.keySet().stream()).toList();
            var classes =
                    texts.stream()
                            .map(t -> t.tags().stream().mapToInt(labels::indexOf).toArray())
                            .toList();
            if (classes.stream().flatMapToInt(Arrays::stream).noneMatch(c -> c < learnt.size())) {
                throw EspalierException.data(
                        "%s: no word from here on has a tag of those that are learnt: %s; the first has `%s`"
                                .formatted(
                                        texts.getFirst().where(),
                                        learnt,
                                        texts.getFirst().tags().getFirst()));
            }
            return new Truth(labels, classes, unknown);
        }

        /// A sentence about the tags that are not learnt; empty where all are.
        public String aboutUnknown() {
            return unknown.isEmpty()
                    ? ""
                    : "%,d words have tags that are not learnt, so that they count as wrong, their entities as missed, and the loss leaves them out: %s"
                            .formatted(
                                    unknown.values().stream().mapToInt(n -> n).sum(),
                                    unknown.entrySet().stream()
                                            .map(e ->
                                                    "%s (%,d)".formatted(e.getKey(), e.getValue()))
                                            .collect(Collectors.joining(", ")));
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
        return labelWords(texts.stream().map(TaggedReader::untagged).toList());
    }

    /// The predictions of `texts` whose words are cut already, whatever their tags are, in their
    /// order.
    public List<Prediction> labelWords(List<TaggedText> texts) {
        var read = read(model, tokenizer, texts, maxLength);
        var probabilities = probabilities(model, read);
        return IntStream.range(0, texts.size())
                .mapToObj(i -> prediction(texts.get(i), probabilities.get(i), cut(read.get(i)) > 0))
                .toList();
    }

    /// The tag of each word of each of `texts`, whatever their own tags are, in their order.
    public List<List<String>> tags(List<TaggedText> texts) {
        return probabilities(model, read(model, tokenizer, texts, maxLength)).stream()
                .map(each ->
                        Arrays.stream(Answers.likeliest(each)).mapToObj(labels()::get).toList())
                .toList();
    }

    private Prediction prediction(TaggedText text, double[][] probabilities, boolean truncated) {
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
        return new Prediction(text.text(), words, spans, truncated);
    }

    /// How well `records` are told, by the metrics of [#scores]; where the model's folder does not
    /// tell the training words' commonest tag, theirs stands for it, as `data-majority-accuracy`.
    ///
    /// @throws EspalierException (DATA) if their tags are none of the model's, see [Truth#of]
    public Evaluation evaluate(String data, List<TaggedText> records, long seed) {
        var truth = Truth.of(records, labels());
        var known = commonest;
        var majority =
                known == null
                        ? Classification.majority(
                                truth.classes().stream().flatMapToInt(Arrays::stream).toArray(),
                                truth.labels().size())
                        : labels().indexOf(known);
        var read = read(model, tokenizer, records, maxLength);
        var scores =
                scores(data, truth, probabilities(model, read), majority, seed).stream()
                        .map(score ->
                                score.metric().equals(MAJORITY)
                                        ? Score.of(
                                                data,
                                                Commonest.name(MAJORITY, known),
                                                score.interval(),
                                                score.n())
                                        : score)
                        .toList();
        return new Evaluation(scores, truth, read.stream().mapToLong(TokenLabeller::cut).sum());
    }

    /// Which token of a word tells its tag; see [TaggedTokens#of].
    public static boolean byLast(TokenClassifier model) {
        return model.body() instanceof Decoder;
    }

    /// The stretches of each of `texts`, as the model reads them.
    public static List<List<TaggedTokens>> read(
            TokenClassifier model, Tokenizer tokenizer, List<TaggedText> texts, int maxLength) {
        return texts.stream()
                .map(text -> TaggedTokens.of(tokenizer, text, maxLength, byLast(model)))
                .toList();
    }

    /// How many words of a text are longer than the model sees at once.
    public static int cut(List<TaggedTokens> text) {
        return text.stream().mapToInt(TaggedTokens::cut).sum();
    }

    /// The probability of each class that is learnt for each word of each of `texts`, in their
    /// order.
    ///
    /// @param texts as [#read] gives them
    public static List<double[][]> probabilities(
            TokenClassifier model, List<List<TaggedTokens>> texts) {
        record Part(int text, TaggedTokens tokens) {}
        var parts = new ArrayList<Part>();
        var result = new ArrayList<double[][]>();
        for (var t = 0; t < texts.size(); t++) {
            for (var part : texts.get(t)) {
                parts.add(new Part(t, part));
            }
            var words = texts.get(t).stream().mapToInt(TaggedTokens::words).sum();
            result.add(new double[words][]);
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

    /// All metrics of a test: the loss in nats a word whose tag is learnt, and the accuracy of
    /// tags; for tags of entities those of [Entities#scores]; and as `majority-accuracy` what
    /// always answering the class `majority` would reach.
    ///
    /// @param probabilities of the classes that are learnt, of each text's words
    /// @param seed of the intervals' bootstrap
    public static List<Score> scores(
            String data, Truth truth, List<double[][]> probabilities, int majority, long seed) {
        var labels = truth.labels();
        var texts = truth.classes().size();
        var losses = new double[texts];
        var learnt = new double[texts]; // words of which there is a loss
        var often = new double[texts];
        var told = new ArrayList<List<String>>();
        for (var i = 0; i < texts; i++) {
            var classes = Answers.likeliest(probabilities.get(i));
            for (var w = 0; w < classes.length; w++) {
                var wanted = truth.classes().get(i)[w];
                var each = probabilities.get(i)[w];
                if (wanted < each.length) {
                    losses[i] -= Math.log(Math.max(1e-12, each[wanted]));
                    learnt[i]++;
                }
                often[i] += majority == wanted ? 1 : 0;
            }
            told.add(Arrays.stream(classes).mapToObj(labels::get).toList());
        }
        var wanted =
                truth.classes().stream()
                        .map(t -> Arrays.stream(t).mapToObj(labels::get).toList())
                        .toList();
        var right = Shares.ofWords(wanted, told);
        var words = right.of();
        var n = (long) Arrays.stream(words).sum();
        var scores = new ArrayList<Score>();
        var some = IntStream.range(0, texts).filter(i -> learnt[i] > 0).toArray();
        scores.add(
                Score.of(
                        data,
                        "loss",
                        Interval.loss(
                                Arrays.stream(some).mapToDouble(i -> losses[i]).toArray(),
                                Arrays.stream(some).mapToDouble(i -> learnt[i]).toArray()),
                        (long) Arrays.stream(learnt).sum()));
        scores.add(Score.of(data, "accuracy", Shares.interval(List.of(right)), n));
        if (Entities.areTags(labels)) {
            scores.addAll(Entities.scores(data, wanted, told, seed));
        } else {
            var counts = new int[texts][labels.size()][3];
            for (var i = 0; i < counts.length; i++) {
                var classes = Answers.likeliest(probabilities.get(i));
                for (var w = 0; w < classes.length; w++) {
                    Entities.count(counts[i], truth.classes().get(i)[w], classes[w]);
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
