package dev.espalier.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.recipe.Recipes;
import java.util.List;
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
            // Norms and biases of an encoder are counted by the model's own formula, and the width
            // of
            // T5's heads together is not that of the model.
            assertThat(Cost.flopsPerToken(anatomy, 20, 10, 1))
                    .isCloseTo(flops, within(0.06 * flops));
        }
        model.free();
    }
}
