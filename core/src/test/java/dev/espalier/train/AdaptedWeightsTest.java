package dev.espalier.train;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Which weights each adapter has trained for each task whose model writes or labels words.
class AdaptedWeightsTest {
    private static final String DECODER =
            "{type: gpt2, layers: 2, heads: 2, width: 16, context: 64}";
    private static final String CHAT =
            "tokenizer: {type: bpe, vocabulary: 300, special-tokens: [<|endoftext|>, <|im_start|>, <|im_end|>]}\nmodel: "
                    + DECODER;

    private static final String UNTIED =
            CHAT.replace("gpt2", "llama")
                    .replace("heads: 2", "heads: 2, key-value-heads: 1, hidden: 16");

    /// What a task learns from, and of which new model; `targets` get updates.
    private record Task(String settings, String data, String model, String targets) {}

    private static final Map<String, Task> TASKS =
            Map.of(
                    "instruction",
                    new Task(
                            "{type: instruction, template: chatml}",
                            "{\"instruction\": \"Who comes\", \"output\": \"Lise %d\"}",
                            CHAT,
                            "[c_attn]"),
                    "preference",
                    new Task(
                            "{type: preference, template: chatml}",
                            "{\"prompt\": \"Is %d so\", \"chosen\": \"Yes.\", \"rejected\": \"No.\"}",
                            CHAT,
                            "[c_attn]"),
                    "instruction-untied",
                    new Task(
                            "{type: instruction, template: chatml}",
                            "{\"instruction\": \"Who comes\", \"output\": \"Lise %d\"}",
                            UNTIED,
                            "[q_proj]"),
                    "preference-untied",
                    new Task(
                            "{type: preference, template: chatml}",
                            "{\"prompt\": \"Is %d so\", \"chosen\": \"Yes.\", \"rejected\": \"No.\"}",
                            UNTIED,
                            "[q_proj]"),
                    "sequence-to-sequence",
                    new Task(
                            "{type: sequence-to-sequence, input: a, target: b}",
                            "{\"a\": \"fig %d\", \"b\": \"FIG\"}",
                            "tokenizer: {type: characters, special-tokens: [<pad>, </s>, <unk>]}\n"
                                    + "model: {type: t5, layers: 2, heads: 2, head-width: 8, width: 16, hidden: 16, context: 16}",
                            "[q, v]"),
                    "token-labelling",
                    new Task(
                            "{type: token-labelling}",
                            "{\"text\": \"Anna %d went\", \"spans\": [{\"start\": 0, \"end\": 4, \"label\": \"PER\"}]}",
                            "tokenizer: {type: wordpiece, vocabulary: 60}\n"
                                    + "model: {type: bert, layers: 2, heads: 2, width: 16, context: 32}",
                            "[query, value]"));

    @TempDir static Path folder;
    private static final Map<String, Path> BASES = new HashMap<>();

    @BeforeAll
    static void trainModels() throws IOException {
        for (var task : TASKS.entrySet()) {
            var lines = new StringBuilder();
            for (var i = 0; i < 12; i++) {
                lines.append(task.getValue().data().formatted(i)).append('\n');
            }
            Files.writeString(folder.resolve(task.getKey() + ".jsonl"), lines);
            BASES.put(
                    task.getKey(),
                    run(task.getKey(), task.getValue().model(), "{type: none}", "base"));
        }
    }

    private static Path run(String task, String model, String adapter, String name) {
        var at = folder.resolve(task + "-" + name);
        return new Run(
                        Recipes.parse(
                                """
                                name: adapted
                                output: %s
                                data: {train: %s/%s.jsonl, validation-share: 25%%}
                                %s
                                task: %s
                                adapter: %s
                                training: {for: 2 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                                """
                                        .formatted(
                                                at,
                                                folder,
                                                task,
                                                model,
                                                requireNonNull(TASKS.get(task)).settings(),
                                                adapter),
                                "adapted"))
                .train(s -> {})
                .model();
    }

    private static Map<String, float[]> weights(Path model) {
        try (var tensors = SafeTensors.open(model.resolve("model.safetensors"))) {
            return tensors.entries().stream()
                    .collect(
                            Collectors.toMap(
                                    SafeTensors.Entry::name,
                                    e -> e.data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "instruction;frozen;transformer\\.(h\\.1\\..*|ln_f\\..*)",
                "instruction;lora;.*\\.c_attn\\.weight",
                "instruction;dora;.*\\.c_attn\\.weight",
                "instruction;none;.*",
                "instruction-untied;head;lm_head\\.weight",
                "preference-untied;head;lm_head\\.weight",
                "preference;frozen;transformer\\.(h\\.1\\..*|ln_f\\..*)",
                "preference;lora;.*\\.c_attn\\.weight",
                "preference;dora;.*\\.c_attn\\.weight",
                "preference;none;.*",
                "sequence-to-sequence;frozen;(en|de)coder\\.block\\.1\\..*|decoder\\.final.*|lm_head.*",
                "sequence-to-sequence;head;lm_head\\.weight",
                "sequence-to-sequence;lora;.*\\.[qv]\\.weight",
                "sequence-to-sequence;dora;.*\\.[qv]\\.weight",
                "sequence-to-sequence;none;.*",
                "token-labelling;frozen;bert\\.encoder\\.layer\\.1\\..*|classifier\\..*",
                "token-labelling;head;classifier\\..*",
                "token-labelling;lora;.*\\.(query|value)\\.weight|classifier\\..*",
                "token-labelling;dora;.*\\.(query|value)\\.weight|classifier\\..*",
                "token-labelling;none;.*"
            })
    void thoseThatItNamesAndNoOthers(String task, String adapter, String names) {
        var lora =
                "{type: lora, rank: 2, targets: %s, merge: true, dora: %s}"
                        .formatted(
                                requireNonNull(TASKS.get(task)).targets(), adapter.equals("dora"));
        var settings =
                switch (adapter) {
                    case "frozen" -> "{type: frozen, last-blocks: 50%}";
                    case "head" -> "{type: frozen}";
                    case "none" -> "{type: none}";
                    default -> lora;
                };
        var base = requireNonNull(BASES.get(task));
        var before = weights(base);
        var after = weights(run(task, "model: {path: " + base + "}", settings, adapter));
        assertThat(after.keySet()).isEqualTo(before.keySet());
        // The gradient of a key's bias is zero but for rounding.
        var told =
                after.keySet().stream()
                        .filter(name -> !name.endsWith("key.bias"))
                        .collect(
                                Collectors.partitioningBy(
                                        name -> !Arrays.equals(before.get(name), after.get(name))));
        assertThat(told.get(true)).isNotEmpty().allMatch(name -> name.matches(names));
        assertThat(told.get(false)).noneMatch(name -> name.matches(names));
    }

    /// The objectives multiply by the vocabulary's weights themselves, so that an update of them
    /// would never be seen.
    @ParameterizedTest
    @ValueSource(strings = {"instruction-untied", "sequence-to-sequence"})
    void theMapToTheVocabularyTakesNoAdapter(String task) {
        var model = "model: {path: " + requireNonNull(BASES.get(task)) + "}";
        assertThatThrownBy(() -> run(task, model, "{type: lora, targets: [lm_head]}", "refused"))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("adapter.targets: the map to the vocabulary");
    }
}
