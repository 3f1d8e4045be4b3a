package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/// A fine-tuned classifier of texts, ready to use. Safe for use by many threads until it is closed.
public final class TextClassifier implements AutoCloseable {
    /// Texts in a batch hold at most about this many tokens, padding included.
    private static final int BATCH_TOKENS = 4096;

    private final SequenceClassifier model;
    private final Tokenizer tokenizer;
    private final int maxLength;

    /// What a text is taken for.
    ///
    /// @param label the likeliest label
    /// @param probabilities of every label, the likeliest first
    /// @param truncated whether the text was longer than the model can see and was cut
    public record Prediction(
            String label, SequencedMap<String, Double> probabilities, boolean truncated) {}

    /// A classifier of `model`, which it owns from now on.
    ///
    /// @param maxLength tokens of a text that the model sees
    public TextClassifier(SequenceClassifier model, Tokenizer tokenizer, int maxLength) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.maxLength = maxLength;
    }

    /// Reads the classifier that a fine-tuning run left in `folder`, in the Hugging Face layout
    /// with a tokenizer.
    ///
    /// @throws EspalierException if the folder holds no classifier that can be used, or a head that
    ///   was never trained
    public static TextClassifier load(Path folder) {
        var loaded = HuggingFace.readClassifier(folder);
        if (!loaded.missing().isEmpty()) {
            throw EspalierException.data(
                    folder
                            + ": "
                            + loaded.missing()
                            + " is missing; this model was not fine-tuned for classification");
        }
        var tokenizer = Tokenizers.read(folder).plain();
        checkVocabulary(folder, tokenizer, loaded.model().body().vocabulary());
        return new TextClassifier(loaded.model(), tokenizer, loaded.model().body().context());
    }

    /// @throws EspalierException if the tokenizer has ids that the model lacks
    public static void checkVocabulary(Path folder, Tokenizer tokenizer, int vocabulary) {
        if (tokenizer.vocabularySize() > vocabulary) {
            throw EspalierException.data(
                    folder
                            + ": the tokenizer has "
                            + tokenizer.vocabularySize()
                            + " tokens, but the model's vocab_size is "
                            + vocabulary
                            + "; they do not belong together");
        }
    }

    public List<String> labels() {
        return model.labels();
    }

    public Prediction classify(String text) {
        return classify(List.of(text)).getFirst();
    }

    /// The predictions of `texts`, in their order.
    public List<Prediction> classify(List<String> texts) {
        var tokens = texts.stream().map(t -> tokens(tokenizer, t, maxLength)).toList();
        var probabilities = probabilities(model, tokens.stream().map(Tokens::ids).toList());
        return IntStream.range(0, texts.size())
                .mapToObj(i -> prediction(probabilities[i], tokens.get(i).truncated()))
                .toList();
    }

    private Prediction prediction(float[] probabilities, boolean truncated) {
        var order =
                IntStream.range(0, probabilities.length)
                        .boxed()
                        .sorted(Comparator.comparingDouble((Integer i) -> -probabilities[i]))
                        .toList();
        var byLabel = new LinkedHashMap<String, Double>();
        order.forEach(i -> byLabel.put(model.labels().get(i), (double) probabilities[i]));
        return new Prediction(byLabel.firstEntry().getKey(), byLabel, truncated);
    }

    /// The tokens of a text that a model sees.
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    public record Tokens(int[] ids, boolean truncated) {}

    /// The first `maxLength` tokens of `text` in its tokenizer's template, which has room in them;
    /// a text without any is given the end of text, or token 0, to be told by.
    public static Tokens tokens(Tokenizer tokenizer, String text, int maxLength) {
        var ids = tokenizer.encode(text);
        var template = tokenizer.template();
        var seen = template.apply(ids, maxLength);
        if (seen.length == 0) {
            return new Tokens(new int[] {tokenizer.specials().endOfText().orElse(0)}, false);
        }
        return new Tokens(seen, ids.length + template.addedToOne() > maxLength);
    }

    /// The end of `text` that [#tokens] leaves out.
    public static String cut(Tokenizer tokenizer, String text, int maxLength) {
        var room = maxLength - tokenizer.template().addedToOne();
        var encoding = tokenizer.encodeWithOffsets(text);
        return encoding.ids().length > room ? text.substring(encoding.starts()[room]) : "";
    }

    /// The probability of each class for each of `texts`, in their order; texts of like length go
    /// together.
    public static float[][] probabilities(SequenceClassifier model, List<int[]> texts) {
        var order =
                IntStream.range(0, texts.size())
                        .boxed()
                        .sorted(Comparator.comparingInt((Integer i) -> texts.get(i).length))
                        .toList();
        var result = new float[texts.size()][];
        for (var start = 0; start < order.size(); ) {
            var end = start + 1;
            while (end < order.size()
                    && (long) (end + 1 - start) * texts.get(order.get(end)).length
                            <= BATCH_TOKENS) {
                end++;
            }
            var batch = new ArrayList<int[]>();
            order.subList(start, end).forEach(i -> batch.add(texts.get(i)));
            float[] rows;
            try (var scope = new Scope()) {
                rows =
                        Torch.noGrad(() ->
                                ClassificationBatch.scores(model, batch).softmax(-1).floats());
            }
            var classes = model.labels().size();
            for (var i = start; i < end; i++) {
                result[order.get(i)] =
                        Arrays.copyOfRange(rows, (i - start) * classes, (i + 1 - start) * classes);
            }
            start = end;
        }
        return result;
    }

    /// The likeliest class of each text.
    public static int[] likeliest(float[][] probabilities) {
        var classes = new int[probabilities.length];
        for (var i = 0; i < classes.length; i++) {
            for (var c = 1; c < probabilities[i].length; c++) {
                if (probabilities[i][c] > probabilities[i][classes[i]]) {
                    classes[i] = c;
                }
            }
        }
        return classes;
    }

    /// All metrics of a test: the loss in nats a record, accuracy, the macro averages, those of
    /// each label, and as `majority-…` what always answering the class `majority` would reach.
    ///
    /// @param truth the class of each record
    /// @param probabilities of each record's classes
    /// @param seed of the intervals' bootstrap
    public static List<Score> scores(
            String data,
            List<String> labels,
            int[] truth,
            float[][] probabilities,
            int majority,
            long seed) {
        var result = new Classification(labels, truth, likeliest(probabilities));
        var losses = new double[truth.length];
        for (var i = 0; i < losses.length; i++) {
            losses[i] = -Math.log(Math.max(1e-12, probabilities[i][truth[i]]));
        }
        var ones = new double[losses.length];
        java.util.Arrays.fill(ones, 1);
        var scores = new ArrayList<Score>();
        scores.add(Score.of(data, "loss", Interval.loss(losses, ones), losses.length));
        scores.addAll(result.scores(data, seed));
        scores.addAll(result.labelScores(data));
        for (var score : result.always(majority).scores(data, seed)) {
            scores.add(Score.of(data, "majority-" + score.metric(), score.interval(), score.n()));
        }
        return scores;
    }

    /// What this classifier makes of labelled records.
    ///
    /// @param truncated how many texts were longer than the model sees and were cut
    public record Evaluation(List<Score> scores, ConfusionMatrix confusion, long truncated) {}

    /// Judges the classifier by `records`, beside the one that always answers their most frequent
    /// label.
    ///
    /// @throws EspalierException (DATA) if a record has a label that the model does not know
    public Evaluation evaluate(String data, List<LabelledText> records, long seed) {
        LabelledReader.requireKnown(records, labels());
        var tokens = records.stream().map(r -> tokens(tokenizer, r.text(), maxLength)).toList();
        var truth = records.stream().mapToInt(r -> labels().indexOf(r.label())).toArray();
        var probabilities = probabilities(model, tokens.stream().map(Tokens::ids).toList());
        var majority = Classification.majority(truth, labels().size());
        return new Evaluation(
                scores(data, labels(), truth, probabilities, majority, seed),
                ConfusionMatrix.of(labels(), truth, likeliest(probabilities)),
                tokens.stream().filter(Tokens::truncated).count());
    }

    @Override
    public void close() {
        model.free();
    }
}
