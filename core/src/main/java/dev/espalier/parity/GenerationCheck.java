package dev.espalier.parity;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.generate.TokenGenerator;
import dev.espalier.generate.TokenGenerator.Answer;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Compares generations, token for token, and the scores of beams.
final class GenerationCheck {
    private static final String PART = "generation";
    private static final String PADDING = "pad_token_id";

    private final LanguageModel model;
    private final GenerationConfig defaults;
    private final int padding;
    private final Tolerances tolerances;
    private final Findings findings;

    /// @param folder whose `generation_config.json` says what the arguments of a generation leave
    ///   out
    GenerationCheck(LanguageModel model, Path folder, Tolerances tolerances, Findings findings) {
        this.model = model;
        defaults =
                GenerationConfig.read(
                        folder,
                        GenerationConfig.of(
                                Sampling.greedy(), new Limits(20, List.of(), Set.of())));
        padding = HuggingFace.config(folder).path(PADDING).asInt(0);
        this.tolerances = tolerances;
        this.findings = findings;
    }

    void check(JsonNode generations) {
        check(generations, null);
    }

    /// Of what the encoder gave of each of some pictures, (P, S, D), where there are no prompts.
    void check(JsonNode generations, @Nullable Tensor memory) {
        for (var entry : generations.properties()) {
            var name = entry.getKey();
            var generation = entry.getValue();
            var unsupported = unsupported(generation.path("args"));
            if (!unsupported.isEmpty()) {
                findings.unchecked(
                        PART, name, "generation with " + unsupported + " is not supported");
                continue;
            }
            var ours = answers(generation, memory);
            findings.add(PART, name, differing(generation, ours), 0);
            var scores = generation.path("sequences_scores");
            if (!scores.isMissingNode()) {
                findings.add(
                        "generation-score",
                        name,
                        scoreDifference(scores, ours),
                        tolerances.logits());
            }
        }
    }

    private static List<String> unsupported(JsonNode arguments) {
        var unsupported = new ArrayList<String>();
        for (var argument : arguments.properties()) {
            var key = argument.getKey();
            if (!argument.getValue().isNull()
                    && !GenerationConfig.KEYS.contains(key)
                    && !key.equals(PADDING)) {
                unsupported.add(key);
            }
        }
        // Nobody else draws from our random numbers.
        if (arguments.path("do_sample").asBoolean(false)) {
            unsupported.add("do_sample");
        }
        if (arguments.hasNonNull("stop_strings")) {
            unsupported.add("stop_strings");
        }
        return unsupported;
    }

    private static double scoreDifference(JsonNode theirs, List<Answer> ours) {
        if (theirs.size() != ours.size()) {
            return Double.POSITIVE_INFINITY;
        }
        var largest = 0.0;
        for (var i = 0; i < ours.size(); i++) {
            var difference = Math.abs(theirs.get(i).asDouble(Double.NaN) - ours.get(i).score());
            largest = Math.max(largest, difference);
        }
        return largest;
    }

    /// The number of places at which ours are other tokens.
    private int differing(JsonNode generation, List<Answer> answers) {
        var ours = sequences(generation, answers);
        var theirs = generation.path("sequences").valueStream().map(GenerationCheck::ids).toList();
        var differing = Math.abs(ours.size() - theirs.size());
        for (var row = 0; row < Math.min(ours.size(), theirs.size()); row++) {
            var a = ours.get(row);
            var b = theirs.get(row);
            differing += Math.abs(a.size() - b.size());
            for (var i = 0; i < Math.min(a.size(), b.size()); i++) {
                differing += a.get(i).equals(b.get(i)) ? 0 : 1;
            }
        }
        return differing;
    }

    private static List<Integer> ids(JsonNode row) {
        return new ArrayList<>(row.valueStream().map(JsonNode::intValue).toList());
    }

    /// What we write after the prompts, prompt by prompt.
    private List<Answer> answers(JsonNode generation, @Nullable Tensor memory) {
        var inputs = generation.path("inputs");
        var prompts = new ArrayList<int[]>();
        for (var row = 0; memory != null && row < memory.size(0); row++) {
            prompts.add(new int[0]);
        }
        for (var row = 0; row < inputs.path("input_ids").size(); row++) {
            var ids = ids(inputs.path("input_ids").get(row));
            var mask = inputs.path("attention_mask").path(row);
            prompts.add(
                    IntStream.range(0, ids.size())
                            .filter(i -> mask.path(i).asInt(1) != 0)
                            .map(ids::get)
                            .toArray());
        }
        var config = defaults.with(generation.path("args"));
        var generator =
                memory != null && model instanceof EncoderDecoder both
                        ? new TokenGenerator(both, model.vocabulary(), memory)
                        : new TokenGenerator(model, model.vocabulary());
        if (config.beams().count() > 1) {
            return generator.search(prompts, config, tokens -> {}).stream()
                    .flatMap(List::stream)
                    .toList();
        }
        var written = new ArrayList<List<Integer>>();
        prompts.forEach(prompt -> written.add(new ArrayList<>()));
        generator.generate(
                prompts,
                config,
                (sequence, id) -> {
                    written.get(sequence).add(id);
                    return true;
                });
        return written.stream().map(ids -> new Answer(ids, Double.NaN)).toList();
    }

    /// Prompts with their padding, or what a decoder of its own begins with, what was written after
    /// them, and padding up to the longest.
    private List<List<Integer>> sequences(JsonNode generation, List<Answer> answers) {
        var prompts = generation.path("inputs").path("input_ids");
        var each = answers.size() / Math.max(1, prompts.size());
        var longest = answers.stream().mapToInt(a -> a.ids().size()).max().orElse(0);
        var filling = generation.path("args").path(PADDING).asInt(padding);
        var sequences = new ArrayList<List<Integer>>();
        for (var answer : answers) {
            var sequence =
                    model instanceof EncoderDecoder both
                            ? new ArrayList<>(List.of(both.start()))
                            : ids(prompts.get(sequences.size() / each));
            sequence.addAll(answer.ids());
            sequence.addAll(Collections.nCopies(longest - answer.ids().size(), filling));
            sequences.add(sequence);
        }
        return sequences;
    }
}
