package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.model.Decoder;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HalfPrecisionTest {
    private static final int[] PROMPT = {40, 14, 15, 11, 34, 76, 14, 8};
    private static final long[] MORE = {50, 3, 83, 36, 79, 74, 16, 63};

    /// A weight is off by 2⁻¹¹ of itself at the most, each by its own, so that of a sum of many the
    /// most is never near; but the blocks make more of what the ones before have done.
    private static final double BOUND = 4 * 0x1p-11;

    private final List<String> told = new ArrayList<>();
    private Decoder model = golden("gpt2");

    private static Decoder golden(String name) {
        var goldens = Path.of(System.getProperty("espalier.goldens"));
        return HuggingFace.readDecoder(goldens.resolve(name)).model();
    }

    private void use(String name) {
        model.free();
        model = golden(name);
    }

    @AfterEach
    void free() {
        model.free();
    }

    private HalfPrecision half() {
        return HalfPrecision.of(model, told::add);
    }

    /// The scores after each of MORE, one after the other, behind the prompt.
    private float[] scores() {
        return Torch.noGrad(() -> {
            try (var scope = new Scope()) {
                var rows = new DecoderRows(model, List.of(PROMPT), 1, MORE.length, s -> s);
                var all = new float[MORE.length * model.vocabulary()];
                var _ = rows.read();
                for (var i = 0; i < MORE.length; i++) {
                    var next = rows.read(new long[] {MORE[i]});
                    System.arraycopy(next, 0, all, i * next.length, next.length);
                }
                return all;
            }
        });
    }

    private List<List<Integer>> greedy(int[]... prompts) {
        var limits = new Limits(40, List.of(), Set.of());
        return new TokenGenerator(model, model.vocabulary())
                .write(List.of(prompts), GenerationConfig.of(Sampling.greedy(), limits));
    }

    private void areClose(float[] got, float[] want, double bound) {
        var most = 0f;
        for (var score : want) {
            most = Math.max(most, Math.abs(score));
        }
        assertThat(most).isPositive();
        assertThat(got).isNotEqualTo(want).containsExactly(want, within((float) (bound * most)));
    }

    /// With weights that half precision has as they are, nothing but the order of sums is left.
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama"})
    void weightsThatNeedNoRoundingGiveTheSameScores(String name) {
        use(name);
        Torch.noGrad(() -> {
            try (var scope = new Scope()) {
                for (var p : model.parameters().values()) {
                    p.value().copyInPlace(p.value().to(DType.HALF).to(DType.FLOAT));
                }
            }
        });
        var want = scores();
        var written = greedy(PROMPT);
        try (var half = half()) {
            assertThat(half.isActive()).isTrue();
            areClose(scores(), want, 2e-6);
            assertThat(greedy(PROMPT)).isEqualTo(written);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama"})
    void scoresAreCloseToThoseInFp32AndTextsTheSame(String name) {
        use(name);
        var want = scores();
        var written = greedy(PROMPT);
        var batch = greedy(PROMPT, new int[] {1, 2, 3});
        try (var half = half()) {
            areClose(scores(), want, BOUND);
            assertThat(greedy(PROMPT)).isEqualTo(written);
            // Several at once are computed as ever, bit by bit.
            assertThat(greedy(PROMPT, new int[] {1, 2, 3})).isEqualTo(batch);
            assertThat(told)
                    .singleElement()
                    .asString()
                    .startsWith("weights in half precision, for one text at a time: ");
        }
        assertThat(scores()).isEqualTo(want);
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void adaptersActUntilTheyAreMergedAndAfter(boolean dora) {
        var settings = new Lora.Settings(2, 4, 0, List.of("c_attn", "c_fc"), false, dora);
        var plain = scores();
        Lora.attach(model, settings, 1);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.contains(Lora.PREFIX)) {
                        Torch.noGrad(() -> p.value().addInPlace(0.2));
                    }
                });
        var want = scores();
        assertThat(want).isNotEqualTo(plain);
        try (var half = half()) {
            areClose(scores(), want, BOUND);
            Lora.merge(model);
            areClose(scores(), want, BOUND);
        }
        try (var half = half()) {
            areClose(scores(), want, BOUND);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "transformer.h.1.mlp.c_fc.weight, 70000, transformer.h.1.mlp.c_fc",
        "transformer.h.0.attn.c_attn.weight, NaN, transformer.h.0.attn.c_attn",
        "transformer.wte.weight, -70000, the head"
    })
    void whatIsBeyondHalfPrecisionStaysAsItIs(String parameter, float value, String named) {
        var weight = Objects.requireNonNull(model.parameters().get(parameter)).value();
        weight.segment().fill((byte) 0);
        Torch.noGrad(() -> weight.narrow(0, 0, 1).addInPlace(value));
        var want = scores();
        try (var half = half()) {
            assertThat(half.isActive()).isFalse();
            assertThat(scores()).isEqualTo(want);
            assertThat(told)
                    .containsExactly(
                            named
                                    + ": a weight is beyond the 65504 of half precision; all stays"
                                    + " in fp32");
        }
    }

    @Test
    void nothingIsLeftOfIt() {
        try (var half = half()) {
            var _ = greedy(PROMPT);
        }
        var before = Torch.liveObjects();
        for (var i = 0; i < 5; i++) {
            try (var half = half()) {
                var _ = greedy(PROMPT);
            }
        }
        assertThat(Torch.liveObjects()).isLessThanOrEqualTo(before);
    }
}
