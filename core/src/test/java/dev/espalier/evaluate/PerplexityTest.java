package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PerplexityTest {
    @Test
    void windowsOfAnyLengthsTogetherAreAsEachAlone() {
        var model = new Gpt2(Gpt2Config.of(50, 64, 16, 2, 2, 0)).initialize(1);
        var windows = new ArrayList<int[]>();
        for (var w = 0; w < 200; w++) {
            var seed = w;
            var length = 2 + w * 31 % 60;
            windows.add(IntStream.range(0, length).map(i -> (i * i + 7 * seed) % 50).toArray());
        }
        var together = Perplexity.windowLosses(model, windows, false);
        for (var w = 0; w < windows.size(); w++) {
            var alone = Perplexity.windowLosses(model, List.of(windows.get(w)), false);
            assertThat(together[w]).isCloseTo(alone[0], within(1e-4 * alone[0]));
        }
        model.free();
    }
}
