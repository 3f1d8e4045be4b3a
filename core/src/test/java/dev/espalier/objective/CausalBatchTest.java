package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Window;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.nn.Stack;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CausalBatchTest {
    private static final Path GOLDEN =
            Path.of(System.getProperty("espalier.goldens"), "packing_gpt2");

    /// The lengths of documents in a window that begins inside one.
    private static final int[] LENGTHS = {5, 1, 9, 12, 2, 4};

    private static Window window(int seed, boolean beginsInside) {
        var starts = new ArrayList<Integer>();
        var at = 0;
        for (var length : LENGTHS) {
            if (at > 0 || !beginsInside) {
                starts.add(at);
            }
            at += length;
        }
        var tokens = IntStream.range(0, at).map(i -> (i * i * 7 + seed * 13 + i) % 40).toArray();
        return new Window(tokens, starts.stream().mapToInt(i -> i).toArray(), "");
    }

    private static Decoder model(String kind) {
        if (kind.equals("gpt2")) {
            return new Gpt2(Gpt2Config.of(40, 40, 24, 2, 4, 0)).initialize(1);
        }
        return new Llama(
                        LlamaConfig.of(
                                kind.equals("llama")
                                        ? LlamaConfig.Kind.LLAMA
                                        : LlamaConfig.Kind.MISTRAL,
                                40,
                                40,
                                24,
                                2,
                                4,
                                2,
                                32,
                                50,
                                0,
                                true,
                                kind.equals("mistral") ? 6 : null))
                .initialize(1);
    }

    private static CausalBatch apart(Decoder model, List<Window> windows) {
        return new CausalBatch(model, "t", 1, windows, false, CrossEntropy.PLAIN);
    }

    /// Each document in a batch of its own gives the same loss and gradient as all in two rows. In
    /// Mistral the window of 6 cuts documents of 9 and 12 tokens.
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama", "mistral", "recomputed"})
    void documentsThatArePackedAreAsEachAlone(String kind) {
        var model = model(kind.equals("recomputed") ? "gpt2" : kind);
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            // Weights large enough that attention is far from even.
            Torch.noGrad(() -> flat.weights().mulInPlace(4));
            var windows = List.of(window(1, true), window(2, false));
            var alone = 0.0;
            var count = 0L;
            for (var window : windows) {
                var at = 0;
                for (var length : LENGTHS) {
                    if (length > 1) {
                        var tokens = Arrays.copyOfRange(window.tokens(), at, at + length);
                        var batch = new CausalBatch(model, "t", 1, new int[][] {tokens});
                        alone += batch.forward().backward(0.02).item();
                        count += batch.count();
                    }
                    at += length;
                }
            }
            var want = flat.gradients().floats();
            flat.zeroGradients();

            model.training(true);
            Stack.recompute(model, kind.equals("recomputed"));
            var packed = apart(model, windows);
            assertThat(packed.count()).isEqualTo(count);
            assertThat(packed.tokens()).isEqualTo(2 * 32);
            assertThat(packed.forward().backward(0.02).item()).isCloseTo(alone, within(2e-4));
            // Of gradients up to 13.
            assertThat(flat.gradients().floats()).containsExactly(want, within(1e-4f));

            var across = new CausalBatch(model, "t", 1, windows, true, CrossEntropy.PLAIN);
            assertThat(across.count()).isEqualTo(2 * 32);
            flat.zeroGradients();
            assertThat(across.forward().backward(0.02).item()).isGreaterThan(alone + 1);
        }
    }

    @Test
    void equalsTheReferencesLossAndGradients() {
        var model = HuggingFace.readDecoder(GOLDEN).model();
        var golden = Json.read(GOLDEN.resolve("golden.json")).path("cases").path("one_row_3_docs");
        var ids = new int[] {8, 28, 71, 67, 47, 89, 42, 23, 92, 48, 58, 44, 16, 19, 83, 78, 98};
        var lengths = golden.path("doc_lengths").get(0);
        assertThat(lengths.toString()).isEqualTo("[5,8,4]");
        var batch = apart(model, List.of(new Window(ids, new int[] {0, 5, 13}, "")));
        assertThat(batch.count()).isEqualTo(golden.path("predicted_tokens").asInt());
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            var sum = batch.forward().backward(1.0 / batch.count()).item();
            assertThat(sum / batch.count())
                    .isCloseTo(golden.path("fp64_loss").asDouble(), within(2e-6));
            assertThat(flat.gradientNorm())
                    .isCloseTo(golden.path("total_grad_norm").asDouble(), within(1e-5));
        }
    }

    /// Without a token to tell there is no loss and no gradient, and no division by nothing.
    @Test
    void documentsOfOneTokenTeachNothing() {
        var model = model("gpt2");
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            var batch =
                    apart(model, List.of(new Window(new int[] {1, 2, 3}, new int[] {0, 1, 2}, "")));
            assertThat(batch.count()).isZero();
            assertThat(batch.forward().backward(1).item()).isZero();
            assertThat(flat.gradientNorm()).isZero();
        }
    }

    /// In bf16 masks and scores are rounded, and still no document sees another.
    @Test
    void noDocumentSeesAnotherInBf16() {
        var model = model("llama");
        try (var scope = new Scope()) {
            var a = window(1, false);
            var changed = a.tokens().clone();
            Arrays.setAll(changed, i -> i < 15 ? (changed[i] + 3) % 40 : changed[i]);
            var b = new Window(changed, a.starts(), "");
            var each =
                    Torch.noGrad(() ->
                            Torch.bf16(true, () -> apart(model, List.of(a, b)).forward().each()));
            assertThat(Arrays.copyOfRange(each, 15, 32))
                    .isEqualTo(Arrays.copyOfRange(each, 32 + 15, 64));
            assertThat(Arrays.copyOfRange(each, 0, 4))
                    .isNotEqualTo(Arrays.copyOfRange(each, 32, 36));
        }
        model.free();
    }
}
