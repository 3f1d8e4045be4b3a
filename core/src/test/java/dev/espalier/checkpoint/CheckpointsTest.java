package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.checkpoint.Checkpoints.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
    @TempDir Path temp;
    private Checkpoints checkpoints;

    @BeforeEach
    void setUp() {
        checkpoints = new Checkpoints(temp.resolve("checkpoints"));
    }

    @Test
    void theLastIsFoundByStepNotByName() {
        assertThat(checkpoints.list()).isEmpty();
        assertThat(checkpoints.last()).isEmpty();
        write(999_999);
        write(1_000_000);
        write(7);
        assertThat(checkpoints.list())
                .extracting(Checkpoint::step)
                .containsExactly(7L, 999_999L, 1_000_000L);
        assertThat(checkpoints.last()).map(Checkpoint::step).contains(1_000_000L);
        assertThat(temp.resolve("checkpoints/step-000007/model/weights"))
                .hasContent("weights of 7");
    }

    @Test
    void everyKindOfDamageIsNamedAndTheOneBeforeTaken() throws IOException {
        var good = write(1);
        var bad = write(2);
        var weights = bad.model().resolve("weights");
        var bytes = Files.readAllBytes(weights);

        bytes[3] ^= 1;
        Files.write(weights, bytes);
        assertBroken(bad, weights + ": its SHA-256 is not the manifest's");
        bytes[3] ^= 1;
        Files.write(weights, bytes);
        Checkpoints.check(bad.folder());

        try (var channel = Files.newByteChannel(weights, StandardOpenOption.WRITE)) {
            channel.truncate(5);
        }
        assertBroken(bad, weights + ": has 5 bytes instead of the manifest's 12");
        assertThat(checkpoints.last()).contains(good);

        Files.delete(weights);
        assertBroken(bad, weights + ": missing from the checkpoint");
        Files.write(weights, bytes);

        var stranger = Files.createFile(bad.resume().resolve("stranger"));
        assertBroken(bad, stranger + ": is not in the checkpoint's manifest");
        Files.delete(stranger);

        for (var manifest : new String[] {"", "{", "[]", "null", "{\"version\":2}"}) {
            Files.writeString(bad.folder().resolve("manifest.json"), manifest);
            assertBroken(bad, "manifest.json");
        }
        for (var files :
                new String[] {"null", "7", "[null]", "[{}]", "[{\"path\":{},\"size\":\"x\"}]"}) {
            Files.writeString(
                    bad.folder().resolve("manifest.json"),
                    "{\"version\":1,\"files\":" + files + "}");
            assertBroken(bad, "");
        }
        Files.delete(bad.folder().resolve("manifest.json"));
        assertBroken(bad, "manifest.json: missing");
        assertThat(checkpoints.last()).contains(good);

        Files.delete(good.folder().resolve("manifest.json"));
        assertThatThrownBy(() -> checkpoints.last())
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("none of its 2 checkpoints is whole");
    }

    @Test
    void pruningKeepsTheLastAndTheSpared() {
        for (int step = 1; step <= 5; step++) {
            write(step);
        }
        checkpoints.prune(2, Set.of(2L));
        assertThat(checkpoints.list()).extracting(Checkpoint::step).containsExactly(2L, 4L, 5L);
        checkpoints.prune(9, Set.of());
        assertThat(checkpoints.list()).hasSize(3);
    }

    @Test
    void aWriterThatFailsLeavesWhatWasThere() {
        write(3);
        assertThatThrownBy(() ->
                        checkpoints.write(
                                3,
                                0,
                                (model, resume) -> {
                                    Files.writeString(model.resolve("weights"), "half");
                                    throw new IOException("No space left on device");
                                }))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.RESOURCES))
                .hasMessageContaining("No space left on device");
        assertThat(checkpoints.last().orElseThrow().model().resolve("weights"))
                .hasContent("weights of 3");
        assertThat(temp.resolve("checkpoints")).isDirectoryNotContaining("glob:**partial**");
    }

    @Test
    void aDiskTooSmallIsRefusedBeforeAnythingIsWritten() {
        assertThatThrownBy(() -> checkpoints.write(1, Long.MAX_VALUE / 2, (model, resume) -> {}))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.RESOURCES))
                .hasMessageContaining("MB of disk");
        assertThat(temp).isEmptyDirectory();
    }

    private Checkpoint write(long step) {
        return checkpoints.write(
                step,
                1000,
                (model, resume) -> {
                    Files.writeString(model.resolve("weights"), "weights of " + step);
                    Files.writeString(resume.resolve("state"), "state");
                });
    }

    private static void assertBroken(Checkpoint checkpoint, String message) {
        assertThatThrownBy(() -> Checkpoints.check(checkpoint.folder()))
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(Kind.DATA))
                .hasMessageContaining(message);
    }
}
