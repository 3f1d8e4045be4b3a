package dev.espalier.parity;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.PseudoPerplexity;
import dev.espalier.model.Encoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;

/// Compares what an encoder makes of each token of a reference's sentences, hidden alone.
final class SentenceCheck {
    private final JsonNode json;
    private final Path golden;
    private final Tolerances tolerances;
    private final Findings findings;

    SentenceCheck(JsonNode json, Path golden, Tolerances tolerances, Findings findings) {
        this.json = json;
        this.golden = golden;
        this.tolerances = tolerances;
        this.findings = findings;
    }

    void check(Encoder model) {
        var mask = mask();
        if (mask < 0 || mask >= model.vocabulary()) {
            findings.unchecked("sentence", "[MASK]", "vocab.txt has no such token for this model");
            return;
        }
        double sum = 0, n = 0;
        for (var i = 0; i < json.path("sentences").size(); i++) {
            var sentence = json.path("sentences").path(i);
            var ids = ints(sentence.path("input_ids"));
            var places = ints(sentence.path("masked_positions"));
            var name = "sentence " + (i + 1);
            if (!fit(model, ids, places)
                    || sentence.path("token_logprob").size() != places.length
                    || sentence.path("token_rank").size() != places.length) {
                findings.unchecked("sentence", name, "its ids, places and numbers do not fit");
                continue;
            }
            var told = PseudoPerplexity.of(model, ids, places, mask);
            var log = 0.0;
            for (var t = 0; t < places.length; t++) {
                var token = name + ", token " + places[t];
                log -= told.losses()[t];
                findings.add(
                        "token-log-probability",
                        token,
                        Math.abs(-told.losses()[t] - number(sentence.path("token_logprob"), t)),
                        tolerances.logits());
                findings.add(
                        "token-rank",
                        token,
                        Math.abs(told.ranks()[t] + 1 - number(sentence.path("token_rank"), t)),
                        0);
            }
            totals(name, log, places.length, sentence, "pll", "pppl");
            sum += log;
            n += places.length;
        }
        totals("corpus", sum, n, json, "corpus_pll", "corpus_pppl");
    }

    private void totals(String name, double log, double n, JsonNode node, String pll, String pppl) {
        var theirs = node.path(pppl).asDouble(Double.NaN);
        findings.add(
                "pseudo-log-likelihood",
                name,
                Math.abs(log - node.path(pll).asDouble(Double.NaN)),
                n * tolerances.logits());
        findings.add(
                "pseudo-perplexity",
                name,
                Math.abs(Math.exp(-log / n) / theirs - 1),
                tolerances.logits());
    }

    private static double number(JsonNode list, int at) {
        return list.path(at).asDouble(Double.NaN);
    }

    private static int[] ints(JsonNode list) {
        return list.valueStream().mapToInt(v -> v.asInt(-1)).toArray();
    }

    private static boolean fit(Encoder model, int[] ids, int[] places) {
        for (var id : ids) {
            if (id < 0 || id >= model.vocabulary()) {
                return false;
            }
        }
        for (var place : places) {
            if (place < 0 || place >= ids.length) {
                return false;
            }
        }
        return places.length > 0 && ids.length <= model.context();
    }

    private int mask() {
        try {
            return Files.readAllLines(golden.resolve("vocab.txt")).indexOf("[MASK]");
        } catch (IOException e) {
            throw EspalierException.data(
                    golden.resolve("vocab.txt") + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }
}
