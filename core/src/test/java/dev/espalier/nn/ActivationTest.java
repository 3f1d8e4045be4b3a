package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class ActivationTest {
    private static float[] floats(JsonNode numbers) {
        var floats = new float[numbers.size()];
        for (var i = 0; i < floats.length; i++) {
            floats[i] = (float) numbers.get(i).asDouble();
        }
        return floats;
    }

    @Test
    void everyNameIsTheFunctionOfHuggingFaces() {
        var golden =
                Json.read(Path.of(System.getProperty("espalier.goldens"), "misc", "golden.json"))
                        .path("activations");
        var x = floats(golden.path("x"));
        assertThat(x.length).isGreaterThan(20);
        for (var name : Activation.NAMES) {
            assertThat(golden.has(name)).as(name).isTrue();
            try (var scope = new Scope()) {
                assertThat(Activation.apply(name, Tensor.of(x, x.length)).floats())
                        .as(name)
                        .containsExactly(floats(golden.path(name)), within(1e-6f));
            }
        }
    }

    @Test
    void anotherNameIsRefusedWithThoseThatAreKnown() {
        assertThatThrownBy(() -> Activation.check("hidden_act", "mish"))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "hidden_act 'mish' is not known; allowed: "
                                + List.copyOf(Activation.NAMES));
    }
}
