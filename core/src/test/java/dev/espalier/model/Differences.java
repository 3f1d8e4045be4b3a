package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Gradients against differences of a loss that is computed in another way.
final class Differences {
    private Differences() {}

    interface LossWith {
        /// The loss with `by` added to an element of the weight `name`.
        double of(String name, int index, double by);
    }

    /// Compares the least and the largest gradient of each weight in `parameters`.
    ///
    /// @param step to both sides of a weight
    /// @param allowed difference, of gradients above 1 as a share of them
    /// @return the largest of the differences' sizes, so that a test sees that it saw some
    static double check(FlatParameters parameters, LossWith loss, double step, double allowed) {
        var largest = 0.0;
        for (var slot : parameters.slots()) {
            var gradient = gradient(parameters, slot);
            var order =
                    IntStream.range(0, gradient.length)
                            .boxed()
                            .sorted(Comparator.comparing(i -> gradient[i]))
                            .toList();
            for (int i : List.of(order.getFirst(), order.getLast())) {
                var above = loss.of(slot.name(), i, step);
                var difference = (above - loss.of(slot.name(), i, -step)) / (2 * step);
                assertThat((double) gradient[i])
                        .as("%s %d", slot.name(), i)
                        .isCloseTo(difference, within(allowed * Math.max(1, Math.abs(difference))));
                largest = Math.max(largest, Math.abs(difference));
            }
        }
        return largest;
    }

    private static float[] gradient(FlatParameters parameters, FlatParameters.Slot slot) {
        try (var scope = new Scope()) {
            return parameters.gradients().narrow(0, slot.offset(), slot.count()).floats();
        }
    }
}
