package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LanguageModelTest {
    @Test
    void rowsAreFilledUpToFewLengths() {
        try (var scope = new Scope()) {
            var model = new Gpt2(Gpt2Config.of(4, 1000, 8, 1, 1, 0));
            var seen = new HashSet<Integer>();
            for (var longest = 1; longest <= 1000; longest++) {
                var length = model.paddedLength(IntStream.of(1, longest));
                assertThat(length).isBetween(longest, Math.min(1000, longest + longest / 4));
                seen.add(length);
            }
            assertThat(seen).hasSize(36);
            assertThat(model.paddedLength(IntStream.of(17, 9, 3))).isEqualTo(20);
            assertThat(model.paddedLength(IntStream.of(100, 100))).isEqualTo(100);
            var rows = List.of(new int[] {1, 2, 3, 1, 2, 3, 1, 2, 3}, new int[] {3});
            assertThat(model.padded(rows, Tensor.IGNORE).longs())
                    .startsWith(1, 2, 3, 1, 2, 3, 1, 2, 3, Tensor.IGNORE, 3, Tensor.IGNORE)
                    .hasSize(20);
            var small = new Gpt2(Gpt2Config.of(4, 18, 8, 1, 1, 0));
            assertThat(small.paddedLength(IntStream.of(17, 9))).isEqualTo(18);
        }
    }

    @Test
    void whatIsTurnedByTheLengthKeepsIt() {
        var config =
                """
                {"model_type": "llama", "vocab_size": 4, "hidden_size": 8,
                 "num_attention_heads": 1, "num_hidden_layers": 1, "intermediate_size": 4,
                 "max_position_embeddings": 16 %s}\
                """;
        var dynamic =
                config.formatted(", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4.0}");
        try (var scope = new Scope()) {
            var lengths = new int[] {17, 9};
            assertThat(llama(dynamic).paddedLength(IntStream.of(lengths))).isEqualTo(17);
            assertThat(
                            llama(config.formatted("").replace("16", "64"))
                                    .paddedLength(IntStream.of(lengths)))
                    .isEqualTo(20);
        }
    }

    @Test
    void robertaCountsPositionsAsTheReference() {
        var golden =
                Json.read(Path.of(System.getProperty("espalier.goldens"), "misc", "golden.json"))
                        .path("roberta_position_ids");
        var config = EncoderConfig.of(EncoderConfig.Kind.ROBERTA, 10, 8, 4, 1, 1, 1, 0);
        try (var scope = new Scope()) {
            var ids = EncoderDecoderTest.flat(golden.path("input_ids"));
            var at = new Roberta(config).positions(Tensor.of(ids, 2, ids.length / 2));
            assertThat(at.longs()).isEqualTo(EncoderDecoderTest.flat(golden.path("position_ids")));
        }
    }

    private static Llama llama(String config) {
        return new Llama(LlamaConfig.of(Json.mapper().readTree(config)));
    }
}
