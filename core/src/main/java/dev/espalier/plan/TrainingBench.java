package dev.espalier.plan;

import dev.espalier.Rng;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.objective.CausalBatch;
import dev.espalier.optim.AdamW;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.function.Consumer;

/// How fast this machine trains a GPT-2, beside how fast it multiplies: whole steps with forward,
/// backward, clipping and AdamW, on random tokens.
public final class TrainingBench {
    /// What was measured.
    ///
    /// @param parameters of the model
    /// @param tokensPerSecond of the median step
    /// @param matmulGflops the rate of 2048 x 2048 products, the mean of before and after
    /// @param matmulShare the steps' rate by 6 N + 12 L D T over that of products
    /// @param peakMemoryBytes the most that the process had in memory
    /// @param predictedMemoryBytes by [Cost#trainingMemory]
    public record Result(
            long parameters,
            int batch,
            int length,
            String precision,
            String processor,
            int threads,
            String allocator,
            double tokensPerSecond,
            double matmulGflops,
            double trainingGflops,
            double matmulShare,
            long peakMemoryBytes,
            long predictedMemoryBytes) {}

    private TrainingBench() {}

    /// Makes `steps` steps of `batch` sequences of `length` tokens, all in one micro-batch.
    public static Result run(
            Gpt2Config config,
            int batch,
            int length,
            int steps,
            boolean bf16,
            Consumer<String> progress) {
        var process = Torch.residentBytes();
        var before = Machine.matmulRate(bf16);
        var model = new Gpt2(config).initialize(1);
        model.training(true);
        var rng = Rng.at(1);
        var seconds = new double[steps];
        var parameters = model.parameterCount();
        var flops = Cost.flopsPerToken(model, length) * batch * length;
        var predicted =
                Cost.trainingMemory(model, config.heads(), batch, length, bf16, process).total();
        try (var flat = new FlatParameters(model);
                var optimizer = new AdamW(flat, 0.9, 0.95, 1e-8, 0.1)) {
            for (var step = 0; step < steps; step++) {
                var windows = new int[batch][length + 1];
                for (var window : windows) {
                    Arrays.setAll(window, i -> rng.nextInt(config.vocabulary()));
                }
                var start = System.nanoTime();
                flat.zeroGradients();
                try (var scope = new Scope()) {
                    var micro = new CausalBatch(model, "bench", 1, windows);
                    var loss = Torch.bf16(bf16, micro::forward);
                    loss.backward(1.0 / micro.count());
                }
                flat.clip(1);
                optimizer.step(1e-4);
                seconds[step] = (System.nanoTime() - start) / 1e9;
                progress.accept(
                        String.format(
                                "step %d: %.0f tokens/s",
                                step + 1, batch * length / seconds[step]));
            }
        }
        var after = Machine.matmulRate(bf16);
        // The first steps fault memory in and warm caches; the median of the rest is the rate that
        // a run sees.
        var rest = Arrays.copyOfRange(seconds, Math.min(2, steps - 1), steps);
        Arrays.sort(rest);
        var median = rest[rest.length / 2];
        var rate = (before + after) / 2;
        return new Result(
                parameters,
                batch,
                length,
                bf16 ? "bf16" : "fp32",
                Machine.processor(),
                Machine.threads(),
                Torch.allocator(),
                batch * length / median,
                rate / 1e9,
                flops / median / 1e9,
                flops / median / rate,
                Torch.peakResidentBytes(),
                predicted);
    }
}
