package dev.espalier.plan;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.VocabularyLoss;

/// What training a model costs, by formula.
///
/// N matrix weights, L layers, D width, T length, V vocabulary.
public final class Cost {
    private Cost() {}

    /// Floating-point operations for one token's forward and backward pass: 6 N + 12 L D T, which
    /// counts each multiply-add as two, the backward pass as twice the forward, and attention as if
    /// it were not causal (Kaplan et al. 2020, arXiv:2001.08361, section 2.1; Chowdhery et al.
    /// 2022, arXiv:2204.02311, appendix B). D is here that of all heads together.
    public static double flopsPerToken(LanguageModel model, int length) {
        return 6.0 * model.matrixWeights() + attentionFlops(model, length);
    }

    /// As above where the head scores the vocabulary for a share of the tokens alone.
    public static double flopsPerToken(LanguageModel model, int length, double scored) {
        return flopsPerToken(model, length)
                - 6.0 * (1 - scored) * model.vocabulary() * model.width();
    }

    /// What of [#flopsPerToken(LanguageModel, int)] is attention. A decoder beside an encoder reads
    /// the same text, and attends to both.
    public static double attentionFlops(LanguageModel model, int length) {
        var anatomy = Anatomy.of(model.configJson());
        return anatomy.isEncoderDecoder()
                ? 2 * attentionFlops(anatomy, length, length)
                : attentionFlops(anatomy, length, 0);
    }

    /// For one token of an input of `input` and a target of `target` tokens together.
    public static double flopsPerToken(EncoderDecoder model, int input, int target) {
        return flopsPerToken(Anatomy.of(model.configJson()), input, target, 1);
    }

    /// As [#flopsPerToken(LanguageModel, int)] for a model in numbers alone, of which a share of
    /// the tokens is scored. Of an input and a target each token passes through what sees it: the
    /// encoder and the maps that make keys and values of what it gave see the input's, all else the
    /// target's.
    ///
    /// @param input tokens of a row
    /// @param target tokens that a decoder beside the encoder writes of it; 0 without one
    public static double flopsPerToken(Anatomy model, int input, int target, double scored) {
        double s = input, t = target;
        var head = 6 * (1 - scored) * model.vocabulary() * model.width();
        if (!model.isEncoderDecoder()) {
            return 6.0 * model.matrixWeights() + attentionFlops(model, input, 0) - head;
        }
        var read = model.inputWeights();
        var weights = read * s + (model.matrixWeights() - read) * t;
        return 6 * weights / (s + t) + attentionFlops(model, input, target) - head * t / (s + t);
    }

    /// What of [#flopsPerToken] is attention: the products of queries with keys and of
    /// probabilities with values.
    public static double attentionFlops(Anatomy model, int input, int target) {
        double d = (double) model.heads() * model.headWidth(), s = input, t = target;
        return model.isEncoderDecoder()
                ? 12
                        * d
                        * (model.encoderLayers() * s * s + model.decoderLayers() * (t * t + s * t))
                        / (s + t)
                : 12 * d * model.layers() * s;
    }

    /// Bytes of the process at the peak of a step, part by part.
    ///
    /// @param weights fp32 weights
    /// @param gradients fp32 gradients of the weights that are trained
    /// @param optimizer its state: of AdamW two moments, of Lion one
    /// @param activations what the forward pass keeps for the backward pass
    /// @param logits a block of scores
    /// @param copies the weights in bf16
    /// @param loader the examples that are kept ready, the best weights so far, and what a defence
    ///   holds the model to
    /// @param process the JVM and the libraries
    public record Memory(
            long weights,
            long gradients,
            long optimizer,
            long activations,
            long logits,
            long copies,
            long loader,
            long process) {
        public long total() {
            return weights
                    + gradients
                    + optimizer
                    + activations
                    + logits
                    + copies
                    + loader
                    + process;
        }
    }

    /// What a step passes through the model.
    ///
    /// @param rows sequences that pass at once
    /// @param input tokens of each
    /// @param target tokens that a decoder beside the encoder writes of each; 0 without one
    /// @param workers threads that each pass as many at once
    /// @param scored the share of the tokens whose scores of the vocabulary are computed
    /// @param recompute whether of each block only what it reads is kept
    /// @param trained weights that are trained
    /// @param dropout whether attention drops weights
    /// @param frozen blocks, from the first on, through which nothing goes back
    public record Pass(
            int rows,
            int input,
            int target,
            int workers,
            double scored,
            boolean bf16,
            boolean recompute,
            long trained,
            boolean dropout,
            int frozen) {
        /// Through all of whose blocks something goes back.
        public Pass(
                int rows,
                int input,
                int target,
                int workers,
                double scored,
                boolean bf16,
                boolean recompute,
                long trained,
                boolean dropout) {
            this(rows, input, target, workers, scored, bf16, recompute, trained, dropout, 0);
        }

        Pass with(boolean recompute) {
            return new Pass(
                    rows, input, target, workers, scored, bf16, recompute, trained, dropout,
                    frozen);
        }
    }

    /// The memory of a step.
    ///
    /// Of each token a layer keeps the inputs of both norms and of the four maps, query, key and
    /// value, what attention gave, and the MLP's hidden layer before and after its activation: for
    /// GPT-2, whose hidden layer has 4 D, 16 D numbers. A gated MLP keeps its hidden layer four
    /// times; a decoder beside an encoder attends twice. In bf16 all are half as wide but the
    /// inputs of norms. There, and where weights of attention are dropped, attention keeps its
    /// probabilities, one of each position for each head. Of a block that is computed again, or
    /// through which nothing goes back, only what it gave is kept, and all of one at a time.
    ///
    /// @param optimizer bytes of the optimizer's state
    /// @param loader bytes of the examples and what else is kept beside the model
    /// @param process what the process had in memory before
    public static Memory trainingMemory(
            Anatomy model, Pass pass, long optimizer, long loader, long process) {
        var encoded = (long) pass.rows() * pass.input();
        var decoded =
                model.isEncoderDecoder()
                        ? (long) pass.rows() * pass.target()
                        : model.decoderLayers() > 0 ? encoded : 0;
        var seen = model.isEncoderDecoder() ? encoded : 0;
        double own = perToken(model, pass, model.isEncoderDecoder() ? pass.target() : pass.input());
        var across = model.isEncoderDecoder() ? acrossPerToken(model, pass) : 0;
        var number = pass.bf16() ? 2 : 4;
        // Keys and values of the memory.
        var shared = 2.0 * model.heads() * model.headWidth() * number * seen;
        var decoder = decoded * (own + across) + shared;
        var encoder = model.encoderLayers() > 0 ? encoded * perToken(model, pass, pass.input()) : 0;
        var kept = 4L * model.width();
        // Of these blocks only what they gave is kept.
        var light = pass.recompute() ? model.layers() : pass.frozen();
        var lightEncoders = Math.min(light, model.encoderLayers());
        var lightDecoders = light - lightEncoders;
        var layers =
                kept * (double) (lightEncoders * encoded + lightDecoders * decoded)
                        + (model.encoderLayers() - lightEncoders) * encoder
                        + (model.decoderLayers() - lightDecoders) * decoder
                        + (light == model.layers() ? Math.max(encoder, decoder) : 0);
        var tokens = encoded + (model.isEncoderDecoder() ? decoded : 0);
        // What stands around the blocks: embeddings, the last norm, the gradient of what it gave.
        var activations = (long) layers + 3 * kept * tokens;
        var rows = Math.max(1, (long) ((decoded > 0 ? decoded : encoded) * pass.scored()));
        var logits =
                pass.scored() == 0
                        ? 0
                        : number
                                * VocabularyLoss.blockRows(rows, model.vocabulary())
                                * model.vocabulary();
        // In bf16 a copy of all weights is kept until the step is done, but of those through which
        // nothing goes back.
        var copies =
                !pass.bf16()
                        ? 0
                        : 2 * (pass.frozen() > 0 ? pass.trained() : model.parameterCount());
        // Each worker has activations, copies and gradients of its own.
        return new Memory(
                4 * model.parameterCount(),
                pass.workers() * 4 * pass.trained(),
                optimizer,
                pass.workers() * activations,
                pass.workers() * logits,
                pass.workers() * copies,
                loader,
                process);
    }

    /// Bytes that a layer keeps of a token that attends to `length`.
    private static double perToken(Anatomy model, Pass pass, int length) {
        double d = model.width(), inner = (double) model.heads() * model.headWidth();
        double keys = (double) model.keyValueHeads() * model.headWidth();
        // Keys and values that several queries share are laid out for each.
        var shared = keys < inner ? 2 * inner : 0;
        var attention = d + inner + 2 * keys + shared + inner;
        var mlp = d + (model.gated() ? 4 : 2) * model.hidden();
        var number = pass.bf16() ? 2 : 4;
        return 2 * d * 4 + (attention + mlp) * number + probabilities(model, pass, length);
    }

    private static double acrossPerToken(Anatomy model, Pass pass) {
        double d = model.width(), inner = (double) model.heads() * model.headWidth();
        return d * 4
                + (d + 2 * inner) * (pass.bf16() ? 2 : 4)
                + probabilities(model, pass, pass.input());
    }

    private static double probabilities(Anatomy model, Pass pass, int length) {
        var number = pass.bf16() ? 2 : 4;
        var one = (double) model.heads() * length * number;
        // What dropout makes of them, and by which factors.
        return (pass.bf16() || pass.dropout() ? one : 0) + (pass.dropout() ? 2 * one : 0);
    }

    /// Bytes of the keys and values that a model which writes keeps of `length` tokens of each of
    /// `rows` texts, of which it has read `input` where it has an encoder.
    public static long cacheBytes(Anatomy model, int rows, int length, int input) {
        var each = 2L * 4 * model.keyValueHeads() * model.headWidth() * model.decoderLayers();
        return each * rows * (length + (model.isEncoderDecoder() ? input : 0));
    }
}
