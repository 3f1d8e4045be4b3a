package dev.espalier.model;

import java.util.List;

/// What a [SequenceClassifier] tells of a text by its scores s, one a label: `problem_type` in
/// Hugging Face's `config.json`.
public sealed interface Problem {
    /// The labels' names, in the order of the scores; of a number the one that the library gives
    /// it.
    List<String> labels();

    /// What `config.json` calls this.
    String type();

    /// One of several labels, with the probabilities softmax(s).
    record SingleLabel(List<String> labels) implements Problem {
        public SingleLabel {
            labels = List.copyOf(labels);
        }

        @Override
        public String type() {
            return "single_label_classification";
        }
    }

    /// Any number of labels, each with the probability 1 / (1 + exp -s).
    ///
    /// @param threshold the probability from which on a label is told
    record MultiLabel(List<String> labels, double threshold) implements Problem {
        public MultiLabel {
            labels = List.copyOf(labels);
        }

        @Override
        public String type() {
            return "multi_label_classification";
        }
    }

    /// The number mean + scale · s.
    record Regression(double mean, double scale) implements Problem {
        @Override
        public List<String> labels() {
            return List.of("LABEL_0");
        }

        @Override
        public String type() {
            return "regression";
        }

        /// The score that stands for `number`.
        public double standardised(double number) {
            return (number - mean) / scale;
        }
    }
}
