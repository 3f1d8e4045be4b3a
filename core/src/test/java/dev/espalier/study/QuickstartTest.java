package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.study.Quickstart.Budget;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuickstartTest {
    private static final String[] COMMON =
            "the a old small and in of by near with under over some many it was".split(" ");
    private static final Map<String, String[]> WORDS =
            Map.of(
                    "garden",
                    "rose bean soil seed rain leaf root bloom hedge spade pot stem weed".split(" "),
                    "harbour",
                    "boat net tide wave rope sail gull salt pier fish mast crew storm".split(" "));

    @TempDir Path temp;
    private final List<String> parts = new ArrayList<>();

    /// Files of 12 paragraphs of nonsense, by whose words a garden is told from a harbour.
    private Path texts() throws IOException {
        var rng = Rng.at(1);
        for (var label : List.of("garden", "harbour")) {
            var words = WORDS.getOrDefault(label, COMMON);
            var folder = Files.createDirectories(temp.resolve("texts").resolve(label));
            for (var file = 0; file < 16; file++) {
                var text = new StringBuilder();
                for (var paragraph = 0; paragraph < 12; paragraph++) {
                    for (var word = 0; word < 26; word++) {
                        var from = rng.nextInt(10) < 4 ? words : COMMON;
                        text.append(from[rng.nextInt(from.length)]).append(' ');
                    }
                    text.append("\n\n");
                }
                Files.writeString(folder.resolve(file + ".txt"), text);
            }
        }
        return temp.resolve("texts");
    }

    private final class Listener implements Quickstart.Listener {
        @Override
        public void begins(String part) {
            parts.add(part);
        }

        @Override
        public void step(long done, long total, String detail) {
            assertThat(done).isBetween(1L, total);
        }

        @Override
        public void wrote(String prompt, String continuation) {
            parts.add("wrote");
        }
    }

    @Test
    void theWholeJourneyLeavesItsFiguresItsReportAndModels() throws IOException {
        var corpus = Corpora.folder(texts());
        var sizes = new Quickstart.Sizes(16, 1, 2, List.of(new Budget(8, 1), new Budget(64, 1)), 2);
        var result = new Quickstart(corpus, sizes, 4096, 1, new Listener()).run(temp);

        assertThat(parts).containsExactly("tokenizer", "pre-training", "wrote", "fine-tuning");
        assertThat(result.labels()).containsExactly("garden", "harbour");
        assertThat(result.tokens()).isEqualTo(4096);
        assertThat(result.pretraining()).hasSize(8);
        assertThat(metric(result.after(), "perplexity"))
                .isLessThan(metric(result.before(), "perplexity"));
        assertThat(result.continuation()).isNotBlank();

        // At both budgets, over both seeds; LoRA and replay at the last.
        assertThat(result.cells())
                .extracting(cell -> cell.labels() + " " + cell.method())
                .containsExactly(
                        "8 fine-tuned",
                        "8 from scratch",
                        "8 bag of words",
                        "8 majority class",
                        "64 fine-tuned",
                        "64 from scratch",
                        "64 fine-tuned, LoRA",
                        "64 fine-tuned, replay",
                        "64 bag of words",
                        "64 majority class");
        var bag =
                result.cells().stream()
                        .filter(cell -> cell.labels() == 64 && cell.method().equals("bag of words"))
                        .findFirst()
                        .orElseThrow();
        // The labels are told by single words, and are balanced.
        assertThat(bag.accuracies()).hasSize(2).allMatch(accuracy -> accuracy > 0.9);
        assertThat(result.cells().getLast().mean().value()).isEqualTo(0.5);

        assertThat(result.forgetting())
                .extracting(Quickstart.Forgetting::method)
                .containsExactly(
                        "pre-trained", "fine-tuned", "fine-tuned, LoRA", "fine-tuned, replay");
        assertThat(result.forgetting().getFirst().perplexity().value())
                .isEqualTo(metric(result.after(), "perplexity"));
        assertThat(result.forgetting().get(1).rise()).isNotNull();

        var report = temp.resolve("report.html");
        QuickstartPage.write(report, result);
        assertThat(Files.readString(report))
                .contains("Espalier quickstart", "fine-tuned, replay", "garden", "<svg")
                .doesNotContain("NaN");

        var model = HuggingFace.readDecoder(temp.resolve("model")).model();
        assertThat(model.parameterCount()).isEqualTo(result.parameters());
        assertThat(model.vocabulary()).isEqualTo(result.vocabulary());
        model.free();
        assertThat(Tokenizers.read(temp.resolve("model")).vocabularySize())
                .isEqualTo(result.vocabulary());
        try (var classifier = TextClassifier.load(temp.resolve("classifier"))) {
            assertThat(classifier.labels()).isEqualTo(result.labels());
            assertThat(classifier.classify(corpus.test().getFirst().text()).probabilities())
                    .containsOnlyKeys(result.labels());
        }
    }

    private static double metric(List<Score> scores, String metric) {
        return scores.stream()
                .filter(score -> score.metric().equals(metric))
                .findFirst()
                .orElseThrow()
                .value();
    }
}
