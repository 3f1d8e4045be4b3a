package dev.espalier.train;

import dev.espalier.adapt.Lora;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Model;
import dev.espalier.model.Vit;
import dev.espalier.nn.Module;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.Anchor;
import dev.espalier.optim.FlatParameters;
import dev.espalier.recipe.AugmentRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Fine-tuning a model that sees on pictures with what is to be told of them. What differs from
/// task to task is its [Sight].
final class Seeing implements Job {
    private final FinetuneRecipe recipe;
    private final Vision.Ready<? extends Model> ready;
    private final Lora.@Nullable Settings lora;
    private final TextData.Labelled<LabelledImage> data;
    private final double flops;
    private final Sight sight;
    private final Learner learner;
    private @Nullable Judged judged;

    /// What a task makes of pictures.
    interface Sight {
        /// The micro-batch of training pictures.
        MicroBatch batch(List<Vision.Changed.Seen> pictures);

        /// The micro-batches of a step.
        default List<MicroBatch> step(List<MicroBatch> parts) {
            return parts;
        }

        /// What of a micro-batch is shown to a person.
        Stream<ExampleText> examples(MicroBatch part);

        /// Judges the model on `records`, which scores call `data`.
        Judged tell(String data, List<LabelledImage> records);

        /// Makes the choices of how the model is used that the validation pictures decide.
        default void settle(List<LabelledImage> validation) {}

        /// The metric that says most, by which the best weights are told unless the recipe names
        /// another.
        Metric metric();

        /// What of its earlier knowledge the model is asked for.
        default Forgetting forgetting() {
            return Forgetting.NOTHING;
        }

        /// Writes what the model is used with beside its weights and its preprocessor.
        default void write(Path folder) throws IOException {}
    }

    /// What the model made of pictures.
    ///
    /// @param judgement of their labels; null where other things are told
    /// @param taken what was taken for what, where no judgement tells it
    /// @param cases the best and the worst of them
    record Judged(
            List<Score> scores,
            @Nullable Judgement judgement,
            List<Block> taken,
            Supplier<List<Block>> cases) {
        Judged {
            scores = List.copyOf(scores);
            taken = List.copyOf(taken);
        }
    }

    /// What is learnt from.
    ///
    /// @param images each of which is seen once an epoch
    /// @param windows whether to see a part of each picture, at its own size
    record Lesson(List<LabelledImage> images, AugmentRecipe augment, boolean windows) {}

    private Seeing(
            FinetuneRecipe recipe,
            Vision.Ready<? extends Model> ready,
            Lora.@Nullable Settings lora,
            TextData.Labelled<LabelledImage> data,
            double flops,
            Sight sight,
            Learner learner) {
        this.recipe = recipe;
        this.ready = ready;
        this.lora = lora;
        this.data = data;
        this.flops = flops;
        this.sight = sight;
        this.learner = learner;
    }

    /// Gets the model ready to be trained.
    ///
    /// @param lora what [Finetuning#adapt] gave
    static Job prepare(
            FinetuneRecipe recipe,
            Vision.Ready<? extends Model> ready,
            Lora.@Nullable Settings lora,
            TextData.Labelled<LabelledImage> data,
            Lesson lesson,
            Vision.Load load,
            Sight sight) {
        var microBatch = load.microBatch(ready, recipe.training());
        var changed =
                new Vision.Changed(
                        lesson.images(),
                        lesson.augment(),
                        ready.fit(),
                        lesson.windows(),
                        recipe.seed());
        var learner =
                new Steps(
                        Vision.learner(
                                ready.model(),
                                lesson.images().size(),
                                recipe.training().batch(),
                                microBatch,
                                recipe.seed(),
                                (epoch, places) -> sight.batch(changed.at(epoch, places))),
                        // Of the positions some are the parent's.
                        ready.begun().stream()
                                .filter(path -> !path.endsWith(Vit.POSITIONS))
                                .collect(Collectors.toSet()),
                        sight,
                        recipe.forgetting());
        return new Seeing(
                Finetuning.completed(recipe, microBatch),
                ready,
                lora,
                data,
                load.flops(),
                sight,
                learner);
    }

    /// The parts of a step, which the task may want to know of each other.
    private record Steps(
            Learner parts, Set<String> begun, Sight sight, @Nullable ForgettingRecipe forgetting)
            implements Learner {
        @Override
        public Module model() {
            return parts.model();
        }

        @Override
        public double stepsPerEpoch() {
            return parts.stepsPerEpoch();
        }

        @Override
        public double tokensPerStep() {
            return parts.tokensPerStep();
        }

        @Override
        public List<MicroBatch> step(long step) {
            return sight.step(parts.step(step));
        }

        @Override
        public @Nullable Anchor anchor(FlatParameters parameters) {
            return forgetting != null && forgetting.defence() instanceof DefenceRecipe.L2Sp l
                    ? Defending.held(l, model(), parameters)
                    : null;
        }
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public List<ExampleText> examples(long step) {
        return learner.step(step).stream().flatMap(sight::examples).toList();
    }

    /// Of a picture, since it stands for a token here.
    @Override
    public double flopsPerToken() {
        return flops;
    }

    @Override
    public List<Score> validate(long tokens) {
        sight.settle(data.validation());
        return sight.tell("validation", data.validation()).scores();
    }

    @Override
    public long validated(long tokens) {
        return data.validation().size();
    }

    @Override
    public String chosenBy() {
        return Finetuning.chosenBy(recipe, sight.metric()).score();
    }

    @Override
    public Forgetting forgetting() {
        return sight.forgetting();
    }

    @Override
    public List<Score> finish() {
        sight.settle(data.validation());
        var validation = sight.tell("validation", data.validation());
        judged = validation;
        var all = new ArrayList<>(validation.scores());
        if (data.test() != null) {
            judged = sight.tell("test", data.test());
            all.addAll(judged.scores());
        }
        return all;
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        Finetuning.writeModel(folder, recipe, ready.model(), ready.config(), lora);
        ready.preprocessor().write(folder);
        sight.write(folder);
    }

    @Override
    public JsonNode dataPassport() {
        return data.passport();
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        var name = data.judgedName();
        var told = judged == null ? sight.tell(name, data.judged()) : judged;
        var its = scores.stream().filter(s -> s.data().equals(name)).toList();
        if (told.judgement() == null) {
            RunReports.seeing(
                    file,
                    recipe,
                    ended,
                    steps,
                    evaluations,
                    its,
                    sight.metric().score(),
                    told.taken(),
                    told.cases().get(),
                    dataPassport());
        } else {
            RunReports.finetuning(
                    file,
                    recipe,
                    ended,
                    steps,
                    evaluations,
                    its,
                    told.judgement(),
                    forgetting().outcome(),
                    told.cases().get(),
                    dataPassport());
        }
    }
}
