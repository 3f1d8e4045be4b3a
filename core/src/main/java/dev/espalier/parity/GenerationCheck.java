package dev.espalier.parity;

import dev.espalier.generate.Sampling;
import dev.espalier.generate.TokenGenerator;
import dev.espalier.model.Decoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// Compares generations, token for token.
final class GenerationCheck {
    private static final Set<String> ARGUMENTS =
            Set.of("max_new_tokens", "do_sample", "num_beams", "pad_token_id", "eos_token_id");

    private final Decoder decoder;
    private final Findings findings;

    GenerationCheck(Decoder decoder, Findings findings) {
        this.decoder = decoder;
        this.findings = findings;
    }

    void check(JsonNode generations) {
        for (var entry : generations.properties()) {
            var unsupported = unsupported(entry.getValue().path("args"));
            if (unsupported.isEmpty()) {
                var differing = differing(entry.getValue());
                findings.add("generation", entry.getKey(), differing, 0);
            } else {
                findings.unchecked(
                        "generation",
                        entry.getKey(),
                        "generation with " + unsupported + " is not supported");
            }
        }
    }

    private static List<String> unsupported(JsonNode arguments) {
        var unsupported = new ArrayList<String>();
        for (var argument : arguments.properties()) {
            if (!ARGUMENTS.contains(argument.getKey())) {
                unsupported.add(argument.getKey());
            }
        }
        if (arguments.path("num_beams").asInt(1) != 1) {
            unsupported.add("num_beams");
        }
        if (arguments.path("do_sample").asBoolean(false)) {
            unsupported.add("do_sample");
        }
        return unsupported;
    }

    /// The number of places at which ours are other tokens.
    private int differing(JsonNode generation) {
        var ours = sequences(generation);
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
        return row.valueStream().map(JsonNode::intValue).toList();
    }

    /// Prompts with their padding, what was written after them, and padding up to the longest.
    private List<List<Integer>> sequences(JsonNode generation) {
        var arguments = generation.path("args");
        var end = arguments.path("eos_token_id").asInt(-1);
        var inputs = generation.path("inputs");
        var sequences = new ArrayList<List<Integer>>();
        var prompts = new ArrayList<int[]>();
        for (var row = 0; row < inputs.path("input_ids").size(); row++) {
            var ids = ids(inputs.path("input_ids").get(row));
            var mask = inputs.path("attention_mask").path(row);
            sequences.add(new ArrayList<>(ids));
            prompts.add(
                    java.util.stream.IntStream.range(0, ids.size())
                            .filter(i -> mask.path(i).asInt(1) != 0)
                            .map(ids::get)
                            .toArray());
        }
        new TokenGenerator(decoder, decoder.vocabulary())
                .generate(
                        prompts,
                        Sampling.greedy(),
                        arguments.path("max_new_tokens").asInt(0),
                        (row, id) -> {
                            sequences.get(row).add(id);
                            return id != end;
                        });
        var longest = sequences.stream().mapToInt(List::size).max().orElse(0);
        for (var sequence : sequences) {
            while (sequence.size() < longest) {
                sequence.add(arguments.path("pad_token_id").asInt(0));
            }
        }
        return sequences;
    }
}
