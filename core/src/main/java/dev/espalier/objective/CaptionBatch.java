package dev.espalier.objective;

import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/// Pictures of one size of which each token of a caption is to be told, those before it being
/// known.
///
/// @param captions with the token that ends them
/// @param loss the loss of a token
public record CaptionBatch(
        VisionEncoderDecoder model, List<Pixels> pictures, List<int[]> captions, CrossEntropy loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "captioning";

    public CaptionBatch {
        pictures = List.copyOf(pictures);
        captions = List.copyOf(captions);
    }

    @Override
    public String term() {
        return TERM;
    }

    /// Tokens of captions.
    @Override
    public long count() {
        return captions.stream().mapToLong(caption -> caption.length).sum();
    }

    /// Pictures.
    @Override
    public long tokens() {
        return pictures.size();
    }

    @Override
    public List<String> where() {
        return pictures.stream().map(Pixels::where).toList();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return IntStream.range(0, pictures.size())
                .mapToObj(i ->
                        new ExampleText(
                                pictures.get(i).where(),
                                List.of(
                                        ExampleText.field(
                                                "caption",
                                                tokenizer,
                                                captions.get(i),
                                                _ -> ExampleText.Mark.TARGET))))
                .toList();
    }

    @Override
    public VocabularyLoss forward() {
        var labels = model.padded(captions, Tensor.IGNORE); // (B, T)
        var memory = model.encode(Pixels.stacked(pictures), null); // (B, S, D)
        var hidden = model.decode(model.shiftedRight(labels), memory, null); // (B, T, D)
        return new VocabularyLoss(model, hidden, labels, loss);
    }
}
