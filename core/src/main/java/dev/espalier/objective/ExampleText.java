package dev.espalier.objective;

import dev.espalier.image.ShownImage;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// An example of a batch as text, for a person who wants to see what a model is trained on: what it
/// reads, what of that is noise, and what it is to tell.
///
/// @param where the example stands
/// @param fields its texts, such as `input` and `target`, in the order of reading
/// @param picture as the model sees it, with what it is to tell drawn in; null where it sees none
public record ExampleText(String where, List<Field> fields, @Nullable ShownImage picture) {
    public ExampleText {
        fields = List.copyOf(fields);
    }

    /// Of texts alone.
    public ExampleText(String where, List<Field> fields) {
        this(where, fields, null);
    }

    /// A text under the name of what it is.
    public record Field(String name, List<Piece> pieces) {
        public Field {
            pieces = List.copyOf(pieces);
        }
    }

    /// A stretch of a text.
    ///
    /// @param target what is to be told here, where that is not `text` itself
    public record Piece(String text, Mark mark, @Nullable String target) {
        public Piece(String text, Mark mark) {
            this(text, mark, null);
        }
    }

    /// What a piece is to the model.
    public enum Mark {
        /// Read.
        READ,
        /// To be told; what stands before it may be read too.
        TARGET,
        /// Noise: a mask or a sentinel in place of text.
        HIDDEN,
        /// Noise: another token than the text's.
        RANDOM,
        /// As it was, yet to be told like what is hidden.
        KEPT,
        /// Noise: the text's, but at another place.
        MOVED,
        /// In the data, but beyond what the model sees.
        CUT
    }

    /// This with `text` shown as cut from the end of the field `name`.
    public ExampleText cutOf(String name, String text) {
        return new ExampleText(
                where,
                fields.stream()
                        .map(field -> {
                            if (!field.name().equals(name)) {
                                return field;
                            }
                            var pieces = new ArrayList<>(field.pieces());
                            pieces.add(new Piece(text, Mark.CUT));
                            return new Field(name, pieces);
                        })
                        .toList(),
                picture);
    }

    /// Whether `id` is a mask or a sentinel, rather than text or what stands around texts.
    static boolean standsForText(Tokenizer tokenizer, int id) {
        var s = tokenizer.specials();
        return tokenizer.isSpecial(id)
                && Stream.of(
                                s.beginOfText(),
                                s.endOfText(),
                                s.unknown(),
                                s.separator(),
                                s.padding(),
                                s.classification())
                        .noneMatch(role -> role.isPresent() && role.getAsInt() == id);
    }

    /// A field that is one piece.
    public static Field field(String name, String text, Mark mark) {
        return new Field(name, List.of(new Piece(text, mark)));
    }

    /// The text of `ids`, the i-th of which is `marks` of i; neighbours of one mark are one piece.
    public static Field field(
            String name, Tokenizer tokenizer, int[] ids, IntFunction<Mark> marks) {
        var pieces = new ArrayList<Piece>();
        for (var start = 0; start < ids.length; ) {
            var mark = marks.apply(start);
            var end = start + 1;
            while (end < ids.length && marks.apply(end) == mark) {
                end++;
            }
            pieces.add(new Piece(tokenizer.decode(Arrays.copyOfRange(ids, start, end)), mark));
            start = end;
        }
        return new Field(name, pieces);
    }
}
