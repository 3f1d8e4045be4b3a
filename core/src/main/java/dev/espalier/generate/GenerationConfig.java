package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// All that decides what is written after a prompt. [#read] takes it from a model's folder.
///
/// @param sampling how a token is chosen; with beams its temperature is 0
/// @param beams whether continuations compete with each other
/// @param penalties what changes the scores before
/// @param limits when writing ends
/// @param sequences texts for each prompt; with beams the best of them, at most as many as beams
public record GenerationConfig(
        Sampling sampling, Beams beams, Penalties penalties, Limits limits, int sequences) {
    private static final int MOST = 1024;

    /// The keys of `generation_config.json` that [#with] honours.
    public static final Set<String> KEYS =
            Set.of(
                    "do_sample",
                    "early_stopping",
                    "eos_token_id",
                    "forced_bos_token_id",
                    "forced_eos_token_id",
                    "length_penalty",
                    "max_new_tokens",
                    "min_new_tokens",
                    "min_p",
                    "no_repeat_ngram_size",
                    "num_beams",
                    "num_return_sequences",
                    "repetition_penalty",
                    "stop_strings",
                    "temperature",
                    "top_k",
                    "top_p");

    private static final String FILE = "generation_config.json";
    private static final String SHORTEST = "min_length";

    /// Keys that would change what is written, with the value that does not; empty if only null.
    private static final Map<String, String> REFUSED =
            Map.ofEntries(
                    Map.entry("bad_words_ids", ""),
                    Map.entry("begin_suppress_tokens", ""),
                    Map.entry("constraints", ""),
                    Map.entry("diversity_penalty", "0.0"),
                    Map.entry("encoder_no_repeat_ngram_size", "0"),
                    Map.entry("encoder_repetition_penalty", "1.0"),
                    Map.entry("epsilon_cutoff", "0.0"),
                    Map.entry("eta_cutoff", "0.0"),
                    Map.entry("exponential_decay_length_penalty", ""),
                    Map.entry("force_words_ids", ""),
                    Map.entry("forced_decoder_ids", ""),
                    Map.entry("guidance_scale", "1.0"),
                    Map.entry("num_beam_groups", "1"),
                    Map.entry("penalty_alpha", "0.0"),
                    Map.entry("sequence_bias", ""),
                    Map.entry("suppress_tokens", ""),
                    Map.entry("typical_p", "1.0"),
                    Map.entry("watermarking_config", ""));

    public GenerationConfig {
        if (sequences < 1 || sequences > MOST) {
            throw EspalierException.usage(
                    "the number of sequences is "
                            + sequences
                            + "; a whole number from 1 to "
                            + MOST
                            + " is needed");
        }
        if (beams.count() > 1) {
            if (sampling.temperature() > 0) {
                throw EspalierException.usage(
                        "beam search draws nothing: with beams the temperature must be 0");
            }
            if (sequences > beams.count()) {
                throw EspalierException.usage(
                        "%d sequences of %d beams are too many"
                                .formatted(sequences, beams.count()));
            }
        } else if (sequences > 1 && sampling.temperature() == 0) {
            throw EspalierException.usage(
                    sequences
                            + " sequences would be the same: a temperature above 0 or beams are"
                            + " needed");
        }
    }

    /// One text a prompt, without penalties and beams.
    public static GenerationConfig of(Sampling sampling, Limits limits) {
        return new GenerationConfig(sampling, Beams.NONE, Penalties.NONE, limits, 1);
    }

    /// The same for an answer within `template`, which its ends and stops end as well.
    public GenerationConfig answering(Tokenizer tokenizer, ChatTemplate template) {
        var ends = new HashSet<>(limits.ends());
        ends.addAll(template.ends(tokenizer));
        var stops =
                Stream.concat(limits.stops().stream(), template.stops().stream())
                        .distinct()
                        .toList();
        return new GenerationConfig(
                sampling,
                beams,
                penalties,
                new Limits(limits.maxNewTokens(), stops, ends),
                sequences);
    }

    /// The same with other draws.
    public GenerationConfig withSeed(long seed) {
        return new GenerationConfig(sampling.withSeed(seed), beams, penalties, limits, sequences);
    }

    /// What the `generation_config.json` of a model's folder says, and `defaults` for the rest; all
    /// `defaults` if there is none. Where it asks to draw, the draws it leaves out are those of the
    /// Hugging Face library. `max_length` is passed over, since it counts the prompt. `min_length`
    /// is read for encoder-decoders, where it counts the token that the decoder begins with, and
    /// refused for others.
    ///
    /// @throws EspalierException if a value is impossible, or asks for what is not supported
    public static GenerationConfig read(Path folder, GenerationConfig defaults) {
        var file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return defaults;
        }
        try {
            var json = settings(folder);
            REFUSED.forEach((key, neutral) -> {
                var value = json.path(key);
                if (!isAbsent(value) && !isNeutral(value, neutral)) {
                    throw EspalierException.data(
                            "%s %s is not supported; remove it%s"
                                    .formatted(
                                            key,
                                            value,
                                            neutral.isEmpty() ? "" : " or make it " + neutral));
                }
            });
            var draws = json.path("do_sample").asBoolean(false);
            var from =
                    draws
                            ? new GenerationConfig(
                                    new Sampling(1, 50, 1, defaults.sampling().seed()),
                                    Beams.NONE,
                                    defaults.penalties(),
                                    defaults.limits(),
                                    1)
                            : defaults;
            return from.with(json);
        } catch (EspalierException e) {
            throw EspalierException.data(file + ": " + e.getMessage(), e);
        }
    }

    /// The `generation_config.json` of a model's folder, empty if there is none, to be written
    /// again with changes.
    ///
    /// @throws EspalierException as [#read]
    public static ObjectNode json(Path folder, GenerationConfig defaults) {
        read(folder, defaults);
        return Files.isRegularFile(folder.resolve(FILE))
                        && settings(folder) instanceof ObjectNode json
                ? json
                : JsonNodeFactory.instance.objectNode();
    }

    /// What the file of a model's folder says, `min_length` as `min_new_tokens`.
    private static JsonNode settings(Path folder) {
        var json = Json.read(folder.resolve(FILE));
        var length = whole(json, SHORTEST, 0);
        if (length > 0) {
            var config = folder.resolve("config.json");
            if (!Files.isRegularFile(config)
                    || !Json.read(config).path("is_encoder_decoder").asBoolean(false)) {
                throw EspalierException.data(
                        "%s %d counts the prompt, and is not supported for models without an encoder; use min_new_tokens"
                                .formatted(SHORTEST, length));
            }
            var changed = (ObjectNode) json;
            changed.remove(SHORTEST);
            // The library lets the number of new tokens decide where both are there.
            if (isAbsent(json.path("min_new_tokens"))) {
                changed.put("min_new_tokens", length - 1);
            }
        }
        return json;
    }

    /// This, with what `json` says under the keys of `generation_config.json` instead. Settings of
    /// the draws without `do_sample` ask to draw; beams without them do not.
    public GenerationConfig with(JsonNode json) {
        var found =
                new Beams(
                        whole(json, "num_beams", beams.count()),
                        number(json, "length_penalty", beams.lengthPenalty()),
                        earlyStopping(json));
        var asked = Set.of("temperature", "top_k", "top_p", "min_p");
        var draws =
                isAbsent(json.path("do_sample"))
                        ? asked.stream().anyMatch(key -> !isAbsent(json.path(key)))
                                || sampling.temperature() > 0 && found.count() == 1
                        : truth(json, "do_sample");
        var temperature = sampling.temperature() == 0 ? 1 : sampling.temperature();
        var drawn =
                new Sampling(
                        draws ? number(json, "temperature", temperature) : 0,
                        whole(json, "top_k", sampling.topK()),
                        number(json, "top_p", sampling.topP()),
                        number(json, "min_p", sampling.minP()),
                        sampling.seed());
        return new GenerationConfig(
                drawn,
                found,
                new Penalties(
                        number(json, "repetition_penalty", penalties.repetition()),
                        whole(json, "no_repeat_ngram_size", penalties.noRepeatNgram()),
                        whole(json, "min_new_tokens", penalties.minNewTokens()),
                        forced(json, "forced_bos_token_id", penalties.forcedFirst()),
                        forced(json, "forced_eos_token_id", penalties.forcedLast())),
                new Limits(
                        whole(json, "max_new_tokens", limits.maxNewTokens()),
                        stops(json),
                        ends(json)),
                whole(json, "num_return_sequences", sequences));
    }

    private Beams.EarlyStopping earlyStopping(JsonNode json) {
        var value = json.path("early_stopping");
        if (isAbsent(value)) {
            return beams.earlyStopping();
        }
        if (value.isBoolean()) {
            return value.booleanValue() ? Beams.EarlyStopping.YES : Beams.EarlyStopping.NO;
        }
        if (value.isString() && value.stringValue().equals("never")) {
            return Beams.EarlyStopping.NEVER;
        }
        throw wrong("early_stopping", value, "true, false or \"never\"");
    }

    private List<String> stops(JsonNode json) {
        var value = json.path("stop_strings");
        if (isAbsent(value)) {
            return limits.stops();
        }
        return each(value)
                .map(stop -> {
                    if (!stop.isString()) {
                        throw wrong("stop_strings", value, "text, or a list of texts,");
                    }
                    return stop.stringValue();
                })
                .toList();
    }

    private Set<Integer> ends(JsonNode json) {
        var value = json.path("eos_token_id");
        if (isAbsent(value)) {
            return limits.ends();
        }
        return each(value)
                .map(id -> {
                    if (!id.canConvertToInt() || !id.isIntegralNumber() || id.intValue() < 0) {
                        throw wrong("eos_token_id", value, "a token id, or a list of them,");
                    }
                    return id.intValue();
                })
                .collect(Collectors.toUnmodifiableSet());
    }

    /// A null here asks for nothing to be forced.
    private static @Nullable Integer forced(
            JsonNode json, String key, @Nullable Integer otherwise) {
        var value = json.path(key);
        if (isAbsent(value)) {
            return value.isNull() ? null : otherwise;
        }
        if (!value.canConvertToInt() || !value.isIntegralNumber() || value.intValue() < 0) {
            throw wrong(key, value, "a token id");
        }
        return value.intValue();
    }

    private static Stream<JsonNode> each(JsonNode value) {
        return value.isArray() ? value.valueStream() : Stream.of(value);
    }

    private static boolean isAbsent(JsonNode value) {
        return value.isMissingNode() || value.isNull();
    }

    private static boolean isNeutral(JsonNode value, String neutral) {
        return value.isNumber() && !neutral.isEmpty()
                ? value.doubleValue() == Double.parseDouble(neutral)
                : value.toString().equals(neutral);
    }

    private static double number(JsonNode json, String key, double otherwise) {
        var value = json.path(key);
        if (isAbsent(value)) {
            return otherwise;
        }
        if (!value.isNumber()) {
            throw wrong(key, value, "a number");
        }
        return value.doubleValue();
    }

    private static int whole(JsonNode json, String key, int otherwise) {
        var value = json.path(key);
        if (isAbsent(value)) {
            return otherwise;
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw wrong(key, value, "a whole number");
        }
        return value.intValue();
    }

    private static boolean truth(JsonNode json, String key) {
        var value = json.path(key);
        if (!value.isBoolean()) {
            throw wrong(key, value, "true or false");
        }
        return value.booleanValue();
    }

    private static EspalierException wrong(String key, JsonNode value, String allowed) {
        return EspalierException.data("%s is %s; %s is needed".formatted(key, value, allowed));
    }
}
