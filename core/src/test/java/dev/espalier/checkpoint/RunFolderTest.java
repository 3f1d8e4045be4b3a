package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    @TempDir Path temp;

    @Test
    void aSecondRunIsRefusedUntilTheFirstIsClosed() {
        var folder = temp.resolve("runs/a");
        var first = RunFolder.open(folder);
        assertThatThrownBy(() -> RunFolder.open(folder))
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(Kind.USAGE))
                .hasMessageContaining("another run");
        first.close();
        RunFolder.open(folder).close();
    }

    @Test
    void aRefusedRunLeavesNothingNewAndAllThatWasThere() throws IOException {
        try (var folder = RunFolder.open(temp.resolve("runs/new"))) {
            Files.createDirectories(folder.path().resolve("data/shards"));
            Files.writeString(folder.path().resolve("data/shards/data.json"), "{}");
            folder.refuse("no");
        }
        assertThat(temp.resolve("runs")).doesNotExist();

        var old = Files.createDirectories(temp.resolve("old/data"));
        Files.writeString(old.resolve("mine.txt"), "mine");
        try (var folder = RunFolder.open(temp.resolve("old"))) {
            Files.writeString(folder.path().resolve("data/theirs.txt"), "theirs");
            Files.writeString(folder.path().resolve("rejects.jsonl"), "{}");
            folder.refuse("all are in " + folder.path().resolve("rejects.jsonl"));
        }
        try (var left = Files.walk(temp.resolve("old"))) {
            assertThat(left.filter(Files::isRegularFile))
                    .containsExactlyInAnyOrder(
                            old.resolve("mine.txt"), temp.resolve("old/rejects.jsonl"));
        }
    }

    /// A process that is killed while it prepares its data leaves them unfinished.
    @Test
    void whatKilledRunsLeftUnfinishedGoes() throws IOException {
        for (var place : List.of("", "checkpoints/", "data/")) {
            var left = temp.resolve(place + ".abc.partial-123-1");
            Files.createDirectories(left);
            Files.writeString(left.resolve("train-00.tokens"), "half");
        }
        Files.writeString(temp.resolve("data/abc.rejects.jsonl"), "{}");
        try (var folder = RunFolder.open(temp)) {
            assertThat(folder.path().resolve("data")).isDirectoryContaining("glob:**.jsonl");
        }
        try (var all = Files.walk(temp)) {
            assertThat(all.map(String::valueOf)).noneMatch(path -> path.contains("partial"));
        }
    }

    @Test
    void aRunThatHadBegunKeepsWhatItWrote() throws IOException {
        try (var folder = RunFolder.open(temp.resolve("begun"))) {
            folder.begin();
            Files.writeString(folder.metrics(), "{}");
            folder.refuse("the loss is NaN");
        }
        assertThat(temp.resolve("begun/metrics.jsonl")).exists();
    }

    /// Holds the lock given as argument until it is killed.
    static final class Holder {
        public static void main(String[] args) throws IOException {
            try (var channel = FileChannel.open(Path.of(args[0]), StandardOpenOption.WRITE)) {
                channel.lock();
                System.out.println("held");
                System.in.read();
            }
        }
    }

    private Process other(Class<?> main) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        main.getName(),
                        temp.resolve("run.lock").toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /// Tries for the lock given as argument.
    static final class Rival {
        public static void main(String[] args) throws IOException {
            try (var channel = FileChannel.open(Path.of(args[0]), StandardOpenOption.WRITE)) {
                System.out.println(channel.tryLock() == null ? "refused" : "held");
            }
        }
    }

    @Test
    void aRefusedSecondRunInThisProcessLeavesTheHoldOfTheFirst() throws Exception {
        var link = temp.resolveSibling(temp.getFileName() + "-link");
        Files.createSymbolicLink(link, temp);
        try (var first = RunFolder.open(temp)) {
            for (var folder : List.of(first.path(), link)) {
                assertThatThrownBy(() -> RunFolder.open(folder))
                        .hasMessageContaining("another run");
            }
            try (BufferedReader out = other(Rival.class).inputReader()) {
                assertThat(out.readLine()).isEqualTo("refused");
            }
        } finally {
            Files.delete(link);
        }
        try (BufferedReader out = other(Rival.class).inputReader()) {
            assertThat(out.readLine()).isEqualTo("held");
        }
    }

    @Test
    void aKilledRunLeavesNoHold() throws Exception {
        RunFolder.open(temp).close();
        var holder = other(Holder.class);
        try (BufferedReader out = holder.inputReader()) {
            assertThat(out.readLine()).isEqualTo("held");
            assertThatThrownBy(() -> RunFolder.open(temp)).hasMessageContaining("another run");
        } finally {
            holder.destroyForcibly().waitFor();
        }
        RunFolder.open(temp).close();
    }

    @Test
    void whatADeadWriterLeftIsClearedAway() throws IOException {
        var partial = temp.resolve("checkpoints/.step-000002.partial-12-3/model");
        Files.createDirectories(partial);
        Files.writeString(partial.resolve("weights"), "half");
        Files.writeString(temp.resolve(".metrics.jsonl.partial-12-3"), "half");
        var steppedAside = Files.createDirectories(temp.resolve(".model.replaced-12-3"));
        Files.writeString(steppedAside.resolve("weights"), "old");
        Files.createDirectories(temp.resolve("checkpoints/step-000001"));
        Files.createDirectories(temp.resolve("checkpoints/.step-000001.replaced-9-1"));
        Files.writeString(temp.resolve(".mine"), "not ours to delete");

        try (var run = RunFolder.open(temp)) {
            assertThat(temp.resolve("checkpoints"))
                    .isDirectoryContaining("glob:**/step-000001")
                    .isDirectoryNotContaining("glob:**{partial,replaced}**");
            assertThat(temp).isDirectoryNotContaining("glob:**{partial,replaced}**");
            assertThat(run.model().resolve("weights")).hasContent("old");
            assertThat(temp.resolve(".mine")).exists();
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsAMatterOfResources() throws IOException {
        var file = Files.writeString(temp.resolve("file"), "");
        assertThatThrownBy(() -> RunFolder.open(file.resolve("run")))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.RESOURCES))
                .hasMessageContaining("cannot be written");
    }
}
