package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.tokenize.Template;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Truncation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Makes texts, or pairs of texts, what a classifier reads: tokens in the tokenizer's template.
/// Safe for use by many threads.
///
/// Between the texts of a pair stands what the template puts there; where it puts nothing, as
/// decoders' do, the tokenizer's end of text, or its separator, or a line end. A longer text is
/// cut, of a pair the longer one first, token by token; or it is read in windows that overlap, of a
/// pair those of its longer text with the shorter one whole in each, unless that takes more than
/// half the room, beyond which it is cut. The last window ends with the text, and is as long as the
/// others.
public final class TextReader {
    static final String MAX_LENGTH = "max_length";
    private static final String STRIDE = "window_stride";
    private static final String PAIRS = "pairs";

    private final Tokenizer tokenizer;
    private final int maxLength;
    private final int stride;
    private final @Nullable Boolean pairs;
    private final Template template;

    /// For texts and pairs alike.
    ///
    /// @param maxLength tokens that the model sees at once, more than the template adds to a text
    /// @param stride tokens of the text from the beginning of one window to that of the next; 0 to
    ///   cut texts
    public TextReader(Tokenizer tokenizer, int maxLength, int stride) {
        this(tokenizer, maxLength, stride, null);
    }

    /// As above.
    ///
    /// @param pairs whether the model learns or learnt from pairs, and so tells nothing else; null
    ///   where that is not known
    public TextReader(Tokenizer tokenizer, int maxLength, int stride, @Nullable Boolean pairs) {
        this.tokenizer = tokenizer;
        this.maxLength = maxLength;
        this.stride = stride;
        this.pairs = pairs;
        var given = tokenizer.template();
        template = given.separates() ? given : given.separatedBy(separator(tokenizer));
    }

    /// How the model in `folder`, with a context of `context` tokens, reads by its `config`.
    ///
    /// @throws EspalierException (DATA) if that is nothing it could do
    public static TextReader of(Tokenizer tokenizer, Path folder, JsonNode config, int context) {
        var own = config.path(HuggingFace.OWN);
        var least = tokenizer.template().addedToOne() + 1;
        return new TextReader(
                tokenizer,
                within(folder, own, MAX_LENGTH, context, least, context),
                within(folder, own, STRIDE, 0, 0, context),
                // Of a model from elsewhere nothing is known.
                own.has(MAX_LENGTH) ? (Boolean) own.path(PAIRS).asBoolean(false) : null);
    }

    /// A whole number that `config.json` says of how a model is used.
    ///
    /// @throws EspalierException (DATA) if it is not from `least` to `most`
    static int within(Path folder, JsonNode own, String key, int otherwise, int least, int most) {
        var node = own.path(key);
        if (node.isMissingNode()) {
            return otherwise;
        }
        if (!node.isInt() || node.intValue() < least || node.intValue() > most) {
            throw EspalierException.data(
                    "%s: %s.%s is %s in config.json; allowed: %d to %d"
                            .formatted(folder, HuggingFace.OWN, key, node, least, most));
        }
        return node.intValue();
    }

    /// Says in `config` how this reads, for [#of].
    public void describe(ObjectNode config) {
        config.remove(HuggingFace.OWN);
        var own = HuggingFace.own(config).put(MAX_LENGTH, maxLength);
        if (stride > 0) {
            own.put(STRIDE, stride);
        }
        if (Boolean.TRUE.equals(pairs)) {
            own.put(PAIRS, true);
        }
    }

    private static int[] separator(Tokenizer tokenizer) {
        var specials = tokenizer.specials();
        var special =
                specials.endOfText().isPresent() ? specials.endOfText() : specials.separator();
        if (special.isPresent()) {
            return new int[] {special.getAsInt()};
        }
        try {
            return tokenizer.encode("\n");
        } catch (EspalierException e) {
            return new int[0]; // it has no line end, which matters to pairs alone
        }
    }

    /// Checks that these are the texts that the model learnt to tell and, of pairs, that there is
    /// room for them and something to tell their texts apart by.
    ///
    /// @param given whether pairs are given, or single texts
    /// @throws EspalierException (USAGE) if that is not so
    public void require(boolean given) {
        if (pairs != null && pairs != given) {
            throw EspalierException.usage(
                    given
                            ? "the model learnt to tell single texts, and pairs are given"
                            : "the model learnt to tell pairs of texts, and the second text is missing");
        }
        if (!given) {
            return;
        }
        if (!template.separates()) {
            throw EspalierException.usage(
                    "task.pair: the tokenizer has no end of text, no separator and no line end to"
                            + " stand between two texts");
        }
        if (maxLength < template.addedToTwo() + 2) {
            throw EspalierException.usage(
                    "task.max-length: %d tokens leave no room for two texts beside the special ones"
                            .formatted(maxLength));
        }
    }

    /// Tokens that go through the model together.
    ///
    /// @param types 1 for what belongs to the second text where the tokenizer marks it so; null for
    ///   all 0
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    public record Tokens(int[] ids, int @Nullable [] types) {
        public int length() {
            return ids.length;
        }
    }

    /// What becomes of a text.
    ///
    /// @param windows one, or where the text is longer than the model sees at once several
    /// @param truncated whether tokens were left out
    public record Read(List<Tokens> windows, boolean truncated) {
        public Read {
            windows = List.copyOf(windows);
        }
    }

    /// A text, or a pair if there is a `second`. One without any tokens is given the end of text,
    /// or token 0, to be told by.
    public Read read(String text, @Nullable String second) {
        var first = tokenizer.encode(text);
        return second == null ? one(first) : pair(first, tokenizer.encode(second));
    }

    /// The ends that [#read] leaves out of a text or a pair, those that are not empty.
    public List<String> cut(String text, @Nullable String second) {
        if (second == null) {
            return stride > 0 ? List.of() : end(text, maxLength - template.addedToOne()).toList();
        }
        var room = maxLength - template.addedToTwo();
        var first = tokenizer.encode(text).length;
        var other = tokenizer.encode(second).length;
        if (first + other <= room) {
            return List.of();
        }
        if (stride > 0) {
            return end(first > other ? second : text, room / 2).toList();
        }
        var kept = template.kept(first, other, maxLength, Truncation.LONGEST_FIRST);
        return Stream.concat(end(text, kept[0]), end(second, kept[1])).toList();
    }

    private Stream<String> end(String text, int kept) {
        var encoding = tokenizer.encodeWithOffsets(text);
        return encoding.ids().length > kept
                ? Stream.of(text.substring(encoding.starts()[kept]))
                : Stream.empty();
    }

    private Read one(int[] text) {
        var room = maxLength - template.addedToOne();
        if (text.length > room && stride > 0) {
            var windows = new ArrayList<Tokens>();
            for (var start : starts(text.length, room)) {
                windows.add(tokens(Arrays.copyOfRange(text, start, start + room)));
            }
            return new Read(windows, false);
        }
        var cut = text.length > room;
        return new Read(List.of(tokens(cut ? Arrays.copyOf(text, room) : text)), cut);
    }

    private Tokens tokens(int[] text) {
        var ids = template.apply(text);
        return new Tokens(
                ids.length > 0 ? ids : new int[] {tokenizer.specials().endOfText().orElse(0)},
                null);
    }

    private Read pair(int[] first, int[] second) {
        var room = maxLength - template.addedToTwo();
        var cut = first.length + second.length > room;
        if (!cut || stride == 0) {
            var kept =
                    template.kept(first.length, second.length, maxLength, Truncation.LONGEST_FIRST);
            var tokens = tokens(Arrays.copyOf(first, kept[0]), Arrays.copyOf(second, kept[1]));
            return new Read(List.of(tokens), cut);
        }
        var swap = first.length > second.length;
        var longer = swap ? first : second;
        var given = swap ? second : first;
        var shorter = Arrays.copyOf(given, Math.min(given.length, room / 2));
        var length = room - shorter.length;
        var windows = new ArrayList<Tokens>();
        for (var start : starts(longer.length, length)) {
            var part = Arrays.copyOfRange(longer, start, start + length);
            windows.add(swap ? tokens(part, shorter) : tokens(shorter, part));
        }
        return new Read(windows, shorter.length < given.length);
    }

    private Tokens tokens(int[] first, int[] second) {
        var types = template.types(first.length, second.length);
        return new Tokens(
                template.apply(first, second),
                Arrays.stream(types).anyMatch(type -> type > 0) ? types : null);
    }

    /// Where the windows of `length` over a longer text of `size` tokens begin.
    private int[] starts(int size, int length) {
        var starts = new ArrayList<Integer>();
        for (var start = 0; start + length < size; start += Math.min(stride, length)) {
            starts.add(start);
        }
        starts.add(size - length);
        return starts.stream().mapToInt(i -> i).toArray();
    }
}
