package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.generate.Generated.Ending;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.nn.Attention;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.LlamasTokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GeneratorTest {
    private static final CharacterTokenizer TOKENIZER =
            CharacterTokenizer.train(
                    List.of("abcdefghijklmnopqrstuvwxyz \n.,é€😀"), List.of("<|endoftext|>"));
    private static final int CONTEXT = 48;
    private static final Gpt2 MODEL =
            lively(new Gpt2(Gpt2Config.of(TOKENIZER.vocabularySize() + 5, CONTEXT, 16, 2, 2, 0.5)));
    private static final Sampling WILD = new Sampling(1.5, 0, 1, 7);
    private static final Generator GENERATOR = new Generator(MODEL, TOKENIZER);

    /// Weights so large that the scores depend on all of the text.
    private static Gpt2 lively(Gpt2 model) {
        model.initialize(1);
        Torch.noGrad(() -> {
            for (var entry : model.parameters().entrySet()) {
                if (!entry.getKey().contains("ln_")) {
                    entry.getValue().value().mulInPlace(12);
                }
            }
        });
        return model;
    }

    @AfterAll
    static void free() {
        MODEL.free();
    }

    private static List<int[]> prompts(int... lengths) {
        var rng = Rng.at(3);
        return Arrays.stream(lengths)
                .mapToObj(n -> rng.ints(n, 0, MODEL.vocabulary()).toArray())
                .toList();
    }

    private static GenerationConfig config(Sampling sampling, int tokens) {
        return GenerationConfig.of(sampling, new Limits(tokens, List.of(), Set.of()));
    }

    private static List<List<Integer>> written(
            Decoder model, List<int[]> prompts, Sampling sampling, int tokens) {
        var written = new ArrayList<List<Integer>>();
        prompts.forEach(p -> written.add(new ArrayList<>()));
        new TokenGenerator(model, model.vocabulary())
                .generate(
                        prompts,
                        config(sampling, tokens),
                        (row, id) -> {
                            written.get(row).add(id);
                            return true;
                        });
        return written;
    }

    /// Greedy, with the whole sequence read anew for every token.
    private static List<Integer> writtenWithoutCache(int[] prompt, int tokens) {
        var all = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
        for (var i = 0; i < tokens; i++) {
            var ids = all.stream().mapToLong(Integer::longValue).toArray();
            try (var scope = new Scope()) {
                var hidden = MODEL.hidden(Tensor.of(ids, 1, ids.length));
                var scores = MODEL.logits(hidden).select(1, ids.length - 1L);
                all.add((int) scores.argmax(-1).item());
            }
        }
        return all.subList(prompt.length, all.size());
    }

    @Test
    void theCacheChangesNothing() {
        var prompts = prompts(1, 9, 4);
        var together = written(MODEL, prompts, Sampling.greedy(), 30);
        for (var row = 0; row < prompts.size(); row++) {
            assertThat(together.get(row)).isEqualTo(writtenWithoutCache(prompts.get(row), 30));
            assertThat(written(MODEL, prompts.subList(row, row + 1), Sampling.greedy(), 30))
                    .containsExactly(together.get(row));
        }
    }

    @Test
    void scoresFromTheCacheAreThoseOfTheWholeSequence() {
        try (var scope = new Scope()) {
            var ids = Tensor.of(prompts(20).getFirst(), 1, 20);
            var whole = MODEL.logits(MODEL.hidden(ids)).floats();
            var cache = MODEL.cache(1, 20);
            var width = MODEL.vocabulary();
            for (var t = 0; t < 20; t++) {
                var hidden =
                        MODEL.hidden(
                                ids.narrow(1, t, 1),
                                Tensor.arange(t, t + 1).unsqueeze(0),
                                Attention.causal(1, t + 1),
                                cache);
                var expected = Arrays.copyOfRange(whole, t * width, (t + 1) * width);
                var most = 0.0;
                for (var score : expected) {
                    most = Math.max(most, Math.abs(score));
                }
                assertThat(MODEL.logits(hidden).floats())
                        .containsExactly(
                                expected,
                                org.assertj.core.data.Offset.offset((float) (1e-5 * most)));
            }
        }
    }

    @Test
    void aSeedGivesTheSameTokensAndAnotherSeedOthers() {
        var prompts = prompts(3, 5);
        var first = written(MODEL, prompts, WILD, 20);
        assertThat(written(MODEL, prompts, WILD, 20)).isEqualTo(first);
        assertThat(written(MODEL, prompts, new Sampling(1.5, 0, 1, 8), 20)).isNotEqualTo(first);
        var same = List.of(prompts.getFirst(), prompts.getFirst());
        var twice = written(MODEL, same, WILD, 20);
        assertThat(twice.get(0)).isNotEqualTo(twice.get(1));
    }

    @Test
    void dropoutIsOffAndComesBack() {
        MODEL.training(true);
        try {
            var prompts = prompts(6);
            assertThat(written(MODEL, prompts, Sampling.greedy(), 20).getFirst())
                    .isEqualTo(writtenEvaluating(prompts.getFirst()));
            assertThat(MODEL.training()).isTrue();
        } finally {
            MODEL.training(false);
        }
    }

    private static List<Integer> writtenEvaluating(int[] prompt) {
        MODEL.training(false);
        try {
            return writtenWithoutCache(prompt, 20);
        } finally {
            MODEL.training(true);
        }
    }

    @Test
    void memoryDoesNotGrowWithTheTokens() {
        var live = new ArrayList<Long>();
        new TokenGenerator(MODEL, MODEL.vocabulary())
                .generate(
                        prompts(2),
                        config(WILD, 40),
                        (row, id) -> {
                            live.add(Torch.liveObjects());
                            return true;
                        });
        // Others' garbage may go meanwhile, but nothing may come.
        assertThat(live.subList(2, live.size())).isSortedAccordingTo(Comparator.reverseOrder());

        var before = Torch.liveObjects();
        for (var i = 0; i < 20; i++) {
            written(MODEL, prompts(2, 3), WILD, 10);
        }
        assertThat(Torch.liveObjects()).isLessThanOrEqualTo(before);
    }

    @Test
    void theStreamIsTheTextAndHasWholeCharacters() {
        for (var seed = 0; seed < 5; seed++) {
            var pieces = new ArrayList<String>();
            var generated =
                    GENERATOR.generate(
                            "once",
                            GenerationConfig.of(
                                    new Sampling(2, 0, 1, seed),
                                    new Limits(30, List.of("e", " q"), Set.of())),
                            pieces::add);
            assertThat(String.join("", pieces)).isEqualTo(generated.text());
            assertThat(pieces)
                    .allMatch(p -> p.codePoints().noneMatch(c -> c >= 0xD800 && c < 0xE000));
            assertThat(generated.text()).doesNotContain("e", " q");
        }
    }

    @Test
    void aStopStringCutsTheTextThatWouldBeThereWithoutIt() {
        var whole = GENERATOR.generate("abc", WILD, new Limits(40, List.of(), Set.of()));
        assertThat(whole.ending()).isEqualTo(Ending.LENGTH);
        assertThat(whole.ids()).hasSize(40);
        var text = whole.text();
        var from = text.offsetByCodePoints(0, 10);
        var stop = text.substring(from, text.offsetByCodePoints(from, 3));
        var cut = GENERATOR.generate("abc", WILD, new Limits(40, List.of(stop), Set.of()));
        assertThat(cut.text()).isEqualTo(text.substring(0, text.indexOf(stop)));
        assertThat(cut.ending()).isEqualTo(Ending.STOP_STRING);
    }

    @Test
    void anEndTokenEndsAndIsNoText() {
        var whole = GENERATOR.generate("abc", WILD, new Limits(40, List.of(), Set.of()));
        var end = whole.ids()[5];
        var cut = GENERATOR.generate("abc", WILD, new Limits(40, List.of(), Set.of(end)));
        assertThat(cut.ids().length).isLessThanOrEqualTo(6);
        assertThat(cut.ids()).endsWith(end).isEqualTo(Arrays.copyOf(whole.ids(), cut.ids().length));
        assertThat(cut.ending()).isEqualTo(Ending.END_OF_TEXT);
        assertThat(cut.text())
                .isEqualTo(TOKENIZER.decode(Arrays.copyOf(cut.ids(), cut.ids().length - 1)));
    }

    @Test
    void aFullContextEndsTheText() {
        var limits = new Limits(1000, List.of(), Set.of());
        var config = GenerationConfig.of(WILD, limits);
        var generated = GENERATOR.generate(List.of("a".repeat(40), "b"), config, tokens -> {});
        assertThat(generated.get(0).getFirst().ids()).hasSize(CONTEXT - 40);
        assertThat(generated.get(1).getFirst().ids()).hasSize(CONTEXT - 1);
        assertThat(generated).allMatch(g -> g.getFirst().ending() == Ending.CONTEXT);
    }

    @Test
    void aPromptThatDoesNotFitIsRefused() {
        var limits = Limits.of(TOKENIZER, 5);
        assertThatThrownBy(() -> GENERATOR.generate("a".repeat(CONTEXT), WILD, limits))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "the prompt has 48 tokens, but the model's context of 48 has room for at"
                                + " most 47");
    }

    @Test
    void anEmptyPromptStartsAtTheEndOfTheTextBefore() {
        assertThat(GENERATOR.generate("", WILD, Limits.of(TOKENIZER, 3)).ids())
                .isEqualTo(
                        GENERATOR.generate("<|endoftext|>", WILD, Limits.of(TOKENIZER, 3)).ids());
        var bare = CharacterTokenizer.train(List.of("abc"), List.of());
        assertThatThrownBy(() -> new Generator(MODEL, bare).generate("", WILD, Limits.of(bare, 3)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("empty");
    }

    @Test
    void aPromptOfADecoderBeginsAsItsTokenizerSays(@TempDir Path folder) {
        var tokenizer = LlamasTokenizer.of(folder, "abc");
        var begin = tokenizer.id("<s>").orElseThrow();
        int a = tokenizer.encode("a")[0], b = tokenizer.encode("b")[0];
        var generator = new Generator(MODEL, tokenizer);
        assertThat(generator.ids("ab")).containsExactly(begin, a, b);
        assertThat(generator.ids("")).containsExactly(begin);
        // As a chat template writes it.
        assertThat(generator.ids("<s>ab")).containsExactly(begin, a, b);
        var want = generator.generate(new int[] {begin, a, b}, config(WILD, 9), piece -> {});
        var written = generator.generate(List.of("ab"), config(WILD, 9), n -> {});
        assertThat(written.getFirst().getFirst().ids()).isEqualTo(want.ids());
        assertThat(GENERATOR.ids("ab")).isEqualTo(TOKENIZER.encode("ab"));
    }

    /// A decoder that is trained here on an encoder's tokenizer never sees what stands around
    /// texts.
    @Test
    void whatBeginsAnEncodersTextsIsPutBeforeNoPrompt() {
        var specials = List.of("<s>", "</s>", "<pad>", "<mask>");
        var tokenizer = BytePairTrainer.train(List.of("ab"), 260, 2, specials);
        assertThat(tokenizer.template().before()).isEqualTo(1);
        var model = new Gpt2(Gpt2Config.of(260, 8, 8, 1, 1, 0));
        assertThat(new Generator(model, tokenizer).ids("a"))
                .isEqualTo(tokenizer.encode("a"))
                .hasSize(1);
        model.free();
    }

    @Test
    void aTokenizerOfAnotherModelIsRefused() {
        var large = TOKENIZER.withAddedTokens(List.of("1", "2", "3", "4", "5", "6"));
        assertThatThrownBy(() -> new Generator(MODEL, large))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("do not belong together");
    }

    @Test
    void embeddingsWithoutATokenAreNeverWritten() {
        var all =
                GENERATOR.generate(
                        "a", new Sampling(50, 0, 1, 1), new Limits(47, List.of(), Set.of()));
        assertThat(Arrays.stream(all.ids()).max().orElseThrow())
                .isLessThan(TOKENIZER.vocabularySize());
    }

    private static GenerationConfig beams(int count, int sequences) {
        return new GenerationConfig(
                Sampling.greedy(),
                new Beams(count, 1, Beams.EarlyStopping.NO),
                Penalties.NONE,
                new Limits(20, List.of(), Set.of(1, 2, 3)),
                sequences);
    }

    @Test
    void beamsInABatchAreThoseOfEachPromptAlone() {
        var generator = new TokenGenerator(MODEL, MODEL.vocabulary());
        var prompts = prompts(1, 9, 4, 40);
        var together = generator.search(prompts, beams(3, 2), tokens -> {});
        for (var i = 0; i < prompts.size(); i++) {
            var alone = generator.search(List.of(prompts.get(i)), beams(3, 2), tokens -> {});
            assertThat(together.get(i))
                    .extracting(TokenGenerator.Answer::ids)
                    .isEqualTo(alone.getFirst().stream().map(TokenGenerator.Answer::ids).toList());
        }
        assertThat(together.getLast().getFirst().ids()).hasSizeLessThanOrEqualTo(CONTEXT - 40);
    }

    /// The score of a beam is that of its text read anew, without a cache.
    @Test
    void theScoreOfABeamIsTheMeanLogProbabilityOfItsText() {
        var prompt = prompts(5).getFirst();
        var generator = new TokenGenerator(MODEL, MODEL.vocabulary());
        var answers = generator.search(List.of(prompt), beams(4, 4), tokens -> {}).getFirst();
        assertThat(answers)
                .extracting(TokenGenerator.Answer::score)
                .isSortedAccordingTo(Comparator.reverseOrder());
        for (var answer : answers) {
            var all = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
            all.addAll(answer.ids());
            var ids = all.stream().mapToLong(Integer::longValue).toArray();
            var sum = 0.0;
            try (var scope = new Scope()) {
                var scores = MODEL.logits(MODEL.hidden(Tensor.of(ids, 1, ids.length)));
                var logs = scores.logSoftmax(-1).floats();
                for (var t = prompt.length; t < ids.length; t++) {
                    sum += logs[(t - 1) * MODEL.vocabulary() + (int) ids[t]];
                }
            }
            assertThat(answer.score())
                    .isCloseTo(
                            sum / answer.ids().size(), org.assertj.core.data.Offset.offset(1e-4));
        }
    }

    @Test
    void sequencesOfAPromptDifferAndAreThoseOfItsCopies() {
        var config =
                new GenerationConfig(
                        WILD, Beams.NONE, Penalties.NONE, new Limits(15, List.of(), Set.of()), 3);
        var sequences = GENERATOR.generate(List.of("abc", "xy"), config, tokens -> {});
        assertThat(sequences).allMatch(s -> s.size() == 3);
        assertThat(sequences.getFirst()).extracting(Generated::text).doesNotHaveDuplicates();
        var copies =
                GENERATOR.generate(
                        List.of("abc", "abc", "abc", "xy", "xy", "xy"),
                        config(WILD, 15),
                        tokens -> {});
        assertThat(sequences.stream().flatMap(List::stream).map(Generated::text))
                .isEqualTo(copies.stream().flatMap(List::stream).map(Generated::text).toList());
    }

    @Test
    void penaltiesHoldInEverySequence() {
        for (var count : new int[] {1, 3}) {
            var config =
                    new GenerationConfig(
                            count == 1 ? WILD : Sampling.greedy(),
                            new Beams(count, 1, Beams.EarlyStopping.NO),
                            new Penalties(1, 1, 8),
                            new Limits(20, List.of(), Set.of(0, 1, 2)),
                            3);
            var all = GENERATOR.generate(List.of("abc", "z"), config, tokens -> {});
            for (var sequences : all) {
                for (var written : sequences) {
                    assertThat(written.ids()).doesNotHaveDuplicates();
                    assertThat(written.ids().length).isGreaterThan(8);
                }
            }
        }
    }

    @Test
    void progressCountsWhatIsWritten() {
        var counts = new ArrayList<Integer>();
        GENERATOR.generate(List.of("a", "b"), config(WILD, 10), counts::add);
        assertThat(counts.stream().mapToInt(Integer::intValue).sum()).isEqualTo(20);
    }
}
