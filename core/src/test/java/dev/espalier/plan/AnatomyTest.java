package dev.espalier.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.adapt.Lora;
import dev.espalier.model.Bart;
import dev.espalier.model.BartConfig;
import dev.espalier.model.Bert;
import dev.espalier.model.DistilBert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.Roberta;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.model.TokenClassifier;
import dev.espalier.nn.Parameter;
import dev.espalier.recipe.Recipes;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The numbers of a model are those of the model itself, whether they are told by a recipe or by
/// its `config.json`.
class AnatomyTest {
    private static final int VOCABULARY = 300;

    record Family(String recipe, LanguageModel model) {
        @Override
        public String toString() {
            return recipe;
        }
    }

    static List<Family> families() {
        return List.of(
                new Family(
                        "{type: gpt2, layers: 3, heads: 2, width: 32, context: 48}",
                        new Gpt2(Gpt2Config.of(VOCABULARY, 48, 32, 3, 2, 0))),
                new Family(
                        "{type: llama, layers: 3, heads: 4, key-value-heads: 2, width: 32, hidden: 80, context: 48}",
                        llama(LlamaConfig.Kind.LLAMA, false, null)),
                new Family(
                        "{type: mistral, layers: 3, heads: 4, key-value-heads: 2, width: 32, hidden: 80, context: 48, window: 16}",
                        llama(LlamaConfig.Kind.MISTRAL, false, 16)),
                new Family(
                        "{type: qwen2, layers: 3, heads: 4, key-value-heads: 2, width: 32, hidden: 80, context: 48, tied: true, rope-theta: 10000}",
                        llama(LlamaConfig.Kind.QWEN2, true, null)),
                new Family(
                        "{type: bert, layers: 3, heads: 4, width: 32, context: 48}",
                        new Bert(encoder(EncoderConfig.Kind.BERT))),
                new Family(
                        "{type: roberta, layers: 3, heads: 4, width: 32, context: 48}",
                        new Roberta(encoder(EncoderConfig.Kind.ROBERTA))),
                new Family(
                        "{type: distilbert, layers: 3, heads: 4, width: 32, context: 48}",
                        new DistilBert(encoder(EncoderConfig.Kind.DISTILBERT))),
                new Family(
                        "{type: bart, layers: 3, heads: 4, width: 32, context: 48}",
                        new Bart(BartConfig.of(VOCABULARY, 48, 32, 3, 4, 0, 1, 2))),
                new Family(
                        "{type: t5, layers: 3, heads: 4, head-width: 6, width: 32, hidden: 80, context: 48}",
                        t5(true)),
                new Family(
                        "{type: t5, layers: 3, heads: 4, head-width: 6, width: 32, hidden: 80, context: 48, gated: false}",
                        t5(false)));
    }

    private static Llama llama(
            LlamaConfig.Kind kind,
            boolean tied,
            @org.jspecify.annotations.Nullable Integer window) {
        return new Llama(
                LlamaConfig.of(kind, VOCABULARY, 48, 32, 3, 4, 2, 80, 10_000, 0, tied, window));
    }

    private static EncoderConfig encoder(EncoderConfig.Kind kind) {
        return EncoderConfig.of(kind, VOCABULARY, 48, 32, 3, 4, 1, 0);
    }

    private static T5 t5(boolean gated) {
        return new T5(T5Config.of(VOCABULARY, 48, 32, 3, 4, 6, 80, gated, 0, 0, 1));
    }

    @ParameterizedTest
    @MethodSource("families")
    void numbersAreThoseOfTheModel(Family family) {
        var model = family.model();
        var told =
                Recipes.parse(
                                """
                                data: {sources: [{type: text, path: none}]}
                                tokenizer: {type: bpe, vocabulary: %d}
                                model: %s
                                objective: {type: causal}
                                training: {for: 1 step}
                                """
                                        .formatted(VOCABULARY, family.recipe()),
                                "told")
                        .model();
        for (var anatomy : List.of(Anatomy.of(told, VOCABULARY), Anatomy.of(model.configJson()))) {
            assertThat(anatomy.parameterCount()).isEqualTo(model.parameterCount());
            assertThat(anatomy.matrixWeights()).isEqualTo(model.matrixWeights());
            assertThat(anatomy.width()).isEqualTo(model.width());
            assertThat(anatomy.vocabulary()).isEqualTo(model.vocabulary());
            var flops =
                    model instanceof EncoderDecoder both
                            ? Cost.flopsPerToken(both, 20, 10)
                            : Cost.flopsPerToken(model, 20);
            assertThat(Cost.flopsPerToken(anatomy, 20, 10, 1))
                    .isCloseTo(flops, within(1e-9 * flops));
        }
        model.free();
    }

    /// What is trained beside frozen weights is what the model really gets.
    @ParameterizedTest
    @MethodSource("families")
    void adaptersAndHeadsHaveTheWeightsOfTheModels(Family family) {
        var model = family.model();
        var anatomy = Anatomy.of(model.configJson());
        var names = model.family();
        var all = Stream.concat(names.attention().stream(), names.mlp().stream()).toList();
        requireAdapter(
                model, names.attention(), anatomy.adapterWeights(List.of("attention"), 3, false));
        requireAdapter(model, all, anatomy.adapterWeights(List.of("all"), 3, false));
        // Names of one's own, one of which may be the end of several paths.
        for (var name : List.of(names.attention().getFirst(), names.mlp().getLast())) {
            requireAdapter(model, List.of(name), anatomy.adapterWeights(List.of(name), 3, false));
        }
        var dora = new Lora.Settings(3, 1, 0, all, false, true);
        requireAdapter(model, dora, anatomy.adapterWeights(List.of("all"), 3, true));
        if (!(model instanceof T5)) {
            var head = new SequenceClassifier(model, List.of("a", "b", "c")).head();
            assertThat(anatomy.headWeights(3, false)).isEqualTo(head.parameterCount());
        }
        if (!(model instanceof EncoderDecoder)) {
            var tagged = new TokenClassifier(model, List.of("a", "b", "c"));
            assertThat(anatomy.headWeights(3, true))
                    .isEqualTo(
                            tagged.headPaths().stream()
                                    .map(tagged.parameters()::get)
                                    .mapToLong(p -> Objects.requireNonNull(p).value().count())
                                    .sum());
        }
        model.free();
    }

    private static void requireAdapter(LanguageModel model, List<String> targets, long expected) {
        requireAdapter(model, new Lora.Settings(3, 1, 0, targets), expected);
    }

    private static void requireAdapter(LanguageModel model, Lora.Settings settings, long expected) {
        var paths = Lora.attach(model, settings, 1);
        assertThat(expected)
                .as(settings.targets().toString())
                .isEqualTo(
                        model.parameters().values().stream()
                                .filter(Parameter::trained)
                                .mapToLong(p -> p.value().count())
                                .sum());
        Lora.remove(model, paths);
    }

    private static final Anatomy GPT2 = Anatomy.near(85e6, 50_257, 1024);

    /// By hand: twelve blocks of width 768, each with 4 maps of attention and an MLP four times as
    /// wide, their biases, two norms; the table, which is the head too, and a last norm. Positions
    /// are looked up.
    @Test
    void gpt2HasTheOperationsThatAreCountedByHand() {
        var block = 12.0 * 768 * 768 + 9 * 768 + 4 * 768;
        var weights = 12 * block + 2 * 768 + 50_257.0 * 768;
        // Scores and their weighted sum: 2 x 1024 x 768 multiply-adds a block, three times over.
        var attention = 12 * 3 * 2 * 2.0 * 1024 * 768;
        assertThat(weights).isEqualTo(123_653_376);
        requireClose(Cost.flopsPerToken(GPT2, 1024, 0, 1), 6 * weights + attention);
        requireClose(Cost.attentionFlops(GPT2, 1024, 0), attention);
        // Of hidden tokens, an eighth, the others meet no head.
        requireClose(
                Cost.flopsPerToken(GPT2, 1024, 0, 0.125),
                6 * (weights - 0.875 * 50_257 * 768) + attention);
    }

    /// By hand: T5-small reads 512 tokens and writes 114 of them, the pairs of span corruption.
    @Test
    void t5HasTheOperationsThatAreCountedByHand() {
        double s = 512, t = 114, map = 512 * 512, mlp = 2 * 512 * 2048;
        // Keys and values of what the encoder gave are made once for each token of the input.
        var read = 6 * (4 * map + mlp) + 6 * 2 * map;
        // Norms and the two tables of relative positions are counted with the decoder.
        var written = 6 * (4 * map + 2 * map + mlp) + 32_128.0 * 512 + 32 * 512 + 2 * 32 * 8;
        var pairs = 6 * s * s + 6 * (t * t + s * t);
        requireClose(
                Cost.flopsPerToken(t5Small(), 512, 114, 1),
                (6 * (read * s + written * t) + 12 * 512 * pairs) / (s + t));
        assertThat(t5Small().parameterCount()).isEqualTo(60_506_624);
    }

    static Anatomy t5Small() {
        var recipe =
                Recipes.parse(
                        """
                        data: {sources: [{type: text, path: none}]}
                        tokenizer: {type: unigram, vocabulary: 32128}
                        model: {type: t5, layers: 6, heads: 8, head-width: 64, width: 512, hidden: 2048, context: 512, gated: false}
                        objective: {type: span-corruption}
                        training: {for: 1 step}
                        """,
                        "small");
        return Anatomy.of(recipe.model(), 32_128);
    }

    private static void requireClose(double found, double byHand) {
        assertThat(found).isCloseTo(byHand, within(1e-9 * byHand));
    }
}
