package dev.espalier.report;

import dev.espalier.Rng;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import java.util.ArrayList;
import java.util.List;

/// Reports with figures as runs give them, for the tests and to look at.
final class Examples {
    private static final List<String> AREAS =
            List.of(
                    "collections and text",
                    "concurrency",
                    "databases",
                    "dates",
                    "files and network",
                    "language",
                    "management",
                    "printing and sound",
                    "security",
                    "windows and drawing",
                    "XML");

    private static final RunReport.Heading HEADING =
            new RunReport.Heading(
                    "Quickstart",
                    "23 November 2026, 20:14 · seed 1 · AMD EPYC 9554, 2 threads",
                    List.of(
                            new Block.Definition(
                                    "Text",
                                    "the documentation of JDK 25: 61 204 documents, 25.1 MB"),
                            new Block.Definition(
                                    "Model",
                                    "GPT-2, 4 layers of width 192, 6 heads, 64 tokens, 2.6 M parameters"),
                            new Block.Definition(
                                    "SHA-256",
                                    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")),
                    "tokens");

    private Examples() {}

    static List<RunReport.Step> steps(int count) {
        var rng = Rng.at(11);
        var steps = new ArrayList<RunReport.Step>();
        for (var s = 1; s <= count; s++) {
            var part = (double) s / count;
            steps.add(
                    new RunReport.Step(
                            s,
                            2048L * s,
                            3.9
                                    + 4.4 * Math.exp(-6 * part)
                                    - 0.35 * part
                                    + 0.09 * rng.nextGaussian(),
                            2e-3
                                    * Math.min(
                                            part / 0.1,
                                            0.05 + 0.95 * (0.5 + 0.5 * Math.cos(Math.PI * part))),
                            0.6 + 2 * Math.exp(-30 * part) + 0.08 * Math.abs(rng.nextGaussian()),
                            11_200 + 300 * rng.nextGaussian(),
                            0.61,
                            1_240_000_000,
                            s * 0.185));
        }
        return steps;
    }

    static ConfusionMatrix confusion(List<String> labels) {
        return classification(labels).confusion();
    }

    static Classification classification(List<String> labels) {
        var rng = Rng.at(12);
        int[] truth = new int[1100], predicted = new int[1100];
        for (var i = 0; i < truth.length; i++) {
            truth[i] = i % labels.size();
            predicted[i] =
                    rng.nextDouble() < 0.5 + 0.04 * truth[i] % 0.4
                            ? truth[i]
                            : Math.floorMod(
                                    truth[i] + (int) (2.5 * rng.nextGaussian()), labels.size());
        }
        return new Classification(labels, truth, predicted);
    }

    static Report pretraining() {
        var evaluations = new ArrayList<RunReport.Evaluation>();
        for (var s = 250; s <= 2000; s += 250) {
            var loss = 3.68 + 4.4 * Math.exp(-s / 333.0);
            evaluations.add(
                    new RunReport.Evaluation(
                            s,
                            List.of(
                                    new Score(
                                            "validation",
                                            "loss",
                                            loss,
                                            loss - 0.06,
                                            loss + 0.06,
                                            32768))));
        }
        return RunReport.pretraining(
                new RunReport.Heading(
                        "java-prose", "23 November 2026 · seed 1", HEADING.passport(), "tokens"),
                steps(2000),
                evaluations,
                List.of(
                        new Score("validation", "loss", 3.691, 3.632, 3.75, 32768),
                        new Score("validation", "bits-per-byte", 1.412, 1.388, 1.436, 122_345)),
                List.of(
                        new Block.Sample(
                                "Returns the number of",
                                " elements in this list.",
                                "temperature 0.7")));
    }

    static Report finetuning() {
        var result = classification(AREAS);
        var scores = new ArrayList<>(result.scores("test", 1));
        scores.add(Score.of("test", "majority-accuracy", result.always(0).accuracy(), 1100));
        scores.add(Score.of("test", "bag-of-words-accuracy", Interval.share(470, 1100), 1100));
        var evaluations = new ArrayList<RunReport.Evaluation>();
        for (var s = 20; s <= 100; s += 20) {
            evaluations.add(new RunReport.Evaluation(s, List.of(scores.getFirst())));
        }
        return RunReport.finetuning(
                new RunReport.Heading(
                        "areas", "23 November 2026 · seed 1", HEADING.passport(), "tokens"),
                steps(100),
                evaluations,
                scores,
                result,
                new Forgotten(
                        List.of(
                                new Forgotten.Kept(
                                        "general",
                                        "perplexity",
                                        true,
                                        new Interval(40.1, 38, 42),
                                        new Interval(55.3, 52, 58),
                                        new Interval(0.379, 0.35, 0.41)),
                                new Forgotten.Kept(
                                        "reviews",
                                        "accuracy",
                                        false,
                                        new Interval(0.81, 0.78, 0.84),
                                        new Interval(0.77, 0.73, 0.8),
                                        new Interval(-0.04, -0.06, -0.02))),
                        0.5),
                List.of());
    }

    static Report quickstart() {
        return RunReport.quickstart(
                new RunReport.Journey(
                        HEADING,
                        steps(342),
                        List.of(
                                new Score("prose", "loss", 8.34, 8.33, 8.35, 32768),
                                new Score("prose", "perplexity", 4188, 4150, 4230, 32768),
                                new Score("prose", "bits-per-byte", 3.18, 3.15, 3.21, 120_000)),
                        List.of(
                                new Score("prose", "loss", 3.69, 3.632, 3.75, 32768),
                                new Score("prose", "perplexity", 40.1, 37.8, 42.5, 32768),
                                new Score("prose", "bits-per-byte", 1.412, 1.388, 1.436, 120_000)),
                        List.of(
                                new Block.Sample(
                                        "Returns a view of the portion of this",
                                        " list between the specified index and the end of the list. The returned"
                                                + " list is backed by this list, so changes in the returned list are"
                                                + " reflected in this list, and vice-versa.",
                                        "temperature 0.7, top-k 40, seed 1")),
                        List.of(
                                new RunReport.Cell(
                                        "fine-tuned", 64, List.of(0.412, 0.433, 0.421), 4.1),
                                new RunReport.Cell(
                                        "from scratch", 64, List.of(0.231, 0.252, 0.219), 4.0),
                                new RunReport.Cell(
                                        "bag of words", 64, List.of(0.398, 0.421, 0.38), 0.02),
                                new RunReport.Cell(
                                        "majority class", 64, List.of(0.0909, 0.0909, 0.0909), 0),
                                new RunReport.Cell(
                                        "fine-tuned", 512, List.of(0.601, 0.592, 0.61), 12.4),
                                new RunReport.Cell(
                                        "from scratch", 512, List.of(0.402, 0.42, 0.409), 12.3),
                                new RunReport.Cell("fine-tuned, LoRA", 512, List.of(0.573), 10.2),
                                new RunReport.Cell("fine-tuned, replay", 512, List.of(0.598), 15.0),
                                new RunReport.Cell(
                                        "bag of words", 512, List.of(0.612, 0.605, 0.623), 0.11),
                                new RunReport.Cell(
                                        "majority class", 512, List.of(0.0909, 0.0909, 0.0909), 0)),
                        "fine-tuned",
                        "from scratch",
                        1100,
                        confusion(AREAS),
                        List.of(
                                new RunReport.Forgetting(
                                        "pre-trained",
                                        new Interval(40.1, 38, 42),
                                        new Interval(1.412, 1.39, 1.44),
                                        null),
                                new RunReport.Forgetting(
                                        "fine-tuned",
                                        new Interval(88.2, 82, 94),
                                        new Interval(1.713, 1.69, 1.74),
                                        new Interval(1.2, 1.12, 1.28)),
                                new RunReport.Forgetting(
                                        "fine-tuned, LoRA",
                                        new Interval(46.6, 44, 49),
                                        new Interval(1.47, 1.45, 1.5),
                                        new Interval(0.162, 0.15, 0.18)),
                                new RunReport.Forgetting(
                                        "fine-tuned, replay",
                                        new Interval(41.3, 39, 44),
                                        new Interval(1.424, 1.4, 1.45),
                                        new Interval(0.03, 0.02, 0.04))),
                        List.of(
                                new Block.Definition("Tokenizer", "3.2 s"),
                                new Block.Definition("Pre-training", "63 s"),
                                new Block.Definition("Fine-tuning", "2 min 4 s"))));
    }
}
