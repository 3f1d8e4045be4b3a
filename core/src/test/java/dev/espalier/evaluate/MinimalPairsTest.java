package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.MinimalPair;
import dev.espalier.data.MinimalPairReader;
import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MinimalPairsTest {
    @TempDir Path folder;

    private static Tokenizer tokenizer(String... special) {
        return CharacterTokenizer.train(List.of("abc "), List.of(special));
    }

    /// A model whose states are all β, the shift of its last norm, says token v with softmax(β W_v)
    /// whatever came before.
    @Test
    void marginsAreThoseOfTheClosedForm() {
        var tokenizer = tokenizer("<|endoftext|>");
        var v = tokenizer.vocabularySize();
        var model = new Gpt2(Gpt2Config.of(v, 8, 1, 1, 1, 0));
        var scores = new float[v];
        for (var i = 0; i < v; i++) {
            scores[i] = i * i / 7f - i;
        }
        Torch.noGrad(() -> {
            Objects.requireNonNull(model.parameters().get("transformer.ln_f.bias"))
                    .value()
                    .copyInPlace(Tensor.of(new float[] {1}, 1));
            model.head().copyInPlace(Tensor.of(scores, v, 1));
        });
        var sum = 0.0;
        for (var s : scores) {
            sum += Math.exp(s);
        }
        var log = Math.log(sum);
        int a = tokenizer.id("a").orElseThrow(), b = tokenizer.id("b").orElseThrow();
        int c = tokenizer.id("c").orElseThrow();
        var pairs =
                new MinimalPairs(
                        List.of(
                                new MinimalPair("ab", "ac", "one", "f", "1"),
                                new MinimalPair("ac", "ab", "one", "f", "2"),
                                new MinimalPair("a", "aa", "two", "f", "3")),
                        tokenizer);
        var margins = pairs.margins(model, false);
        assertThat(margins[0]).isCloseTo(scores[b] - scores[c], within(1e-5));
        assertThat(margins[1]).isEqualTo(-margins[0]);
        // Of a longer sentence each token counts.
        assertThat(margins[2]).isCloseTo(log - scores[a], within(1e-5));
        var found = pairs.scores("p", margins);
        // The mean over the paradigms, not over the pairs.
        assertThat(found.getFirst().value()).isCloseTo((0.5 + 1) / 2, within(1e-12));
        assertThat(pairs.weights()).containsExactly(0.5, 0.5, 1);
        assertThat(found)
                .extracting(Score::metric)
                .containsExactly("accuracy", "accuracy:f", "accuracy:one", "accuracy:two");
        assertThat(found).allSatisfy(s -> assertThat(s.low()).isLessThan(s.high()));
        assertThatThrownBy(() ->
                        new MinimalPairs(
                                        List.of(new MinimalPair("a".repeat(9), "b", "", "", "at")),
                                        tokenizer)
                                .margins(model, false))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("at: a sentence of 9 tokens");
        // With nothing before it, a single token is foreseen from nothing.
        var bare = new MinimalPairs(List.of(new MinimalPair("a", "ab", "", "", "at")), tokenizer());
        assertThatThrownBy(() -> bare.margins(model, false)).hasMessageContaining("0 tokens");
    }

    @Test
    void encodersTellBothSentencesByTheirPseudoLikelihood() {
        var tokenizer = tokenizer("<pad>", "<mask>");
        var model =
                (Bert)
                        new Bert(
                                        EncoderConfig.of(
                                                EncoderConfig.Kind.BERT,
                                                tokenizer.vocabularySize(),
                                                8,
                                                16,
                                                1,
                                                2,
                                                0,
                                                0))
                                .initialize(1);
        var margins =
                new MinimalPairs(
                                List.of(
                                        new MinimalPair("abc", "acb", "", "", ""),
                                        new MinimalPair("a b", "a ba", "", "", "")),
                                tokenizer)
                        .margins(model, false);
        assertThat(margins[0])
                .isCloseTo(
                        pseudo(model, tokenizer, "acb") - pseudo(model, tokenizer, "abc"),
                        within(1e-5));
        assertThat(margins[1])
                .isCloseTo(
                        pseudo(model, tokenizer, "a ba") - pseudo(model, tokenizer, "a b"),
                        within(1e-5));
        assertThatThrownBy(() ->
                        new MinimalPairs(
                                        List.of(new MinimalPair("a", "b", "", "", "")),
                                        tokenizer("<pad>"))
                                .margins(model, false))
                .hasMessageContaining("hide");
    }

    private static double pseudo(Bert model, Tokenizer tokenizer, String text) {
        var ids = tokenizer.encode(text);
        var places = java.util.stream.IntStream.range(0, ids.length).toArray();
        var sum = 0.0;
        for (var loss :
                PseudoPerplexity.of(model, ids, places, tokenizer.specials().mask().orElseThrow())
                        .losses()) {
            sum += loss;
        }
        return sum;
    }

    @Test
    void readsBlimpsFormAndSetsAsideWhatIsBroken() throws IOException {
        Files.writeString(
                folder.resolve("agreement.jsonl"),
                """
                {"sentence_good": "The cats sleep.", "sentence_bad": "The cats sleeps.", "UID": "verbs", "field": "syntax"}
                {"sentence_good": "A cat sleeps.", "sentence_bad": "A cat sleeps."}
                {"sentence_good": "A cat sleeps."}
                {"sentence_good": "Cats sleep.", "sentence_bad": "Cats sleeps."}
                {"sentence_good": "Dogs sleep.", "sentence_bad": "Dogs sleeps."}
                """);
        var ledger = new Ledger(null, new Ledger.Limit.Count(2));
        var pairs = MinimalPairReader.read(folder + "/*.jsonl", 2, ledger);
        assertThat(pairs).extracting(MinimalPair::paradigm).containsExactly("verbs", "agreement");
        assertThat(pairs).extracting(MinimalPair::field).containsExactly("syntax", "");
        assertThat(ledger.counts().rejected()).hasSize(2);
        assertThatThrownBy(() -> MinimalPairReader.read(folder + "/*.jsonl", 2, Ledger.strict()))
                .hasMessageContaining("agreement.jsonl:2");
    }
}
