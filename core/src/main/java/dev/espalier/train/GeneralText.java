package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.evaluate.MaskedText;
import dev.espalier.evaluate.Perplexity;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.Masking;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Text in windows to measure a language model on; each token but the first is foreseen once.
///
/// @param windows of n + 1 tokens each, the last token of one being the first of the next
/// @param bytes of UTF-8 that the n tokens of each window to be foreseen stand for
/// @param openings ids that begin documents where they stand, which no one is asked to foresee
@SuppressWarnings("ArrayRecordComponent") // filled once, here
public record GeneralText(List<int[]> windows, long[] bytes, Set<Integer> openings) {
    /// The longest window, since a context of 128k would be one window, measured with one figure
    /// and replayed in every step.
    private static final int LONGEST = 1024;

    static final ObjectiveRecipe.Masked BERTS =
            new ObjectiveRecipe.Masked(
                    null, 0.15, 0.8, 0.1, false, ObjectiveRecipe.Masked.Blocks.FULL_SENTENCES);

    /// The window that text is measured in for a model of that context.
    public static int length(int context) {
        return Math.min(context, LONGEST);
    }

    /// The first `most` tokens of the text files that a name or a glob stands for, in windows of
    /// `length` tokens.
    ///
    /// @throws EspalierException (DATA) if a file is no text, or there is nothing to measure
    public static GeneralText read(String pattern, Tokenizer tokenizer, int length, int most) {
        return of(tokens(FileSource.text(pattern), tokenizer::encode, most), tokenizer, length);
    }

    /// The first `most` tokens of `source`'s texts as `model` is measured on them: in windows of
    /// its [#length], an encoder's with room for what stands around a text; and each text begins as
    /// a decoder expects it ([Tokenizer#begun]).
    ///
    /// @throws EspalierException (DATA) if a file is no text, or there is nothing to measure
    public static GeneralText read(
            FileSource source, Tokenizer tokenizer, LanguageModel model, int most) {
        var length = length(model.context());
        if (model instanceof Encoder) {
            var room = length - tokenizer.template().addedToOne();
            return of(tokens(source, tokenizer::encode, most), tokenizer, room);
        }
        var text =
                of(
                        tokens(source, read -> tokenizer.begun(tokenizer.encode(read)), most),
                        tokenizer,
                        length);
        var openings = Arrays.stream(tokenizer.begun(new int[0])).boxed();
        return new GeneralText(
                text.windows, text.bytes, openings.collect(Collectors.toUnmodifiableSet()));
    }

    private static int[] tokens(FileSource source, Function<String, int[]> encode, int most) {
        var tokens = IntStream.builder();
        var count = 0;
        try (var documents = source.documents(Ledger.strict())) {
            for (var document : (Iterable<Document>) documents::iterator) {
                var ids = encode.apply(document.text());
                var take = Math.min(ids.length, most - count);
                Arrays.stream(ids, 0, take).forEach(tokens);
                count += take;
                if (count == most) {
                    break;
                }
            }
        }
        if (count < 2) {
            throw EspalierException.data(source.pattern() + ": holds no text to measure");
        }
        return tokens.build().toArray();
    }

    /// The windows of `length` tokens that `tokens` makes; the last may be shorter.
    public static GeneralText of(int[] tokens, Tokenizer tokenizer, int length) {
        var windows = new ArrayList<int[]>();
        for (var start = 0; start + 1 < tokens.length; start += length) {
            windows.add(
                    Arrays.copyOfRange(tokens, start, Math.min(tokens.length, start + length + 1)));
        }
        return of(windows, tokenizer);
    }

    public static GeneralText of(List<int[]> windows, Tokenizer tokenizer) {
        var bytes =
                windows.stream()
                        .mapToLong(window ->
                                Arrays.stream(window)
                                        .skip(1)
                                        .filter(id -> !tokenizer.isSpecial(id))
                                        .mapToLong(id -> tokenizer.bytes(id).length)
                                        .sum())
                        .toArray();
        return new GeneralText(List.copyOf(windows), bytes, Set.of());
    }

    /// The tokens that are to be foreseen.
    public long tokens() {
        return windows.stream().mapToLong(this::foreseen).sum();
    }

    private long foreseen(int[] window) {
        return Arrays.stream(window).skip(1).filter(id -> !openings.contains(id)).count();
    }

    /// The first windows, of at most `most` tokens in all but at least one window.
    public GeneralText first(long most) {
        var tokens = 0L;
        var count = 0;
        while (count < windows.size()
                && (count == 0 || tokens + windows.get(count).length - 1 <= most)) {
            tokens += windows.get(count).length - 1;
            count++;
        }
        return new GeneralText(windows.subList(0, count), Arrays.copyOf(bytes, count), openings);
    }

    /// How well `model` foresees this text.
    public TextLoss loss(Decoder model, boolean bf16) {
        var sums = Perplexity.windowLosses(model, windows, id -> !openings.contains(id), bf16);
        var loss = new TextLoss();
        for (var i = 0; i < sums.length; i++) {
            var foreseen = foreseen(windows.get(i));
            // A last window may hold no more than the next document's beginning.
            if (foreseen > 0) {
                loss.add(sums[i], foreseen, bytes[i]);
            }
        }
        return loss;
    }

    /// This text with tokens hidden: 15 % of each window, chosen and hidden as BERT's are
    /// ([Masking]), always the same ones.
    ///
    /// @param tokenizer that puts around a window what the model was trained with
    /// @throws EspalierException if no token hides others
    public MaskedText hidden(Tokenizer tokenizer, long seed) {
        var masking = Pretraining.masking(BERTS, tokenizer);
        var rows = new ArrayList<Masking.Masked>();
        for (var i = 0; i < windows.size(); i++) {
            // The last token is the next window's first.
            var window = Arrays.copyOf(windows.get(i), windows.get(i).length - 1);
            var row = masking.of(tokenizer.template().apply(window), "", Rng.at(seed, 6, i));
            if (row.places().length > 0) {
                rows.add(row);
            }
        }
        return new MaskedText(rows);
    }
}
