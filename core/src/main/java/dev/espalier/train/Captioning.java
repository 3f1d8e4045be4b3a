package dev.espalier.train;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.image.Drawing;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.objective.CaptionBatch;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.task.Commonest;
import dev.espalier.task.PictureCaptioner;
import dev.espalier.task.TextRewriter;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/// What is to be written of pictures, as it is learnt.
///
/// @param captions of the training examples, as the model writes them
/// @param generation what `generation_config.json` says
record Captioning(
        VisionEncoderDecoder model,
        Preprocessor preprocessor,
        Tokenizer tokenizer,
        PictureCaptioner captioner,
        List<int[]> captions,
        ObjectNode generation,
        CrossEntropy loss,
        long seed)
        implements Seeing.Sight {
    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Captioning task, Path folder, Watcher watcher) {
        var data = PictureData.captioned(recipe, task, folder, watcher);
        // An example of each caption; the picture is held once.
        var train =
                data.train().stream()
                        .flatMap(r -> r.captions().stream().map(r::captioned))
                        .toList();
        Iterable<String> texts = () -> train.stream().map(r -> r.captions().getFirst()).iterator();
        var tokenizer = TextData.tokenizer(recipe, texts, folder, watcher);
        var ready = Vision.captioner(recipe.model(), tokenizer, recipe.seed());
        var model = ready.model();
        var lora = Vision.adapt(recipe, ready);
        var reader =
                new PictureCaptioner(
                        model, ready.preprocessor(), tokenizer, TextRewriter.usual(model, 1), null);
        var captions = train.stream().map(r -> reader.ids(r.captions().getFirst())).toList();
        var longest = captions.stream().mapToInt(c -> c.length).max().orElseThrow();
        var cut = captions.stream().filter(c -> c.length == model.context()).count();
        watcher.said(
                "%,d pictures with %,d captions to train on, %,d to validate on, at most %d tokens each%s; a model of %,d parameters"
                        .formatted(
                                data.train().size(),
                                train.size(),
                                data.validation().size(),
                                longest,
                                cut > 0
                                        ? ", %,d of which reach the model's context and may be cut"
                                                .formatted(cut)
                                        : "",
                                model.parameterCount()));
        var asked = task.generation();
        var most = asked.maxNewTokens() == null ? longest : asked.maxNewTokens();
        var generation = Rewriting.generation(recipe, asked, most, model, ready.config());
        var penalties = TextRewriter.usual(model, most).with(generation).penalties();
        var completed =
                new TaskRecipe.Captioning(
                        task.image(),
                        task.caption(),
                        task.pictures(),
                        new TaskRecipe.SequenceToSequence.Generation(
                                asked.beams(),
                                asked.lengthPenalty(),
                                most,
                                penalties.minNewTokens(),
                                penalties.noRepeatNgram(),
                                penalties.repetition()),
                        task.augment());
        var commonest = PictureCaptioner.commonest(data.train());
        ready.config().remove(HuggingFace.OWN);
        Commonest.tell(ready.config(), List.of(commonest));
        var mean = captions.stream().mapToInt(c -> c.length).average().orElseThrow();
        return Seeing.prepare(
                recipe.with(recipe.model(), completed, recipe.training()),
                ready,
                lora,
                data,
                new Seeing.Lesson(train, task.augment(), false),
                load(model, longest, mean),
                new Captioning(
                        model,
                        ready.preprocessor(),
                        tokenizer,
                        new PictureCaptioner(
                                model,
                                ready.preprocessor(),
                                tokenizer,
                                TextRewriter.usual(model, most).with(generation),
                                commonest),
                        captions,
                        generation,
                        Run.loss(recipe.training()),
                        recipe.seed()));
    }

    private static Vision.Load load(VisionEncoderDecoder model, int longest, double mean) {
        var shape = model.config().encoder();
        return new Vision.Load(
                (int) model.positions(shape.imageHeight(), shape.imageWidth()) + longest,
                6 * model.multiplications(shape.imageHeight(), shape.imageWidth(), mean));
    }

    @Override
    public MicroBatch batch(List<Vision.Changed.Seen> pictures) {
        return new CaptionBatch(
                model,
                pictures.stream().map(Vision.Changed.Seen::pixels).toList(),
                pictures.stream()
                        .map(p -> captions.get(p.sample().parts().getFirst().index()))
                        .toList(),
                loss);
    }

    @Override
    public Stream<ExampleText> examples(MicroBatch part) {
        var batch = (CaptionBatch) part;
        return Vision.shown(batch.examples(tokenizer), batch.pictures(), preprocessor).stream();
    }

    @Override
    public Seeing.Judged tell(String data, List<LabelledImage> records) {
        var told = captioner.evaluate(data, records, seed);
        var written = told.texts().written();
        return new Seeing.Judged(
                told.scores(),
                null,
                List.of(),
                () ->
                        Vision.cases(
                                told.texts().bestFirst(),
                                i -> beside(records.get(i), written.get(i))));
    }

    /// A picture and what was written of it.
    private Block.Picture beside(LabelledImage record, String written) {
        return new Block.Picture(
                Drawing.sheet(
                        List.of(
                                new ShownImage(record.picture().image(), "the picture"),
                                new ShownImage(
                                        captioner.attention(record.picture(), written),
                                        "what it looks at")),
                        2),
                "wanted: %s%nwritten: %s"
                        .formatted(String.join(" | ", record.captions()), written));
    }

    @Override
    public Metric metric() {
        return Metric.CIDER;
    }

    @Override
    public void write(Path folder) throws IOException {
        HuggingFace.writeGenerationConfig(folder, generation);
        tokenizer.save(folder);
    }
}
