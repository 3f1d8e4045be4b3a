package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Beams;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.HalfPrecision;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Penalties;
import dev.espalier.generate.Sampling;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/// How text is written: what the command line says, else the model's `generation_config.json`, else
/// our defaults. A `@Mixin`.
final class GenerationOptions {
    private static final double TEMPERATURE = 0.8;
    private static final int NEW_TOKENS = 100;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Tokens to write at most. Default: the model's, or " + NEW_TOKENS + ".")
    private @Nullable Integer maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description =
                    "0 takes the best token always; below 1 sharpens, above 1 flattens. Default:"
                            + " the model's, or "
                            + TEMPERATURE
                            + ".")
    private @Nullable Double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            description = "Draw from the K best tokens; 0 for all.")
    private @Nullable Integer topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Draw from the best tokens that have this probability together.")
    private @Nullable Double topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description =
                    "Draw from the tokens that have this share of the best one's probability.")
    private @Nullable Double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            description = "Above 1 makes tokens that are there already less likely.")
    private @Nullable Double repetitionPenalty;

    @Option(
            names = "--no-repeat-ngram",
            paramLabel = "N",
            description = "Write no sequence of N tokens twice; 0 for no such rule.")
    private @Nullable Integer noRepeatNgram;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description = "The seed of the draws. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "End before this text. Repeatable.")
    private List<String> stops = new ArrayList<>();

    @Option(
            names = "--adapter",
            paramLabel = "FOLDER",
            description =
                    "Add this adapter, as PEFT writes it, to the model's weights. Repeatable, one after"
                            + " another.")
    private List<Path> adapters = new ArrayList<>();

    @Option(
            names = "--precision",
            paramLabel = "P",
            description =
                    "fp32, or fp16: one text at a time is written faster, from weights rounded to half"
                            + " precision. Default: fp32.")
    private Precision precision = Precision.FP32;

    enum Precision {
        FP32,
        FP16
    }

    /// `model`, with the adapters that are asked for added to its weights.
    <M extends LanguageModel> M adapted(M model) {
        adapters.forEach(
                adapter -> HuggingFace.mergeAdapter(Given.folder(adapter, "an adapter"), model));
        return model;
    }

    /// What has `model` write in the precision that is asked for, until it is closed; null where
    /// that is its own.
    @Nullable HalfPrecision precision(Console console, LanguageModel model) {
        return precision == Precision.FP32 ? null : half(console, model);
    }

    /// As [#precision], in half precision.
    static HalfPrecision half(Console console, LanguageModel model) {
        if (model instanceof Decoder decoder) {
            return HalfPrecision.of(decoder, console::note);
        }
        throw EspalierException.usage(
                "--precision fp16 is for decoders; this model has an encoder, and writes in fp32");
    }

    /// The chat template of the model in `folder`, or that of the last adapter that was trained
    /// with one of its own.
    Optional<ChatTemplate> template(Path folder) {
        return Stream.concat(Stream.of(folder), adapters.stream())
                .flatMap(f -> ChatTemplate.read(f).stream())
                .reduce((_, last) -> last);
    }

    /// The settings for the model in `folder`, and what `more` says under the keys of
    /// `generation_config.json`.
    GenerationConfig config(Path folder, Tokenizer tokenizer, ObjectNode more) {
        var defaults =
                new GenerationConfig(
                        new Sampling(TEMPERATURE, 0, 1, seed),
                        Beams.NONE,
                        Penalties.NONE,
                        Limits.of(tokenizer, NEW_TOKENS),
                        1);
        var json = more.deepCopy();
        json.put("max_new_tokens", maxNewTokens);
        json.put("temperature", temperature);
        json.put("top_k", topK);
        json.put("top_p", topP);
        json.put("min_p", minP);
        json.put("repetition_penalty", repetitionPenalty);
        json.put("no_repeat_ngram_size", noRepeatNgram);
        if (!stops.isEmpty()) {
            stops.forEach(json.putArray("stop_strings")::add);
        }
        return GenerationConfig.read(folder, defaults).with(json);
    }

    static ObjectNode noMore() {
        return Json.mapper().createObjectNode();
    }
}
