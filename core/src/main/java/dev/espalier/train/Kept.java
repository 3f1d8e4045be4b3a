package dev.espalier.train;

import dev.espalier.evaluate.Score;
import dev.espalier.report.Forgotten;
import java.util.List;

/// Something that a model could do before it is fine-tuned, measured again and again.
interface Kept {
    /// Measures the model as it is now, under a name of its own.
    List<Score> measure();

    /// Tokens of general text that pass forward in [#measure].
    default long tokens() {
        return 0;
    }

    /// By which share it was worse when measured last than before; below 0 where it was better.
    double worse();

    /// What became worse, in words that a share follows, such as `the general text's perplexity
    /// rose`.
    String words();

    /// Measures the finished model: before, after, and the change.
    List<Score> finish();

    /// Before and as measured last, for a report.
    Forgotten.Kept outcome();
}
