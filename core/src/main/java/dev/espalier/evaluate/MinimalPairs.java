package dev.espalier.evaluate;

import dev.espalier.EspalierException;
import dev.espalier.data.MinimalPair;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.Masking;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.stream.IntStream;

/// Whether a model holds the acceptable sentence of each pair for the likelier one (Warstadt et al.
/// 2020, arXiv:1912.00582, section 4.1, the whole sentences): by log p of its tokens, behind the
/// token that begins or ends texts where the tokenizer has one; for an encoder by the
/// pseudo-log-likelihood (Salazar et al. 2020, arXiv:1910.14659, section 3.3).
public final class MinimalPairs {
    /// Hidden tokens that are gathered at a time.
    private static final int ROWS = 1 << 14;

    private final List<MinimalPair> pairs;
    private final Tokenizer tokenizer;

    public MinimalPairs(List<MinimalPair> pairs, Tokenizer tokenizer) {
        this.pairs = List.copyOf(pairs);
        this.tokenizer = tokenizer;
    }

    public int size() {
        return pairs.size();
    }

    /// Of each pair, by how much the good sentence's log-probability is the larger one.
    ///
    /// @throws EspalierException (DATA) if a sentence is longer than the model sees, or of a single
    ///   token with nothing before it
    public double[] margins(LanguageModel model, boolean bf16) {
        var losses =
                switch (model) {
                    case Decoder decoder -> Perplexity.windowLosses(decoder, windows(model), bf16);
                    case Encoder encoder -> hidden(encoder);
                    default ->
                            throw EspalierException.usage(
                                    "minimal pairs are told by decoders and encoders");
                };
        return IntStream.range(0, pairs.size())
                .mapToDouble(i -> losses[2 * i + 1] - losses[2 * i])
                .toArray();
    }

    /// The good and the bad sentence of each pair in turns.
    private List<int[]> windows(LanguageModel model) {
        var begin = tokenizer.specials().beginOfText();
        var first = begin.isPresent() ? begin : tokenizer.specials().endOfText();
        var windows = new ArrayList<int[]>();
        for (var pair : pairs) {
            for (var sentence : List.of(pair.good(), pair.bad())) {
                var ids = tokenizer.encode(sentence);
                var window =
                        first.isEmpty()
                                ? ids
                                : IntStream.concat(
                                                IntStream.of(first.getAsInt()), Arrays.stream(ids))
                                        .toArray();
                require(pair, window.length - 1, model.context());
                windows.add(window);
            }
        }
        return windows;
    }

    private static void require(MinimalPair pair, int length, int most) {
        if (length < 1 || length > most) {
            throw EspalierException.data(
                    "%s: a sentence of %d tokens to foresee; allowed with this model: 1 to %d"
                            .formatted(pair.where(), length, most));
        }
    }

    private double[] hidden(Encoder model) {
        var mask = tokenizer.specials().mask();
        if (mask.isEmpty()) {
            throw EspalierException.data(
                    "minimal pairs are told by hiding tokens, and the tokenizer has none to hide them behind");
        }
        var losses = new double[2 * pairs.size()];
        var rows = new ArrayList<Masking.Masked>();
        var owners = new ArrayList<Integer>();
        for (var i = 0; i < losses.length; i++) {
            var pair = pairs.get(i / 2);
            var ids =
                    tokenizer
                            .template()
                            .apply(tokenizer.encode(i % 2 == 0 ? pair.good() : pair.bad()));
            require(pair, ids.length, model.context());
            for (var place = 0; place < ids.length; place++) {
                if (!tokenizer.isSpecial(ids[place])) {
                    var seen = ids.clone();
                    seen[place] = mask.getAsInt();
                    rows.add(
                            new Masking.Masked(
                                    seen, new int[] {place}, new int[] {ids[place]}, ""));
                    owners.add(i);
                }
            }
            if (rows.size() >= ROWS || i == losses.length - 1) {
                var told = new MaskedText(rows).told(model, false);
                for (var r = 0; r < owners.size(); r++) {
                    losses[owners.get(r)] += told.losses()[r];
                }
                rows.clear();
                owners.clear();
            }
        }
        return losses;
    }

    /// By how much each pair counts in the mean over the paradigms, those of a paradigm 1 in all.
    public double[] weights() {
        var sizes = new HashMap<String, Integer>();
        pairs.forEach(pair -> sizes.merge(pair.paradigm(), 1, Integer::sum));
        return pairs.stream()
                .mapToDouble(pair -> 1.0 / sizes.getOrDefault(pair.paradigm(), 1))
                .toArray();
    }

    /// The share of pairs whose good sentence is the likelier one, as a mean over the paradigms, as
    /// BLiMP's; and that of each field and paradigm.
    ///
    /// @param margins of each pair, see [#margins]
    public List<Score> scores(String data, double[] margins) {
        var paradigms = new LinkedHashMap<String, List<Integer>>();
        var fields = new LinkedHashMap<String, List<String>>();
        for (var i = 0; i < pairs.size(); i++) {
            var pair = pairs.get(i);
            if (!paradigms.containsKey(pair.paradigm()) && !pair.field().isEmpty()) {
                fields.computeIfAbsent(pair.field(), _ -> new ArrayList<>()).add(pair.paradigm());
            }
            paradigms.computeIfAbsent(pair.paradigm(), _ -> new ArrayList<>()).add(i);
        }
        var shares = new LinkedHashMap<String, Interval>();
        paradigms.forEach((name, places) ->
                shares.put(
                        name,
                        Interval.share(
                                places.stream().filter(i -> margins[i] > 0).count(),
                                places.size())));
        var scores = new ArrayList<Score>();
        scores.add(
                Score.of(
                        data,
                        "accuracy",
                        Interval.mean(List.copyOf(shares.values())),
                        pairs.size()));
        fields.forEach((field, names) ->
                scores.add(
                        Score.of(
                                data,
                                "accuracy:" + field,
                                Interval.mean(names.stream().map(shares::get).toList()),
                                names.stream()
                                        .mapToInt(n -> paradigms.getOrDefault(n, List.of()).size())
                                        .sum())));
        if (shares.size() > 1) {
            shares.forEach((name, share) ->
                    scores.add(
                            Score.of(
                                    data,
                                    "accuracy:" + name,
                                    share,
                                    paradigms.getOrDefault(name, List.of()).size())));
        }
        return scores;
    }
}
