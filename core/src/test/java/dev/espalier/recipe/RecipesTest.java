package dev.espalier.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecipesTest {
    private static final String PRETRAIN =
            """
            data:
              sources:
                - {type: text, path: "books/**/*.txt"}
                - {type: jsonl, path: "qa.jsonl.gz", field: answer, weight: 2}
              validation: 1%
            tokenizer: {type: bpe, vocabulary: 16k}
            model: {type: gpt2, layers: 6, heads: 6, width: 384, context: 256}
            objective: {type: causal}
            training:
              for: 50M tokens
              batch: 64
              optimizer: {type: adamw, rate: 1e-3, betas: [0.9, 0.95], weight-decay: 0.1}
              schedule: {type: cosine, warmup: 2%, floor: 10%}
              precision: auto
            """;

    private static final String FINETUNE =
            """
            model: {path: runs/java-prose/model}
            task: {type: classification, text: sentence, label: area}
            data: {train: train.csv, validation: dev.csv, test: test.csv}
            adapter: {type: lora, rank: 8, alpha: 16, targets: attention}
            forgetting: {measure: {corpus: general.txt}, budget: 0.05, defence: {type: replay, fraction: 5%, corpus: general.txt}}
            """;

    private static final String OTHER_TRAINING =
            """
            model: {path: runs/java-prose/model}
            task: {type: classification, text: sentence, label: area}
            data: {train: train.csv, validation: dev.csv}
            training:
              optimizer: {type: muon, rate: 0.01, adamw: {rate: 3e-4}}
              groups:
                - {match: 'wte|wpe', rate-factor: 0.1}
                - {match: '\\.bias$', weight-decay: 0.5}
              layer-decay: 0.9
              schedule: {type: warmup-stable-decay, decay: 100 steps}
              label-smoothing: 10%
              z-loss: 1e-4
            """;

    @TempDir Path folder;

    @Test
    void readsOptimizersGroupsAndSchedules() {
        var training = Recipes.parse(OTHER_TRAINING, "x").training();
        assertThat(training.optimizer())
                .isEqualTo(
                        new OptimizerRecipe.Muon(
                                0.01,
                                0.95,
                                0.1,
                                new OptimizerRecipe.AdamW(3e-4, List.of(0.9, 0.95), 1e-8, 0.1)));
        assertThat(training.groups())
                .containsExactly(
                        new GroupRecipe("wte|wpe", 0.1, null), new GroupRecipe("\\.bias$", 1, 0.5));
        assertThat(training.schedule())
                .isEqualTo(
                        new ScheduleRecipe.WarmupStableDecay(
                                new Share(0.02), Duration.steps(100), 0));
        assertThatThrownBy(() -> Recipes.parse(OTHER_TRAINING.replace("wte|wpe", "wte("), "x"))
                .hasMessageContaining("training.groups[0].match")
                .hasMessageContaining("not a regular expression");
    }

    @Test
    void readsPretraining() {
        var recipe = (PretrainRecipe) Recipes.parse(PRETRAIN, "java-prose");
        assertThat(recipe.name()).isEqualTo("java-prose");
        assertThat(recipe.output()).isEqualTo(Path.of("runs/java-prose"));
        assertThat(recipe.data().sources())
                .containsExactly(
                        new SourceRecipe.Text("books/**/*.txt", 1, null),
                        new SourceRecipe.Jsonl("qa.jsonl.gz", "answer", 2, null));
        assertThat(recipe.data().validation()).isEqualTo(0.01);
        assertThat(recipe.tokenizer())
                .isEqualTo(new TokenizerRecipe.Bpe(16_000, 2, List.of("<|endoftext|>")));
        assertThat(recipe.model())
                .isEqualTo(
                        new ModelRecipe.Gpt2(
                                6, 6, 384, 256, 0, true, ModelRecipe.Gpt2.Activation.GELU_TANH));
        assertThat(recipe.training().duration()).isEqualTo(Duration.tokens(50_000_000));
        assertThat(recipe.training().schedule())
                .isEqualTo(new ScheduleRecipe.Cosine(new Share(0.02), 0.1));
        assertThat(recipe.training().microBatch()).isNull();
        assertThat(recipe.evaluate()).isEqualTo(new EvaluateRecipe(Duration.steps(500), null));
    }

    @Test
    void readsFinetuning() {
        var recipe = (FinetuneRecipe) Recipes.parse(FINETUNE, "area");
        assertThat(recipe.model())
                .isEqualTo(
                        new ModelRecipe.Saved(
                                Path.of("runs/java-prose/model"), List.of(), null, null));
        assertThat(recipe.adapter())
                .isEqualTo(
                        new AdapterRecipe.Lora(
                                8, 16, 0, List.of("attention"), false, false, false));
        assertThat(recipe.forgetting())
                .isEqualTo(
                        new ForgettingRecipe(
                                new ForgettingRecipe.Measure("general.txt"),
                                0.05,
                                new ForgettingRecipe.DefenceRecipe.Replay(0.05, "general.txt")));
        assertThat(recipe.training().optimizer())
                .isEqualTo(new OptimizerRecipe.AdamW(5e-4, List.of(0.9, 0.999), 1e-8, 0.01));
    }

    @Test
    void laysTheRecipeOverTheDefaultsKeyByKey() {
        var recipe =
                Recipes.parse(
                        FINETUNE
                                + "training: {optimizer: {rate: 1e-5}, schedule: constant, early-stopping: none}",
                        "area");
        var training = recipe.training();
        assertThat(training.optimizer())
                .isEqualTo(new OptimizerRecipe.AdamW(1e-5, List.of(0.9, 0.999), 1e-8, 0.01));
        assertThat(training.schedule()).isEqualTo(new ScheduleRecipe.Constant(new Share(0.02)));
        assertThat(training.earlyStopping()).isNull();
        assertThat(training.duration()).isEqualTo(Duration.epochs(20));
    }

    @ParameterizedTest
    @ValueSource(strings = {PRETRAIN, FINETUNE, OTHER_TRAINING})
    void writesWhatReadsBackEqual(String yaml) {
        var recipe = Recipes.parse(yaml, "x");
        var written = Recipes.write(recipe);
        assertThat(Recipes.parse(written, "y")).isEqualTo(recipe);
        assertThat(written).contains("micro-batch: auto", "epsilon: 1e-8");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "none",
                "auto",
                "null",
                "~",
                " a ",
                "a: b",
                "#x",
                "\"",
                "\\",
                "'",
                "*x",
                "é\u0000\u2028\ud83d\ude00",
                "true",
                "1e3",
                "- a",
                "[a]",
                "{a}",
                "@",
                "a\nb\tc\r",
                "\ufeff",
                "-",
                "/"
            })
    void writesAnyTextSoThatItReadsBack(String text) {
        var source = new SourceRecipe.Jsonl(text, text, 1.5, "UTF-8");
        var model = (PretrainRecipe) Recipes.parse(PRETRAIN, "x");
        var recipe =
                new PretrainRecipe(
                        "x",
                        Long.MAX_VALUE,
                        Path.of("none"),
                        new PretrainData(
                                List.of(source), 1 / 3.0, PretrainData.Sampling.RANDOM_CROPS, 0),
                        new TokenizerRecipe.Characters(List.of(text)),
                        model.model(),
                        new ObjectiveRecipe.Causal(7, false),
                        model.training(),
                        new EvaluateRecipe(Duration.epochs(0.3), 12L),
                        model.save());
        assertThat(Recipes.parse(Recipes.write(recipe), "x")).isEqualTo(recipe);
    }

    @Test
    void namesEveryMistakeWithItsPlaceAndTheNearestKey() {
        var yaml =
                PRETRAIN.replace("batch: 64", "bacth: 64")
                        .replace("width: 384", "width: wide")
                        .replace("type: cosine", "type: cosin")
                        .replace("weight: 2", "weight: -2")
                        .replace("precision: auto", "precision: fp16");
        assertThatThrownBy(() -> Recipes.parse(yaml, "x"))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.USAGE))
                .hasMessageContaining("5 mistakes")
                .hasMessageContaining(
                        "recipe:11:3: training.bacth: there is no such key; did you mean `batch`? allowed: for, batch,")
                .hasMessageContaining(
                        "recipe:7:49: model.width: `wide` is not a whole number in [1, 65536]")
                .hasMessageContaining(
                        "recipe:13:20: training.schedule.type: `cosin` is not known; did you mean `cosine`? allowed:"
                                + " cosine, constant")
                .hasMessageContaining("data.sources[1].weight: `-2` is not a number in (0, 1000]")
                .hasMessageContaining("`fp16` is not known; allowed: auto, fp32, bf16");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    model.width=385 | model.width: 385 cannot be shared evenly by 6 heads
                    training.micro-batch=7 | 7 does not divide the batch of 64
                    tokenizer=auto | tokenizer: is missing; a new model has none
                    objective.length=257 | 257 is more than the model's context; allowed: up to 256
                    training.schedule.warmup=51M tokens | longer than the run of 50000000 tokens
                    training.optimizer.betas=[0.9] | has 1 numbers; allowed: 2
                    training.optimizer.betas=[0.9, 1] | training.optimizer.betas[1]: `1` is not a number in [0, 1)
                    training.optimizer.rate=0 | `0` is not a number in (0, 10]
                    training.for=3 apples | `3 apples` is not a duration
                    training.for=2.5 steps | `2.5 steps` is not a duration
                    training.batch=2.5 | `2.5` is not a whole number
                    training.batch=1e400 | `1e400` is not a whole number
                    training.clip=1e999 | `1e999` is not a number
                    training.early-stopping.metric=accuracy | pre-training has no labels
                    data.sources=[] | data.sources: is empty
                    data.sources[0].charset=UTF-9 | `UTF-9` is not a character set
                    data.sources[0].field=x | `jsonl` and `tsv`, not of this
                    data.sources[4].path=x | has 2 items, so the next is [2]
                    data.sources.path=x | data.sources is a list; name an item
                    tokenizer.vocabulary=257 | ok
                    tokenizer.vocabulary=256 | `256` is not a whole number in [257, 1000000]
                    tokenizer.path=x | is a key of the kind without a type
                    model=resnet | `resnet` is not a type; allowed: gpt2
                    forgetting.budget=1 | forgetting: is a key of `fine-tuning`, not of this
                    task=classification | stands beside `objective`
                    name=../x | is not a name
                    name= | name: has no value
                    seed=0x10 | `0x10` is not a whole number
                    evaluate.every=none | `none` is not a duration
                    training..batch=1 | is not a path of keys
                    batch | is not `path=value`
                    """)
    void refuses(String override, String message) throws IOException {
        var file = Files.writeString(folder.resolve("r.yaml"), PRETRAIN);
        var thrown = catchThrowable(() -> Recipes.read(file, List.of(override)));
        if (message.equals("ok")) {
            assertThat(thrown).isNull();
        } else {
            assertThat(thrown).isInstanceOf(EspalierException.class).hasMessageContaining(message);
        }
    }

    @Test
    void overridesReachEveryPart() throws IOException {
        var file = Files.writeString(folder.resolve("my run.yaml"), PRETRAIN);
        var recipe =
                (PretrainRecipe)
                        Recipes.read(
                                file,
                                List.of(
                                        "training.batch=8",
                                        "data.sources[0].path=*.txt",
                                        "data.sources[2]={type: jdk}",
                                        "evaluate.every=1_000 steps",
                                        "tokenizer=characters",
                                        "tokenizer.special-tokens=[]"));
        assertThat(recipe.name()).isEqualTo("my-run");
        assertThat(recipe.training().batch()).isEqualTo(8);
        assertThat(recipe.data().sources().getFirst())
                .isEqualTo(new SourceRecipe.Text("*.txt", 1, null));
        assertThat(recipe.data().sources().get(2)).isEqualTo(new SourceRecipe.Jdk(null, 1));
        assertThat(recipe.evaluate().every()).isEqualTo(Duration.steps(1000));
        assertThat(recipe.tokenizer()).isEqualTo(new TokenizerRecipe.Characters(List.of()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    '' | is empty
                    '# nothing' | is empty
                    '[1]' | is not a recipe
                    'name: x' | says neither `objective`
                    'objetive: causal' | did you mean `objective`?
                    'taks: classification' | did you mean `task`?
                    'a: &x [1]' | anchors and aliases
                    'a: *x' | anchors and aliases
                    'a: !!java.net.URL [x]' | tags have no place
                    'a: [' | is not YAML
                    '--- {a: 1} --- {b: 1}' | is not YAML
                    '{a: 1, a: 2}' | the key `a` stands twice
                    '{[a]: 1}' | is not a key
                    """)
    void refusesWhatIsNoRecipe(String yaml, String message) {
        assertThatThrownBy(() -> Recipes.parse(yaml, "x"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(message);
    }

    @Test
    void refusesFilesBeyondAnyRecipe() throws IOException {
        assertThatThrownBy(() -> Recipes.parse("[".repeat(100_000), "x"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("nested deeper");
        assertThatThrownBy(() -> Recipes.parse("#".repeat(1 << 21), "x"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("longer than a recipe may be");
        assertThatThrownBy(() -> Recipes.read(folder.resolve("nowhere.yaml")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("nowhere.yaml: there is no such file");
        var binary = Files.write(folder.resolve("b.yaml"), new byte[] {(byte) 0xff, 0, 1});
        assertThatThrownBy(() -> Recipes.read(binary))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("not UTF-8");
        assertThatThrownBy(() -> Recipes.read(folder)).isInstanceOf(EspalierException.class);
    }

    @Test
    void refusesTestDataThatWasTrainedOn() {
        assertThatThrownBy(() -> Recipes.parse(FINETUNE.replace("test.csv", "train.csv"), "x"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("data.test: train.csv is `data.train` as well");
    }

    /// What one kind of classification has and another has not.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    task.pair=sentence | task.pair: is the column of the text as well
                    task.pair=area | task.label: is a column of text as well, `area`
                    task.problem=binary | `binary` is not a type; allowed: single-label, multi-label, regression
                    task.problem={type: multi-label, threshold: 1} | `1` is not a number in (0, 1)
                    task.problem={type: multi-label, separator: ""} | is not a text
                    task.problem={type: regression, threshold: 0.4} | is a key of `multi-label`, not of this
                    task={type: classification, problem: regression, class-weights: balanced} | a number has no classes; allowed: none
                    task.windows.stride=0 | `0` is not a whole number in [1, 1048576]
                    training.early-stopping.metric=micro-f1 | this task has no micro-f1; allowed: loss, accuracy, macro-f1
                    training.early-stopping.metric=macro-f1 | ok
                    """)
    void classificationRefuses(String override, String message) throws IOException {
        var file = Files.writeString(folder.resolve("r.yaml"), FINETUNE);
        var thrown = catchThrowable(() -> Recipes.read(file, List.of(override)));
        if (message.equals("ok")) {
            assertThat(thrown).isNull();
        } else {
            assertThat(thrown).isInstanceOf(EspalierException.class).hasMessageContaining(message);
        }
    }

    @Test
    void eachProblemHasItsOwnFiguresAndLosses() throws IOException {
        var file = Files.writeString(folder.resolve("r.yaml"), FINETUNE);
        var number = "task={type: classification, problem: regression}";
        for (var bad :
                List.of(
                        List.of(
                                "training.early-stopping.metric=accuracy",
                                "allowed: loss, spearman"),
                        List.of("training.label-smoothing=0.1", "a number has no labels"),
                        List.of("training.z-loss=0.1", "regression has no softmax to hold"))) {
            assertThatThrownBy(() -> Recipes.read(file, List.of(number, bad.get(0))))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining(bad.get(1));
        }
        var several =
                "task={type: classification, problem: {type: multi-label, threshold: validation}}";
        assertThatThrownBy(() ->
                        Recipes.read(
                                file, List.of(several, "training.early-stopping.metric=accuracy")))
                .hasMessageContaining("allowed: loss, macro-f1, micro-f1");
        var recipe = Recipes.read(file, List.of(several, "training.label-smoothing=0.1"));
        assertThat(((TaskRecipe.Classification) ((FinetuneRecipe) recipe).task()).problem())
                .isEqualTo(new ProblemRecipe.MultiLabel(";", null, false));
    }

    /// The YAML library reads 1025 characters at a time.
    @Test
    void readsPairsOfSurrogatesWhereverTheyStand() {
        for (var length = 1000; length < 1050; length++) {
            var comment = "#" + "x".repeat(length) + "\ud83c\udf33\n";
            assertThat(Recipes.parse(comment + PRETRAIN, "x").name()).isEqualTo("x");
        }
    }
}
