package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.image.Preprocessor;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

class AdviseVerbTest {
    @TempDir Path folder;
    private String out = "";
    private String err = "";

    @BeforeEach
    void write() throws IOException {
        var train = new StringBuilder("text,label\n");
        for (var i = 0; i < 40; i++) {
            train.append(
                    "On day %d they sold herring by the road,%s%n"
                            .formatted(i, i % 2 == 0 ? "sea" : "mill"));
        }
        Files.writeString(folder.resolve("train.csv"), train);
        Files.writeString(
                folder.resolve("test.csv"),
                "text,label\nOn day 7 they sold herring by the  road,mill\n"
                        + "On day 99 they sold herring by the road,sea\nA wholly other matter,sea\n");
    }

    private int run(String input, String... args) {
        var outBytes = new ByteArrayOutputStream();
        var errBytes = new ByteArrayOutputStream();
        var utf8 = StandardCharsets.UTF_8;
        var stop = new Stop();
        var in = System.in;
        try {
            System.setIn(new ByteArrayInputStream(input.getBytes(utf8)));
            var all = new ArrayList<>(List.of(args));
            all.addFirst("advise");
            all.add("--output=" + folder.resolve("advice"));
            return new Main(
                            new PrintStream(outBytes, true, utf8),
                            new PrintStream(errBytes, true, utf8),
                            false)
                    .run(stop, all);
        } finally {
            System.setIn(in);
            stop.finished();
            out = outBytes.toString(utf8);
            err = errBytes.toString(utf8);
        }
    }

    /// A file that is not there and a number that is none are asked for again; what is left open is
    /// not known.
    @Test
    void asksWhereItIsGivenNothing() {
        var input =
                String.join(
                        "\n",
                        folder + "/none.csv",
                        folder + "/train.csv",
                        "text, label",
                        folder + "/test.csv",
                        "",
                        "",
                        "yes",
                        "soon",
                        "",
                        "2",
                        "",
                        "y",
                        "");
        assertThat(run(input, "--json")).as(err).isZero();
        assertThat(err)
                .contains("none.csv: there is no such file", "soon: a number above 0 is needed");
        var told = Json.mapper().readTree(out);
        var situation = told.path("situation");
        assertThat(situation.at("/labels/rarest").asInt()).isEqualTo(20);
        assertThat(situation.path("has-base").asBoolean()).isFalse();
        assertThat(situation.path("keep-general").asBoolean()).isTrue();
        assertThat(situation.at("/may/seconds").asDouble()).isEqualTo(7200);
        assertThat(situation.path("latency").isNull()).isTrue();
        // One of three is a copy but for white space, and one nearly so.
        assertThat(situation.path("leaked").asDouble()).isEqualTo(1 / 3.0);
        assertThat(situation.path("near-copies").asDouble()).isEqualTo(1 / 3.0);
        assertThat(told.path("advice").path("way").asString()).isEqualTo("BAG_OF_WORDS");
        assertThat(told.at("/advice/reasons").findValuesAsString("rule"))
                .contains("NEAR_COPIES", "SEEN_BEFORE", "PRIVATE_TEXT", "MUST_NOT_FORGET");
    }

    /// Where an hour here has a price, what training may cost is asked for too.
    @Test
    void asksForMoneyWhereThereIsAPrice() throws IOException {
        Files.writeString(
                folder.resolve("machines.json"),
                "{\"dated\": \"2026-01-31\", \"currency\": \"EUR\", \"machines\": [{\"name\": \"here\", \"price-per-hour\": 3.6}]}");
        // No labels, base or text; not to be kept, no latency; two hours, five euros.
        assertThat(
                        run(
                                "\n\n\n\n\n2\n5\n\n\n",
                                "--hardware=" + folder.resolve("machines.json"),
                                "--json"))
                .as(err)
                .isZero();
        var situation = Json.mapper().readTree(out).path("situation");
        assertThat(situation.at("/may/seconds").asDouble()).isEqualTo(7200);
        assertThat(situation.at("/may/price").asDouble()).isEqualTo(5);
    }

    /// What is known of a base and of records is measured: what each way costs, how long one text
    /// takes, which labels look wrong.
    @Test
    void whatIsGivenIsMeasured() throws IOException {
        var base = TinyModel.write(folder.resolve("base/model"), List.of());
        Files.writeString(
                folder.resolve("base/passport.json"), "{\"cost\": {\"training-seconds\": 7200}}");
        var train = new StringBuilder("text,label\n");
        for (var i = 0; i < 80; i++) {
            // Every tenth is labelled as the other.
            var bread = i % 2 == 0;
            train.append(
                    "they sold %s on day %c%c,%s%n"
                            .formatted(
                                    bread ? "bread and flour" : "herring and nets",
                                    'a' + i / 26,
                                    'a' + i % 26,
                                    bread == (i % 10 != 3) ? "mill" : "sea"));
        }
        Files.writeString(folder.resolve("train.csv"), train);
        Files.writeString(
                folder.resolve("machines.json"),
                "{\"dated\": \"2026-01-31\", \"currency\": \"EUR\", \"machines\": [{\"name\": \"here\", \"price-per-hour\": 3.6}]}");
        var given =
                new String[] {
                    "--labels=" + folder.resolve("train.csv"),
                    "--model=" + base,
                    "--money=0.000001",
                    "--memory=1000",
                    "--hardware=" + folder.resolve("machines.json"),
                    "--json"
                };
        assertThat(run("", given)).as(err).isZero();
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/situation/errors").asDouble()).isBetween(0.01, 0.2);
        assertThat(err).contains("labels that look wrong", "train.csv:");
        // A tenth is told otherwise than it is labelled.
        assertThat(told.at("/situation/bag-of-words/right").asDouble()).isBetween(0.8, 0.95);
        assertThat(told.at("/situation/bag-of-words/of").asInt()).isEqualTo(80);
        assertThat(told.at("/costs/bag of words/basis").asString())
                .startsWith("measured on 80 records; of 80 that it has not seen it tells ");
        assertThat(told.at("/situation/seconds").asDouble()).isBetween(1e-5, 1.0);
        assertThat(told.at("/situation/may/memory").asLong()).isEqualTo(1000L << 30);
        assertThat(told.at("/costs/pretrain/price").asDouble()).isEqualTo(7.2);
        assertThat(told.at("/costs/bag of words/seconds").asDouble()).isPositive();
        assertThat(told.at("/costs/fine tune/price").asDouble()).isPositive();
        assertThat(told.at("/advice/reasons").findValuesAsString("rule")).contains("OVER_MONEY");
        assertThat(run("", "--money=1")).isEqualTo(2);
        assertThat(err).contains("--money: the table has neither");
    }

    /// Where a bag of words tells too little for its doubts to mean anything, a first fifth is
    /// enough, and said to be one.
    @Test
    void ofHowManyRecordsAFigureIsSaid() throws IOException {
        var train = new StringBuilder("text,label\n");
        for (var i = 0; i < 2600; i++) {
            train.append("they sold herring on day %d,%s%n".formatted(i, i % 2 == 0 ? "a" : "b"));
        }
        Files.writeString(folder.resolve("train.csv"), train);
        assertThat(run("", "--labels=" + folder.resolve("train.csv"), "--json")).as(err).isZero();
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/situation/bag-of-words/of").asInt()).isEqualTo(520);
        assertThat(told.at("/costs/bag of words/basis").asString())
                .startsWith("measured on 2,600 records; of 520 that it has not seen it tells ");
        assertThat(told.at("/situation/errors").isNull()).isTrue();
        // The test that is to be split off would nearly stand among the rest, and only nearly.
        assertThat(told.at("/situation/near-copies").asDouble()).isGreaterThan(0.9);
        assertThat(told.at("/situation/leaked").isNull()).isTrue();
    }

    /// A T5 has no head for classes: it learns to write the label, and what cannot be measured is
    /// said.
    @Test
    void aBaseWithoutAHeadForClassesIsAdvisedOnToo() throws IOException {
        Files.writeString(
                folder.resolve("train.csv"),
                "text,label\n" + "herring,sea\nbread,mill\n".repeat(20));
        var base = TinyModel.writeT5(folder.resolve("t5"));
        var given =
                new String[] {
                    "--labels=" + folder.resolve("train.csv"),
                    "--model=" + base,
                    "--latency=5",
                    "--json"
                };
        assertThat(run("", given)).as(err).isZero();
        assertThat(err)
                .contains(
                        "how long telling one text takes is not measured: a T5 has no head",
                        "--latency: what it takes is not known")
                .doesNotContain("is not planned");
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/situation/seconds").isNull()).isTrue();
        assertThat(told.at("/costs/fine tune/seconds").asDouble()).isPositive();
        var recipe =
                (FinetuneRecipe) Recipes.read(Path.of(told.at("/recipes/fine tune").asString()));
        assertThat(recipe.task())
                .isInstanceOfSatisfying(
                        TaskRecipe.SequenceToSequence.class,
                        task -> assertThat(task.target()).isEqualTo("label"));
    }

    @Test
    void whatIsLeftOpenIsNotKnown() {
        assertThat(run("")).as(err).isZero();
        assertThat(out).contains("recommended: gather", "there are no records with labels");
    }

    /// There are at least twenty tokens for each weight.
    @Test
    void aNewModelIsAsLargeAsTheTextIsEnoughFor() {
        for (var tokens : List.of(20_000_000L, 100_000_000L, 3_000_000_000L)) {
            var recipe =
                    Recipes.parse(AdviseVerb.recipeOfText("docs/*.txt", tokens, tokens), "advice");
            var model = (ModelRecipe.Gpt2) ((PretrainRecipe) recipe).model();
            var tokenizer =
                    (TokenizerRecipe.Bpe)
                            Objects.requireNonNull(((PretrainRecipe) recipe).tokenizer());
            var weights =
                    12L * model.layers() * model.width() * model.width()
                            + (tokenizer.vocabulary() + 256L) * model.width();
            assertThat(20 * weights).isBetween(tokens / 2, tokens);
            assertThat(model.width()).isEqualTo(64 * model.heads());
        }
    }

    /// Where there is no time for all the text, a smaller model reads some of it.
    @Test
    void lessTextIsReadByASmallerModel() {
        var all = 3_000_000_000L;
        var recipe =
                (PretrainRecipe)
                        Recipes.parse(AdviseVerb.recipeOfText("a.txt", all, 20_000_000), "advice");
        assertThat(recipe.training().duration()).isEqualTo(Duration.tokens(20_000_000));
        assertThat(recipe.model())
                .isEqualTo(
                        ((PretrainRecipe)
                                        Recipes.parse(
                                                AdviseVerb.recipeOfText(
                                                        "a.txt", 20_000_000, 20_000_000),
                                                "advice"))
                                .model());
    }

    /// Two texts are enough to ask about, though not to fit anything to a part of them.
    @Test
    void aFewRecordsAreNoFault() throws IOException {
        for (var rows : List.of("a,x\nf,y\n", "a,x\na,y\n")) {
            Files.writeString(folder.resolve("train.csv"), "text,label\n" + rows);
            assertThat(run("", "--labels=" + folder.resolve("train.csv"))).as(err).isZero();
            assertThat(out).contains("recommended: gather", "few-labels");
        }
    }

    /// A machine is found by its name, wherever it stands in the table.
    @Test
    void thisMachineNeedNotStandFirstInTheTable() throws IOException {
        Files.writeString(
                folder.resolve("train.csv"),
                "text,label\n" + "they sold herring,sea\nthey baked bread,mill\n".repeat(20));
        var base = TinyModel.write(folder.resolve("base/model"), List.of());
        Files.writeString(
                folder.resolve("machines.json"),
                "{\"dated\": \"2026-01-31\", \"currency\": \"EUR\", \"machines\": ["
                        + "{\"name\": \"a100\", \"fp32-tflops\": 19.5, \"attained\": 0.4, \"price-per-hour\": 3e9},"
                        + "{\"name\": \"here\", \"price-per-hour\": 3.6}]}");
        assertThat(
                        run(
                                "",
                                "--labels=" + folder.resolve("train.csv"),
                                "--model=" + base,
                                "--hardware=" + folder.resolve("machines.json"),
                                "--json"))
                .as(err)
                .isZero();
        var cost = Json.mapper().readTree(out).at("/costs/fine tune");
        assertThat(cost.path("machine").asString()).isEqualTo("here");
        assertThat(cost.path("price").asDouble())
                .isCloseTo(cost.path("seconds").asDouble() / 1000, within(1e-9));
    }

    /// Of an encoder the distance is that of the tokens that are hidden; what has lost its head for
    /// them is said not to be measured. What must be kept is replayed.
    @Test
    void howFarTheDomainLiesIsMeasuredOfEncodersToo() throws IOException {
        var general = folder.resolve("general.txt");
        Files.writeString(general, "The miller sold the flour on Monday.\n\n".repeat(40));
        var domain = folder.resolve("domain.txt");
        Files.writeString(domain, "flour on the sold Monday.\n\n".repeat(20));
        var labeller = folder.resolve("labeller");
        var base = TinyModel.writeBert(folder.resolve("base"), labeller, List.of("O", "B-X"));
        var given =
                new ArrayList<>(
                        List.of(
                                "--labels=" + folder.resolve("train.csv"),
                                "--model=" + base,
                                "--general=" + general,
                                "--text=" + domain,
                                "--keep-general",
                                "--json"));
        assertThat(run("", given.toArray(String[]::new))).as(err).isZero();
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/situation/distance").asDouble()).isBetween(0.1, 10.0).isNotEqualTo(1);
        var further = Recipes.read(Path.of(told.at("/recipes/pretrain further").asString()));
        assertThat(((PretrainRecipe) further).data().sources())
                .hasSize(2)
                .last()
                .satisfies(s -> {
                    // A twentieth of what is seen.
                    var seen = s.weight() * Files.size(general);
                    assertThat(seen / (seen + Files.size(domain))).isCloseTo(0.05, within(1e-3));
                });
        assertThat(told.at("/advice/way").asString()).isEqualTo("FINE_TUNE_DEFENDED");
        var forgetting = forgetting(told.at("/recipes/fine tune defended").asString());
        assertThat(forgetting.budget()).isEqualTo(0.05);
        var replayed = ((DefenceRecipe.Cheapest) forgetting.defence()).corpus();
        var measured = forgetting.measure().corpus();
        assertThat(
                        Files.readString(Path.of(String.valueOf(measured)))
                                + Files.readString(Path.of(String.valueOf(replayed))))
                .isEqualToIgnoringWhitespace(Files.readString(general));
        given.set(3, "--text=" + general);
        assertThat(run("", given.toArray(String[]::new))).as(err).isZero();
        assertThat(Json.mapper().readTree(out).at("/situation/distance").asDouble()).isEqualTo(1);
        given.set(1, "--model=" + labeller);
        assertThat(run("", given.toArray(String[]::new))).as(err).isZero();
        assertThat(Json.mapper().readTree(out).at("/situation/distance").isNull()).isTrue();
        assertThat(err).contains("foresees no text by itself");
    }

    /// Where all defences take too much, one is planned; where that does too, neither is taken.
    @Test
    void defencesAreTriedAsFarAsThereIsTime() throws IOException {
        var general = folder.resolve("general.txt");
        Files.writeString(general, "the miller sold the flour on monday\n\n".repeat(40));
        var train = new StringBuilder("text,label\n");
        for (var i = 0; i < 40; i++) {
            train.append(
                    "they sold %s,%s%n".formatted("ab".repeat(i), i % 2 == 0 ? "sea" : "mill"));
        }
        Files.writeString(folder.resolve("train.csv"), train);
        var base = TinyModel.write(folder.resolve("base/model"), List.of());
        assertThat(
                        run(
                                "",
                                "--labels=" + folder.resolve("train.csv"),
                                "--model=" + base,
                                "--general=" + general,
                                "--keep-general",
                                "--hours=1e-9",
                                "--json"))
                .as(err)
                .isZero();
        var told = Json.mapper().readTree(out);
        assertThat(forgetting(told.at("/recipes/fine tune defended").asString()).defence())
                .isInstanceOf(DefenceRecipe.Lwf.class);
        assertThat(told.at("/advice/way").asString()).isEqualTo("BAG_OF_WORDS");
        assertThat(told.at("/advice/reasons").findValuesAsString("rule"))
                .startsWith("MUST_NOT_FORGET", "OVER_TIME", "OVER_TIME");
    }

    private static ForgettingRecipe forgetting(String recipe) {
        return Objects.requireNonNull(
                ((FinetuneRecipe) Recipes.read(Path.of(recipe))).forgetting());
    }

    /// A limit against which nothing is known to hold is said to rule nothing out.
    @Test
    void aLimitThatCannotBindIsSaid() {
        assertThat(run("", "--text=" + folder.resolve("train.csv"), "--hours=1", "--latency=1"))
                .as(err)
                .isZero();
        assertThat(err).contains("--latency: what it takes is not known").doesNotContain("--hours");
        var base = TinyModel.write(folder.resolve("base/model"), List.of());
        assertThat(run("", "--model=" + base, "--hours=1", "--memory=9")).as(err).isZero();
        // Nothing is trained without records.
        assertThat(out).contains("recommended: gather");
        assertThat(err).doesNotContain("what it takes is not known");
    }

    /// Records of one label alone are nothing to train on.
    @Test
    void oneLabelIsTooFew() throws IOException {
        Files.writeString(
                folder.resolve("train.csv"),
                "text,label\n" + "they sold herring,sea\nthey mended nets,sea\n".repeat(20));
        var base = TinyModel.write(folder.resolve("base/model"), List.of());
        assertThat(run("", "--labels=" + folder.resolve("train.csv"), "--model=" + base))
                .as(err)
                .isZero();
        assertThat(out).contains("recommended: gather", "one-label");
    }

    /// A switch by itself is an answer too.
    @Test
    void aSwitchAloneIsNoReasonToAsk() {
        assertThat(run("", "--private")).as(err).isZero();
        assertThat(err).doesNotContain("labelled records");
        assertThat(out).contains("private-text");
    }

    private Path pets() throws IOException {
        for (var label : List.of("cat", "dog")) {
            var place = Files.createDirectories(folder.resolve("pets").resolve(label));
            var image = new java.awt.image.BufferedImage(16, 16, 1);
            for (var i = 0; i < 20; i++) {
                image.setRGB(i % 4, i / 4 % 4, label.hashCode() + 1000 * i);
                javax.imageio.ImageIO.write(image, "png", place.resolve(i + ".png").toFile());
            }
        }
        return folder.resolve("pets");
    }

    /// From scratch there are steps enough to begin; what they take counts as that of texts.
    @Test
    void picturesAreCountedByTheirFolders() throws IOException {
        var pets = "--labels=" + pets();
        assertThat(run("", pets, "--hours=1000", "--json")).as(err).isZero();
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/situation/pictures").asInt()).isEqualTo(40);
        assertThat(told.at("/situation/labels/rarest").asInt()).isEqualTo(20);
        assertThat(told.at("/advice/way").asString()).isEqualTo("FINE_TUNE");
        assertThat(told.at("/costs/fine tune/seconds").asDouble()).isPositive();
        var recipe = Recipes.read(Path.of(told.at("/recipes/fine tune").asString()));
        assertThat(recipe.ofPictures()).isTrue();
        assertThat(recipe.training().duration()).isEqualTo(Duration.steps(8000));
        assertThat(run("", pets, "--hours=1e-9", "--json")).as(err).isZero();
        told = Json.mapper().readTree(out);
        assertThat(told.at("/advice/way").asString()).isEqualTo("NONE");
        assertThat(told.at("/advice/reasons").findValuesAsString("rule"))
                .containsExactly("FEW_PICTURES", "OVER_TIME");
    }

    /// With a base there is an adapter too, which is taken where all weights cost too much.
    @Test
    void picturesHaveAnAdapterToo() throws IOException {
        var base = Files.createDirectories(folder.resolve("vit"));
        var vit =
                new Vit(VitConfig.of(16, 8, 8, 1, 2, 0), new Problem.SingleLabel(List.of("a", "b")))
                        .initialize(1);
        HuggingFace.write(base, vit, JsonNodeFactory.instance.objectNode());
        Preprocessor.vit(16, 16).write(base);
        assertThat(run("", "--labels=" + pets(), "--model=" + base, "--json")).as(err).isZero();
        var told = Json.mapper().readTree(out);
        assertThat(told.at("/costs/adapter/seconds").asDouble()).isPositive();
        // Where the peak can be forgotten, what either takes is known, though not before in turn.
        var takes = told.at("/situation/takes");
        assertThat(takes.size()).isEqualTo(2);
        assertThat(takes.valueStream().allMatch(t -> t.path("memory").isNumber()))
                .isEqualTo(Files.isWritable(Path.of("/proc/self/clear_refs")));
        var adapter =
                (FinetuneRecipe) Recipes.read(Path.of(told.at("/recipes/adapter").asString()));
        assertThat(adapter.adapter()).isInstanceOf(AdapterRecipe.Lora.class);
    }

    /// What is asked of texts says nothing of pictures.
    @Test
    void whatIsForTextsIsRefusedOfPictures() throws IOException {
        var pets = "--labels=" + pets();
        for (var flag :
                List.of(
                        "--keep-general",
                        "--latency=5",
                        "--private",
                        "--text=" + folder.resolve("train.csv"),
                        "--general=" + folder.resolve("train.csv"),
                        "--columns=a,b")) {
            assertThat(run("", pets, flag)).isEqualTo(2);
            assertThat(err).contains(flag.replaceAll("=.*", "") + ": is for texts");
        }
    }
}
