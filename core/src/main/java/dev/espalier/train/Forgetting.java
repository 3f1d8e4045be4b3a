package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.MinimalPairReader;
import dev.espalier.evaluate.MinimalPairs;
import dev.espalier.evaluate.Score;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Vit;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.report.Forgotten;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a model forgets while it is fine-tuned: of general text and of other domains, of tasks that
/// it learnt earlier, and of grammar. Made before the first step.
final class Forgetting {
    /// Minimal pairs of each file that are asked.
    private static final int PAIRS = 100;

    /// Where nothing is measured.
    static final Forgetting NOTHING = new Forgetting(null, List.of());

    private final @Nullable ForgettingRecipe recipe;
    private final List<Kept> all;

    private Forgetting(@Nullable ForgettingRecipe recipe, List<Kept> all) {
        this.recipe = recipe;
        this.all = all;
    }

    /// Measures `model` as it is before.
    static Forgetting of(
            @Nullable ForgettingRecipe recipe,
            LanguageModel model,
            Tokenizer tokenizer,
            boolean bf16,
            long seed) {
        if (recipe == null) {
            return NOTHING;
        }
        var measure = recipe.measure();
        var all = new ArrayList<Kept>();
        if (measure.corpus() != null) {
            all.add(
                    KeptText.of(
                            "general",
                            "the general text",
                            measure.corpus(),
                            model,
                            tokenizer,
                            bf16,
                            seed));
        }
        for (var domain : measure.domains()) {
            all.add(
                    KeptText.of(
                            domain.name(),
                            "the text of " + domain.name(),
                            domain.corpus(),
                            model,
                            tokenizer,
                            bf16,
                            seed));
        }
        var taken = new HashSet<>(ForgettingRecipe.TAKEN);
        measure.domains().forEach(domain -> taken.add(domain.name()));
        for (var task : measure.tasks()) {
            all.add(EarlierTask.of(task, model, tokenizer, name -> free(name, taken)));
        }
        if (measure.pairs() != null) {
            try (var ledger = Ledger.strict()) {
                var pairs =
                        new MinimalPairs(
                                MinimalPairReader.read(measure.pairs(), PAIRS, ledger), tokenizer);
                var measures = new LinkedHashMap<String, KeptScores.Measure>();
                measures.put(
                        "",
                        named -> {
                            var margins = pairs.margins(model, bf16);
                            return new KeptScores.Told(
                                    pairs.scores(named, margins),
                                    Arrays.stream(margins).map(m -> m > 0 ? 1 : 0).toArray(),
                                    pairs.weights());
                        });
                all.add(new KeptScores("pairs", "accuracy", false, measures));
            }
        }
        return new Forgetting(recipe, List.copyOf(all));
    }

    /// As above of a model of pictures, of which earlier tasks are measured.
    static Forgetting of(@Nullable ForgettingRecipe recipe, Vit model) {
        if (recipe == null) {
            return NOTHING;
        }
        var taken = new HashSet<>(ForgettingRecipe.TAKEN);
        var all = new ArrayList<Kept>();
        for (var task : recipe.measure().tasks()) {
            all.add(EarlierTask.of(task, model, name -> free(name, taken)));
        }
        return new Forgetting(recipe, List.copyOf(all));
    }

    /// `name`, or with a number behind it where other figures have that name, and takes it.
    private static String free(String name, Set<String> taken) {
        var free = name;
        for (var n = 2; taken.contains(free) || taken.contains(free + "-test"); n++) {
            free = name + "-" + n;
        }
        taken.addAll(List.of(free, free + "-test"));
        return free;
    }

    /// The model of `ready`, with a head for the vocabulary where that is measured or defended.
    ///
    /// @throws EspalierException (USAGE) if it can have none
    static LanguageModel withHead(FinetuneRecipe recipe, Models.Ready ready) {
        var forgetting = recipe.forgetting();
        if (forgetting == null || !needsHead(forgetting)) {
            return ready.model();
        }
        if (ready.model() instanceof EncoderDecoder) {
            throw EspalierException.usage(
                    "forgetting: text is measured and replayed on decoders and encoders alone, and this "
                            + ready.model().family().architecture()
                            + " is none");
        }
        if (forgetting.measure().head() != null) {
            HuggingFace.readVocabularyHead(forgetting.measure().head(), ready.model());
        } else if (ready.headless()) {
            throw EspalierException.usage(
                    "forgetting.measure.head: is missing, and the model to start from has lost its head for the vocabulary; name the folder of the language model that it came from");
        }
        return ready.model();
    }

    private static boolean needsHead(ForgettingRecipe recipe) {
        return recipe.measure().ofWords()
                || recipe.defence() instanceof DefenceRecipe.Replay
                || recipe.defence() instanceof DefenceRecipe.Ewc
                || recipe.defence() instanceof DefenceRecipe.Lwf;
    }

    /// Measures again.
    List<Score> measure() {
        return all.stream().flatMap(kept -> kept.measure().stream()).toList();
    }

    /// Tokens of general text that pass forward in [#measure].
    long tokens() {
        return all.stream().mapToLong(Kept::tokens).sum();
    }

    /// The share by which what suffered most was worse when measured last.
    double worse() {
        return worst().worse();
    }

    private Kept worst() {
        return all.stream().max(Comparator.comparingDouble(Kept::worse)).orElseThrow();
    }

    private @Nullable Double budget() {
        return recipe == null ? null : recipe.budget();
    }

    /// Whether what was measured last is within the budget, if there is one.
    boolean isWithinBudget() {
        var budget = budget();
        return budget == null || worse() <= budget;
    }

    /// Why to stop, by what was measured last; null within the budget, and where the weights that
    /// are kept are only chosen afterwards.
    @Nullable String verdict() {
        var budget = budget();
        return recipe == null
                        || budget == null
                        || isWithinBudget()
                        || Averaging.isAfterwards(recipe.defence())
                ? null
                : String.format(
                        Locale.ROOT,
                        "%s by %.1f %%, beyond forgetting.budget of %.1f %%",
                        worst().words(),
                        100 * worse(),
                        100 * budget);
    }

    /// For a report, before and as measured last.
    Forgotten outcome() {
        return new Forgotten(all.stream().map(Kept::outcome).toList(), budget());
    }

    /// Measures the finished model, beside the one from which training started.
    List<Score> finish() {
        return all.stream().flatMap(kept -> kept.finish().stream()).toList();
    }
}
