package dev.espalier.train;

import dev.espalier.evaluate.Score;
import dev.espalier.objective.ExampleText;
import java.util.List;

/// Who looks on while a run goes, and may stop it. Called on the thread that called [Run#train], so
/// that what another thread tells it, to stop say, must be `volatile` or guarded. What a method
/// throws ends the run as it is; the last checkpoint stays. Tensors and models that it makes there
/// end with the run.
public interface Watcher {
    /// A step was made, of `total`.
    default void stepped(StepFigures figures, long total) {}

    /// The validation data was measured after `step` steps.
    default void evaluated(long step, List<Score> scores) {}

    /// Examples as the model will see them, with what of them is trained, before the first step.
    default void preflight(List<ExampleText> examples) {}

    /// Something that a person should know: what is prepared, passed over, chosen.
    default void said(String line) {}

    /// Whether to save a checkpoint and stop, asked after each step.
    default boolean stop() {
        return false;
    }

    /// One that sees nothing, and stops when this one does.
    default Watcher quiet() {
        var outer = this;
        return new Watcher() {
            @Override
            public boolean stop() {
                return outer.stop();
            }
        };
    }
}
