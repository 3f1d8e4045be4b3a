package dev.espalier.train;

import static dev.espalier.train.PictureRuns.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.PictureCaptioner;
import dev.espalier.tokenize.CharacterTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.JsonNodeFactory;

class CaptioningTest {
    private static final int SIDE = 8;
    private static final String NEW =
            """
            {type: vision-encoder-decoder, encoder: {type: vit, image: 8, patch: 4, width: 32, layers: 1, heads: 2},
             decoder: {type: gpt2, width: 24, layers: 1, heads: 2, context: 20}}\
            """;

    @TempDir Path folder;

    @BeforeEach
    void data() throws IOException {
        pictures("train.csv", 0, 24);
        pictures("test.csv", 24, 32);
    }

    /// A picture of one colour each, with two captions.
    private void pictures(String file, int from, int to) throws IOException {
        var rows = new StringBuilder("image,caption\n");
        for (var i = from; i < to; i++) {
            var rng = Rng.at(i);
            var red = rng.nextInt(2) == 0;
            PictureRuns.write(
                    folder.resolve(i + ".png"),
                    SIDE,
                    SIDE,
                    (x, y) -> (red ? 0xB00000 : 0x0000B0) + 0x10101 * rng.nextInt(64));
            var word = red ? "red" : "blue";
            rows.append("%d.png,it is all %s\n%d.png,so %s\n".formatted(i, word, i, word));
        }
        Files.writeString(folder.resolve(file), rows);
    }

    private String recipe(String model, String task, String more) {
        return """
        name: colours
        output: %s
        data: {train: %s, validation-share: 25%%, test: %s}
        model: %s
        task: {type: captioning%s}
        training:
          for: 80 steps
          batch: 12
          micro-batch: 6
          optimizer: {type: adamw, rate: 5e-3}
          clip: 1
          early-stopping: none
        evaluate: {every: 80 steps}
        save: {every: 80 steps}
        %s
        """
                .formatted(
                        folder.resolve("run"),
                        folder.resolve("train.csv"),
                        folder.resolve("test.csv"),
                        model,
                        task,
                        more);
    }

    private Run run(String model, String task, String more) {
        return new Run(Recipes.parse(recipe(model, task, more), "x"));
    }

    private static final String CHARACTERS =
            "tokenizer: {type: characters, special-tokens: [\"<|endoftext|>\"]}";

    @Test
    void aNewModelLearnsToWriteAndIsReadAgain() throws IOException {
        var losses = new ArrayList<Double>();
        var result =
                run(NEW, ", generation: {beams: 2, length-penalty: 3}", CHARACTERS)
                        .train(figures -> losses.add(figures.loss()));
        assertThat(losses.getLast()).isLessThan(0.5 * losses.getFirst());
        assertThat(value(result.scores(), "exact-match")).isEqualTo(1);
        assertThat(value(result.scores(), "bleu")).isGreaterThan(0);
        assertThat(value(result.scores(), "commonest-exact-match")).isBetween(0.1, 0.9);
        assertThat(value(result.scores(), "cider"))
                .isGreaterThan(value(result.scores(), "commonest-cider"));
        assertThat(result.folder().resolve("report.html"))
                .content()
                .contains("Best and worst cases", "data:image/png", "written: ", "CIDEr-D");
        assertThat(Files.readString(result.model().resolve("generation_config.json")))
                .contains("\"num_beams\": 2", "\"max_new_tokens\": 15");
        try (var captioner = PictureCaptioner.load(result.model())) {
            var written = captioner.caption(test().stream().map(LabelledImage::picture).toList());
            for (var i = 0; i < written.size(); i++) {
                assertThat(test().get(i).captions()).contains(written.get(i));
            }
            readsAlike(captioner, result, 0);
        }
        // A run goes on from what this one left, with its tokens.
        var shown =
                run("{path: %s}".formatted(result.model()), "", "").examples(0, new Watcher() {});
        assertThat(shown).hasSize(12);
        assertThat(Objects.requireNonNull(shown.getFirst().picture()).image().width())
                .isEqualTo(SIDE);
        assertThat(shown.getFirst().fields().getFirst().pieces().getLast().text())
                .contains("endoftext");
    }

    private List<LabelledImage> test() {
        var test =
                ImageReader.read(
                                new ImageData.Place(folder.resolve("test.csv"), null),
                                new ImageData.Wanted.Captions("image", "caption"),
                                Ledger.strict())
                        .images();
        assertThat(test).hasSize(8).allMatch(r -> r.captions().size() == 2);
        return test;
    }

    private void readsAlike(PictureCaptioner captioner, Run.Result result, double offset) {
        var again = captioner.evaluate("test", test(), 1).scores();
        assertThat(again)
                .extracting(Score::metric)
                .contains("loss", "cider", "commonest-exact-match", "commonest-cider");
        for (var score : again) {
            assertThat(score.value())
                    .as(score.metric())
                    .isCloseTo(value(result.scores(), score.metric()), within(offset));
        }
    }

    /// A model of parts is kept nowhere else than in what the run leaves.
    @Test
    void updatesAreLeftInTheWeightsThatAreWritten() throws IOException {
        var recipe = recipe(parts(), "", "adapter: lora").replace("80 steps", "20 steps");
        var result = new Run(Recipes.parse(recipe, "x")).train(_ -> {});
        assertThat(HuggingFace.isAdapter(result.model())).isFalse();
        try (var captioner = PictureCaptioner.load(result.model())) {
            readsAlike(captioner, result, 1e-5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "frozen"})
    void whatJoinsPartsIsTrainedWhateverIsFrozen(String adapter) throws IOException {
        var recipe =
                (FinetuneRecipe) Recipes.parse(recipe(parts(), "", "adapter: " + adapter), "x");
        var model = Vision.captioner(recipe.model(), TOKENIZER, 1);
        Vision.adapt(recipe, model);
        assertThat(model.model().parameters().keySet())
                .anyMatch(path -> path.contains("enc_to_dec_proj"));
        assertThat(model.model().parameters())
                .allSatisfy((path, parameter) ->
                        assertThat(parameter.trained())
                                .as(path)
                                .isEqualTo(
                                        path.contains(".lora_")
                                                || path.contains("cross")
                                                || path.contains("enc_to_dec_proj")));
    }

    private static final VitMae MAE =
            new VitMae(VitMaeConfig.of(VitConfig.of(8, 4, 16, 1, 2, 0), 8, 1, 2)).initialize(7);
    private static final CharacterTokenizer TOKENIZER =
            CharacterTokenizer.train(List.of("it is all so red blue"), List.of("<|endoftext|>"));
    private static final Gpt2 GPT2 =
            new Gpt2(Gpt2Config.of(TOKENIZER.vocabularySize(), 20, 24, 1, 2, 0)).initialize(8);

    /// A model that sees as one folder and writes as another.
    private String parts() throws IOException {
        var eye =
                PictureRuns.saved(
                        folder.resolve("eye"),
                        MAE,
                        Preprocessor.imageNet("ViTImageProcessor", 8, 8));
        var pen = Files.createDirectories(folder.resolve("pen"));
        HuggingFace.write(pen, GPT2, JsonNodeFactory.instance.objectNode());
        TOKENIZER.save(pen);
        return "{type: vision-encoder-decoder, encoder: {path: %s}, decoder: {path: %s}}"
                .formatted(eye, pen);
    }

    @Test
    void itsPartsAreTakenFromFolders() throws IOException {
        var recipe = recipe(parts(), "", "").replace("rate: 5e-3", "rate: 1e-12");
        var result = new Run(Recipes.parse(recipe, "x")).train(_ -> {});
        var loaded = HuggingFace.readEncoderDecoder(result.model()).model().parameters();
        var seen = MAE.parameters();
        var written = GPT2.parameters();
        assertThat(loaded.keySet()).anyMatch(name -> name.contains("crossattention"));
        for (var name : List.of("embeddings.cls_token", "layernorm.bias")) {
            assertThat(Objects.requireNonNull(loaded.get("encoder." + name)).value().floats())
                    .usingComparatorWithPrecision(1e-6f)
                    .containsExactly(
                            Objects.requireNonNull(seen.get("vit." + name)).value().floats());
        }
        for (var name : List.of("transformer.wte.weight", "transformer.h.0.mlp.c_fc.weight")) {
            assertThat(Objects.requireNonNull(loaded.get("decoder." + name)).value().floats())
                    .usingComparatorWithPrecision(1e-6f)
                    .containsExactly(Objects.requireNonNull(written.get(name)).value().floats());
        }
        assertThat(Preprocessor.read(result.model()).mean())
                .isEqualTo(Preprocessor.read(folder.resolve("eye")).mean());
        assertThat(Files.readString(result.folder().resolve("passport.json")))
                .contains("parent-encoder", "parent-decoder");
    }

    @Test
    void whatIsForCaptionsIsSaid() throws IOException {
        refused(NEW, "", "", "tokenizer: is missing");
        refused(NEW, ", caption: image", CHARACTERS, "task.caption: is the column of the picture");
        refused(NEW, ", augment: {mix-up: 0.2}", CHARACTERS, "captions cannot be mixed");
        refused(NEW, ", augment: {mosaic: 0.5}", CHARACTERS, "of which no caption tells");
        refused(
                "{type: vit, image: 8, patch: 4, width: 32, layers: 1, heads: 2}",
                "",
                CHARACTERS,
                "model: cannot do this; allowed: vision-encoder-decoder, or a path");
        refused(
                NEW.replace("type: vit", "type: yolos"),
                "",
                CHARACTERS,
                "model.encoder.type: `yolos` is not known; allowed: vit");
        refused(
                "{path: runs/it, detections: 3}",
                "",
                "",
                "model.detections: is for things in pictures; allowed here: auto");
        refused(
                NEW.replace("patch: 4", "patch: 3"),
                "",
                CHARACTERS,
                "model.encoder.patch: 3 does not divide");
        refused(
                NEW,
                "",
                CHARACTERS + "\nadapter: {type: frozen}",
                "adapter: frozen keeps a body as it is that begins here");
        refused(
                "{path: runs/it}",
                "",
                "adapter: {type: frozen}",
                "adapter: frozen leaves nothing to train here; allowed: none, lora");
        refused(
                NEW,
                "",
                "tokenizer: {type: characters, special-tokens: []}",
                "a decoder needs a token that ends a text");
        Files.writeString(folder.resolve("train.csv"), "image,caption\nno.png,blue\n1.png,\n");
        refused(
                NEW,
                "",
                CHARACTERS,
                "no picture can be used (dropped: 1 empty label; set aside: 1 no such picture)");
    }

    private void refused(String model, String task, String more, String message) {
        assertThatThrownBy(() -> run(model, task, more).train(_ -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(message);
    }
}
