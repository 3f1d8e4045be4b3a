package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.generate.Beams.EarlyStopping;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GenerationConfigTest {
    private static final GenerationConfig DEFAULTS =
            GenerationConfig.of(
                    new Sampling(0.8, 0, 1, 5), new Limits(100, List.of("."), Set.of(7)));

    @TempDir Path folder;

    private GenerationConfig read(String json) throws IOException {
        Files.writeString(folder.resolve("generation_config.json"), json);
        return GenerationConfig.read(folder, DEFAULTS);
    }

    /// It counts the token with which the decoder of an encoder begins; of other models the prompt.
    @Test
    void theShortestLengthIsOfNewTokens() throws IOException {
        assertThatThrownBy(() -> read("{\"min_length\": 56}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("min_length 56 counts the prompt");
        Files.writeString(folder.resolve("config.json"), "{\"is_encoder_decoder\": true}");
        assertThat(read("{\"min_length\": 56}").penalties().minNewTokens()).isEqualTo(55);
        assertThat(read("{\"min_length\": 0}")).isEqualTo(DEFAULTS);
        assertThat(read("{\"min_length\": 56, \"min_new_tokens\": 7}").penalties().minNewTokens())
                .isEqualTo(7);
        read("{\"min_length\": 56, \"length_penalty\": 2.0}");
        assertThat(GenerationConfig.json(folder, DEFAULTS).toString())
                .isEqualTo("{\"length_penalty\":2.0,\"min_new_tokens\":55}");
    }

    private static GenerationConfig with(GenerationConfig config, String json) {
        return config.with(Json.mapper().readTree(json));
    }

    @Test
    void aFolderWithoutTheFileLeavesTheDefaults() {
        assertThat(GenerationConfig.read(folder, DEFAULTS)).isEqualTo(DEFAULTS);
    }

    @Test
    void everythingInTheFileCounts() throws IOException {
        var config =
                read(
                        """
                        {"bos_token_id": 1, "eos_token_id": [2, 3], "do_sample": true,
                         "temperature": 0.6, "top_k": 30, "top_p": 0.9, "min_p": 0.05,
                         "repetition_penalty": 1.1, "no_repeat_ngram_size": 3, "min_new_tokens": 4,
                         "max_new_tokens": 50, "num_return_sequences": 2, "stop_strings": "END",
                         "transformers_version": "4.41.0", "typical_p": 1.0, "num_beam_groups": 1}
                        """);
        assertThat(config)
                .isEqualTo(
                        new GenerationConfig(
                                new Sampling(0.6, 30, 0.9, 0.05, 5),
                                Beams.NONE,
                                new Penalties(1.1, 3, 4),
                                new Limits(50, List.of("END"), Set.of(2, 3)),
                                2));
    }

    @Test
    void drawsThatAreAskedForWithoutSettingsAreTheLibrarys() throws IOException {
        assertThat(read("{\"do_sample\": true}").sampling()).isEqualTo(new Sampling(1, 50, 1, 5));
        assertThat(read("{\"do_sample\": false}").sampling().temperature()).isZero();
        assertThat(read("{\"eos_token_id\": 9}").sampling()).isEqualTo(DEFAULTS.sampling());
    }

    @Test
    void beamsDrawNothing() throws IOException {
        var config =
                read("{\"num_beams\": 4, \"length_penalty\": 2.0, \"early_stopping\": \"never\"}");
        assertThat(config.beams()).isEqualTo(new Beams(4, 2, EarlyStopping.NEVER));
        assertThat(config.sampling().temperature()).isZero();
        assertThat(with(config, "{\"early_stopping\": true}").beams().earlyStopping())
                .isEqualTo(EarlyStopping.YES);
        assertThatThrownBy(() -> with(config, "{\"temperature\": 0.7}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("beam search draws nothing");
        assertThat(with(config, "{\"temperature\": 0.7, \"num_beams\": 1}").sampling())
                .isEqualTo(new Sampling(0.7, 0, 1, 5));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"typical_p\": 0.9}|typical_p 0.9 is not supported",
                "{\"num_beam_groups\": 2}|num_beam_groups 2 is not supported",
                "{\"suppress_tokens\": [5]}|suppress_tokens [5] is not supported",
                "{\"top_k\": 2.5}|top_k is 2.5; a whole number is needed",
                "{\"top_p\": 7}|top-p is 7.0",
                "{\"temperature\": \"hot\"}|temperature is \"hot\"; a number is needed",
                "{\"do_sample\": 1}|do_sample is 1; true or false is needed",
                "{\"eos_token_id\": [1, \"x\"]}|eos_token_id",
                "{\"eos_token_id\": 99999999999}|eos_token_id",
                "{\"early_stopping\": \"soon\"}|early_stopping is \"soon\"",
                "{\"num_beams\": 1000000000}|from 1 to 256",
                "{\"stop_strings\": [1]}|stop_strings",
                "{\"num_beams\": 2, \"num_return_sequences\": 3}|3 sequences of 2 beams",
                "{\"do_sample\": false, \"num_return_sequences\": 3}|would be the same",
            })
    void whatCannotBeHonouredIsRefusedByName(String json, String message) {
        assertThatThrownBy(() -> read(json))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("generation_config.json: ")
                .hasMessageContaining(message);
    }
}
