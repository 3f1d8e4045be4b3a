package dev.espalier.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistoryTest {
    @TempDir Path folder;

    private static History.Entry run(
            String machine, String key, long parameters, double flops, double... predicted) {
        return new History.Entry(
                "2026-01-31T00:00:00Z",
                machine,
                "name",
                key,
                parameters,
                10,
                2,
                100,
                flops,
                1000,
                java.util.Arrays.stream(predicted)
                        .mapToObj(s -> new History.Prediction("earlier", s, 100, 900, null))
                        .toList());
    }

    @Test
    void whatWasAddedIsFoundUnlessItIsAnotherMachines() throws IOException {
        var history = new History(folder.resolve("new/runs.jsonl"));
        assertThat(history.entries()).isEmpty();
        var here = History.machine();
        history.add(run(here, "a", 1000, 1));
        history.add(run("another", "a", 1000, 2));
        history.add(run(here, "b", 100_000, 3));
        history.add(run(here, "a", 1100, 4));
        var file = java.util.Objects.requireNonNull(history.file());
        Files.writeString(file, "{\"at\": 1}\nnot JSON\n", StandardOpenOption.APPEND);
        assertThat(history.entries()).hasSize(3);
        assertThat(history.last("a")).map(History.Entry::flopsPerSecond).contains(4.0);
        assertThat(history.last("c")).isEmpty();
        assertThat(history.nearest(90_000, "a")).map(History.Entry::flopsPerSecond).contains(3.0);
        // Nothing is told of models of quite another size.
        assertThat(history.nearest(10_000_000, "a")).isEmpty();
        assertThat(History.NONE.entries()).isEmpty();
    }

    /// The last of those as near, and before nearer ones those of such steps.
    @Test
    void theRateIsThatOfTheLatestRunOfItsKind() {
        var history = new History(folder.resolve("runs.jsonl"));
        var here = History.machine();
        history.add(run(here, "gpt2 1000 classification none adamw batch 8 x 16 fp32", 1000, 1));
        history.add(run(here, "gpt2 1000 classification none adamw batch 4 x 16 fp32", 1000, 2));
        history.add(run(here, "gpt2 1000 classification none adamw batch 8 x 16 bf16", 1000, 3));
        history.add(run(here, "gpt2 2000 classification lora 8 adamw batch 8 x 16 bf16", 2000, 4));
        history.add(run(here, "gpt2 2000 classification frozen adamw batch 8 x 16 bf16", 2000, 5));
        assertThat(rate(history, "bert 1100 causal adamw batch 2 x 9 fp32")).isEqualTo(2);
        assertThat(rate(history, "bert 1100 causal adamw batch 2 x 9 bf16")).isEqualTo(3);
        assertThat(rate(history, "bert 1100 instruction lora 4 adamw batch 2 x 9 bf16"))
                .isEqualTo(4);
        assertThat(rate(history, "bert 1100 instruction frozen adamw batch 2 x 9 bf16"))
                .isEqualTo(5);
        // What the same steps took is no rate of others.
        assertThat(rate(history, "gpt2 1000 classification none adamw batch 8 x 16 bf16"))
                .isEqualTo(5);
    }

    private static double rate(History history, String key) {
        return history.nearest(1100, key).orElseThrow().flopsPerSecond();
    }

    /// Of pictures there is no formula: what their first steps took is not filed under it.
    @Test
    void memoryIsToldByWhatItWasPredictedBy() {
        var history = new History(folder.resolve("runs.jsonl"));
        for (var basis : new @Nullable String[] {null, "formula", "early steps"}) {
            history.add(
                    new History.Entry(
                            "2026-01-31T00:00:00Z",
                            History.machine(),
                            "name",
                            "a",
                            1,
                            10,
                            2,
                            100,
                            1,
                            1000,
                            List.of(
                                    new History.Prediction("rate", 30, 70, 900, basis),
                                    new History.Prediction("first steps", 20, 100, 900, basis))));
        }
        assertThat(history.accuracies().stream().filter(a -> a.what().equals("memory")))
                .extracting(a -> a.basis() + " " + a.runs())
                .containsExactly("early steps 1", "formula 2");
    }

    /// A run that took less than the process had taken before says nothing of memory.
    @Test
    void ofMemoryThatIsNotKnownNothingIsSaid() {
        var history = new History(folder.resolve("runs.jsonl"));
        var known = run(History.machine(), "a", 1, 1, 20);
        var unknown =
                new History.Entry(
                        known.at(),
                        known.machine(),
                        known.name(),
                        known.key(),
                        known.parameters(),
                        known.steps(),
                        known.secondsPerStep(),
                        known.tokensPerSecond(),
                        known.flopsPerSecond(),
                        0,
                        known.predicted());
        assertThat(unknown.outcomes("tokens"))
                .singleElement()
                .asString()
                .endsWith("was 100 (+0 %)")
                .doesNotContain("MiB");
        history.add(unknown);
        assertThat(history.peak("a")).isEmpty();
        assertThat(history.accuracies()).extracting(History.Accuracy::what).containsOnly("time");
        // Steps that were measured say more than a run that does not.
        history.add(run(History.machine(), "a", 1, 1));
        assertThat(history.peak("a")).contains(1000L);
    }

    @Test
    void theAccuracyOfPredictionsIsThatOfWholeRuns() {
        var history = new History(folder.resolve("runs.jsonl"));
        var here = History.machine();
        // Each took 20 seconds and 1000 bytes.
        history.add(run(here, "a", 1, 1));
        history.add(run(here, "a", 1, 1, 20));
        history.add(run(here, "a", 1, 1, 22));
        history.add(run(here, "a", 1, 1, 14));
        var found = history.accuracies();
        assertThat(found).hasSize(2);
        assertThat(found.getFirst().what()).isEqualTo("time");
        assertThat(found.getFirst().runs()).isEqualTo(3);
        assertThat(found.getFirst().median()).isCloseTo(0.1, within(1e-9));
        assertThat(found.getFirst().worst()).isCloseTo(0.3, within(1e-9));
        assertThat(found.getLast().what()).isEqualTo("memory");
        assertThat(found.getLast().median()).isCloseTo(0.1, within(1e-9));
        assertThat(run(here, "a", 1, 1, 22).outcomes("images"))
                .singleElement()
                .asString()
                .contains(
                        "22.0 s of training, was 20.0 (+10 %)",
                        " images/s, was 100 (+0 %)", " MiB, was ");
    }
}
