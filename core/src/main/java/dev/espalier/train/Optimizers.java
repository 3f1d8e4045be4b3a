package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Stack;
import dev.espalier.optim.Adafactor;
import dev.espalier.optim.AdamW;
import dev.espalier.optim.Anchor;
import dev.espalier.optim.FlatParameters;
import dev.espalier.optim.Lion;
import dev.espalier.optim.Muon;
import dev.espalier.optim.Optimizer;
import dev.espalier.optim.Segment;
import dev.espalier.optim.Sgd;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.TrainingRecipe;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The optimizer that a recipe asks for.
final class Optimizers {
    private final Module model;
    private final FlatParameters parameters;
    private final TrainingRecipe recipe;
    private final @Nullable Anchor anchor;
    private final Map<String, Double> depthFactors = new HashMap<>();

    private Optimizers(
            Module model,
            Set<String> begun,
            FlatParameters parameters,
            TrainingRecipe recipe,
            @Nullable Anchor anchor) {
        this.model = model;
        this.parameters = parameters;
        this.recipe = recipe;
        this.anchor = anchor;
        if (recipe.layerDecay() != 1) {
            // Clark et al. 2020, arXiv:2003.10555, appendix A.
            var depths = Depths.of(model);
            if (depths.values().stream().allMatch(depth -> depth.of() == 0)) {
                throw EspalierException.usage(
                        "training.layer-decay: goes by blocks one behind the other, of which the model has none; allowed: 1");
            }
            depths.forEach((name, depth) ->
                    depthFactors.put(name, Math.pow(recipe.layerDecay(), depth.blocks())));
            // What knows nothing yet has nothing to lose.
            depthFactors.keySet().removeAll(begun);
        }
    }

    /// @param begun the weights of [Learner#begun]
    /// @param anchor holds weights to where they were, which then do not decay: a penalty of the
    ///   distance from there stands in place of the one of the distance from 0 (L2-SP: Xuhong Li et
    ///   al. 2018, arXiv:1802.01483, section 3; so does EWC's, whose sum of losses has no other
    ///   term, and which does not hold a new head); null for none
    /// @throws EspalierException if a group matches no trained weight, or there is nothing for Muon
    static Optimizer of(
            Module model,
            Set<String> begun,
            FlatParameters parameters,
            TrainingRecipe recipe,
            @Nullable Anchor anchor,
            boolean bf16) {
        return new Optimizers(model, begun, parameters, recipe, anchor).make(bf16);
    }

    private Optimizer make(boolean bf16) {
        for (var group : recipe.groups()) {
            var pattern = Pattern.compile(group.match());
            if (parameters.slots().stream().noneMatch(s -> pattern.matcher(s.name()).find())) {
                throw EspalierException.usage(
                        "training.groups: `"
                                + group.match()
                                + "` matches no trained weight; they are named like "
                                + parameters.slots().getFirst().name()
                                + " and "
                                + parameters.slots().getLast().name());
            }
        }
        return switch (recipe.optimizer()) {
            case OptimizerRecipe.AdamW a -> adamw(a, slot -> true);
            case OptimizerRecipe.Adafactor a ->
                    new Adafactor(
                            parameters,
                            new Adafactor.Options(
                                    a.relativeStep(),
                                    a.scaleParameter(),
                                    a.momentum(),
                                    a.clipThreshold()),
                            settings(a.weightDecay()));
            case OptimizerRecipe.Lion lion ->
                    new Lion(
                            parameters,
                            lion.betas().get(0),
                            lion.betas().get(1),
                            segments(lion.weightDecay(), slot -> true));
            case OptimizerRecipe.Sgd sgd ->
                    new Sgd(
                            parameters,
                            new Sgd.Options(sgd.momentum(), sgd.dampening(), sgd.nesterov()),
                            segments(sgd.weightDecay(), slot -> true));
            case OptimizerRecipe.Muon muon -> muon(muon, bf16);
        };
    }

    private AdamW adamw(OptimizerRecipe.AdamW a, Predicate<FlatParameters.Slot> chosen) {
        return new AdamW(
                parameters,
                a.betas().get(0),
                a.betas().get(1),
                a.epsilon(),
                new AdamW.Variant(a.amsgrad(), a.decoupled()),
                segments(a.weightDecay(), chosen));
    }

    private List<Segment> segments(double decay, Predicate<FlatParameters.Slot> chosen) {
        return Segment.of(parameters, chosen, settings(decay));
    }

    private Muon muon(OptimizerRecipe.Muon recipe, boolean bf16) {
        // The weights of the blocks' linear maps, and whether they are stored as (in, out).
        var linears = new HashMap<String, Boolean>();
        model.modules()
                .forEach((path, part) -> {
                    if (part instanceof Stack<?> stack) {
                        stack.modules()
                                .forEach((below, inner) -> {
                                    if (inner instanceof Linear linear) {
                                        linears.put(
                                                path + "." + below + ".weight",
                                                linear.transposed());
                                    }
                                });
                    }
                });
        var settings = settings(recipe.weightDecay());
        var matrices =
                parameters.slots().stream()
                        .filter(slot -> linears.containsKey(slot.name()))
                        .map(slot ->
                                new Muon.Matrix(
                                        slot,
                                        linears.getOrDefault(slot.name(), false),
                                        settings.of(slot)))
                        .toList();
        if (matrices.isEmpty()) {
            throw EspalierException.usage(
                    "training.optimizer: muon trains the matrices of the model's blocks, of which none is trained here;"
                            + " allowed: adamw, adafactor, lion, sgd");
        }
        return new Muon(
                parameters,
                matrices,
                recipe.momentum(),
                bf16,
                adamw(recipe.others(), slot -> !linears.containsKey(slot.name())),
                recipe.others().rate() / recipe.rate());
    }

    /// The group's or else the optimizer's decay, and the factors of the group's and the block's
    /// rate.
    private Segment.Settings settings(double decay) {
        var plain = Segment.Settings.plain(decay);
        return slot -> {
            var depth = depthFactors.getOrDefault(slot.name(), 1.0);
            var usual = anchor != null && anchor.holds(slot) ? 0 : plain.of(slot).decay();
            var setting = new Segment.Setting(depth, usual);
            for (var group : recipe.groups()) {
                if (Pattern.compile(group.match()).matcher(slot.name()).find()) {
                    setting =
                            new Segment.Setting(
                                    depth * group.rateFactor(),
                                    group.weightDecay() == null ? usual : group.weightDecay());
                }
            }
            return setting;
        };
    }
}
