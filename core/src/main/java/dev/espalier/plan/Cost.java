package dev.espalier.plan;

import dev.espalier.model.Decoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.VocabularyLoss;

/// What training a decoder costs, by formula.
///
/// N matrix weights, L layers, D width, T length, V vocabulary.
public final class Cost {
    private Cost() {}

    /// Floating-point operations for one token's forward and backward pass: 6 N + 12 L D T, which
    /// counts each multiply-add as two, the backward pass as twice the forward, and attention as if
    /// it were not causal (Kaplan et al. 2020, arXiv:2001.08361, section 2.1; Chowdhery et al.
    /// 2022, arXiv:2204.02311, appendix B).
    public static double flopsPerToken(LanguageModel model, int length) {
        return 6.0 * model.matrixWeights() + 12.0 * model.layers() * model.width() * length;
    }

    /// As above where the head scores the vocabulary for a share of the tokens alone.
    public static double flopsPerToken(LanguageModel model, int length, double scored) {
        return flopsPerToken(model, length)
                - 6.0 * (1 - scored) * model.vocabulary() * model.width();
    }

    /// For one token of an input of `input` and a target of `target` tokens together, of which the
    /// encoder's weights and the decoder's see their own alone; the decoder attends to both.
    public static double flopsPerToken(EncoderDecoder model, int input, int target) {
        double s = input, t = target, d = model.width();
        var encoder =
                model.parameters().entrySet().stream()
                        .filter(p ->
                                p.getKey().contains("encoder.layers.")
                                        || p.getKey().startsWith("encoder.block."))
                        .mapToLong(p -> p.getValue().value().count())
                        .sum();
        var weights = encoder * s + (model.matrixWeights() - encoder) * t;
        var attention = model.layers() / 2.0 * d * (s * s + t * t + s * t);
        return (6 * weights + 12 * attention) / (s + t);
    }

    /// Bytes of the process at the peak of a step, part by part.
    ///
    /// @param weights fp32 weights
    /// @param gradients fp32 gradients
    /// @param optimizer its state: of AdamW two moments, of Lion one
    /// @param activations what the forward pass keeps for the backward pass
    /// @param working the largest temporary arrays: a block of scores, the weights in bf16
    /// @param process the JVM and the libraries
    public record Memory(
            long weights,
            long gradients,
            long optimizer,
            long activations,
            long working,
            long process) {
        public long total() {
            return weights + gradients + optimizer + activations + working + process;
        }
    }

    /// The memory of a step in which each of `workers` threads passes `rows` sequences of `length`
    /// tokens at once through a GPT-2 with `heads` heads, all weights trained.
    ///
    /// Of each token a layer keeps the inputs of both norms and of the four maps, query, key and
    /// value, and the MLP's hidden layer before its activation: 16 D numbers. In bf16 all are half
    /// as wide but the inputs of norms, the first and the third map read what the norms gave once
    /// more, and attention keeps its probabilities, one of `length` for each head.
    ///
    /// @param optimizer bytes of the optimizer's state
    /// @param process what the process had in memory before
    public static Memory trainingMemory(
            Decoder model,
            int heads,
            int workers,
            int rows,
            int length,
            boolean bf16,
            long optimizer,
            long process) {
        var parameters = model.parameterCount();
        long tokens = (long) rows * length, width = model.width();
        var perTokenAndLayer =
                bf16 ? 2 * 4 * width + 14 * 2 * width + 2L * heads * length : 16 * 4 * width;
        var activations = tokens * (model.layers() * perTokenAndLayer + 3 * 4 * width);
        var scores =
                (bf16 ? 2L : 4L)
                        * VocabularyLoss.blockRows(tokens, model.vocabulary())
                        * model.vocabulary();
        // In bf16 a copy of all weights is kept until the step is done.
        var working = scores + (bf16 ? 2 * parameters : 0);
        // Each worker has activations, copies and gradients of its own.
        return new Memory(
                4 * parameters,
                workers * 4 * parameters,
                optimizer,
                workers * activations,
                workers * working,
                process);
    }
}
