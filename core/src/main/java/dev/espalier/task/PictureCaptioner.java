package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.Picture;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.TokenGenerator;
import dev.espalier.image.Fit;
import dev.espalier.image.Image;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.objective.CaptionBatch;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.Pixels;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A fine-tuned model that writes of pictures, ready to use. Safe for use by many threads until it
/// is closed.
public final class PictureCaptioner implements AutoCloseable {
    /// Pictures that go through the model at once, each beam counted.
    private static final int BATCH = 64;

    private final VisionEncoderDecoder model;
    private final Preprocessor preprocessor;
    private final Tokenizer tokenizer;
    private final GenerationConfig generation;
    private final @Nullable String commonest;

    /// A captioner by `model`, which it owns from now on.
    ///
    /// @param commonest the caption that most training pictures have; null where that is not known
    /// @throws EspalierException (DATA) if the tokenizer and the model do not belong together
    public PictureCaptioner(
            VisionEncoderDecoder model,
            Preprocessor preprocessor,
            Tokenizer tokenizer,
            GenerationConfig generation,
            @Nullable String commonest) {
        this.commonest = commonest;
        this.model = model;
        this.preprocessor = preprocessor;
        this.tokenizer = tokenizer;
        this.generation = generation;
        if (tokenizer.vocabularySize() > model.vocabulary()) {
            throw EspalierException.data(
                    "the tokenizer has %d tokens, but the model only %d: they do not belong together"
                            .formatted(tokenizer.vocabularySize(), model.vocabulary()));
        }
    }

    /// Reads the model that a fine-tuning run left in `folder`, in the Hugging Face layout with a
    /// tokenizer; `generation_config.json` says how to write.
    ///
    /// @throws EspalierException if the folder holds no model of this kind that can be used
    public static PictureCaptioner load(Path folder) {
        var loaded = HuggingFace.readEncoderDecoder(folder);
        try {
            if (!(loaded.model() instanceof VisionEncoderDecoder model)) {
                throw EspalierException.data(folder + ": this model reads texts, not pictures");
            }
            var shape = model.config().encoder();
            return new PictureCaptioner(
                    model,
                    PictureClassifier.preprocessor(folder, shape.imageHeight(), shape.imageWidth()),
                    Tokenizers.read(folder).plain(),
                    GenerationConfig.read(folder, TextRewriter.usual(model, model.context() - 1)),
                    Commonest.first(folder, loaded.config(), List.of()));
        } catch (EspalierException e) {
            loaded.model().free();
            throw e;
        }
    }

    /// What the model learns to write for `caption`, with the token that ends it; cut at the
    /// model's context.
    public int[] ids(String caption) {
        var text = tokenizer.encode(caption.strip());
        var ids = Arrays.copyOf(text, Math.min(text.length, model.context() - 1) + 1);
        ids[ids.length - 1] = model.end();
        return ids;
    }

    /// What is written of each of `pictures`, in their order.
    public List<String> caption(List<Picture> pictures) {
        var together = Math.max(1, BATCH / generation.beams().count());
        return PictureModels.each(pictures, fit(), together, this::written);
    }

    private Fit fit() {
        return new Fit(preprocessor, model.config().encoder().patch());
    }

    private List<String> written(List<PictureModels.Read> pictures) {
        try (var scope = new Scope()) {
            var stacked = Pixels.stacked(PictureModels.pixels(pictures));
            var memory = Torch.noGrad(() -> model.encode(stacked, null)); // (B, S, D)
            return new TokenGenerator(model, tokenizer.vocabularySize(), memory)
                    .write(Collections.nCopies(pictures.size(), new int[0]), generation).stream()
                            .map(ids -> TextRewriter.plain(tokenizer, ids).strip())
                            .toList();
        }
    }

    /// `picture` as the model sees it, the redder where it looks while it writes `caption`: the
    /// mean of [VisionEncoderDecoder#looks] over its tokens, without the one that ends it.
    public Image attention(Picture picture, String caption) {
        var ids = Arrays.stream(ids(caption)).asLongStream().toArray();
        var written = Math.max(1, ids.length - 1);
        return PictureClassifier.heated(
                fit(),
                picture,
                pixels -> {
                    var read = model.shiftedRight(Tensor.of(ids, 1, ids.length));
                    return model.looks(read.narrow(1, 0, written), pixels)
                            .sum(1)
                            .mul(1.0 / written)
                            .select(1, 0);
                });
    }

    /// What this captioner makes of pictures with captions.
    public record Evaluation(List<Score> scores, WrittenTexts texts) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    /// Judges the captioner by `records`, all of whose captions are right: the loss and perplexity
    /// of a token of them, and [WrittenTexts#captionScores] of what is written; as `commonest-…`
    /// those of the training pictures' commonest for every picture, or where that is told from
    /// `records` themselves as `data-commonest-…`.
    ///
    /// @param seed of the intervals' bootstrap
    public Evaluation evaluate(String data, List<LabelledImage> records, long seed) {
        var loss = loss(records);
        var scores = new ArrayList<Score>();
        scores.add(Score.of(data, "loss", loss.loss(), loss.tokens()));
        scores.add(Score.of(data, "perplexity", loss.perplexity(), loss.tokens()));
        var right =
                records.stream()
                        .map(r -> r.captions().stream().map(String::strip).toList())
                        .toList();
        var texts =
                new WrittenTexts(
                        caption(records.stream().map(LabelledImage::picture).toList()), right);
        scores.addAll(texts.captionScores(data, "", seed));
        scores.addAll(
                new WrittenTexts(
                                Collections.nCopies(
                                        records.size(),
                                        commonest == null ? commonest(records) : commonest),
                                right)
                        .captionScores(data, Commonest.name("commonest", commonest) + "-", seed));
        return new Evaluation(scores, texts);
    }

    private TextLoss loss(List<LabelledImage> records) {
        var result = new TextLoss();
        for (var record : records) {
            var pixels =
                    PictureClassifier.pixels(
                            preprocessor, record.picture().image(), record.where());
            var captions = record.captions().stream().map(this::ids).toList();
            float[] losses;
            try (var scope = new Scope()) {
                losses =
                        Torch.noGrad(() ->
                                new CaptionBatch(
                                                model,
                                                Collections.nCopies(captions.size(), pixels),
                                                captions,
                                                CrossEntropy.PLAIN)
                                        .forward()
                                        .each());
            }
            var longest = losses.length / captions.size();
            for (var i = 0; i < captions.size(); i++) {
                var sum = 0.0;
                for (var t = 0; t < longest; t++) {
                    sum += losses[i * longest + t];
                }
                result.add(sum, captions.get(i).length, 0);
            }
        }
        return result;
    }

    /// The caption that most of `records` have, the first by the alphabet of several.
    public static String commonest(List<LabelledImage> records) {
        var counts = new TreeMap<String, Integer>();
        records.forEach(r -> r.captions().forEach(c -> counts.merge(c.strip(), 1, Integer::sum)));
        return counts.entrySet().stream()
                .reduce((a, b) -> b.getValue() > a.getValue() ? b : a)
                .orElseThrow()
                .getKey();
    }

    @Override
    public void close() {
        model.free();
    }
}
