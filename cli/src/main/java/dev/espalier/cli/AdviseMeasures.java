package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.data.NearCopies;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.ConfidentLearning;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.study.Advice;
import dev.espalier.task.Answers;
import dev.espalier.task.Example;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.GeneralText;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What `advise` measures of data and of a base model.
final class AdviseMeasures {
    /// Tokens of each text that the base model is asked to foresee.
    private static final int MEASURED_TOKENS = 16_384;

    /// Characters of a document whose words are counted.
    private static final int MEASURED_CHARACTERS = 100_000;

    /// Records whose labels are told by others.
    private static final int TOLD = 4096;

    /// Of so many the share that a bag of words tells is known well enough (to 3 points of 80).
    private static final int ENOUGH_TOLD = 500;

    /// How often telling one text is timed.
    private static final int TIMES = 9;

    private AdviseMeasures() {}

    // Of labelled records

    /// What a bag of words tells of records that it has not seen.
    ///
    /// @param records that were looked at
    /// @param told of these, or of a first fifth where that is enough
    /// @param seconds of one fit to `records`
    /// @param errors what of the labels looks wrong to it; null where the task is too hard for it
    ///   to say
    record Bag(
            List<LabelledText> records,
            Advice.Told told,
            double seconds,
            @Nullable ConfidentLearning errors) {}

    /// Null where there is nothing to tell.
    static @Nullable Bag bag(List<LabelledText> all) {
        var count = Math.min(TOLD, all.size());
        var records =
                IntStream.range(0, count)
                        .mapToObj(i -> all.get((int) ((long) i * all.size() / count)))
                        .toList();
        var problem = new Problem.SingleLabel(LabelledReader.labels(records));
        if (problem.labels().size() < 2) {
            return null;
        }
        var truth = records.stream().map(r -> Example.truth(problem, r)).toArray(double[][]::new);
        var given = Arrays.stream(truth).mapToInt(t -> (int) t[0]).toArray();
        var start = System.nanoTime();
        var told =
                BagOfWords.heldOut(
                        problem,
                        records,
                        truth,
                        // Where it is right too seldom, what it holds for wrong says nothing.
                        first ->
                                told(first).length < ENOUGH_TOLD
                                        || right(first, given) >= Advice.EASY);
        if (told == null) {
            return null;
        }
        var isAll = told(told).length == count;
        // Five times four fifths of the records, or once.
        var once = (System.nanoTime() - start) / (isAll ? 4e9 : 0.8e9);
        var right = right(told, given);
        return new Bag(
                records,
                new Advice.Told(right, told(told).length),
                once,
                isAll && right >= Advice.EASY ? ConfidentLearning.of(given, told) : null);
    }

    /// The places of the records that were told.
    private static int[] told(double[][] told) {
        return IntStream.range(0, told.length).filter(i -> told[i].length > 0).toArray();
    }

    /// The share of those that were told that were told rightly.
    private static double right(double[][] told, int[] given) {
        var likeliest = Answers.likeliest(told);
        return Arrays.stream(told(told))
                .mapToDouble(i -> likeliest[i] == given[i] ? 1 : 0)
                .average()
                .orElse(0);
    }

    /// The share of records whose text stands with another label too.
    static double conflicts(List<LabelledText> records) {
        var labels = new HashMap<String, HashSet<String>>();
        records.forEach(r -> labels.computeIfAbsent(plain(r), _ -> new HashSet<>()).add(r.label()));
        return records.stream()
                        .filter(r -> labels.getOrDefault(plain(r), new HashSet<>()).size() > 1)
                        .count()
                / (double) records.size();
    }

    /// Every fifth record, or all others.
    static List<LabelledText> fifth(List<LabelledText> records, boolean held) {
        return IntStream.range(0, records.size())
                .filter(i -> (i % 5 == 4) == held)
                .mapToObj(records::get)
                .toList();
    }

    /// The texts of the records but for case and white space.
    static Set<String> plain(List<LabelledText> records) {
        return records.stream().map(AdviseMeasures::plain).collect(Collectors.toSet());
    }

    /// The share of test records whose text is among the training records'.
    ///
    /// @param seen of the training records, see [#plain]
    static double leaked(Set<String> seen, List<LabelledText> test) {
        return test.stream().filter(r -> seen.contains(plain(r))).count()
                / (double) Math.max(1, test.size());
    }

    /// The share of test records that are nearly, and not wholly, a training record.
    static double nearCopies(
            Set<String> seen, List<LabelledText> records, List<LabelledText> test) {
        var copies = new NearCopies(records.stream().map(LabelledText::text).toList(), 0.8);
        return test.stream().filter(r -> !seen.contains(plain(r)) && copies.has(r.text())).count()
                / (double) Math.max(1, test.size());
    }

    /// A text but for case and white space.
    private static String plain(LabelledText record) {
        return record.text().toLowerCase(Locale.ROOT).strip().replaceAll("\\s+", " ");
    }

    /// Adds how many pictures of each label are in `folder`.
    static void pictures(Path folder, Map<String, Integer> counts) {
        var wanted = new ImageData.Wanted.Labels("image", "label", new LabelledReader.Labels.One());
        try (var ledger = new Ledger(null, new Ledger.Limit.Share(1))) {
            ImageReader.read(new ImageData.Place(folder, null), wanted, ledger)
                    .images()
                    .forEach(p -> counts.merge(String.join(" ", p.labels()), 1, Integer::sum));
        }
    }

    // Of text

    /// Tokens a word of the domain's text over those of general text.
    static double fertility(Path model, String text, String general) {
        var tokenizer = Tokenizers.read(model).plain();
        return tokensPerWord(text, tokenizer) / tokensPerWord(general, tokenizer);
    }

    private static double tokensPerWord(String pattern, Tokenizer tokenizer) {
        long tokens = 0, words = 0;
        try (var documents = FileSource.text(pattern).documents(Ledger.strict())) {
            for (var document : (Iterable<Document>) documents::iterator) {
                var text = document.text();
                var part = text.substring(0, Math.min(text.length(), MEASURED_CHARACTERS));
                tokens += tokenizer.encode(part).length;
                words += part.split("\\s+").length;
                if (words > MEASURED_TOKENS) {
                    break;
                }
            }
        }
        return tokens / (double) Math.max(1, words);
    }

    // Of a base model

    /// What a base model does.
    ///
    /// @param foresees whether it goes on with text, or tells hidden tokens of it, by itself; false
    ///   where there is no general text to ask it of
    /// @param distance the loss a byte of the domain's text over that of general text; null where
    ///   it cannot be told
    /// @param seconds in which a classifier on it tells one text; null where it cannot be told
    record Base(boolean foresees, @Nullable Double distance, @Nullable Double seconds) {}

    /// Loads the model once for all of it.
    ///
    /// @param note told of what cannot be measured
    static Base base(
            Path model,
            @Nullable String text,
            @Nullable String general,
            List<LabelledText> records,
            Consumer<String> note) {
        if (general == null && records.isEmpty()) {
            return new Base(false, null, null);
        }
        var loaded = HuggingFace.readModel(Given.folder(model, "a model"), null);
        var body = loaded.model();
        try {
            var tokenizer = Tokenizers.read(model);
            var foresees = !(body instanceof EncoderDecoder) && loaded.missing().isEmpty();
            if (general != null && !foresees) {
                note.accept(
                        "%s foresees no text by itself, so neither how far the domain lies from its own nor what it forgets is measured"
                                .formatted(model));
            }
            return new Base(
                    general != null && foresees,
                    general == null || text == null || !foresees
                            ? null
                            : bitsPerByte(text, body, tokenizer)
                                    / bitsPerByte(general, body, tokenizer),
                    records.isEmpty() ? null : seconds(body, tokenizer, records, note));
        } finally {
            body.free();
        }
    }

    /// Of the text, or, by an encoder, of the tokens of it that are hidden.
    private static double bitsPerByte(String pattern, LanguageModel model, Tokenizer tokenizer) {
        var read = GeneralText.read(FileSource.text(pattern), tokenizer, model, MEASURED_TOKENS);
        var loss =
                switch (model) {
                    case Decoder decoder -> read.loss(decoder, false);
                    case Encoder encoder ->
                            read.hidden(tokenizer, 1)
                                    .measure(encoder, false, id -> tokenizer.bytes(id).length)
                                    .loss();
                    case EncoderDecoder _ -> throw new IllegalArgumentException();
                };
        return loss.bitsPerByte().value();
    }

    /// Seconds in which a classifier on the base tells one text by itself, of the middle length:
    /// the middle one of several times, after two that warm up.
    private static @Nullable Double seconds(
            LanguageModel body,
            Tokenizer tokenizer,
            List<LabelledText> records,
            Consumer<String> note) {
        SequenceClassifier head;
        try {
            head = new SequenceClassifier(body, List.of("one", "other"));
        } catch (EspalierException e) {
            note.accept("how long telling one text takes is not measured: " + e.getMessage());
            return null;
        }
        head.initializeHead(1);
        try (var classifier = new TextClassifier(head, tokenizer.plain(), body.context())) {
            var text =
                    records.stream()
                            .map(LabelledText::text)
                            .sorted(Comparator.comparingInt(String::length))
                            .toList()
                            .get(records.size() / 2);
            var times = new double[TIMES];
            for (var i = -2; i < TIMES; i++) {
                var start = System.nanoTime();
                var unused = classifier.predict(List.of(new TextClassifier.Input(text, null)));
                if (i >= 0) {
                    times[i] = (System.nanoTime() - start) / 1e9;
                }
            }
            Arrays.sort(times);
            return times[TIMES / 2];
        }
    }
}
