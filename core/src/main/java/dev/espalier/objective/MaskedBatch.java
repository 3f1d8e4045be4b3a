package dev.espalier.objective;

import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.ExampleText.Piece;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/// Sequences from which the hidden tokens are to be told (masked language modelling, Devlin et al.
/// 2018, arXiv:1810.04805, section 3.1). Only the states at their places go on to the head and the
/// vocabulary, some 15 % of all.
///
/// @param term what the step's figures call this loss
/// @param rows at least one of which has a hidden token
/// @param loss the loss of a hidden token
public record MaskedBatch(
        Encoder model, String term, double weight, List<Masking.Masked> rows, CrossEntropy loss)
        implements MicroBatch {
    public MaskedBatch {
        rows = List.copyOf(rows);
    }

    /// Hidden tokens.
    @Override
    public long count() {
        return rows.stream().mapToLong(r -> r.places().length).sum();
    }

    @Override
    public long tokens() {
        return rows.stream().mapToLong(r -> r.ids().length).sum();
    }

    @Override
    public List<String> where() {
        return rows.stream().map(Masking.Masked::where).toList();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return rows.stream().map(row -> example(tokenizer, row)).toList();
    }

    private static ExampleText example(Tokenizer tokenizer, Masking.Masked row) {
        var mask = tokenizer.specials().mask();
        var pieces = new ArrayList<Piece>();
        var read = 0;
        for (var m = 0; m <= row.places().length; m++) {
            var place = m < row.places().length ? row.places()[m] : row.ids().length;
            if (place > read) {
                var between = tokenizer.decode(Arrays.copyOfRange(row.ids(), read, place));
                pieces.add(new Piece(between, Mark.READ));
            }
            if (m < row.places().length) {
                int seen = row.ids()[place], label = row.labels()[m];
                var mark =
                        seen == label
                                ? Mark.KEPT
                                : mask.isPresent() && seen == mask.getAsInt()
                                        ? Mark.HIDDEN
                                        : Mark.RANDOM;
                pieces.add(
                        new Piece(
                                tokenizer.decode(new int[] {seen}),
                                mark,
                                tokenizer.decode(new int[] {label})));
            }
            read = place + 1;
        }
        return new ExampleText(row.where(), List.of(new ExampleText.Field("text", pieces)));
    }

    @Override
    public VocabularyLoss forward() {
        var labels = rows.stream().flatMapToInt(r -> Arrays.stream(r.labels())).asLongStream();
        return new VocabularyLoss(
                model, states(model, rows), Tensor.of(labels.toArray(), (int) count()), loss);
    }

    /// The last hidden states (places, D) of a decoder or an encoder at the places of all `rows`.
    public static Tensor states(LanguageModel model, List<Masking.Masked> rows) {
        var length = model.paddedLength(rows.stream().mapToInt(r -> r.ids().length));
        var ids = new long[rows.size() * length];
        var keep = new long[ids.length];
        var places = LongStream.builder();
        Arrays.fill(ids, model.padding());
        for (var r = 0; r < rows.size(); r++) {
            var row = rows.get(r);
            for (var t = 0; t < row.ids().length; t++) {
                ids[r * length + t] = row.ids()[t];
                keep[r * length + t] = 1;
            }
            for (var place : row.places()) {
                places.add((long) r * length + place);
            }
        }
        var read = Tensor.of(ids, rows.size(), length); // (B, T)
        var padded = Arrays.stream(keep).anyMatch(k -> k == 0);
        var hidden =
                switch (model) {
                    // Nothing sees what follows it, so that what fills up rows need not be hidden.
                    case Decoder decoder -> decoder.hidden(read);
                    case Encoder encoder ->
                            encoder.hidden(
                                    read,
                                    null,
                                    padded ? Tensor.of(keep, rows.size(), length) : null);
                    case EncoderDecoder _ ->
                            throw new IllegalArgumentException("an encoder with a decoder");
                }; // (B, T, D)
        var at = places.build().toArray();
        return hidden.reshape(ids.length, model.width())
                .indexSelect(0, Tensor.of(at, at.length)); // (places, D)
    }
}
