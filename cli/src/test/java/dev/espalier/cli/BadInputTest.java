package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Problem;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

/// Whatever a user hands over: one clear message that names the culprit, the right exit code, and
/// nothing half written.
class BadInputTest {
    private static final String PROSE =
            "the old miller carried a sack of grain to the village. ".repeat(40);

    @TempDir static Path shared;
    @TempDir Path temp;

    private static int code;
    private static String said = "";

    private static void run(String... args) {
        var err = new ByteArrayOutputStream();
        var utf8 = StandardCharsets.UTF_8;
        var errors = new PrintStream(err, true, utf8);
        var stop = new Stop();
        try {
            code =
                    new Main(
                                    new PrintStream(new ByteArrayOutputStream(), true, utf8),
                                    errors,
                                    false)
                            .run(
                                    stop,
                                    Stream.concat(Arrays.stream(args), Stream.of("--quiet"))
                                            .toList());
        } finally {
            stop.finished();
        }
        said = err.toString(utf8);
    }

    private void refused(int exitCode, List<String> culprits, String... args) throws IOException {
        run(args);
        assertThat(code).as(said).isEqualTo(exitCode);
        assertThat(said).startsWith("espalier: ").contains(culprits).hasLineCount(1);
        try (var files = Files.walk(temp)) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .noneMatch(name -> name.contains(".partial-"));
        }
        assertThat(temp.resolve("run")).doesNotExist();
    }

    /// A pre-training of two steps.
    private static String[] pretrain(Path corpus, Path run, String... more) throws IOException {
        var recipe = Files.createTempFile(shared, "pretrain", ".yaml");
        Files.writeString(
                recipe,
                """
                name: tiny
                data:
                  sources: [{type: text, path: "%s"}]
                  validation: 20%%
                tokenizer: {type: characters}
                model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 16}
                objective: {type: causal}
                training:
                  for: 2 steps
                  batch: 2
                evaluate: {every: 2 steps}
                save: {every: 2 steps}
                output: "%s"
                """
                        .formatted(corpus, run));
        return args("pretrain", recipe, more);
    }

    private String[] finetune(Path model, Path train, String... more) throws IOException {
        var recipe = Files.createTempFile(shared, "finetune", ".yaml");
        Files.writeString(
                recipe,
                """
                name: tiny
                data: {train: "%s", validation: "%s"}
                model: {path: "%s"}
                task: {type: classification, text: text, label: label}
                training: {for: 2 steps}
                output: "%s"
                """
                        .formatted(train, validation(), model, temp.resolve("run")));
        return args("finetune", recipe, more);
    }

    private static String[] args(String verb, Path recipe, String... more) {
        return Stream.concat(
                        Stream.of(verb, recipe.toString()),
                        Arrays.stream(more)
                                .flatMap(m ->
                                        m.startsWith("--") ? Stream.of(m) : Stream.of("--set", m)))
                .toArray(String[]::new);
    }

    private Path validation() throws IOException {
        return write("validation.csv", "text,label\nthe mill,place\nthe miller,person\n");
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(temp.resolve(name), text);
    }

    private Path binary(String name) throws IOException {
        var bytes = new byte[5000];
        new Random(1).nextBytes(bytes);
        return Files.write(temp.resolve(name), bytes);
    }

    /// A copy of the model that was trained at the start.
    private Path model() throws IOException {
        var copy = Files.createDirectories(temp.resolve("copy"));
        try (var files = Files.list(shared.resolve("good/model"))) {
            for (var file : files.toList()) {
                Files.copy(file, copy.resolve(file.getFileName()));
            }
        }
        return copy;
    }

    @BeforeAll
    static void aGoodRunWorks() throws IOException {
        var corpus = Files.writeString(shared.resolve("corpus.txt"), PROSE);
        run(pretrain(corpus, shared.resolve("good")));
        assertThat(code).as(said).isZero();
        run("generate", shared.resolve("good/model").toString(), "the", "--max-new-tokens", "3");
        assertThat(code).as(said).isZero();
    }

    @Test
    void anEmptyCorpus() throws IOException {
        var corpus = write("empty.txt", "");
        refused(3, List.of("empty.txt"), pretrain(corpus, temp.resolve("run")));
        refused(3, List.of("nowhere"), pretrain(temp.resolve("nowhere*"), temp.resolve("run")));
    }

    @Test
    void aDocumentThatIsTooShort() throws IOException {
        var corpus = write("short.txt", "hello");
        refused(3, List.of("short.txt"), pretrain(corpus, temp.resolve("run")));
    }

    @Test
    void binaryPosingAsText() throws IOException {
        var run = temp.resolve("run");
        refused(3, List.of("noise.txt"), pretrain(binary("noise.txt"), run));
        var good = shared.resolve("good/model").toString();
        var noise = temp.resolve("noise.txt").toString();
        refused(3, List.of("noise.txt"), "evaluate", good, "--data", noise);
        refused(3, List.of("noise.txt"), "generate", good, "--file", noise);
        var model = shared.resolve("good/model");
        refused(3, List.of("noise.csv"), finetune(model, binary("noise.csv")));
    }

    /// A picture of 3.6 Gi pixels, by its header; what would follow is never asked for.
    @Test
    void aPictureThatIsTooLarge() throws IOException {
        var model = Files.createDirectories(temp.resolve("vit"));
        var vit =
                new Vit(VitConfig.of(16, 8, 8, 1, 2, 0), new Problem.SingleLabel(List.of("a", "b")))
                        .initialize(1);
        HuggingFace.write(model, vit, JsonNodeFactory.instance.objectNode());
        Preprocessor.vit(16, 16).write(model);
        var header = ByteBuffer.allocate(17).put("IHDR".getBytes(StandardCharsets.US_ASCII));
        header.putInt(60_000).putInt(60_000).put(new byte[] {1, 0, 0, 0, 0});
        var crc = new CRC32();
        crc.update(header.array());
        var png = ByteBuffer.allocate(8 + 4 + 17 + 4 + 30_000).putLong(0x89504E470D0A1A0AL);
        png.putInt(13).put(header.array()).putInt((int) crc.getValue());
        var bomb = Files.write(temp.resolve("bomb.png"), png.array());
        refused(
                3,
                List.of("bomb.png", "60,000 x 60,000"),
                "predict",
                model.toString(),
                bomb.toString());
    }

    @Test
    void aMaskOfAnotherSize() throws IOException {
        for (var name : List.of("images", "masks")) {
            var file = Files.createDirectories(temp.resolve("pictures/" + name)).resolve("a.png");
            var height = name.equals("masks") ? 2 : 4;
            ImageIO.write(
                    new BufferedImage(4, height, BufferedImage.TYPE_BYTE_GRAY),
                    "png",
                    file.toFile());
        }
        var recipe =
                write(
                        "masks.yaml",
                        """
                        name: tiny
                        data: {train: "%s", max-rejects: 0}
                        model: {type: unet, image: 16, width: 8, levels: 2}
                        task: {type: segmentation, classes: [no, yes]}
                        training: {for: 2 steps}
                        output: "%s"
                        """
                                .formatted(temp.resolve("pictures"), temp.resolve("set-aside")));
        refused(
                3,
                List.of("images/a.png: has 4 x 4 pixels, and its mask 4 x 2"),
                args("finetune", recipe));
    }

    /// Tasks and objectives of texts on new models. What was set aside stays to be looked at.
    private void refusedText(int exitCode, List<String> culprits, String recipe)
            throws IOException {
        var run = temp.resolve("text-run");
        var file = write("text.yaml", "name: tiny\noutput: %s\n%s".formatted(run, recipe));
        var verb = recipe.contains("objective:") ? "pretrain" : "finetune";
        refused(exitCode, culprits, verb, file.toString());
        if (Files.exists(run)) {
            try (var files = Files.list(run)) {
                assertThat(files).containsExactly(run.resolve("rejects.jsonl"));
            }
        }
    }

    @Test
    void spansThatOverlapOrLieOutsideTheirText() throws IOException {
        var good = "{\"text\": \"the mill\", \"spans\": [%s]}\n";
        var span = "{\"start\": %d, \"end\": %d, \"label\": \"%s\"}";
        var place = span.formatted(4, 8, "place");
        var held = write("held.jsonl", good.formatted(place));
        for (var bad : List.of(span.formatted(0, 6, "thing"), span.formatted(4, 9, "thing"))) {
            write(
                    "spans.jsonl",
                    good.formatted(place).repeat(2) + good.formatted(place + ", " + bad));
            refusedText(
                    3,
                    List.of("spans.jsonl:3", bad.contains("9") ? "8 characters" : "overlap"),
                    """
                    data: {train: "%s", validation: "%s", max-rejects: 0}
                    tokenizer: {type: characters}
                    model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 16}
                    task: {type: token-labelling}
                    training: {for: 2 steps}
                    """
                            .formatted(temp.resolve("spans.jsonl"), held));
        }
    }

    @Test
    void aTargetThatIsTooLong() throws IOException {
        var held = write("held.csv", "input,target\na,b\n");
        var pairs = write("pairs.csv", "input,target\na,b\na,%s\n".formatted("b".repeat(30)));
        refusedText(
                3,
                List.of("pairs.csv:3", "31 tokens", "task.max-target", "16"),
                """
                data: {train: "%s", validation: "%s"}
                tokenizer: {type: characters, special-tokens: [<pad>, </s>, <unk>]}
                model: {type: t5, layers: 1, heads: 1, head-width: 8, width: 8, hidden: 8, context: 16}
                task: {type: sequence-to-sequence}
                training: {for: 2 steps}
                """
                        .formatted(pairs, held));
    }

    @Test
    void aTemplateThatDoesNotParse() throws IOException {
        var template = write("broken.jinja", "{{ messages }}\n{% for %}");
        var talk = "{\"instruction\": \"Who\", \"output\": \"Lise\"}\n";
        var talks = write("talks.jsonl", talk);
        var held = write("held.jsonl", talk);
        refusedText(
                3,
                List.of(template.toString(), "line 2"),
                """
                data: {train: "%s", validation: "%s"}
                tokenizer: {type: characters}
                model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 16}
                task: {type: instruction, template: "%s"}
                training: {for: 2 steps}
                """
                        .formatted(talks, held, template));
    }

    @Test
    void aVocabularyWithoutTheTokensThatAreNeeded() throws IOException {
        var cases =
                List.of(
                        List.of("bart", "<s>, <pad>, </s>, <unk>", "{type: denoising}", "<mask>"),
                        List.of("bert", "<s>, <pad>, </s>, <unk>", "{type: masked}", "<mask>"),
                        List.of("bart", "<pad>, <unk>", "{type: prefix}", "</s>"));
        for (var needed : cases) {
            refusedText(
                    2,
                    List.of(needed.getLast()),
                    """
                    data: {sources: [{type: text, path: "%s"}], validation: 20%%}
                    tokenizer: {type: characters, special-tokens: [%s]}
                    model: {type: %s, layers: 1, heads: 1, width: 8, context: 16}
                    objective: %s
                    training: {for: 2 steps}
                    """
                            .formatted(
                                    shared.resolve("corpus.txt"),
                                    needed.get(1),
                                    needed.get(0),
                                    needed.get(2)));
        }
    }

    @Test
    void anUnknownLabel() throws IOException {
        var train = write("train.csv", "text,label\nthe mill,place\nthe sack,thing\n");
        refused(
                3,
                List.of("validation.csv:3", "person", "place", "thing"),
                finetune(shared.resolve("good/model"), train));
    }

    @Test
    void aMissingColumn() throws IOException {
        var train = write("train.csv", "sentence,label\nthe mill,place\nthe miller,person\n");
        refused(
                3,
                List.of("train.csv", "text", "sentence"),
                finetune(shared.resolve("good/model"), train));
    }

    @Test
    void aTruncatedCheckpoint() throws IOException {
        var run = temp.resolve("truncated");
        run(pretrain(shared.resolve("corpus.txt"), run));
        assertThat(code).as(said).isZero();
        var weights = run.resolve("checkpoints/step-000002/model/model.safetensors");
        Files.write(weights, Arrays.copyOf(Files.readAllBytes(weights), 500));
        run(pretrain(shared.resolve("corpus.txt"), run, "--resume"));
        assertThat(code).as(said).isEqualTo(3);
        assertThat(said).contains("step-000002", "model.safetensors");
        var model = model();
        var file = model.resolve("model.safetensors");
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 3000));
        refused(3, List.of(file.toString()), "generate", model.toString(), "the");
    }

    @Test
    void aHostileHeader() throws IOException {
        var model = model();
        var header = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putLong(1L << 62);
        var file = Files.write(model.resolve("model.safetensors"), header.array());
        refused(3, List.of(file.toString()), "generate", model.toString(), "the");
        var train = write("train.csv", "text,label\nthe mill,place\nthe miller,person\n");
        refused(3, List.of(file.toString()), finetune(model, train));
    }

    @Test
    void weightsThatAreNotNumbers() throws IOException {
        var model = model();
        var file = model.resolve("model.safetensors");
        var bytes = Files.readAllBytes(file);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 4, Float.NaN);
        Files.write(file, bytes);
        refused(3, List.of(file.toString(), "NaN"), "generate", model.toString(), "the");
    }

    @Test
    void aVocabularyOfTheWrongSize() throws IOException {
        var model = model();
        var text = write("more.txt", PROSE + "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        Files.delete(model.resolve("tokenizer.json"));
        run("tokenizer", "train", text.toString(), "--type", "characters", "-o", model.toString());
        assertThat(code).as(said).isZero();
        refused(3, List.of(model.toString(), "vocab_size"), "generate", model.toString(), "the");
        var train = write("train.csv", "text,label\nthe mill,place\nthe miller,person\n");
        refused(3, List.of(model.toString(), "vocab_size"), finetune(model, train));
    }

    @Test
    void aContextLongerThanTheModels() throws IOException {
        var good = shared.resolve("good/model");
        refused(
                2,
                List.of("objective.length", "64", "16"),
                pretrain(shared.resolve("corpus.txt"), temp.resolve("run"), "objective.length=64"));
        refused(2, List.of("16"), "generate", good.toString(), PROSE);
        var train = write("train.csv", "text,label\nthe mill,place\nthe miller,person\n");
        refused(
                2,
                List.of("task.max-length", "64", "16"),
                finetune(good, train, "task.max-length=64"));
    }

    @Test
    void aPlaceThatCannotBeWritten() throws IOException {
        // Unlike a folder without permissions, a file keeps even the system's administrator out.
        var file = write("file", "");
        refused(
                4,
                List.of(file.toString(), "cannot be written"),
                pretrain(shared.resolve("corpus.txt"), file.resolve("run")));
    }

    @Test
    void aFolderThatCannotBeWritten() throws IOException {
        // Permissions do not bind the system's administrator; the kernel's own folders do.
        var folder = Files.createDirectory(temp.resolve("closed"));
        folder.toFile().setWritable(false);
        var closed = Files.isWritable(folder) ? Path.of("/proc/self") : folder;
        refused(
                4,
                List.of(closed.resolve("run").toString(), "cannot be written"),
                pretrain(shared.resolve("corpus.txt"), closed.resolve("run")));
        folder.toFile().setWritable(true);
    }

    /// Runs the program in a process of its own in which no file may grow beyond 98 blocks, which
    /// to a writer is a disk that fills up.
    private static void runOnASmallDisk(String... args) throws Exception {
        var command =
                new ArrayList<>(List.of("sh", "-c", "ulimit -f $1; shift; exec \"$@\"", "sh"));
        // Shells count in blocks of 512 bytes or of 1024.
        command.add("98");
        command.addAll(
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx512m",
                        "-XX:+UseSerialGC",
                        "-XX:-UsePerfData",
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Main.class.getName(),
                        "--quiet"));
        command.addAll(List.of(args));
        var builder = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD);
        // With these set, Java says so among the errors.
        builder.environment().keySet().removeAll(Set.of("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"));
        var process = builder.start();
        said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        code = process.waitFor();
    }

    private void assertNothingHalfWritten() throws IOException {
        assertThat(code).as(said).isEqualTo(4);
        assertThat(said).startsWith("espalier: ").contains("cannot be written").hasLineCount(1);
        try (var files = Files.walk(temp)) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .noneMatch(name -> name.contains(".partial-") || name.contains(".writing-"));
        }
    }

    @Test
    void aDiskThatFillsUpWhileTokensAreWritten() throws Exception {
        var corpus = write("long.txt", PROSE.repeat(40));
        runOnASmallDisk(pretrain(corpus, temp.resolve("run")));
        assertNothingHalfWritten();
        assertThat(said).contains(".tokens");
        assertThat(temp.resolve("run/model")).doesNotExist();
    }

    @Test
    void aDiskThatFillsUpWhileACheckpointIsSavedKeepsTheLastWholeOne() throws Exception {
        var run = temp.resolve("run");
        // The tokens are few; the weights of this width are beyond the limit.
        var recipe = pretrain(shared.resolve("corpus.txt"), run, "model.width=64");
        run(recipe);
        assertThat(code).as(said).isZero();
        var longer =
                Stream.concat(
                                Arrays.stream(recipe),
                                Stream.of("--set", "training.for=4 steps", "--resume"))
                        .toArray(String[]::new);
        runOnASmallDisk(longer);
        assertNothingHalfWritten();
        var checkpoints = new Checkpoints(run.resolve("checkpoints"));
        assertThat(checkpoints.last().orElseThrow().step()).isEqualTo(2);
        run(longer);
        assertThat(code).as(said).isZero();
        assertThat(checkpoints.last().orElseThrow().step()).isEqualTo(4);
    }

    @Test
    void anAdapterWithoutItsModel() throws IOException {
        var adapter = Files.createDirectory(temp.resolve("adapter"));
        Files.writeString(adapter.resolve("adapter_config.json"), "{\"peft_type\": \"LORA\"}");
        var data = write("data.csv", "text,label\nthe mill,place\n");
        var culprits = List.of(adapter.toString(), "adapter without its model");
        refused(3, culprits, "predict", adapter.toString(), "the mill");
        refused(3, culprits, "evaluate", adapter.toString(), "--data", data.toString());
        refused(3, culprits, "generate", adapter.toString(), "the mill");
    }

    @Test
    void anAdapterWhoseModelHasMoved() throws IOException {
        var base = model();
        var train = write("train.csv", "text,label\nthe mill,place\nthe miller,person\n");
        run(finetune(base, train, "adapter.type=lora"));
        assertThat(code).as(said).isZero();
        var adapter = temp.resolve("run/model").toString();
        run("predict", adapter, "the mill");
        assertThat(code).as(said).isZero();
        Files.move(base, temp.resolve("moved"));
        var culprits = List.of(base.toString());
        for (var command :
                List.of(
                        List.of("predict", adapter, "the mill"),
                        List.of("evaluate", adapter, "--data", train.toString()))) {
            run(command.toArray(String[]::new));
            assertThat(code).as(said).isEqualTo(3);
            assertThat(said).startsWith("espalier: ").contains(culprits).hasLineCount(1);
        }
    }

    @Test
    void aMisspeltKey() throws IOException {
        var recipe = Path.of(pretrain(shared.resolve("corpus.txt"), temp.resolve("run"))[1]);
        Files.writeString(recipe, Files.readString(recipe).replace("evaluate:", "evalute:"));
        refused(2, List.of(recipe + ":11", "evalute", "evaluate"), "pretrain", recipe.toString());
    }
}
