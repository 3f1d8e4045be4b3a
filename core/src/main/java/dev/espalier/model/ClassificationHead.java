package dev.espalier.model;

import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;

/// What turns states (…, D) into scores (…, classes), under the names that the family's files give
/// it.
public abstract class ClassificationHead extends Module {
    public abstract Tensor forward(Tensor state);

    /// Dropout and one linear map.
    static final class Plain extends ClassificationHead {
        private final Linear score;
        private final double dropout;

        Plain(String name, int width, int classes, boolean biased, double dropout) {
            score = child(name, Linear.of(width, classes, biased));
            this.dropout = dropout;
        }

        @Override
        public Tensor forward(Tensor state) {
            return score.forward(state.dropout(dropout, training()));
        }
    }
}
