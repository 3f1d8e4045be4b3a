package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A fine-tuned classifier of texts, ready to use: it tells the label, the labels or the number of
/// a text or of a pair of texts. Safe for use by many threads until it is closed.
public final class TextClassifier implements AutoCloseable {
    private final SequenceClassifier model;
    private final TextReader reader;
    private final @Nullable List<String> commonest;

    /// A text to be told, or a pair of texts.
    ///
    /// @param second null for one text
    public record Input(String text, @Nullable String second) {}

    /// What a text is taken for.
    ///
    /// @param labels those that are told: the likeliest; where any number may hold, all whose
    ///   probability reaches the model's threshold, the likeliest first; none where a number is
    ///   told
    /// @param probabilities of every label, the likeliest first; none where a number is told
    /// @param number the number, in the units of the training records; NaN where labels are told
    /// @param truncated whether the text was longer than the model reads and was cut
    /// @param windows in how many windows it was read; of their scores, before they become
    ///   probabilities, the mean is taken
    public record Prediction(
            List<String> labels,
            SequencedMap<String, Double> probabilities,
            double number,
            boolean truncated,
            int windows) {
        public Prediction {
            labels = List.copyOf(labels);
        }

        /// The likeliest label.
        ///
        /// @throws java.util.NoSuchElementException where a number is told
        public String label() {
            var likeliest = probabilities.firstEntry();
            if (likeliest == null) {
                throw new java.util.NoSuchElementException("this model tells a number, no label");
            }
            return likeliest.getKey();
        }
    }

    /// A classifier of `model`, which it owns from now on.
    ///
    /// @param maxLength tokens of a text that the model sees; longer texts are cut
    public TextClassifier(SequenceClassifier model, Tokenizer tokenizer, int maxLength) {
        this(model, new TextReader(tokenizer, maxLength, 0));
    }

    /// A classifier of `model`, which it owns from now on.
    public TextClassifier(SequenceClassifier model, TextReader reader) {
        this(model, reader, null);
    }

    private TextClassifier(
            SequenceClassifier model, TextReader reader, @Nullable List<String> commonest) {
        this.model = model;
        this.reader = reader;
        this.commonest = commonest;
    }

    /// Reads the classifier that a fine-tuning run left in `folder`, in the Hugging Face layout
    /// with a tokenizer. It reads texts as in training, cut or in windows.
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
        var body = loaded.model().body();
        checkVocabulary(folder, tokenizer, body.vocabulary());
        return new TextClassifier(
                loaded.model(),
                TextReader.of(tokenizer, folder, loaded.config(), body.context()),
                Commonest.of(folder, loaded.config(), loaded.model().labels()));
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

    /// What it tells: one of several labels, any number of them, or a number.
    public Problem problem() {
        return model.problem();
    }

    /// The labels; of a number the one that its file gives it.
    public List<String> labels() {
        return model.labels();
    }

    public Prediction classify(String text) {
        return classify(List.of(text)).getFirst();
    }

    /// The prediction for a pair of texts.
    public Prediction classify(String first, String second) {
        return predict(List.of(new Input(first, second))).getFirst();
    }

    /// The predictions for `texts`, in their order.
    public List<Prediction> classify(List<String> texts) {
        return predict(texts.stream().map(t -> new Input(t, null)).toList());
    }

    /// The predictions for texts or pairs of texts, in their order.
    ///
    /// @throws EspalierException (USAGE) if the model learnt to tell pairs and a text is none, or
    ///   the other way round
    public List<Prediction> predict(List<Input> inputs) {
        inputs.forEach(i -> reader.require(i.second() != null));
        var read = inputs.stream().map(i -> reader.read(i.text(), i.second())).toList();
        var answers = Answers.of(model, read);
        return IntStream.range(0, read.size())
                .mapToObj(i -> prediction(answers[i], read.get(i)))
                .toList();
    }

    private Prediction prediction(double[] answer, TextReader.Read read) {
        var byLabel = new LinkedHashMap<String, Double>();
        if (!(problem() instanceof Problem.Regression)) {
            IntStream.range(0, answer.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble(i -> -answer[i]))
                    .forEach(i -> byLabel.put(labels().get(i), answer[i]));
        }
        var told =
                switch (problem()) {
                    case Problem.SingleLabel _ -> List.of(byLabel.firstEntry().getKey());
                    case Problem.MultiLabel several ->
                            byLabel.entrySet().stream()
                                    .filter(e -> e.getValue() >= several.threshold())
                                    .map(Map.Entry::getKey)
                                    .toList();
                    case Problem.Regression _ -> List.<String>of();
                };
        var number = problem() instanceof Problem.Regression ? answer[0] : Double.NaN;
        return new Prediction(told, byLabel, number, read.truncated(), read.windows().size());
    }

    /// What this classifier makes of labelled records.
    ///
    /// @param truncated how many texts were longer than the model reads and were cut
    /// @param windowed how many were read in more than one window
    public record Evaluation(
            List<Score> scores, Judgement judgement, long truncated, long windowed) {}

    /// Judges the classifier by `records`, beside the one that always gives the answer that does
    /// best on the training records: as `majority-…` or `mean-…`, or of models whose folder does
    /// not tell it, the best on `records` themselves, as `data-majority-…` or `data-mean-…`.
    ///
    /// @throws EspalierException (DATA) if a record has a label that the model does not know
    public Evaluation evaluate(String data, List<LabelledText> records, long seed) {
        if (!(problem() instanceof Problem.Regression)) {
            LabelledReader.requireKnown(records, labels());
        }
        records.forEach(r -> reader.require(r.second() != null));
        var read = records.stream().map(r -> reader.read(r.text(), r.second())).toList();
        var truth = records.stream().map(r -> Example.truth(problem(), r)).toArray(double[][]::new);
        var answers = Answers.of(model, read);
        var constant = Answers.constant(problem(), commonest, truth);
        return new Evaluation(
                Answers.scores(data, problem(), truth, answers, constant, seed),
                Answers.judge(problem(), truth, answers),
                read.stream().filter(TextReader.Read::truncated).count(),
                read.stream().filter(r -> r.windows().size() > 1).count());
    }

    @Override
    public void close() {
        model.free();
    }
}
