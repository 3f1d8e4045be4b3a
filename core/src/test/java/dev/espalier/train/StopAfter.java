package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.recipe.Recipe;

/// Stops a run after a step, as a user would.
final class StopAfter implements Watcher {
    private final long last;
    private long step;

    private StopAfter(long last) {
        this.last = last;
    }

    /// Begins or goes on with a run until `step`, where it is interrupted.
    static void run(Recipe recipe, long step) {
        assertThatThrownBy(() -> new Run(recipe).train(new StopAfter(step), true))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.INTERRUPTED));
    }

    @Override
    public void stepped(StepFigures figures, long total) {
        step = figures.step();
    }

    @Override
    public boolean stop() {
        return step == last;
    }
}
