package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.image.Decoder;
import dev.espalier.image.Drawing;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.io.Json;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Model;
import dev.espalier.model.Problem;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.model.VisionEncoderDecoderConfig;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.tokenize.CharacterTokenizer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class SeenPicturesTest {
    private static final VitConfig VIT = VitConfig.of(16, 8, 8, 1, 2, 0);

    @TempDir Path folder;

    private Path picture = Path.of("");
    private Path broken = Path.of("");
    private String told = "";
    private String said = "";

    @BeforeEach
    void pictures() throws IOException {
        picture = folder.resolve("one.png");
        var image = new BufferedImage(40, 20, BufferedImage.TYPE_INT_RGB);
        for (var i = 0; i < 800; i++) {
            image.setRGB(i % 40, i / 40, i * 7919);
        }
        ImageIO.write(image, "png", picture.toFile());
        broken = folder.resolve("broken.png");
        Files.writeString(broken, "no picture");
    }

    private Path write(Model model) throws IOException {
        var to = Files.createDirectories(folder.resolve("model"));
        HuggingFace.write(to, model, JsonNodeFactory.instance.objectNode());
        Preprocessor.vit(16, 16).write(to);
        return to;
    }

    private int run(Object... arguments) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var stop = new Stop();
        try {
            return new Main(
                            new PrintStream(out, true, StandardCharsets.UTF_8),
                            new PrintStream(err, true, StandardCharsets.UTF_8),
                            false,
                            false)
                    .run(stop, Stream.of(arguments).map(Object::toString).toList());
        } finally {
            stop.finished();
            told = out.toString(StandardCharsets.UTF_8);
            said = err.toString(StandardCharsets.UTF_8);
        }
    }

    private List<JsonNode> lines() {
        return told.lines().map(line -> Json.mapper().readTree(line)).toList();
    }

    @Test
    void boxesArePrintedDrawnAndWrittenAsCocoHasThem() throws IOException {
        var model = write(new Yolos(YolosConfig.of(VIT, 3), List.of("cat", "dog")).initialize(1));
        var drawn = folder.resolve("drawn");
        var coco = folder.resolve("coco.json");
        assertThat(run("predict", model, picture, "--score", 0, "--draw", drawn, "--coco", coco))
                .isZero();
        assertThat(told.lines())
                .hasSize(3)
                .allMatch(line ->
                        line.matches("(cat|dog)\\t0\\.\\d{3}\\t\\S+ \\S+ \\S+ \\S+\\t" + picture));
        assertThat(drawn.resolve("0001-one.png.png")).isNotEmptyFile();
        var json = Json.read(coco);
        assertThat(json.path("images").size()).isEqualTo(1);
        assertThat(json.path("categories").path(1).path("name").asString()).isEqualTo("dog");
        assertThat(json.path("annotations").size()).isEqualTo(3);
        for (var annotation : json.path("annotations")) {
            assertThat(annotation.path("image_id").asInt()).isEqualTo(1);
            // In the picture's own pixels.
            assertThat(annotation.path("bbox").path(2).asDouble()).isBetween(0.0, 40.0);
            assertThat(annotation.path("area").asDouble()).isBetween(0.0, 800.0);
        }
    }

    @Test
    void masksArePrintedDrawnAndReadAgain() throws IOException {
        var labels = List.of("ground", "water", "stone");
        var model = write(new Unet(new UnetConfig(3, 16, 8, 2), labels).initialize(3));
        var masks = folder.resolve("masks");
        var coco = folder.resolve("coco.json");
        assertThat(
                        run(
                                "predict",
                                model,
                                picture,
                                "--json",
                                "--draw",
                                folder.resolve("drawn"),
                                "--masks",
                                masks,
                                "--coco",
                                coco))
                .isZero();
        assertThat(folder.resolve("drawn/0001-one.png.png")).isNotEmptyFile();
        var mask = Decoder.numbers(masks.resolve("0001-one.png.png"));
        assertThat(mask.width()).isEqualTo(40);
        var line = lines().getFirst();
        var shares = 0.0;
        for (var each : line.path("classes")) {
            shares += each.path("share").asDouble();
            assertThat(each.path("segmentation").path("size").path(0).asInt()).isEqualTo(20);
        }
        assertThat(shares).isEqualTo(1);
        assertThat(line.path("mask").asString()).endsWith("0001-one.png.png");
        // COCO's, whose pictures are named from where it lies, say the same.
        assertThat(picture).isAbsolute();
        var read =
                ImageReader.read(
                        new ImageData.Place(coco, null),
                        new ImageData.Wanted.Masks(null),
                        Ledger.strict());
        assertThat(read.classes()).containsExactly("background", "water", "stone");
        var again = Objects.requireNonNull(read.images().getFirst().mask()).mask();
        assertThat(again.classes()).isEqualTo(mask.classes());
        assertThat(again.classes()).contains(1).contains(2);
        // What it tells is right to `evaluate`.
        Files.createDirectories(folder.resolve("set/images"));
        Files.copy(picture, folder.resolve("set/images/one.png"));
        Files.createDirectories(folder.resolve("set/masks"));
        Files.copy(masks.resolve("0001-one.png.png"), folder.resolve("set/masks/one.png"));
        assertThat(run("evaluate", model, "--data", folder.resolve("set"), "--json")).isZero();
        assertThat(lines())
                .anyMatch(s ->
                        s.path("metric").asString().equals("mean-iou")
                                && s.path("value").asDouble() == 1);
        assertThat(run("evaluate", model, "--data", coco)).isEqualTo(3);
        assertThat(said).contains("has the classes [background, water, stone], but the model");
    }

    @Test
    void captionsArePrintedAndMeasured() throws IOException {
        var tokenizer = CharacterTokenizer.train(List.of("abc"), List.of("<|endoftext|>"));
        var end = tokenizer.specials().endOfText().orElseThrow();
        var shape =
                new VisionEncoderDecoderConfig(
                        VIT,
                        Gpt2Config.of(tokenizer.vocabularySize(), 6, 8, 1, 2, 0),
                        end,
                        end,
                        end);
        var model = write(new VisionEncoderDecoder(shape).initialize(5));
        tokenizer.save(model);
        var coco = folder.resolve("coco.json");
        var drawn = folder.resolve("drawn");
        assertThat(run("predict", model, picture, "--coco", coco, "--draw", drawn, "--json"))
                .isZero();
        var caption = lines().getFirst().path("caption").asString();
        // Five times as large, with room for the caption below.
        var sheet = Decoder.read(drawn.resolve("0001-one.png.png")).image();
        assertThat(sheet.height()).isGreaterThan(caption.isEmpty() ? 99 : 5 * 20 + 12);
        assertThat(caption).matches("[abc]{0,5}");
        assertThat(Json.read(coco).path("annotations").path(0).path("caption").asString())
                .isEqualTo(caption);
        Files.writeString(
                folder.resolve("captions.csv"), "image,caption\none.png,\"" + caption + "b\"\n");
        assertThat(run("evaluate", model, "--data", folder.resolve("captions.csv"), "--json"))
                .isZero();
        assertThat(lines().stream().map(s -> s.path("metric").asString()))
                .containsExactly(
                        "loss",
                        "perplexity",
                        "exact-match",
                        "bleu",
                        "cider",
                        // Which caption the training pictures had most often is not known.
                        "data-commonest-exact-match",
                        "data-commonest-bleu",
                        "data-commonest-cider");
        assertThat(lines().get(5).path("value").asDouble()).isEqualTo(1);
        said(model, "commonest", "[\"abba\"]");
        assertThat(run("evaluate", model, "--data", folder.resolve("captions.csv"), "--json"))
                .isZero();
        assertThat(lines().get(5).path("metric").asString()).isEqualTo("commonest-exact-match");
        assertThat(lines().get(5).path("value").asDouble()).isZero();
    }

    /// Has `config.json` say more under our own key.
    private static void said(Path model, String key, String value) throws IOException {
        var config = (ObjectNode) Json.read(model.resolve("config.json"));
        config.putObject("espalier").set(key, Json.mapper().readTree(value));
        Files.writeString(model.resolve("config.json"), config.toString());
    }

    @Test
    void masksOfAPublishedModelHaveANumberForNothing() throws IOException {
        var labels = List.of("wall", "sky");
        var model = write(new Unet(new UnetConfig(3, 16, 8, 2), labels).initialize(3));
        var reading = (ObjectNode) Json.read(model.resolve(Preprocessor.FILE));
        reading.put("do_reduce_labels", true);
        Files.writeString(model.resolve(Preprocessor.FILE), reading.toString());
        var masks = folder.resolve("masks");
        var coco = folder.resolve("coco.json");
        var drawn = folder.resolve("drawn");
        assertThat(
                        run(
                                "predict", model, picture, "--masks", masks, "--coco", coco,
                                "--draw", drawn))
                .isZero();
        // No class is what is left where there is nothing.
        assertThat(Json.read(coco).path("categories").path(0).path("name").asString())
                .isEqualTo("wall");
        assertThat(Json.read(coco).path("categories").path(0).path("id").asInt()).isEqualTo(1);
        var mask = Decoder.numbers(masks.resolve("0001-one.png.png"));
        assertThat(mask.classes()).contains(0).contains(1);
        var coloured = mask.classes().clone();
        for (var i = 0; i < coloured.length; i++) {
            coloured[i]++;
        }
        assertThat(drawn.resolve("0001-one.png.png"))
                .hasBinaryContent(
                        Drawing.whole(
                                new ShownImage(
                                        Decoder.read(picture).image(),
                                        List.of(),
                                        new ShownImage.Areas(
                                                new Mask(40, 20, coloured),
                                                List.of("background", "wall", "sky")),
                                        "")));
        var truth = new BufferedImage(40, 20, BufferedImage.TYPE_BYTE_GRAY);
        for (var i = 0; i < 800; i++) {
            var told = mask.at(i % 40, i / 40);
            truth.getRaster().setSample(i % 40, i / 40, 0, i % 7 == 0 ? 0 : told + 1);
        }
        Files.createDirectories(folder.resolve("set/images"));
        Files.copy(picture, folder.resolve("set/images/one.png"));
        Files.createDirectories(folder.resolve("set/masks"));
        ImageIO.write(truth, "png", folder.resolve("set/masks/one.png").toFile());
        assertThat(run("evaluate", model, "--data", folder.resolve("set"), "--json")).isZero();
        assertThat(lines())
                .anyMatch(s ->
                        s.path("metric").asString().equals("mean-iou")
                                && s.path("value").asDouble() == 1)
                .anyMatch(s -> s.path("metric").asString().equals("data-majority-mean-iou"));
        said(model, "commonest", "[\"sky\"]");
        assertThat(run("evaluate", model, "--data", folder.resolve("set"), "--json")).isZero();
        assertThat(lines()).anyMatch(s -> s.path("metric").asString().equals("majority-mean-iou"));
    }

    @Test
    void aDetectorIsNotJudgedByThingsThatItDoesNotKnow() throws IOException {
        var model = write(new Yolos(YolosConfig.of(VIT, 3), List.of("cat", "dog")).initialize(1));
        var coco = folder.resolve("truth.json");
        Files.writeString(
                coco,
                """
                {"images": [{"id": 1, "file_name": "one.png"}],
                 "categories": [{"id": 1, "name": "cow"}],
                 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}]}
                """);
        assertThat(run("evaluate", model, "--data", coco)).isEqualTo(3);
        assertThat(said)
                .isEqualToIgnoringNewLines(
                        "espalier: "
                                + picture
                                + ": the label 'cow' is none of those that are learnt: [cat, dog]");
        Files.writeString(coco, Files.readString(coco).replace("cow", "cat"));
        assertThat(run("evaluate", model, "--data", coco)).isZero();
    }

    @Test
    void whatCocoWasThereStaysWhereNothingIsTold() throws IOException {
        var model = write(new Yolos(YolosConfig.of(VIT, 3), List.of("cat", "dog")).initialize(1));
        var coco = Files.writeString(folder.resolve("coco.json"), "of yesterday");
        assertThat(run("predict", model, broken, "--coco", coco)).isEqualTo(3);
        assertThat(coco).hasContent("of yesterday");
        // A folder stands where the drawing is to go, so that the run ends half-way.
        var drawn = folder.resolve("drawn");
        Files.createDirectories(drawn.resolve("0001-one.png.png/in-the-way"));
        assertThat(run("predict", model, picture, "--coco", coco, "--draw", drawn)).isNotZero();
        assertThat(coco).hasContent("of yesterday");
    }

    /// A PNG by its header, whose pixels never come.
    private Path header(String name, int width, int height, int length) throws IOException {
        var header = ByteBuffer.allocate(29).put("IHDR".getBytes(StandardCharsets.US_ASCII));
        header.putInt(width).putInt(height).put(new byte[] {1, 0, 0, 0, 0});
        var crc = new CRC32();
        crc.update(header.array(), 0, 17);
        header.putInt((int) crc.getValue()).putInt(length);
        header.put("IDAT".getBytes(StandardCharsets.US_ASCII));
        var file = ByteBuffer.allocate(12 + 29 + length).putLong(0x89504E470D0A1A0AL).putInt(13);
        return Files.write(folder.resolve(name), file.put(header.array()).array());
    }

    @Test
    void aBombIsSetAsideAndAnAnimationTold() throws IOException {
        var model = write(new Vit(VIT, new Problem.SingleLabel(List.of("a", "b"))).initialize(1));
        var bomb = header("bomb.png", 60_000, 60_000, 30_000);
        var writer = ImageIO.getImageWritersByFormatName("gif").next();
        var gif = folder.resolve("moving.gif");
        try (var stream = ImageIO.createImageOutputStream(gif.toFile())) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (var colour : new int[] {0xFF0000, 0x0000FF}) {
                var frame = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
                frame.setRGB(0, 0, colour);
                writer.writeToSequence(new IIOImage(frame, null, null), null);
            }
            writer.endWriteSequence();
        }
        assertThat(run("predict", model, bomb, gif)).isZero();
        assertThat(told).matches("[ab]\\t0\\.\\d{3}\\t" + gif + "\\R");
        assertThat(said)
                .contains(bomb + ": a picture of 60,000 x 60,000 pixels; at most 67,108,864")
                .contains(gif + ": an animation, of which the first picture is told")
                .contains("1 of 2 pictures cannot be told and were set aside");
    }

    @Test
    void whatIsTooNarrowForTheModelIsSetAside() throws IOException {
        var model = write(new Vit(VIT, new Problem.SingleLabel(List.of("a", "b"))).initialize(1));
        Files.writeString(
                model.resolve(Preprocessor.FILE),
                "{\"size\": {\"shortest_edge\": 16, \"longest_edge\": 32}, \"do_normalize\": false}");
        var narrow = folder.resolve("narrow.png");
        ImageIO.write(
                new BufferedImage(200, 4, BufferedImage.TYPE_INT_RGB), "png", narrow.toFile());
        assertThat(run("predict", model, narrow, picture)).isZero();
        assertThat(told).matches("[ab]\\t0\\.\\d{3}\\t" + picture + "\\R");
        assertThat(said)
                .contains(
                        narrow
                                + ": has 200 x 4 pixels, of which the model reads 32 x 1; it needs 8 at least each way")
                .doesNotContain(narrow + ": " + narrow);
        for (var name : List.of("a/one.png", "b/two.png", "b/narrow.png")) {
            Files.createDirectories(folder.resolve("set").resolve(name).getParent());
            Files.copy(
                    name.endsWith("narrow.png") ? narrow : picture,
                    folder.resolve("set").resolve(name));
        }
        assertThat(run("evaluate", model, "--data", folder.resolve("set"))).isEqualTo(3);
        assertThat(said).contains("b/narrow.png: has 200 x 4 pixels, of which the model reads 32");
    }

    @Test
    void fewLargePicturesAreTogether() throws IOException {
        var large = header("large.png", 4_000, 3_000, 4).toString();
        var small = picture.toString();
        var names = new ArrayList<>(List.of(large, small, large, broken.toString(), large));
        names.addAll(Collections.nCopies(40, small));
        assertThat(SeenPictures.groups(names).stream().map(List::size))
                .containsExactly(2, 2, 32, 9);
        assertThat(SeenPictures.groups(names).stream().flatMap(List::stream)).isEqualTo(names);
    }

    @Test
    void whatCannotBeReadIsSetAside() throws IOException {
        var model = write(new Vit(VIT, new Problem.SingleLabel(List.of("a", "b"))).initialize(1));
        assertThat(run("predict", model, broken, picture, "--json")).isZero();
        assertThat(lines().getFirst().path("error").asString()).contains("broken.png");
        assertThat(lines().getLast().path("labels").size()).isEqualTo(1);
        assertThat(said).contains("1 of 2 pictures cannot be told and were set aside");
        var names = folder.resolve("names.txt");
        Files.writeString(names, (picture + "\n").repeat(40));
        assertThat(run("bench", model, "--file", names, "--json")).isZero();
        assertThat(lines().getFirst().path("images").asInt()).isEqualTo(40);
        assertThat(lines().getFirst().path("images-per-second").asDouble()).isPositive();
        assertThat(lines().getFirst().path("matmul-share").asDouble()).isStrictlyBetween(0.0, 1.0);
        Files.writeString(names, "%s%n%s%n".formatted(folder.resolve("no.png"), picture));
        assertThat(run("bench", model, "--file", names)).isEqualTo(3);
        assertThat(run("predict", model, "--file", names)).isZero();
        assertThat(told).matches("[ab]\\t0\\.\\d{3}\\t" + picture + "\\R");
        assertThat(said).contains("no.png");
        assertThat(run("predict", model, broken)).isEqualTo(3);
        assertThat(run("predict", model, folder.resolve("no.png"))).isEqualTo(2);
        var coco = folder.resolve("c.json");
        assertThat(run("predict", model, picture, "--coco", coco)).isZero();
        var annotation = Json.read(coco).path("annotations").path(0);
        assertThat(annotation.path("image_id").asInt()).isEqualTo(1);
        assertThat(annotation.path("score").asDouble()).isBetween(0.5, 1.0);
        var category =
                Json.read(coco).path("categories").path(annotation.path("category_id").asInt() - 1);
        assertThat(told).startsWith(category.path("name").asString() + "\t");
        assertThat(run("predict", model, picture, "--masks", folder)).isEqualTo(2);
        assertThat(said).contains("--masks: not for this model: it tells no classes of pixels");
        assertThat(run("predict", model, picture, "--score", 0.1)).isEqualTo(2);
        assertThat(said).contains("--score: not for this model: it tells no things with scores");
    }

    @Test
    void whatIsForPicturesIsNotForTexts() throws IOException {
        var labeller = folder.resolve("labeller");
        TinyModel.writeBert(folder.resolve("bert"), labeller, List.of("O", "X"));
        for (var model : List.of(TinyModel.write(folder.resolve("gpt2"), List.of()), labeller)) {
            for (var option : List.of("--draw", "--masks", "--coco", "--score")) {
                var value = option.equals("--score") ? "0.5" : folder.resolve("x").toString();
                assertThat(run("predict", model, "a text", option, value)).isEqualTo(2);
                assertThat(said)
                        .contains(option + ": not for this model: it tells texts")
                        .hasLineCount(1);
                assertThat(told).isEmpty();
            }
        }
    }
}
