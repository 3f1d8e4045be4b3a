package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.BatchNorm2d;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.ScheduleRecipe;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.task.Example;
import dev.espalier.task.TextReader;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainerTest {
    private static final int VOCABULARY = 40;

    private static TrainingRecipe recipe(int steps, double rate) {
        return recipe(steps, new OptimizerRecipe.AdamW(rate, List.of(0.9, 0.95), 1e-8, 0.1));
    }

    private static TrainingRecipe recipe(int steps, OptimizerRecipe optimizer) {
        return new TrainingRecipe(
                Duration.steps(steps),
                8,
                null,
                optimizer,
                new ScheduleRecipe.Cosine(Duration.steps(2), 0.1),
                1,
                TrainingRecipe.Precision.FP32,
                false,
                null);
    }

    private static int[] window(long index) {
        var rng = Rng.at(11, index);
        var start = rng.nextInt(VOCABULARY);
        return IntStream.range(0, 13).map(i -> (start + i * i) % VOCABULARY).toArray();
    }

    private static CausalLearner learner(int microBatch, double dropout) {
        var model = new Gpt2(Gpt2Config.of(VOCABULARY, 12, 24, 2, 2, dropout)).initialize(3);
        return new CausalLearner(model, 12, 8, microBatch, 100, TrainerTest::window);
    }

    private static Trainer trainer(Learner learner, int steps) {
        return new Trainer(learner, recipe(steps, 1e-2), false, 5, Trainer.Speeds.UNKNOWN);
    }

    private static Trainer trainer(OptimizerRecipe optimizer) {
        return new Trainer(
                learner(4, 0.1), recipe(30, optimizer), false, 5, Trainer.Speeds.UNKNOWN);
    }

    private static List<Double> losses(Trainer trainer, int steps) {
        var losses = new ArrayList<Double>();
        for (var i = 0; i < steps; i++) {
            losses.add(trainer.step().loss());
        }
        return losses;
    }

    @Test
    void theModelLearns() {
        try (var trainer = trainer(learner(8, 0), 200)) {
            var losses = losses(trainer, 200);
            assertThat(losses.getFirst()).isCloseTo(Math.log(VOCABULARY), within(0.2));
            assertThat(losses.getLast()).isLessThan(2.6);
            assertThat(trainer.done()).isTrue();
            assertThat(trainer.progress())
                    .isEqualTo(new Progress(200, 200 * 8 * 12, 200 * 8 / 100.0));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void microBatchesChangeNothing(int microBatch) {
        try (var whole = trainer(learner(8, 0), 20);
                var split = trainer(learner(microBatch, 0), 20)) {
            for (var i = 0; i < 20; i++) {
                var a = whole.step();
                var b = split.step();
                assertThat(b.loss()).isCloseTo(a.loss(), within(1e-6 * a.loss() * 4));
                assertThat(b.gradientNorm())
                        .isCloseTo(a.gradientNorm(), within(2e-5 * a.gradientNorm()));
                assertThat(b.tokens()).isEqualTo(a.tokens());
            }
        }
    }

    /// In bf16 each product is rounded to 8 bits, whatever the split, and by each of two workers.
    @ParameterizedTest
    @ValueSource(ints = {8, 4, 2})
    void bf16FollowsFp32(int microBatch) {
        try (var exact = trainer(learner(8, 0), 20);
                var rounded =
                        new Trainer(
                                learner(microBatch, 0),
                                recipe(20, 1e-2),
                                true,
                                5,
                                Trainer.Speeds.UNKNOWN)) {
            for (var i = 0; i < 20; i++) {
                var a = exact.step();
                var b = rounded.step();
                assertThat(b.loss()).isCloseTo(a.loss(), within(0.02 * a.loss()));
                assertThat(b.loss()).isNotEqualTo(a.loss());
                assertThat(b.gradientNorm())
                        .isCloseTo(a.gradientNorm(), within(0.1 * a.gradientNorm()));
            }
        }
    }

    @Test
    void oneStepsGradientIsTheSameForEverySplit() {
        var weights = new ArrayList<float[]>();
        for (var microBatch : new int[] {8, 3, 1}) {
            var learner = learner(microBatch, 0);
            try (var flat = new dev.espalier.optim.FlatParameters(learner.model());
                    var scope = new dev.espalier.torch.Scope()) {
                for (var batch : learner.step(0)) {
                    batch.forward().backward(1.0 / (8 * 12));
                }
                weights.add(flat.gradients().floats());
            }
        }
        for (var other : weights.subList(1, 3)) {
            for (var i = 0; i < other.length; i++) {
                assertThat(other[i]).isCloseTo(weights.getFirst()[i], within(1e-6f));
            }
        }
    }

    static List<OptimizerRecipe> optimizers() {
        var adamw = new OptimizerRecipe.AdamW(1e-2, List.of(0.9, 0.95), 1e-8, 0.1);
        return List.of(
                adamw,
                new OptimizerRecipe.AdamW(1e-2, List.of(0.9, 0.95), 1e-8, 0.1, true, false),
                new OptimizerRecipe.Muon(1e-2, 0.95, 0.1, adamw),
                new OptimizerRecipe.Adafactor(0.1, true, true, 0.9, 1, 0.1),
                new OptimizerRecipe.Adafactor(1e-2, false, false, 0, 1, 0),
                new OptimizerRecipe.Lion(1e-3, List.of(0.9, 0.99), 1),
                new OptimizerRecipe.Sgd(0.1, 0.9, 0, true, 0.1),
                new OptimizerRecipe.Sgd(0.1, 0, 0, false, 0));
    }

    @ParameterizedTest
    @MethodSource("optimizers")
    void resumingIsNeverHavingStopped(OptimizerRecipe optimizer, @TempDir Path folder)
            throws IOException {
        List<Double> want;
        float[] wantWeights;
        try (var whole = trainer(optimizer)) {
            want = losses(whole, 30);
            wantWeights = whole.weights();
        }
        try (var first = trainer(optimizer)) {
            losses(first, 13);
            first.save(folder);
        }
        try (var second = trainer(optimizer)) {
            second.restore(folder);
            assertThat(second.progress().step()).isEqualTo(13);
            assertThat(losses(second, 17)).isEqualTo(want.subList(13, 30));
            assertThat(second.weights()).isEqualTo(wantWeights);
        }
    }

    @Test
    void aCheckpointOfAnotherVersionIsRefusedByName(@TempDir Path folder) throws IOException {
        try (var trainer = trainer(learner(4, 0), 30)) {
            trainer.save(folder);
            var state = folder.resolve("trainer.json");
            var said = Files.readString(state);
            for (var other : List.of("\"version\" : 1", "\"later\" : true")) {
                Files.writeString(state, said.replace("\"version\" : 2", other));
                assertThatThrownBy(() -> trainer.restore(folder))
                        .isInstanceOf(EspalierException.class)
                        .hasMessageContaining("trainer.json: is of version")
                        .hasMessageEndingWith("this program goes on from version 2");
            }
            Files.writeString(state, said);
            trainer.restore(folder);
        }
    }

    @Test
    void aCheckpointOfAnotherModelIsRefused(@TempDir Path folder) throws IOException {
        try (var trainer = trainer(learner(4, 0), 30)) {
            trainer.save(folder);
        }
        var model = new Gpt2(Gpt2Config.of(VOCABULARY, 12, 32, 2, 2, 0)).initialize(3);
        try (var other =
                trainer(new CausalLearner(model, 12, 8, 8, 100, TrainerTest::window), 30)) {
            assertThatThrownBy(() -> other.restore(folder))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("another size");
        }
        Files.delete(folder.resolve("optimizer.safetensors"));
        try (var same = trainer(learner(4, 0), 30)) {
            assertThatThrownBy(() -> same.restore(folder)).isInstanceOf(EspalierException.class);
        }
    }

    @Test
    void aLossThatIsNotANumberStopsTheRunAndLeavesTheWeights() {
        var learner = learner(8, 0);
        try (var trainer = trainer(learner, 10)) {
            var weights = trainer.weights();
            weights[0] = Float.NaN;
            trainer.restoreWeights(weights);
            assertThatThrownBy(trainer::step)
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(
                            "step 1: the loss is NaN in micro-batch 1 of 1 (language-model): window 0; window 1;")
                    .hasMessageContaining("training.bad-loss");
            assertThat(trainer.weights()).isEqualTo(weights);
            assertThat(trainer.progress()).isEqualTo(Progress.START);
        }
    }

    /// What is wrong with a micro-batch.
    private enum Poison {
        LOSS,
        GRADIENT
    }

    /// The second of three micro-batches of some steps is poisoned.
    private record Poisoned(CausalLearner healthy, Poison poison, Set<Long> steps)
            implements Learner {
        @Override
        public Module model() {
            return healthy.model();
        }

        @Override
        public double stepsPerEpoch() {
            return healthy.stepsPerEpoch();
        }

        @Override
        public double tokensPerStep() {
            return healthy.tokensPerStep();
        }

        @Override
        public List<MicroBatch> step(long step) {
            var batches = new ArrayList<>(healthy.step(step));
            if (steps.contains(step)) {
                batches.set(1, new Bad(batches.get(1), poison));
            }
            return batches;
        }
    }

    private record Bad(MicroBatch healthy, Poison poison) implements MicroBatch {
        @Override
        public String term() {
            return healthy.term();
        }

        @Override
        public double weight() {
            return healthy.weight();
        }

        @Override
        public long count() {
            return healthy.count();
        }

        @Override
        public long tokens() {
            return healthy.tokens();
        }

        @Override
        public List<String> where() {
            return healthy.where();
        }

        @Override
        public Loss forward() {
            var loss = healthy.forward();
            return switch (poison) {
                case LOSS -> scale -> loss.backward(scale).mul(Double.NaN);
                case GRADIENT -> scale -> loss.backward(Double.POSITIVE_INFINITY);
            };
        }
    }

    private static Trainer poisoned(Poison poison, TrainingRecipe.BadLoss badLoss, Long... steps) {
        var learner = new Poisoned(learner(3, 0.1), poison, Set.of(steps));
        return new Trainer(learner, skipping(badLoss), false, 5, Trainer.Speeds.UNKNOWN);
    }

    private static TrainingRecipe skipping(TrainingRecipe.BadLoss badLoss) {
        var r = recipe(30, 1e-2);
        return new TrainingRecipe(
                r.duration(),
                r.batch(),
                r.microBatch(),
                r.optimizer(),
                r.groups(),
                r.layerDecay(),
                r.schedule(),
                r.clip(),
                badLoss,
                r.labelSmoothing(),
                r.zLoss(),
                r.precision(),
                r.recompute(),
                r.earlyStopping());
    }

    private static final TrainingRecipe.BadLoss SKIP =
            new TrainingRecipe.BadLoss(TrainingRecipe.BadLoss.Then.SKIP, null, 3);

    @ParameterizedTest
    @EnumSource
    void theMicroBatchAtFaultIsNamed(Poison poison) {
        try (var trainer = poisoned(poison, TrainingRecipe.BadLoss.STOP, 2L)) {
            losses(trainer, 2);
            assertThatThrownBy(trainer::step)
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(
                            poison == Poison.LOSS
                                    ? "step 3: the loss is NaN"
                                    : "step 3: the gradient's norm is ")
                    .hasMessageContaining(
                            "in micro-batch 2 of 3 (language-model): window 19; window 20; window 21;");
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSkippedStepChangesNoWeightAndTheNextOnesLearn(Poison poison) {
        try (var trainer = poisoned(poison, SKIP, 2L, 4L, 5L)) {
            losses(trainer, 2);
            var weights = trainer.weights();
            var skipped = trainer.step();
            assertThat(trainer.weights()).isEqualTo(weights);
            assertThat(skipped.fault()).contains("micro-batch 2 of 3");
            assertThat(skipped.rate()).isZero();
            assertThat(skipped.step()).isEqualTo(3);
            assertThat(trainer.step().fault()).isNull();
            assertThat(trainer.weights()).isNotEqualTo(weights);
            assertThat(trainer.step().skipped()).isEqualTo(2);
            losses(trainer, 25);
            assertThat(trainer.skipped()).isEqualTo(3);
            assertThat(trainer.done()).isTrue();
        }
    }

    private static final class Normed extends Module {
        final BatchNorm2d norm = child("norm", new BatchNorm2d(2));
    }

    /// A picture of one brightness.
    private record Bright(Normed model, double brightness) implements MicroBatch {
        @Override
        public String term() {
            return "brightness";
        }

        @Override
        public double weight() {
            return 1;
        }

        @Override
        public long count() {
            return 1;
        }

        @Override
        public long tokens() {
            return 1;
        }

        @Override
        public List<String> where() {
            return List.of("a picture");
        }

        @Override
        public Loss forward() {
            return scale -> {
                var loss = model.norm.forward(Tensor.full(brightness, 1, 2, 3, 3)).sum();
                loss.mul(scale).backward();
                return loss;
            };
        }
    }

    private record Brightness(Normed model) implements Learner {
        @Override
        public double stepsPerEpoch() {
            return 3;
        }

        @Override
        public double tokensPerStep() {
            return 1;
        }

        @Override
        public List<MicroBatch> step(long step) {
            return List.of(new Bright(model, step == 1 ? Double.NaN : 2));
        }
    }

    /// Running means are gathered on the way forward, before the loss is known to be bad.
    @Test
    void aSkippedStepLeavesWhatIsGatheredBesideTheWeights() {
        var model = new Normed();
        try (var trainer =
                new Trainer(
                        new Brightness(model), skipping(SKIP), false, 5, Trainer.Speeds.UNKNOWN)) {
            trainer.step();
            var before = trainer.weights();
            assertThat(trainer.step().fault()).contains("the loss is NaN in micro-batch 1 of 1");
            assertThat(trainer.weights()).isEqualTo(before);
            trainer.step();
            var mean = model.parameters().get("norm.running_mean");
            assertThat(mean).isNotNull();
            if (mean != null) {
                assertThat(mean.value().floats())
                        .containsExactly(new float[] {0.38f, 0.38f}, within(1e-6f));
            }
        }
    }

    @Test
    void whatIsKeptComesBackThroughAFileToo(@TempDir Path folder) throws IOException {
        var file = folder.resolve("best.bin");
        float[] want;
        try (var trainer = brightness()) {
            assertThat(trainer.keptBytes()).isZero();
            trainer.step();
            trainer.keep();
            losses(trainer, 2);
            want = trainer.weights();
            trainer.keep();
            trainer.saveKept(file);
            assertThat(trainer.keptBytes()).isEqualTo(4L * want.length);
            assertThat(file).hasSize(4L * want.length);
            trainer.step();
            assertThat(trainer.weights()).isNotEqualTo(want);
            trainer.restoreKept();
            assertThat(trainer.weights()).isEqualTo(want);
        }
        try (var other = brightness()) {
            other.readKept(file);
            assertThat(other.weights()).isNotEqualTo(want);
            other.restoreKept();
            assertThat(other.weights()).isEqualTo(want);
        }
        try (var trainer = trainer(learner(4, 0), 30)) {
            assertThatThrownBy(() -> trainer.readKept(file))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("best.bin: has ")
                    .hasMessageContaining("resume with the recipe that wrote it");
        }
    }

    /// Whose second step is bad.
    private static Trainer brightness() {
        return new Trainer(
                new Brightness(new Normed()), skipping(SKIP), false, 5, Trainer.Speeds.UNKNOWN);
    }

    @Test
    void tooManyBadStepsInARowStopTheRun() {
        try (var trainer = poisoned(Poison.LOSS, SKIP, 0L, 1L, 3L, 4L, 5L)) {
            losses(trainer, 5);
            assertThatThrownBy(trainer::step)
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("step 6: the loss is NaN")
                    .hasMessageContaining("the 2 steps before were skipped already");
        }
    }

    @Test
    void resumingAmongSkippedStepsIsNeverHavingStopped(@TempDir Path folder) throws IOException {
        var spikes = new TrainingRecipe.BadLoss(TrainingRecipe.BadLoss.Then.SKIP, 1.001, 4);
        var want = new ArrayList<StepFigures>();
        float[] wantWeights;
        try (var whole = poisoned(Poison.LOSS, spikes, 22L, 23L)) {
            for (var i = 0; i < 30; i++) {
                want.add(whole.step());
                if (i == 22) {
                    whole.save(folder);
                }
            }
            wantWeights = whole.weights();
        }
        assertThat(want.get(22).fault()).startsWith("the loss is NaN");
        try (var second = poisoned(Poison.LOSS, spikes, 22L, 23L)) {
            second.restore(folder);
            for (var figures : want.subList(23, 30)) {
                var again = second.step();
                assertThat(again.loss()).isEqualTo((Double) figures.loss());
                assertThat(again.fault()).isEqualTo(figures.fault());
                assertThat(again.skipped()).isEqualTo(figures.skipped());
            }
            assertThat(second.weights()).isEqualTo(wantWeights);
        }
    }

    @Test
    void nativeMemoryIsFlatFromStepToStep() {
        try (var trainer = trainer(learner(2, 0.1), 300)) {
            losses(trainer, 20);
            System.gc();
            var before = Torch.liveObjects();
            losses(trainer, 200);
            // One object a step would make 200; a few come and go with the collector.
            assertThat(Torch.liveObjects()).isLessThan(before + 50);
        }
    }

    @Test
    void termsAreDividedByTheirOwnCounts() {
        var body = new Gpt2(Gpt2Config.of(VOCABULARY, 12, 24, 1, 2, 0)).initialize(3);
        var model = new SequenceClassifier(body, List.of("a", "b"));
        model.initializeHead(1);
        var examples =
                IntStream.range(0, 12)
                        .mapToObj(i ->
                                new Example(
                                        new TextReader.Tokens(new int[] {i, i + 1, 2 * i}, null),
                                        new double[] {i % 2},
                                        1,
                                        "record " + i))
                        .toList();
        var task =
                new ClassificationLearner(
                        model,
                        examples,
                        step ->
                                IntStream.range(0, 6)
                                        .map(i -> (int) ((step * 6 + i) % 12))
                                        .toArray(),
                        2,
                        4,
                        null,
                        false,
                        CrossEntropy.PLAIN,
                        0.75);
        var learner =
                new Replaying(
                        task, body, 3, 0.25, TrainerTest::window, null, 4, CrossEntropy.PLAIN);
        try (var trainer =
                new Trainer(learner, recipe(40, 3e-3), false, 5, Trainer.Speeds.UNKNOWN)) {
            var first = trainer.step();
            assertThat(first.terms()).containsOnlyKeys("classification", "replay");
            assertThat(first.terms().getOrDefault("classification", Double.NaN))
                    .isCloseTo(Math.log(2), within(0.1));
            assertThat(first.terms().getOrDefault("replay", Double.NaN))
                    .isCloseTo(Math.log(VOCABULARY), within(0.2));
            assertThat(first.loss())
                    .isCloseTo(
                            0.75 * first.terms().getOrDefault("classification", Double.NaN)
                                    + 0.25 * first.terms().getOrDefault("replay", Double.NaN),
                            within(1e-9));
            assertThat(first.tokens()).isEqualTo(6 * 3 + 3 * 12);
            assertThat(losses(trainer, 39).getLast()).isLessThan(first.loss());
        }
    }

    @Test
    void frozenParametersStayAndTrainedOnesMove() {
        var learner = learner(8, 0);
        learner.model().parameters().forEach((name, p) -> p.trained(name.contains("ln_f")));
        var before = learner.model().head().floats();
        try (var trainer = trainer(learner, 5)) {
            var norms = trainer.weights();
            losses(trainer, 3);
            assertThat(learner.model().head().floats()).isEqualTo(before);
            assertThat(trainer.weights()).isNotEqualTo(norms);
        }
    }
}
