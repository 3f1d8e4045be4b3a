package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RelativePositionBiasTest {
    @ParameterizedTest
    @CsvSource({"true, 32, 128", "false, 32, 128", "true, 8, 20", "false, 8, 20"})
    void bucketsAreThoseOfTheReference(boolean bidirectional, int buckets, int most) {
        var golden =
                Json.read(Path.of(System.getProperty("espalier.goldens"), "misc", "golden.json"))
                        .path("t5_buckets");
        var name = "%s_%d_%d".formatted(bidirectional ? "bidirectional" : "causal", buckets, most);
        var distances = golden.path("relative_position");
        assertThat(distances.size()).isGreaterThan(200);
        assertThat(golden.path(name).size()).as(name).isEqualTo(distances.size());
        for (var i = 0; i < distances.size(); i++) {
            var distance = distances.get(i).intValue();
            assertThat(RelativePositionBias.bucket(distance, bidirectional, buckets, most))
                    .as("distance %d", distance)
                    .isEqualTo(golden.path(name).get(i).intValue());
        }
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void theLastRowsAreThoseOfTheWholeText(boolean bidirectional) {
        try (var scope = new Scope()) {
            var bias = new RelativePositionBias(8, 20, 3, bidirectional);
            Torch.noGrad(() -> bias.weight().value().uniformInPlace(0, 1));
            var whole = bias.forward(6, 6);
            assertThat(whole.shape()).containsExactly(1, 3, 6, 6);
            assertThat(bias.forward(2, 6).floats()).isEqualTo(whole.narrow(2, 4, 2).floats());
            // Head 1 of the table's row for the distance from position 5 to position 3.
            var bucket = RelativePositionBias.bucket(-2, bidirectional, 8, 20);
            Tensor table = bias.weight().value();
            assertThat(whole.select(0, 0).select(0, 1).select(0, 5).floats()[3])
                    .isEqualTo(table.floats()[bucket * 3 + 1]);
        }
    }
}
