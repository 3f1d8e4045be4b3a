package dev.espalier.objective;

import dev.espalier.tokenize.Tokenizer;
import java.util.List;

/// A part of a step's examples that passes through the model at once. Holds plain Java arrays until
/// [#forward] is called, so that it can be made ahead of its step.
public interface MicroBatch {
    /// Which of the step's losses this is a part of. The loss of each term is its sum over its
    /// count, and the step's loss is the weighted sum of the terms.
    String term();

    /// The weight of the term in the step's loss; the same for every micro-batch of the term.
    default double weight() {
        return 1;
    }

    /// What the sum is divided by: valid tokens, records.
    long count();

    /// Tokens that pass through the model, for rates and costs, padding left out.
    long tokens();

    /// Where each of its examples stands, for a person who wants to look at them.
    List<String> where();

    /// Each of its examples as text. A batch that has none to show says where they stand.
    default List<ExampleText> examples(Tokenizer tokenizer) {
        return where().stream().map(place -> new ExampleText(place, List.of())).toList();
    }

    /// The forward pass, in the scope that is open.
    Loss forward();
}
