package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.generate.Beams;
import dev.espalier.generate.Generated;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Penalties;
import dev.espalier.generate.Sampling;
import dev.espalier.model.Decoder;
import dev.espalier.model.Family;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class AssistantTest {
    private static final CharacterTokenizer TOKENIZER =
            CharacterTokenizer.train(
                    List.of("abcdefghijklmnopqrstuvwxyz :\nUA"), List.of("<|endoftext|>"));

    /// A GPT-2 that knows how many rows it was asked to remember at most.
    private static final class Counting extends Decoder {
        private final Gpt2 model;
        private long rows;

        Counting() {
            model =
                    child("", new Gpt2(Gpt2Config.of(TOKENIZER.vocabularySize(), 48, 16, 1, 2, 0)))
                            .initialize(1);
        }

        @Override
        public KeyValueCache cache(long batch, long capacity) {
            rows = Math.max(rows, batch);
            return model.cache(batch, capacity);
        }

        @Override
        public Tensor hidden(
                Tensor ids,
                Tensor positions,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache) {
            return model.hidden(ids, positions, mask, cache);
        }

        @Override
        public List<Tensor> states(Tensor ids, Tensor positions, @Nullable Tensor mask) {
            return model.states(ids, positions, mask);
        }

        @Override
        public Decoder withVocabulary(int size) {
            return model.withVocabulary(size);
        }

        @Override
        public Tensor head() {
            return model.head();
        }

        @Override
        public int vocabulary() {
            return model.vocabulary();
        }

        @Override
        public int context() {
            return model.context();
        }

        @Override
        public int width() {
            return model.width();
        }

        @Override
        public int layers() {
            return model.layers();
        }

        @Override
        public long matrixWeights() {
            return model.matrixWeights();
        }

        @Override
        public Family family() {
            return model.family();
        }

        @Override
        public ObjectNode configJson() {
            return model.configJson();
        }
    }

    private static Assistant assistant(Decoder model, int sequences) {
        var config =
                new GenerationConfig(
                        new Sampling(1.5, 0, 1, 7),
                        Beams.NONE,
                        Penalties.NONE,
                        new Limits(6, List.of(), Set.of()),
                        sequences);
        var template = ChatTemplate.of(ChatTemplate.Known.PLAIN, TOKENIZER);
        return new Assistant(model, TOKENIZER, template, config, 48);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 20})
    void manyQuestionsAreAnsweredInPartsAsTheyAreOneByOne(int sequences) {
        var model = new Counting();
        try (var assistant = assistant(model, sequences)) {
            var questions =
                    IntStream.range(0, 37).mapToObj(i -> "ab cde".repeat(1 + i % 4)).toList();
            var together = assistant.answer(questions, 5);
            assertThat(model.rows).isLessThanOrEqualTo(Math.max(16, sequences));
            var alone = new ArrayList<Generated>();
            for (var i = 0; i < questions.size(); i++) {
                alone.addAll(assistant.answer(List.of(questions.get(i)), 5 + i));
            }
            assertThat(together)
                    .extracting(Generated::text)
                    .isEqualTo(alone.stream().map(Generated::text).toList());
            assertThat(together.stream().map(Generated::text).distinct()).hasSizeGreaterThan(30);
        }
    }

    @Test
    void aQuestionThatIsTooLongIsNamed() {
        try (var assistant = assistant(new Counting(), 1)) {
            var questions = List.of("a", "b".repeat(60), "c");
            assertThatThrownBy(() -> assistant.answer(questions, 4))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith("question 6: the prompt has ");
            assertThatThrownBy(() -> assistant.check(questions.get(1)))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith("the prompt has ");
        }
    }
}
