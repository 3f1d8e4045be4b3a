package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VitMaeTest {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatIsToBeToldIsRestoredToPixels(boolean normalised) {
        var model = new VitMae(VitMaeConfig.of(VitConfig.of(8, 4, 8, 1, 2, 0), 8, 1, 2));
        model.hide(0.5, normalised);
        var rng = Rng.at(1);
        var values = new float[2 * 3 * 8 * 8];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) (3 + 2 * rng.nextGaussian());
        }
        try (var scope = new Scope()) {
            var pictures = Tensor.of(values, 2, 3, 8, 8);
            var patches = model.patches(pictures);
            var again = model.restored(model.target(patches), pictures);
            var told = model.pictures(again, 8, 8).floats();
            for (var i = 0; i < values.length; i++) {
                assertThat(told[i]).isCloseTo(values[i], within(1e-5f));
            }
        }
    }
}
