package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.model.Bart;
import dev.espalier.model.BartConfig;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EncoderDecoderRowsTest {
    private static final int VOCABULARY = 30;
    private static final List<int[]> PROMPTS =
            List.of(
                    new int[] {3, 14, 15, 9, 2},
                    new int[] {26, 2},
                    new int[] {5, 3, 5, 8, 9, 7, 2});

    /// Weights so large that the scores depend on all of the text.
    private static EncoderDecoder model(String family) {
        var model =
                family.equals("bart")
                        ? new Bart(BartConfig.of(VOCABULARY, 24, 16, 2, 2, 0.5, 1, 2)).initialize(1)
                        : new T5(T5Config.of(VOCABULARY, 24, 16, 2, 2, 6, 20, true, 0.5, 0, 2))
                                .initialize(1);
        Torch.seed(5);
        Torch.noGrad(() ->
                model.parameters()
                        .forEach((name, p) -> {
                            if (p.isMatrix()) {
                                p.value().normalInPlace(0.5);
                            }
                        }));
        return model;
    }

    private static GenerationConfig config(Penalties penalties, Beams beams, Sampling sampling) {
        return new GenerationConfig(
                sampling, beams, penalties, new Limits(12, List.of(), Set.of(2)), 1);
    }

    private static List<List<Integer>> written(
            EncoderDecoder model, List<int[]> prompts, GenerationConfig config) {
        var written = new ArrayList<List<Integer>>();
        prompts.forEach(p -> written.add(new ArrayList<>()));
        new TokenGenerator(model, VOCABULARY)
                .generate(
                        prompts,
                        config,
                        (row, id) -> {
                            written.get(row).add(id);
                            return true;
                        });
        return written;
    }

    /// Greedy, with all that is written read anew for every token.
    private static List<Integer> writtenWithoutCache(EncoderDecoder model, int[] prompt) {
        var ids = new ArrayList<>(List.of((long) model.start()));
        var written = new ArrayList<Integer>();
        while (written.size() < 12 && !written.contains(2)) {
            try (var scope = new Scope()) {
                var memory = model.encode(Tensor.of(prompt, 1, prompt.length), null);
                var all = ids.stream().mapToLong(Long::longValue).toArray();
                var hidden = model.decode(Tensor.of(all, 1, all.length), memory, null);
                var id = (long) model.logits(hidden).select(1, all.length - 1L).argmax(-1).item();
                ids.add(id);
                written.add((int) id);
            }
        }
        return written;
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5"})
    void theCacheAndOtherPromptsChangeNothing(String family) {
        var model = model(family);
        var config = config(Penalties.NONE, Beams.NONE, Sampling.greedy());
        var together = written(model, PROMPTS, config);
        for (var i = 0; i < PROMPTS.size(); i++) {
            assertThat(together.get(i)).isEqualTo(writtenWithoutCache(model, PROMPTS.get(i)));
            assertThat(written(model, List.of(PROMPTS.get(i)), config))
                    .containsExactly(together.get(i));
        }
        assertThat(together.get(0)).isNotEqualTo(together.get(2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5"})
    void severalSequencesOfOnePromptReadTheSameMemory(String family) {
        var model = model(family);
        var drawn =
                new GenerationConfig(
                        new Sampling(1.5, 0, 1, 7),
                        Beams.NONE,
                        Penalties.NONE,
                        new Limits(8, List.of(), Set.of()),
                        2);
        var all = new ArrayList<List<Integer>>();
        for (var i = 0; i < 4; i++) {
            all.add(new ArrayList<>());
        }
        new TokenGenerator(model, VOCABULARY)
                .generate(PROMPTS.subList(0, 2), drawn, (row, id) -> all.get(row).add(id));
        var once =
                new GenerationConfig(
                        drawn.sampling(), Beams.NONE, Penalties.NONE, drawn.limits(), 1);
        assertThat(all.get(0)).isEqualTo(written(model, PROMPTS.subList(0, 1), once).getFirst());
        assertThat(all.get(1)).isNotEqualTo(all.get(0));
    }

    @Test
    void beamsOfEachPromptAreThoseOfThePromptAlone() {
        var model = model("t5");
        var config =
                config(
                        new Penalties(1, 2, 3),
                        new Beams(3, 1, Beams.EarlyStopping.NO),
                        Sampling.greedy());
        var generator = new TokenGenerator(model, VOCABULARY);
        var together = generator.search(PROMPTS, config, tokens -> {});
        for (var i = 0; i < PROMPTS.size(); i++) {
            var alone = generator.search(PROMPTS.subList(i, i + 1), config, tokens -> {});
            assertThat(together.get(i).getFirst().ids())
                    .isEqualTo(alone.getFirst().getFirst().ids());
        }
    }

    @Test
    void theFirstAndTheLastTokenAreForced() {
        var model = model("bart");
        for (var beams : List.of(Beams.NONE, new Beams(3, 1, Beams.EarlyStopping.NO))) {
            var config =
                    new GenerationConfig(
                            Sampling.greedy(),
                            beams,
                            new Penalties(1, 0, 0, 17, 19),
                            new Limits(6, List.of(), Set.of(19)),
                            1);
            var written =
                    beams.count() == 1
                            ? written(model, PROMPTS, config)
                            : new TokenGenerator(model, VOCABULARY)
                                    .search(PROMPTS, config, tokens -> {}).stream()
                                            .map(answers -> answers.getFirst().ids())
                                            .toList();
            for (var ids : written) {
                assertThat(ids).startsWith(17).endsWith(19);
            }
        }
    }

    @Test
    void promptsAndAnswersHaveTheContextEach() {
        var model = model("bart");
        var generator = new TokenGenerator(model, VOCABULARY);
        assertThat(generator.room(24)).isEqualTo(23);
        assertThat(generator.room(25)).isZero();
        assertThatThrownBy(() ->
                        written(
                                model,
                                List.of(new int[25]),
                                config(Penalties.NONE, Beams.NONE, Sampling.greedy())))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("at most 24");
        var longest = GenerationConfig.of(Sampling.greedy(), new Limits(1000, List.of(), Set.of()));
        assertThat(written(model, List.of(new int[24]), longest).getFirst()).hasSize(23);
    }

    @Test
    void aTextIsAnsweredWithTheTokensAroundItThatTheModelExpects() {
        var tokenizer = CharacterTokenizer.train(List.of("abcdefghij"), List.of("</s>", "<pad>"));
        var model = model("t5");
        var ends = new ArrayList<Integer>();
        for (var id : tokenizer.encode("abc")) {
            ends.add(id);
        }
        ends.add(model.end());
        var config = config(Penalties.NONE, Beams.NONE, Sampling.greedy());
        var ids = ends.stream().mapToInt(Integer::intValue).toArray();
        var written = new ArrayList<Integer>();
        new TokenGenerator(model, tokenizer.vocabularySize())
                .generate(List.of(ids), config, (row, id) -> written.add(id));
        assertThat(new Generator(model, tokenizer).generate("abc", config, piece -> {}).ids())
                .containsExactly(written.stream().mapToInt(Integer::intValue).toArray());
    }
}
