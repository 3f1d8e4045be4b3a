package dev.espalier.generate;

import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.function.UnaryOperator;

/// The sequences of a batch on their way through a model, several rows for each prompt. Memory
/// belongs to the scope that it is made in.
sealed interface Rows permits DecoderRows, EncoderDecoderRows {
    /// Reads the prompts; the scores (rows, V) of what follows them.
    float[] read();

    /// Reads one more token of each row; the scores (rows, V) of what follows. Sequences that have
    /// ended are read on with the others, unheard.
    float[] read(long[] tokens);

    /// Goes on, in each row, from what the row `from` has read, which is one of the same prompt.
    void reorder(long[] from);

    /// `copies` rows, one after the other, for each prompt, and up to `newTokens` more positions.
    /// `scores` turns logits into what the caller wants of them.
    static Rows of(
            LanguageModel model,
            List<int[]> prompts,
            int copies,
            int newTokens,
            UnaryOperator<Tensor> scores) {
        return switch (model) {
            case Decoder decoder -> new DecoderRows(decoder, prompts, copies, newTokens, scores);
            case EncoderDecoder both ->
                    new EncoderDecoderRows(both, prompts, copies, newTokens, scores);
            case Encoder _ -> throw new IllegalArgumentException("an encoder writes no text");
        };
    }
}
