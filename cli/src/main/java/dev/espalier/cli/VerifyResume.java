package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "verify-resume",
        description = {
            "Proves that an interrupted run equals one that never stopped.",
            "Runs a recipe in one go, then again while it kills the process (SIGKILL) at random"
                    + " moments of training, saving and evaluating, each time resumed; compares every"
                    + " bit of what the two leave. Exits with 5 on any difference.",
            "Works in NAME.verify beside the recipe's output folder, and removes it."
        },
        footerHeading = "%nExample:%n",
        footer = "  espalier verify-resume recipes/pretrain/gpt2-toy.yaml --kills 20")
final class VerifyResume implements Callable<Integer> {
    private static final Pattern STEP = Pattern.compile("\"step\":(\\d+)");

    /// Longer than any line of the metrics.
    private static final int TAIL = 8192;

    /// A kill falls up to so many milliseconds after what it waits for has begun.
    private static final int MOMENT = 40;

    private final Main.Context context;

    @Parameters(paramLabel = "RECIPE", description = "The recipe, a YAML file.")
    private Path file = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe, such as training.batch=8. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--kills",
            defaultValue = "3",
            paramLabel = "N",
            description = "How often to kill the run. Default: ${DEFAULT-VALUE}.")
    private int kills;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description = "The seed of the moments. Default: ${DEFAULT-VALUE}.")
    private long seed;

    VerifyResume(Main.Context context) {
        this.context = context;
    }

    /// What a run is doing when it is killed.
    private enum During {
        TRAINING,
        SAVING,
        EVALUATING
    }

    @Override
    public Integer call() {
        if (kills < 1) {
            throw EspalierException.usage("--kills must be at least 1");
        }
        var read = Recipes.read(Given.file(file), overrides);
        var folder = read.output().resolveSibling(read.output().getFileName() + ".verify");
        try {
            AtomicFiles.deleteTree(folder);
            Files.createDirectories(folder);
            return check(
                    read,
                    folder,
                    context.stop().waitForJob(() -> context.console().note("stopping")));
        } catch (IOException e) {
            throw AtomicFiles.failure(folder, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EspalierException(Kind.INTERRUPTED, "interrupted");
        } finally {
            try {
                AtomicFiles.deleteTree(folder);
            } catch (IOException e) {
                context.console().note(folder + ": cannot be removed (" + e.getMessage() + ")");
            }
        }
    }

    private int check(Recipe recipe, Path folder, BooleanSupplier stop)
            throws IOException, InterruptedException {
        var console = context.console();
        var whole = folder.resolve("whole");
        console.note("running in one go");
        try (var child = new Child(recipe, whole, stop)) {
            child.waitForEnd();
        }
        var killed = new EnumMap<During, Integer>(During.class);
        var done = 0;
        RunDifferences differences;
        do {
            // Each round is a run of its own; a second one is needed only where a run comes to its
            // end before it could be killed as often as asked.
            var other = folder.resolve("killed");
            AtomicFiles.deleteTree(other);
            done += killed(recipe, other, evaluated(whole), done, killed, stop);
            differences = RunDifferences.between(whole, other);
        } while (done < kills && differences.found().isEmpty());
        var json = new LinkedHashMap<String, Object>();
        json.put("kills", done);
        json.put("killed-during", killed);
        json.put("compared", differences.compared());
        json.put("differences", differences.found());
        console.result(
                "killed %d times (%s)\ncompared %s\n%s"
                        .formatted(
                                done,
                                text(killed),
                                String.join(", ", differences.compared()),
                                differences.found().isEmpty()
                                        ? "equal, bit for bit"
                                        : String.join("\n", differences.found())),
                json);
        if (!differences.found().isEmpty()) {
            throw EspalierException.check(
                    "a run that was killed %d times differs from one that never stopped; %s"
                            .formatted(done, differences.found().getFirst()));
        }
        return 0;
    }

    private static String text(Map<During, Integer> killed) {
        return killed.entrySet().stream()
                .map(e -> e.getValue() + " while " + e.getKey().name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
    }

    /// The steps after which the finished run was evaluated; the last step is one.
    private static long[] evaluated(Path run) {
        var last = new Checkpoints(run.resolve("checkpoints")).last().orElseThrow();
        return Json.read(last.resume().resolve("run.json"))
                .path("evaluations")
                .valueStream()
                .mapToLong(evaluation -> evaluation.path("step").asLong())
                .toArray();
    }

    /// Runs to the end in `folder`, killed up to as often as is left of the kills, and says how
    /// often it was.
    private int killed(
            Recipe recipe,
            Path folder,
            long[] evaluated,
            int before,
            Map<During, Integer> killed,
            BooleanSupplier stop)
            throws IOException, InterruptedException {
        var metrics = folder.resolve("metrics.jsonl");
        var steps = evaluated[evaluated.length - 1];
        for (var kill = before; kill < kills; kill++) {
            var random = Rng.at(seed, kill);
            // One kill in each of as many stretches of the run as there are kills: they go through
            // all of it, however often it is killed.
            var share = (kill - before + random.nextDouble()) / (kills - before);
            var step = (long) (share * steps);
            var during = During.values()[random.nextInt(During.values().length)];
            try (var child = new Child(recipe, folder, stop)) {
                var next =
                        Arrays.stream(evaluated).filter(e -> e >= step).findFirst().orElse(steps);
                if (!child.reaches(metrics, step) || !child.is(during, random, folder, next)) {
                    return kill - before;
                }
                child.kill();
            }
            killed.merge(during, 1, Integer::sum);
            context.console()
                    .note(
                            "kill %d of %d: after step %d of %d, %s"
                                    .formatted(
                                            kill + 1,
                                            kills,
                                            lastStep(metrics),
                                            steps,
                                            during.name().toLowerCase(Locale.ROOT)));
        }
        try (var child = new Child(recipe, folder, stop)) {
            child.waitForEnd();
        }
        return kills - before;
    }

    /// The step of the last whole line; 0 if there is none.
    private static long lastStep(Path metrics) throws IOException {
        try (var file = new RandomAccessFile(metrics.toFile(), "r")) {
            var tail = new byte[(int) Math.min(TAIL, file.length())];
            file.seek(file.length() - tail.length);
            file.readFully(tail);
            var text = new String(tail, StandardCharsets.UTF_8);
            var lines = text.substring(0, text.lastIndexOf('\n') + 1);
            var step =
                    STEP.matcher(lines.substring(lines.lastIndexOf('\n', lines.length() - 2) + 1));
            return step.find() ? Long.parseLong(step.group(1)) : 0;
        } catch (java.io.FileNotFoundException e) {
            return 0;
        }
    }

    /// A process of this program that carries out the recipe in a folder.
    private final class Child implements AutoCloseable {
        private final Process process;
        private final Path errors;
        private final FileTime started;
        private final BooleanSupplier stop;

        Child(Recipe recipe, Path output, BooleanSupplier stop) throws IOException {
            this.stop = stop;
            errors = output.resolveSibling("errors.txt");
            var command = new ArrayList<>(program());
            command.addAll(
                    List.of(
                            recipe instanceof PretrainRecipe ? "pretrain" : "finetune",
                            file.toString(),
                            "--resume",
                            "--quiet"));
            overrides.forEach(override -> command.addAll(List.of("--set", override)));
            command.addAll(List.of("--set", "output=" + output));
            Files.deleteIfExists(errors);
            Files.createFile(errors);
            // By the clock of the file system.
            started = Files.getLastModifiedTime(errors);
            process =
                    new ProcessBuilder(command)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .redirectError(errors.toFile())
                            .start();
        }

        /// Whether the process has ended; looked at every few milliseconds, stopped if asked to.
        private boolean ended() throws InterruptedException {
            if (stop.getAsBoolean()) {
                throw new EspalierException(
                        Kind.INTERRUPTED, "stopped; nothing is left to go on from");
            }
            return process.waitFor(2, TimeUnit.MILLISECONDS);
        }

        /// Waits until this process has made `step`, and says whether it still runs.
        boolean reaches(Path metrics, long step) throws IOException, InterruptedException {
            while (!ended()) {
                try {
                    if (Files.getLastModifiedTime(metrics).compareTo(started) >= 0
                            && lastStep(metrics) >= step) {
                        return true;
                    }
                } catch (NoSuchFileException e) {
                    // The first step is still to come.
                }
            }
            requireDone();
            return false;
        }

        /// Waits for a random moment of what the process is to be killed in, and says whether it
        /// still runs.
        boolean is(During during, Rng random, Path folder, long evaluated)
                throws IOException, InterruptedException {
            var runs =
                    switch (during) {
                        case TRAINING -> true;
                        case SAVING -> {
                            while (!saving(folder.resolve("checkpoints"))) {
                                if (ended()) {
                                    break;
                                }
                            }
                            yield process.isAlive();
                        }
                        // An evaluation follows the line of its step at once.
                        case EVALUATING -> reaches(folder.resolve("metrics.jsonl"), evaluated);
                    };
            if (runs && !process.waitFor(random.nextInt(MOMENT), TimeUnit.MILLISECONDS)) {
                return true;
            }
            requireDone();
            return false;
        }

        /// Whether a checkpoint is being written: it grows under a name that begins with a dot.
        private static boolean saving(Path checkpoints) throws IOException {
            try (var unfinished = Files.newDirectoryStream(checkpoints, ".*")) {
                return unfinished.iterator().hasNext();
            } catch (NoSuchFileException e) {
                return false;
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            }
        }

        void kill() throws InterruptedException {
            process.destroyForcibly().waitFor();
        }

        void waitForEnd() throws IOException, InterruptedException {
            while (!ended()) {
                // Looks again.
            }
            requireDone();
        }

        private void requireDone() throws IOException, InterruptedException {
            var code = process.waitFor();
            if (code == 0) {
                return;
            }
            var said = Files.readString(errors).strip().replaceFirst("^espalier: ", "");
            var kind = Arrays.stream(Kind.values()).filter(k -> k.exitCode() == code).findFirst();
            throw new EspalierException(
                    kind.orElse(Kind.CHECK), "the run ended with exit code " + code + ": " + said);
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    /// This program as a command of its own.
    private static List<String> program() {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx" + Runtime.getRuntime().maxMemory(),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName());
    }
}
