package dev.espalier.train;

import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Decoder;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.report.RunReport;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What a decoder forgets of general text while it is fine-tuned. Made before the first step.
final class Forgetting {
    private final ForgettingRecipe recipe;
    private final Decoder model;
    private final boolean bf16;
    private final GeneralText text;
    private final TextLoss before;
    private TextLoss now;

    private Forgetting(ForgettingRecipe recipe, Decoder model, boolean bf16, GeneralText text) {
        this.recipe = recipe;
        this.model = model;
        this.bf16 = bf16;
        this.text = text;
        before = text.loss(model, bf16);
        now = before;
    }

    /// Null where the recipe measures none.
    static @Nullable Forgetting of(
            @Nullable ForgettingRecipe recipe, Decoder model, Tokenizer tokenizer, boolean bf16) {
        return recipe == null
                ? null
                : new Forgetting(
                        recipe,
                        model,
                        bf16,
                        TextData.general(recipe.measure().corpus(), tokenizer, model.context()));
    }

    /// Measures again.
    List<Score> measure() {
        now = text.loss(model, bf16);
        return now.scores("general");
    }

    boolean isWithinBudget() {
        return recipe.budget() == null || now.riseSince(before).value() <= recipe.budget();
    }

    /// Why to stop, by what was measured last; null within the budget, and where the weights that
    /// are kept are only chosen afterwards.
    @Nullable String verdict() {
        var budget = recipe.budget();
        return budget == null || isWithinBudget() || Averaging.isAfterwards(recipe.defence())
                ? null
                : String.format(
                        Locale.ROOT,
                        "the general text's perplexity rose by %.1f %%, beyond forgetting.budget of %.1f %%",
                        100 * now.riseSince(before).value(),
                        100 * budget);
    }

    /// For a report, before and as measured last.
    List<RunReport.Forgetting> rows() {
        return List.of(
                new RunReport.Forgetting("before", before.perplexity(), before.bitsPerByte(), null),
                new RunReport.Forgetting(
                        "fine-tuned", now.perplexity(), now.bitsPerByte(), now.riseSince(before)));
    }

    /// Measures the finished model, beside the one from which training started.
    List<Score> finish() {
        now = text.loss(model, bf16);
        var all = new ArrayList<>(before.scores("general-before"));
        all.addAll(now.scores("general-after"));
        all.add(Score.of("general", "perplexity-rise", now.riseSince(before), now.tokens()));
        return all;
    }
}
