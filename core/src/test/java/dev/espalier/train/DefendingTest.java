package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whole runs with each defence.
class DefendingTest {
    @TempDir static Path folder;
    private static Path base;
    private static Run.Result free;

    @BeforeAll
    static void pretrain() throws IOException {
        var prose = new StringBuilder();
        var labelled = new StringBuilder("text,label\n");
        var words = List.of("flour", "bread", "wheat", "boats", "nets", "herring");
        for (var i = 0; i < 120; i++) {
            var word = words.get(i % 6);
            var text = "On day " + i % 17 + " they sold the " + word + " by the road";
            prose.append(text).append(".\n");
            labelled.append(text).append(i % 6 < 3 ? ",mill\n" : ",sea\n");
        }
        Files.writeString(folder.resolve("prose.txt"), prose);
        Files.writeString(folder.resolve("labelled.csv"), labelled);
        base =
                new Run(
                                Recipes.parse(
                                        """
                                        output: %1$s/base
                                        data: {sources: [{type: text, path: "%1$s/prose.txt"}], validation: 10%%}
                                        tokenizer: {type: characters}
                                        model: {type: gpt2, layers: 1, heads: 2, width: 16, context: 48}
                                        objective: {type: causal}
                                        training: {for: 20 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                                        """
                                                .formatted(folder),
                                        "base"))
                        .train(s -> {})
                        .model();
        free = run("free", "{type: none}");
    }

    private static Recipe recipe(String name, String defence, String more) {
        return Recipes.parse(
                """
                output: %1$s/%2$s
                data: {train: %1$s/labelled.csv, validation-share: 25%%}
                model: {path: %3$s}
                task: {type: classification}
                training: {for: 6 steps, batch: 8, precision: fp32, optimizer: {type: adamw, rate: 1e-2}, early-stopping: none}
                evaluate: {every: 3 steps}
                save: {every: 3 steps}
                forgetting: {measure: {corpus: %1$s/prose.txt}, defence: %4$s%5$s}
                """
                        .formatted(folder, name, base, defence, more),
                name);
    }

    private static Run.Result run(String name, String defence) {
        return new Run(recipe(name, defence, "")).train(s -> {});
    }

    private static Map<String, float[]> weights(Path model) {
        try (var tensors = SafeTensors.open(model.resolve("model.safetensors"))) {
            var weights = new TreeMap<String, float[]>();
            tensors.entries().forEach(entry -> weights.put(entry.name(), floats(entry)));
            return weights;
        }
    }

    private static float[] floats(SafeTensors.Entry entry) {
        return entry.data()
                .toArray(
                        java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(
                                java.nio.ByteOrder.LITTLE_ENDIAN));
    }

    private double distance(Run.Result result) {
        return distance(result, base);
    }

    private static double distance(Run.Result result, Path from) {
        var before = weights(from);
        var sum = 0.0;
        for (var entry : weights(result.model()).entrySet()) {
            var was = before.get(entry.getKey());
            for (var i = 0; was != null && i < was.length; i++) {
                sum += Math.pow(entry.getValue()[i] - was[i], 2);
            }
        }
        return Math.sqrt(sum);
    }

    private static double rise(Run.Result result) {
        return result.scores().stream()
                .filter(s -> s.metric().equals("perplexity-rise"))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void whoIsHeldStaysNearerTheParentAndForgetsLess() {
        for (var defence :
                List.of(
                        "{type: l2-sp, alpha: 100, beta: 0}",
                        "{type: ewc, strength: 1e6, windows: 20, corpus: %s/prose.txt}"
                                .formatted(folder))) {
            var held = run("held-" + defence.substring(7, 10), defence);
            assertThat(distance(held)).as(defence).isLessThan(0.6 * distance(free));
            assertThat(rise(held)).as(defence).isLessThan(rise(free));
        }
        var distilled = run("distilled", "{type: lwf, weight: 20, temperature: 1}");
        assertThat(rise(distilled)).isLessThan(rise(free));
        // The figures have the loss that holds it.
        assertThat(distilled.folder().resolve("metrics.jsonl"))
                .content()
                .contains("\"distillation\"");
    }

    /// Springs of next to no strength leave what no decay leaves.
    @Test
    void whatIsHeldDoesNotDecayToo() {
        var springless = run("springless", "{type: l2-sp, alpha: 1e-12, beta: 1e-12}");
        var recipe = Recipes.write(recipe("still", "{type: none}", ""));
        assertThat(recipe).contains("weight-decay: 0.01");
        var still =
                new Run(
                                Recipes.parse(
                                        recipe.replace("weight-decay: 0.01", "weight-decay: 0"),
                                        "still"))
                        .train(s -> {});
        assertThat(distance(springless, still.model())).isLessThan(1e-4);
        assertThat(distance(springless, free.model())).isGreaterThan(5e-4);
    }

    /// By hand, of a model of one layer and width 16.
    @Test
    void whatADefenceComputesIsAPartOfTheCost() {
        var model = Anatomy.of(HuggingFace.config(base));
        double all = model.matrixWeights(), head = 16.0 * model.vocabulary();
        var tokens = cost(free, "tokens");
        // Letters of a text, the day's one or two and the word's four to seven among them.
        var length = 41;
        assertThat(cost(free, "flops"))
                .isCloseTo(tokens * (6 * (all - head) + 12 * 16 * length), withinPercentage(1e-9));
        // Each text passes forward through the parent, and forward and back once more.
        var distilled = run("told-again", "{type: lwf}");
        assertThat(cost(distilled, "tokens")).isEqualTo(tokens);
        assertThat(cost(distilled, "flops") - cost(free, "flops"))
                .isCloseTo(tokens * (2 + 6) * (all + 12 * 16 * length / 6.0), withinPercentage(3));
        // Five windows of 48 tokens, and scores once more to draw from.
        var held = run("asked", "{type: ewc, windows: 5, corpus: %s/prose.txt}".formatted(folder));
        assertThat(cost(held, "flops") - cost(free, "flops"))
                .isCloseTo(5 * 48 * (6 * all + 12 * 16 * 48 + 2 * head), withinPercentage(1e-6));
        // Of the windows that are replayed, two of 48 tokens a step, the vocabulary is scored.
        var replayed =
                run(
                        "replayed",
                        "{type: replay, fraction: 20%%, corpus: %s/prose.txt}".formatted(folder));
        assertThat(cost(replayed, "tokens")).isEqualTo(tokens + 6 * 2 * 48);
        assertThat(cost(replayed, "flops") - cost(free, "flops"))
                .isCloseTo(6 * 2 * 48 * (6 * all + 12 * 16 * 48), withinPercentage(1));
        // So are the seconds that it takes.
        assertThat(beforeTheFirstStep(held)).isGreaterThan(1e-4);
        assertThat(beforeTheFirstStep(free)).isLessThan(1e-6);
    }

    /// With a measurement and without, a plan has what a run computes beside the task.
    @Test
    void aPlanHasWhatADefenceComputes() {
        for (var measure : List.of(true, false)) {
            var alone = plan("{type: none}", measure);
            // After 3 and 6 steps, and when it is done: 30 texts, and the general text, which is
            // four fifths of it, or by the most that is read nearly all, and is measured before the
            // first step, too.
            var evaluation = Objects.requireNonNull(alone.work().evaluation());
            assertThat(evaluation.times()).isCloseTo(measure ? 3.8 : 3.98, within(0.02));
            assertThat(evaluation.tokens()).isGreaterThan(30 * 36.0 + 120 * 36);
            assertThat(alone.here().evaluating()).isPositive();
            assertThat(alone.notes()).anyMatch(note -> note.contains("lengths vary"));
            for (var defence :
                    List.of(
                            "{type: replay, fraction: 20%%, corpus: %s/prose.txt}"
                                    .formatted(folder),
                            "{type: ewc, windows: 5, corpus: %s/prose.txt}".formatted(folder))) {
                var made = run("planned-" + measure + defence.substring(7, 10), defence);
                var plan = plan(defence, measure);
                assertThat(known(plan.work().tokens()) - known(alone.work().tokens()))
                        .as(defence)
                        .isCloseTo(cost(made, "tokens") - cost(free, "tokens"), within(1e-6));
                assertThat(known(plan.operations().all()) - known(alone.operations().all()))
                        .as(defence)
                        .isCloseTo(cost(made, "flops") - cost(free, "flops"), withinPercentage(2));
                // What is replayed is none of the task's data.
                assertThat(plan.work().dataTokens()).isEqualTo(alone.work().dataTokens());
            }
        }
    }

    private static double known(@Nullable Double value) {
        return Objects.requireNonNull(value);
    }

    private static Plan plan(String defence, boolean measure) {
        return Planning.plan(
                recipe("plan", defence, ""),
                measure,
                Hardware.builtIn(),
                History.NONE,
                new Watcher() {});
    }

    private static double cost(Run.Result result, String kind) {
        return Json.read(result.folder().resolve("passport.json"))
                .path("cost")
                .path(kind)
                .asDouble();
    }

    private static double beforeTheFirstStep(Run.Result result) {
        var first = Journal.read(result.folder().resolve("metrics.jsonl")).getFirst();
        return first.seconds() - first.tokens() / first.tokensPerSecond();
    }

    @Test
    void anInterruptedRunEndsAsOneThatWasNot() {
        var defence =
                "{type: ewc, strength: 1000, windows: 5, corpus: %s/prose.txt}".formatted(folder);
        var whole = run("whole", defence);
        var recipe = recipe("halves", defence, "");
        var interrupted =
                new Watcher() {
                    @Override
                    public boolean stop() {
                        return true;
                    }
                };
        assertThatThrownBy(() -> new Run(recipe).train(interrupted, false))
                .isInstanceOf(EspalierException.class);
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));
    }

    @Test
    void theEndsOfTheLineAreTheParentAndTheTunedModel() {
        var line = run("line", "{type: wise-ft, steps: 4}");
        var before = value(line, "general-before", "perplexity");
        assertThat(value(line, "alpha-0.0-general", "perplexity")).isEqualTo(before);
        for (var metric : List.of("loss", "accuracy")) {
            assertThat(value(line, "alpha-1.0-validation", metric))
                    .isEqualTo(value(free, "validation", metric));
        }
        assertThat(
                        line.scores().stream()
                                .filter(s ->
                                        s.metric().equals("accuracy")
                                                && s.data().startsWith("alpha"))
                                .mapToDouble(Score::value)
                                .max()
                                .orElseThrow())
                .isEqualTo(value(line, "validation", "accuracy"));
        // With no room for forgetting the parent's body is left, whatever the task says.
        var bound =
                new Run(recipe("bound", "{type: wise-ft, steps: 4}", ", budget: 0")).train(s -> {});
        assertThat(rise(bound)).isLessThanOrEqualTo(0);
        assertThat(bound.stoppedBecause()).isNull();
    }

    private static double value(Run.Result result, String data, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow(() ->
                        new AssertionError(
                                data
                                        + " is not among "
                                        + result.scores().stream()
                                                .map(Score::data)
                                                .collect(Collectors.toSet())));
    }

    @Test
    void aSoupIsTheMeanOfTheModelsThatDoItNoHarm() {
        // The same model again: its average is the model itself, and no worse.
        var soup = run("soup", "{type: soup, models: [%s]}".formatted(free.model()));
        assertThat(soup.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(free.model().resolve("model.safetensors"));
        assertThat(value(soup, "soup-of-2-validation", "accuracy"))
                .isEqualTo(value(free, "validation", "accuracy"));
        assertThat(Averaging.mean(List.of(new float[] {1, 2}, new float[] {3, -4})))
                .containsExactly(2, -1);
        assertThat(Json.read(soup.folder().resolve("evaluation.json")).toString())
                .contains("soup-of-2");
    }

    /// Nothing may be forgotten at all: what is not defended goes beyond that.
    @Test
    void triesAreTheirRecipesAndThoseBeyondTheBudgetAreDrawn() throws IOException {
        var ways = "{type: cheapest, tries: [lora, lower-rate]}";
        var said = new java.util.ArrayList<String>();
        var listening =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.add(line);
                    }
                };
        var only = new Run(recipe("only", ways, ", budget: 0")).train(listening, false);
        var passport = Json.read(only.folder().resolve("passport.json"));
        // The weights of before are kept for want of others, and that is said.
        assertThat(passport.path("defence").asString()).isEqualTo("wise-ft");
        assertThat(passport.at("/tries/0/learnt").asBoolean()).isFalse();
        assertThat(said).anyMatch(line -> line.contains("wise-ft, at 0") && line.contains("kept"));
        assertThat(passport.path("tries")).hasSize(3);
        // What was tried in vain was paid for too.
        for (var kind : List.of("training-seconds", "flops")) {
            var each =
                    passport.path("tries")
                            .valueStream()
                            .map(t -> t.path(kind.replace("training-", "")).asDouble())
                            .toList();
            assertThat(each).hasSize(3).allMatch(spent -> spent > 0);
            assertThat(passport.path("cost").path(kind).asDouble())
                    .isCloseTo(each.stream().mapToDouble(t -> t).sum(), withinPercentage(1e-9));
        }
        for (var t : passport.path("tries").valueStream().skip(1).toList()) {
            assertThat(t.path("worse").asDouble()).isPositive();
            assertThat(t.at("/score/value").isNumber()).isTrue();
        }
        assertThat(only.folder().resolve("report.html"))
                .content()
                .contains("lora, beyond the budget", "lower-rate, beyond the budget", "at 0");

        // With another rate none of the tries is what it was.
        AtomicFiles.delete(only.model());
        var other =
                Recipes.parse(
                        Recipes.write(recipe("only", ways, ", budget: 0"))
                                .replace("rate: 0.01", "rate: 0.02"),
                        "only");
        said.clear();
        var again = new Run(other).train(listening, true);
        assertThat(said.stream().filter(line -> line.contains("made again"))).hasSize(3);
        assertThat(again.folder().resolve("tries/wise-ft/recipe.yaml"))
                .content()
                .contains("rate: 0.02");
    }

    /// Adapters are no matrices of the blocks, which are what Muon trains.
    @Test
    void aTryThatTheRecipeRefusesIsPassedOver() {
        var ways = "{type: cheapest, tries: [lora, lower-rate]}";
        var muon = with("muon", ways, "training.optimizer={type: muon}");
        var result = new Run(muon).train(s -> {});
        var tries = Json.read(result.folder().resolve("passport.json")).path("tries");
        assertThat(tries.valueStream().map(t -> t.path("name").asString()))
                .containsExactly("wise-ft", "lora", "lower-rate");
        assertThat(tries.at("/1/note").asString()).contains("not possible", "muon");
        assertThat(tries.at("/1/worse").isNumber()).isFalse();
        assertThat(tries.at("/2/worse").isNumber()).isTrue();
        assertThat(result.folder().resolve("tries/lora")).doesNotExist();
        // What all weights are refused for is wrong with the recipe.
        var nothing = with("nothing", ways, "training.groups=[{match: no-such-weight}]");
        assertThatThrownBy(() -> new Run(nothing).train(s -> {}))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.USAGE));
    }

    private static Recipe with(String name, String ways, String override) {
        return Recipes.parse(
                Recipes.write(recipe(name, ways, ", budget: 0")), name, List.of(override));
    }

    @Test
    void theCheapestDefenceThatIsGoodEnoughIsKept() throws IOException {
        // Whatever is forgotten is allowed: what is not defended is good enough.
        var easy = new Run(recipe("easy", "{type: cheapest}", ", budget: 1e9")).train(s -> {});
        var passport = Json.read(easy.folder().resolve("passport.json"));
        assertThat(passport.path("defence").asString()).isEqualTo("wise-ft");
        assertThat(passport.path("tries")).hasSize(1);
        // What ended after it had settled, and before anybody was told, is told when it goes on.
        var same = recipe("easy", "{type: cheapest}", ", budget: 1e9");
        assertThat(new Run(same).train(new Watcher() {}, true)).isEqualTo(easy);
        var other = Recipes.parse(Recipes.write(same).replace("rate: 0.01", "rate: 0.02"), "easy");
        assertThatThrownBy(() -> new Run(other).train(new Watcher() {}, true))
                .hasMessageContaining("finished");
        assertThatThrownBy(() -> new Run(same).train(new Watcher() {}, false))
                .hasMessageContaining("already");
        // Nearly nothing is: all are tried, and the best within the budget is kept.
        var ways =
                "{type: cheapest, corpus: %s/prose.txt, tries: [lwf, l2-sp, lower-rate, layer-decay, lora, replay, ewc, fewer-layers]}"
                        .formatted(folder);
        var tight =
                Recipes.parse(
                        Recipes.write(recipe("tight", ways, ", budget: 0.002"))
                                .replace("6 steps", "40 steps"),
                        "tight");
        var result = new Run(tight).train(s -> {});
        var tries = Json.read(result.folder().resolve("passport.json")).path("tries");
        assertThat(tries.path(0).path("name").asString()).isEqualTo("wise-ft");
        var names = new java.util.ArrayList<String>();
        var best = -1.0;
        for (var t : tries) {
            names.add(t.path("name").asString());
            if (t.path("worse").isNumber() && t.path("worse").asDouble() <= 0.002) {
                best = Math.max(best, t.path("score").path("value").asDouble());
            }
        }
        assertThat(names)
                .isSubsetOf(
                        "wise-ft",
                        "fewer-layers",
                        "lora",
                        "lower-rate",
                        "layer-decay",
                        "l2-sp",
                        "replay",
                        "ewc",
                        "lwf")
                .hasSizeGreaterThan(1);
        assertThat(rise(result)).isLessThanOrEqualTo(0.002);
        assertThat(
                        result.scores().stream()
                                .filter(s ->
                                        s.data().equals("validation")
                                                && s.metric().equals("accuracy"))
                                .findFirst()
                                .orElseThrow()
                                .value())
                .isEqualTo(best);
        assertThat(result.folder().resolve("report.html"))
                .content()
                .contains("<svg", "frontier", "lora");
        assertThat(result.model().resolve("model.safetensors")).exists();
        assertThat(result.folder().resolve("tries/wise-ft/model")).doesNotExist();
        assertThatThrownBy(() -> recipe("none", "{type: cheapest}", ""))
                .hasMessageContaining("forgetting.budget");
    }
}
