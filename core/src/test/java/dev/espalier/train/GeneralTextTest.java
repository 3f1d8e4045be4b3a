package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.corpus.FileSource;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.LlamasTokenizer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GeneralTextTest {
    @TempDir Path folder;

    private FileSource texts(String... texts) throws IOException {
        for (var i = 0; i < texts.length; i++) {
            Files.writeString(folder.resolve(i + ".txt"), texts[i]);
        }
        return FileSource.text(folder + "/*.txt");
    }

    private static Gpt2 model(Tokenizer tokenizer, int context) {
        return new Gpt2(Gpt2Config.of(tokenizer.vocabularySize(), context, 16, 1, 2, 0))
                .initialize(1);
    }

    /// The negative log-probabilities of the tokens of `ids` at `places`, one after the other.
    private static double loss(Decoder model, int[] ids, int... places) {
        var sum = 0.0;
        try (var scope = new Scope()) {
            var read = Tensor.of(Arrays.copyOf(ids, ids.length - 1), 1, ids.length - 1);
            var logs = model.logits(model.hidden(read)).logSoftmax(-1);
            for (var place : places) {
                sum -= logs.floats()[(place - 1) * model.vocabulary() + ids[place]];
            }
        }
        return sum;
    }

    @Test
    void eachTextBeginsAsADecoderExpectsAndNobodyForeseesThat() throws IOException {
        var tokenizer = LlamasTokenizer.of(folder, "abcd");
        var begin = tokenizer.id("<s>").orElseThrow();
        int[] t = tokenizer.encode("abcd");
        var model = model(tokenizer, 4);
        var source = texts("ab", "cd", "a");
        var text = GeneralText.read(source, tokenizer, model, 100);
        assertThat(text.windows())
                .containsExactly(
                        new int[] {begin, t[0], t[1], begin, t[2]},
                        new int[] {t[2], t[3], begin, t[0]});
        assertThat(text.tokens()).isEqualTo(5);
        var loss = text.loss(model, false);
        assertThat(loss.tokens()).isEqualTo(5);
        assertThat(loss.bytes()).isEqualTo(5);
        assertThat(loss.loss().value())
                .isCloseTo(
                        (loss(model, text.windows().get(0), 1, 2, 4)
                                        + loss(model, text.windows().get(1), 1, 3))
                                / 5,
                        within(1e-5));
        // The beginning of a text alone says nothing.
        var cut = GeneralText.read(source, tokenizer, model(tokenizer, 2), 4);
        assertThat(cut.windows()).hasSize(2);
        assertThat(cut.tokens()).isEqualTo(2);
        assertThat(cut.loss(model, false).sequences()).isEqualTo(1);
        model.free();
    }

    @Test
    void aTokenizerThatPutsNothingBeforeATextLeavesItAsItIs() throws IOException {
        var tokenizer = CharacterTokenizer.train(List.of("abcd"), List.of("<|endoftext|>"));
        var model = model(tokenizer, 4);
        var text = GeneralText.read(texts("ab", "cd"), tokenizer, model, 100);
        assertThat(text.windows()).containsExactly(tokenizer.encode("abcd"));
        assertThat(text.tokens()).isEqualTo(3);
        model.free();
    }
}
