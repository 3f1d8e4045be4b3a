package dev.espalier.model;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.FlatParameters;
import dev.espalier.task.ClassificationBatch;
import dev.espalier.task.Example;
import dev.espalier.task.TaggedTokens;
import dev.espalier.task.TextReader.Tokens;
import dev.espalier.task.TokenLabelBatch;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

/// Heads of the Hugging Face library that no golden has. Their files are written under that
/// library's names, with bodies of goldens, and what is read from them is compared with what the
/// library's classes compute, in loops of doubles upon states that the goldens check.
class HeadsTest {
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));
    private static final int CLASSES = 3;
    private static final List<int[]> TEXTS =
            List.of(
                    new int[] {2, 7, 11, 5, 9},
                    new int[] {2, 31, 8, 4, 40, 17, 3, 12, 6},
                    new int[] {2, 19});
    private static final int[] LABELS = {2, 0, 1};

    /// Of each text the tokens that tell its words' tags, and these tags.
    private static final List<int[]> PLACES =
            List.of(new int[] {1, 3}, new int[] {0, 2, 5, 8}, new int[] {1});

    private static final List<int[]> TAGS =
            List.of(new int[] {2, 0}, new int[] {1, 1, 2, 0}, new int[] {0});

    @TempDir Path folder;

    /// Matrices as rows of what they read; a bias is one row.
    private final Map<String, double[][]> head = new LinkedHashMap<>();

    @ParameterizedTest
    @CsvSource({
        "distilbert_mlm, distilbert, DistilBertForSequenceClassification,"
                + " pre_classifier.weight pre_classifier.bias classifier.weight classifier.bias",
        "distilbert_mlm, distilbert, DistilBertForTokenClassification,"
                + " classifier.weight classifier.bias",
        "bert_mlm, bert, BertForTokenClassification, classifier.weight classifier.bias",
        "gpt2, gpt2, GPT2ForTokenClassification, classifier.weight classifier.bias",
        "llama, llama, LlamaForSequenceClassification, score.weight",
        "llama, mistral, MistralForSequenceClassification, score.weight",
        "llama, qwen2, Qwen2ForSequenceClassification, score.weight",
        "llama, llama, LlamaForTokenClassification, score.weight score.bias"
    })
    void aHeadIsWhatItsClassComputes(String golden, String type, String architecture, String names)
            throws IOException {
        write(golden, type, architecture, names);
        var ofTokens = architecture.endsWith("ForTokenClassification");
        var loaded =
                ofTokens
                        ? HuggingFace.readTokenClassifier(folder)
                        : HuggingFace.readClassifier(folder);
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.extra()).isEmpty();
        var model = loaded.model();
        var body = body(model);
        var expected = scores(body, ofTokens);
        assertThat(scores(model))
                .containsExactly(
                        floats(expected.stream().flatMapToDouble(Arrays::stream).toArray()),
                        within(1e-5f));
        try (var parameters = new FlatParameters(model)) {
            try (var scope = new Scope()) {
                var batch = batch(model);
                var loss = batch.forward().backward(1.0 / batch.count()).item() / batch.count();
                assertThat(loss).isCloseTo(loss(expected, ofTokens), within(1e-5));
            }
            // The states are in single precision, of which a step of this size leaves some 1e-4.
            var largest =
                    Differences.check(
                            parameters,
                            (name, i, by) -> lossWith(body, ofTokens, name, i, by),
                            1e-3,
                            1e-3);
            assertThat(largest).isGreaterThan(0.1);
        }
    }

    private void write(String golden, String type, String architecture, String names)
            throws IOException {
        var source = GOLDENS.resolve(golden);
        var config = (ObjectNode) Json.read(source.resolve("config.json"));
        config.put("model_type", type).put("sliding_window", 3);
        config.putArray("architectures").add(architecture);
        var labels = config.putObject("id2label");
        IntStream.range(0, CLASSES).forEach(i -> labels.put(String.valueOf(i), "class " + i));
        Files.writeString(folder.resolve("config.json"), config.toString());
        var entries = new ArrayList<SafeTensors.Tensor>();
        try (var file = SafeTensors.open(source.resolve("model.safetensors"))) {
            for (var entry : file.entries()) {
                var name = entry.name();
                if (!name.matches("(cls|vocab_|lm_head).*")) {
                    entries.add(entry);
                }
                if (type.equals("qwen2") && name.matches(".*[qkv]_proj.weight")) {
                    var bias = name.replace("weight", "bias");
                    entries.add(entry(bias, drawn(bias, 1, (int) entry.shape()[0])));
                }
            }
            for (var name : names.split(" ")) {
                var out = name.startsWith("pre_") ? 32 : CLASSES;
                var matrix = name.endsWith(".weight");
                var rows = matrix ? drawn(name, out, 32) : drawn(name, 1, out);
                head.put(name, rows);
                entries.add(entry(name, rows));
            }
            SafeTensors.write(folder.resolve("model.safetensors"), entries);
        }
    }

    private static double[][] drawn(String name, int rows, int width) {
        var rng = Rng.at(1, name.hashCode());
        return Stream.generate(() -> rng.doubles(width).map(v -> (float) (v - 0.5)).toArray())
                .limit(rows)
                .toArray(double[][]::new);
    }

    private static SafeTensors.Entry entry(String name, double[][] rows) {
        var values = floats(Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray());
        var width = rows[0].length;
        return new SafeTensors.Entry(
                name,
                SafeTensors.DType.F32,
                name.endsWith(".bias") ? new long[] {width} : new long[] {rows.length, width},
                MemorySegment.ofArray(values));
    }

    private static float[] floats(double[] values) {
        var floats = new float[values.length];
        for (var i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    private static LanguageModel body(Module model) {
        return model instanceof TokenClassifier labeller
                ? labeller.body()
                : ((SequenceClassifier) model).body();
    }

    /// What the model makes of all texts, filled up to one length.
    private static float[] scores(Module model) {
        try (var scope = new Scope()) {
            return Torch.noGrad(() -> {
                var body = body(model);
                var ids = body.padded(TEXTS, body.padding());
                var lengths = TEXTS.stream().mapToLong(text -> text.length).toArray();
                if (model instanceof SequenceClassifier classifier) {
                    return classifier.scores(ids, null, lengths).floats();
                }
                var places =
                        IntStream.range(0, TEXTS.size())
                                .boxed()
                                .flatMapToLong(r ->
                                        Arrays.stream(PLACES.get(r))
                                                .mapToLong(at -> r * ids.size(1) + at))
                                .toArray();
                return ((TokenClassifier) model)
                        .scores(ids, lengths, Tensor.of(places, places.length))
                        .floats();
            });
        }
    }

    private static MicroBatch batch(Module model) {
        var rows = IntStream.range(0, TEXTS.size()).boxed();
        if (model instanceof TokenClassifier labeller) {
            return new TokenLabelBatch(
                    labeller,
                    rows.map(r -> new TaggedTokens(TEXTS.get(r), PLACES.get(r), 0, 0, "")).toList(),
                    TAGS,
                    1,
                    CrossEntropy.PLAIN);
        }
        return new ClassificationBatch(
                (SequenceClassifier) model,
                1,
                rows.map(r ->
                                new Example(
                                        new Tokens(TEXTS.get(r), null),
                                        new double[] {LABELS[r]},
                                        1,
                                        ""))
                        .toList(),
                null,
                false,
                CrossEntropy.PLAIN);
    }

    /// The scores of each word, or of each text by the state of its first token where all see each
    /// other, and of its last where none sees what follows.
    private List<double[]> scores(LanguageModel body, boolean ofTokens) {
        var scores = new ArrayList<double[]>();
        for (var r = 0; r < TEXTS.size(); r++) {
            var text = TEXTS.get(r);
            var states = states(body, text);
            var last = body instanceof Decoder ? text.length - 1 : 0;
            for (var at : ofTokens ? PLACES.get(r) : new int[] {last}) {
                scores.add(score(states[at]));
            }
        }
        return scores;
    }

    /// The last hidden states of one text alone.
    private static double[][] states(LanguageModel body, int[] text) {
        try (var scope = new Scope()) {
            var ids = Tensor.of(text, 1, text.length);
            var values =
                    Torch.noGrad(() ->
                            (body instanceof Decoder decoder
                                            ? decoder.hidden(ids)
                                            : ((Encoder) body).hidden(ids, null, null))
                                    .floats());
            var states = new double[text.length][values.length / text.length];
            for (var i = 0; i < values.length; i++) {
                states[i / states[0].length][i % states[0].length] = values[i];
            }
            return states;
        }
    }

    private double[] score(double[] state) {
        var x = state;
        if (head.containsKey("pre_classifier.weight")) {
            x = Arrays.stream(linear("pre_classifier", x)).map(v -> Math.max(0, v)).toArray();
        }
        return linear(head.containsKey("score.weight") ? "score" : "classifier", x);
    }

    private double[] linear(String name, double[] x) {
        var rows = requireNonNull(head.get(name + ".weight"));
        var bias = head.get(name + ".bias");
        var y = bias == null ? new double[rows.length] : bias[0].clone();
        for (var o = 0; o < y.length; o++) {
            for (var i = 0; i < x.length; i++) {
                y[o] += rows[o][i] * x[i];
            }
        }
        return y;
    }

    /// The mean cross-entropy.
    private static double loss(List<double[]> scores, boolean ofTokens) {
        var labels = ofTokens ? TAGS.stream().flatMapToInt(Arrays::stream).toArray() : LABELS;
        var loss = 0.0;
        for (var i = 0; i < labels.length; i++) {
            var row = scores.get(i);
            loss += Math.log(Arrays.stream(row).map(Math::exp).sum()) - row[labels[i]];
        }
        return loss / labels.length;
    }

    private double lossWith(
            LanguageModel body, boolean ofTokens, String name, int index, double by) {
        var rows = head.get(name);
        if (rows == null) {
            var weights = requireNonNull(body.parameters().get(name)).value().segment();
            var was = weights.getAtIndex(ValueLayout.JAVA_FLOAT, index);
            weights.setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) (was + by));
            var loss = loss(scores(body, ofTokens), ofTokens);
            weights.setAtIndex(ValueLayout.JAVA_FLOAT, index, was);
            return loss;
        }
        var row = rows[index / rows[0].length];
        var at = index % rows[0].length;
        var was = row[at];
        row[at] = was + by;
        var loss = loss(scores(body, ofTokens), ofTokens);
        row[at] = was;
        return loss;
    }
}
