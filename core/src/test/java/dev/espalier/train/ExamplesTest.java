package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Field;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.ExampleText.Piece;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is shown of a step's examples, for each objective and task.
class ExamplesTest {
    private static final String SENTENCE = "The baker sells seven brown loaves. ";
    private static final String GPT2 = "{type: gpt2, layers: 1, heads: 1, width: 8, context: 32}";
    private static final String BERT = "{type: bert, layers: 1, heads: 1, width: 8, context: 32}";
    private static final String BART = "{type: bart, layers: 1, heads: 1, width: 8, context: 64}";
    private static final String T5 =
            "{type: t5, layers: 1, heads: 1, head-width: 8, width: 8, hidden: 8, context: 32}";

    @TempDir Path folder;

    @BeforeEach
    void writeText() throws IOException {
        for (var i = 0; i < 40; i++) {
            Files.writeString(folder.resolve("prose-" + i + ".txt"), SENTENCE.strip());
        }
        var labelled = "the baker sells loaves,food\nthe smith sells nails,iron\n";
        Files.writeString(folder.resolve("a.csv"), "text,label\n" + labelled.repeat(20));
        Files.writeString(folder.resolve("b.csv"), "text,label\n" + labelled);
        var tagged = "Today O\nAnna B-PER\nHale I-PER\nwent O\nto O\nOslo B-LOC\n. O\n\n";
        Files.writeString(folder.resolve("a.conll"), tagged.repeat(20));
        Files.writeString(folder.resolve("b.conll"), tagged);
    }

    /// So many that it does not matter which documents are kept back, by the hash of their names.
    private List<ExampleText> examples(String model, String objective) {
        return of(
                """
                name: run
                output: %1$s/run
                data: {sources: [{type: text, path: "%1$s/prose-*.txt"}], validation: 20%%}
                tokenizer: {type: bpe, vocabulary: 261, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}
                model: %2$s
                objective: %3$s
                training: {for: 9 steps, batch: 24, micro-batch: 4}
                """
                        .formatted(folder, model, objective));
    }

    private static List<ExampleText> of(String recipe) {
        var run = new Run(Recipes.parse(recipe, "run"));
        var examples = run.examples(1, new Watcher() {});
        assertThat(run.examples(1, new Watcher() {})).isEqualTo(examples);
        assertThat(run.examples(2, new Watcher() {})).isNotEqualTo(examples);
        assertThat(examples).allSatisfy(e -> assertThat(e.where()).contains("/"));
        return examples;
    }

    private static String text(Field field) {
        return field.pieces().stream().map(Piece::text).collect(Collectors.joining());
    }

    private static String text(ExampleText example) {
        return example.fields().stream().map(ExamplesTest::text).collect(Collectors.joining());
    }

    /// What remains of a text when noise is undone.
    private static String told(Field field) {
        return field.pieces().stream()
                .map(p -> p.target() == null ? p.text() : p.target())
                .collect(Collectors.joining());
    }

    private static List<Piece> marked(List<ExampleText> examples, Mark mark) {
        return examples.stream()
                .flatMap(e -> e.fields().stream())
                .flatMap(f -> f.pieces().stream())
                .filter(p -> p.mark() == mark)
                .toList();
    }

    @Test
    void aCausalModelIsToTellAllButTheFirstTokenItSees() {
        var examples = examples(GPT2, "{type: causal}");
        assertThat(examples).hasSize(24);
        var stream = (SENTENCE.strip() + "</s>").repeat(3);
        assertThat(examples)
                .allSatisfy(e -> {
                    assertThat(stream).contains(text(e));
                    var pieces = new ArrayList<Piece>();
                    e.fields().forEach(field -> pieces.addAll(field.pieces()));
                    assertThat(pieces.getFirst().mark()).isEqualTo(Mark.READ);
                    assertThat(pieces).first().extracting(p -> length(p.text())).isEqualTo(1);
                    assertThat(pieces.subList(1, pieces.size()))
                            .allSatisfy(p -> assertThat(p.mark()).isEqualTo(Mark.TARGET));
                    for (var field : e.fields().subList(1, e.fields().size())) {
                        assertThat(text(field)).startsWith("T");
                    }
                })
                .anySatisfy(e -> assertThat(e.fields()).hasSize(2));
    }

    private static int length(String text) {
        return text.replace("</s>", "$").length();
    }

    @Test
    void ofDocumentsApartNothingIsToTellTheFirstToken() {
        var examples = examples(GPT2, "{type: causal, across-documents: false}");
        assertThat(examples)
                .anySatisfy(e -> {
                    assertThat(e.fields()).hasSize(2);
                    assertThat(e.fields().get(1).pieces().getFirst())
                            .isEqualTo(new Piece("T", Mark.READ));
                });
    }

    @Test
    void gapsToFillStandWithTheirSentinels() {
        var examples = examples(GPT2, "{type: fill-in-the-middle, rate: 100%, suffix-first: 0%}");
        assertThat(examples)
                .anySatisfy(e ->
                        assertThat(text(e))
                                .contains("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"));
        assertThat(marked(examples, Mark.HIDDEN))
                .extracting(Piece::text)
                .contains("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
                .allMatch(text -> text.matches("(<\\|fim_\\w+\\|>)+"));
        assertThat(marked(examples, Mark.TARGET))
                .isNotEmpty()
                .noneMatch(p -> p.text().contains("fim_"));
    }

    @Test
    void whatIsHiddenReplacedAndKeptIsToldApart() {
        var examples = examples(BERT, "{type: masked, rate: 50%, masked: 40%, random: 40%}");
        assertThat(examples)
                .allSatisfy(e -> {
                    assertThat(e.fields()).hasSize(1);
                    assertThat((SENTENCE.strip() + "</s>").repeat(3))
                            .contains(
                                    told(e.fields().getFirst())
                                            .replaceFirst("^<s>", "")
                                            .replaceFirst("</s>$", ""));
                });
        assertThat(marked(examples, Mark.HIDDEN))
                .isNotEmpty()
                .allSatisfy(p -> assertThat(p.text()).isEqualTo("<mask>"))
                .allSatisfy(p -> assertThat(p.target()).isNotNull().isNotEqualTo("<mask>"));
        assertThat(marked(examples, Mark.RANDOM))
                .isNotEmpty()
                .allSatisfy(p -> assertThat(p.target()).isNotNull().isNotEqualTo(p.text()));
        assertThat(marked(examples, Mark.KEPT))
                .isNotEmpty()
                .allSatisfy(p -> assertThat(p.target()).isEqualTo(p.text()));
        var chosen =
                marked(examples, Mark.HIDDEN).size()
                        + marked(examples, Mark.RANDOM).size()
                        + marked(examples, Mark.KEPT).size();
        var tokens =
                examples.stream()
                        .map(e -> told(e.fields().getFirst()))
                        .mapToInt(told -> told.replaceAll("</?s>", "").length())
                        .sum();
        assertThat(chosen / (double) tokens).isBetween(0.4, 0.6);
    }

    @Test
    void whatWasSpoiltStandsBesideWhatItWas() {
        var examples = examples(BART, "{type: denoising, infilling: 40%, span: 2}");
        assertThat(examples)
                .allSatisfy(e -> {
                    assertThat(e.fields())
                            .extracting(Field::name)
                            .containsExactly("input", "target");
                    assertThat(text(e.fields().get(0)))
                            .contains("<mask>")
                            .startsWith("<s>")
                            .endsWith("</s>");
                    assertThat(e.fields().get(1).pieces())
                            .singleElement()
                            .satisfies(p -> assertThat(p.mark()).isEqualTo(Mark.TARGET))
                            .satisfies(p -> assertThat(p.text()).doesNotContain("<mask>"));
                });
        assertThat(marked(examples, Mark.HIDDEN))
                .isNotEmpty()
                .allSatisfy(p -> assertThat(p.text()).matches("(<mask>)+"));
    }

    @Test
    void whatMovedAndWhatDisappearedIsShown() throws IOException {
        for (var i = 0; i < 40; i++) {
            Files.writeString(folder.resolve("prose-" + i + ".txt"), "One is two. Four! Is it?");
        }
        var plain = "infilling: 0%, permute-sentences: 0%";
        assertThat(marked(examples(BART, "{type: denoising, " + plain + "}"), Mark.READ))
                .allSatisfy(p -> assertThat(p.text()).startsWith("<s>").endsWith("</s>"));
        var deleted = examples(BART, "{type: denoising, deletion: 20%, " + plain + "}");
        assertThat(marked(deleted, Mark.MOVED)).isEmpty();
        // Where nothing moved, what disappeared stands between what is left.
        assertThat(deleted)
                .allSatisfy(e -> {
                    assertThat(marked(List.of(e), Mark.CUT)).isNotEmpty();
                    assertThat(text(e.fields().get(0))).isEqualTo(text(e.fields().get(1)));
                });
        for (var noise : List.of("infilling: 0%", plain + ", rotation: 100%")) {
            var moved = examples(BART, "{type: denoising, %s}".formatted(noise));
            assertThat(marked(moved, Mark.MOVED)).isNotEmpty();
            assertThat(marked(moved, Mark.CUT)).isEmpty();
            assertThat(moved)
                    .allSatisfy(e -> {
                        var input = text(e.fields().get(0));
                        var target = text(e.fields().get(1));
                        var marked = marked(List.of(e), Mark.MOVED);
                        assertThat(marked.isEmpty()).isEqualTo(input.equals(target));
                    });
        }
    }

    @Test
    void spansStandForTheirSentinels() {
        var examples = examples(T5, "{type: span-corruption}");
        assertThat(examples)
                .allSatisfy(e -> {
                    var hidden = marked(List.of(e), Mark.HIDDEN);
                    var target = text(e.fields().get(1));
                    assertThat(hidden).isNotEmpty();
                    // The target names each sentinel of the input, and the text that it stands for.
                    var whole = text(e.fields().get(0)).replaceFirst("</s>$", "");
                    var parts = target.replaceFirst("</s>$", "").split("<extra_id_\\d+>");
                    for (var i = 0; i < hidden.size(); i++) {
                        assertThat(hidden.get(i).text()).isEqualTo("<extra_id_" + i + ">");
                        whole = whole.replace(hidden.get(i).text(), parts[i + 1]);
                    }
                    assertThat((SENTENCE.strip() + "</s>").repeat(3)).contains(whole);
                });
    }

    @Test
    void aTextIsCutInTwo() {
        var examples = examples(T5, "{type: prefix}");
        assertThat(examples)
                .allSatisfy(e ->
                        assertThat((SENTENCE.strip() + "</s>").repeat(3))
                                .contains(
                                        text(e.fields().get(0)).replaceFirst("</s>$", "")
                                                + text(e.fields().get(1))
                                                        .replaceFirst("</s>$", "")));
        assertThat(marked(examples, Mark.HIDDEN)).isEmpty();
    }

    private String finetuning(String task, String ending) {
        return """
        name: run
        output: %1$s/run
        data: {train: %1$s/a.%3$s, validation: %1$s/b.%3$s}
        tokenizer: {type: characters, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}
        model: %4$s
        task: %2$s
        training: {for: 9 steps, batch: 6, micro-batch: 2}
        """
                .formatted(folder, task, ending, GPT2);
    }

    @Test
    void aTextStandsWithItsLabelAndWhatIsCutOfIt() {
        var examples = of(finetuning("{type: classification, max-length: 10}", "csv"));
        assertThat(examples)
                .hasSize(6)
                .allSatisfy(e -> {
                    assertThat(e.fields()).extracting(Field::name).containsExactly("text", "label");
                    assertThat(e.fields().get(0).pieces())
                            .extracting(Piece::mark)
                            .containsExactly(Mark.READ, Mark.CUT);
                    assertThat(e.fields().get(0).pieces().getFirst().text()).hasSize(10);
                    var label = e.fields().get(1).pieces().getFirst();
                    assertThat(label.mark()).isEqualTo(Mark.TARGET);
                    assertThat(text(e.fields().get(0)))
                            .isEqualTo(
                                    label.text().equals("food")
                                            ? "the baker sells loaves"
                                            : "the smith sells nails");
                });
    }

    @Test
    void eachWordStandsWithItsTag() {
        for (var model : List.of(GPT2, BERT)) {
            var recipe = finetuning("{type: token-labelling}", "conll").replace(GPT2, model);
            assertThat(new Run(Recipes.parse(recipe, "run")).examples(0, new Watcher() {}))
                    .first()
                    .satisfies(e ->
                            assertThat(e.fields().getFirst().pieces())
                                    .containsExactly(
                                            new Piece("Today", Mark.READ, "O"),
                                            new Piece(" Anna", Mark.READ, "B-PER"),
                                            new Piece(" Hale", Mark.READ, "I-PER"),
                                            new Piece(" went", Mark.READ, "O"),
                                            new Piece(" to", Mark.READ, "O"),
                                            new Piece(" Oslo", Mark.READ, "B-LOC"),
                                            new Piece(" .", Mark.READ, "O")));
        }
    }
}
