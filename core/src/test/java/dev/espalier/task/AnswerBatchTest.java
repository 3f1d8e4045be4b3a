package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.nn.Parameter;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AnswerBatchTest {
    private static Decoder model(String type) {
        return type.equals("gpt2")
                ? new Gpt2(Gpt2Config.of(40, 64, 16, 2, 2, 0)).initialize(1)
                : new Llama(
                                LlamaConfig.of(
                                        LlamaConfig.Kind.LLAMA,
                                        40,
                                        64,
                                        16,
                                        2,
                                        2,
                                        1,
                                        24,
                                        10_000,
                                        0,
                                        false,
                                        null))
                        .initialize(1);
    }

    private static Answered example(int seed, int length) {
        var rng = Rng.at(seed);
        var ids = new int[length];
        Arrays.setAll(ids, i -> rng.nextInt(40));
        var told = new boolean[length];
        for (var i = length / 2; i < length; i++) {
            told[i] = i % 3 != 0;
        }
        return new Answered(ids, told, 0, "record " + seed);
    }

    private record Result(double loss, List<float[]> gradients) {}

    private static Result result(Decoder model, List<List<Answered>> rows) {
        double loss;
        var gradients = new ArrayList<float[]>();
        try (var scope = new Scope()) {
            for (Parameter p : model.parameters().values()) {
                p.value().requiresGrad(true).grad(Tensor.zeros(DType.FLOAT, p.value().shape()));
            }
            loss = new AnswerBatch(model, 1, rows, CrossEntropy.PLAIN).forward().backward(1).item();
            for (Parameter p : model.parameters().values()) {
                gradients.add(java.util.Objects.requireNonNull(p.value().grad()).floats());
            }
        }
        return new Result(loss, gradients);
    }

    /// What one conversation is told and trained does not depend on those beside it in its row.
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama"})
    void packedConversationsKnowNothingOfEachOther(String type) {
        var model = model(type);
        var a = example(1, 9);
        var b = example(2, 14);
        var c = example(3, 6);
        var packed = result(model, List.of(List.of(a, b), List.of(c)));
        var apart = result(model, List.of(List.of(a), List.of(b), List.of(c)));
        assertThat(packed.loss()).isEqualTo(apart.loss(), within(1e-4));
        for (var i = 0; i < packed.gradients().size(); i++) {
            assertThat(packed.gradients().get(i))
                    .usingComparatorWithPrecision(2e-4f)
                    .containsExactly(apart.gradients().get(i));
        }
        var other = result(model, List.of(List.of(a, example(7, 14)), List.of(c)));
        assertThat(other.loss()).isNotCloseTo(packed.loss(), within(1e-3));
        model.free();
    }

    /// Changing what is only read changes nothing in what is counted; what is told is counted once.
    @Test
    void onlyAnswersAreCounted() {
        var a = example(1, 9);
        var batch = new AnswerBatch(model("gpt2"), 1, List.of(List.of(a)), CrossEntropy.PLAIN);
        assertThat(batch.count()).isEqualTo(a.count()).isEqualTo(4);
        assertThat(batch.tokens()).isEqualTo(8);
        assertThat(batch.where()).containsExactly("record 1");
        batch.model().free();
    }

    @Test
    void rowsAreFilledInOrder() {
        assertThat(Answered.packed(new int[] {6, 5, 4, 5, 10, 1}, 10))
                .containsExactly(new int[] {0, 2}, new int[] {1, 3}, new int[] {4}, new int[] {5});
        var rng = Rng.at(5);
        var lengths = new int[500];
        Arrays.setAll(lengths, i -> 1 + rng.nextInt(100));
        var rows = Answered.packed(lengths, 100);
        assertThat(rows.stream().flatMapToInt(Arrays::stream).sorted().toArray())
                .isEqualTo(java.util.stream.IntStream.range(0, 500).toArray());
        assertThat(rows).allMatch(row -> Arrays.stream(row).map(i -> lengths[i]).sum() <= 100);
        var sum = Arrays.stream(lengths).sum();
        assertThat(rows.size()).isLessThan(sum / 90);
    }
}
