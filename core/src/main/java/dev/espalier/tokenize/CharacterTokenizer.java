package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// One token for each character (Unicode code point).
///
/// A character that the vocabulary lacks becomes the unknown token; without one, [#encode] throws
/// an [EspalierException].
public final class CharacterTokenizer implements FramedTokenizer {
    private final Vocabulary vocabulary;
    private final Frame frame;
    private final boolean plain;
    private final OptionalInt unknown;
    private final Map<Integer, Integer> characters;

    /// @param vocabulary whose model tokens are single characters, but for the unknown token
    CharacterTokenizer(Vocabulary vocabulary, OptionalInt unknown, Frame frame, boolean plain) {
        this.vocabulary = vocabulary;
        this.unknown = unknown;
        this.frame = frame;
        this.plain = plain;
        characters = new HashMap<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            var token = vocabulary.token(id);
            if (vocabulary.isModel(id) && token.codePointCount(0, token.length()) == 1) {
                characters.put(token.codePointAt(0), id);
            }
        }
    }

    /// The tokenizer of all characters of `texts`, in the order of their code points, after the
    /// special tokens in the order given.
    ///
    /// @throws EspalierException if there is no character at all
    public static CharacterTokenizer train(Iterable<String> texts, List<String> specialTokens) {
        var found = new BitSet();
        for (var text : texts) {
            for (int at = 0; at < text.length(); ) {
                int c = Utf8.codePoint(text, at, text.length());
                found.set(c);
                at += Character.charCount(c);
            }
        }
        if (found.isEmpty()) {
            throw EspalierException.data("there is no text to train a tokenizer on");
        }
        BytePairTrainer.checkSpecialTokens(specialTokens);
        for (var token : specialTokens) {
            if (token.codePointCount(0, token.length()) == 1) {
                throw EspalierException.usage(
                        "the special token \"%s\" is a single character, which a tokenizer of"
                                        .formatted(token)
                                + " characters cannot tell from text; use for example <"
                                + token
                                + ">");
            }
        }
        var tokens = new String[specialTokens.size() + found.cardinality()];
        specialTokens.toArray(tokens);
        int id = specialTokens.size();
        for (int c = found.nextSetBit(0); c >= 0; c = found.nextSetBit(c + 1)) {
            tokens[id++] = Character.toString(c);
        }
        var model = new BitSet();
        model.set(0, tokens.length);
        var vocabulary = new Vocabulary(tokens, model);
        var unknown =
                SpecialTokens.NONE
                        .completedBy(name ->
                                specialTokens.contains(name)
                                        ? vocabulary.id(name)
                                        : OptionalInt.empty())
                        .unknown();
        return new CharacterTokenizer(
                vocabulary,
                unknown,
                TokenizerFiles.characterFrame(
                                unknown.isPresent() ? tokens[unknown.getAsInt()] : null)
                        .with(specialTokens, vocabulary, true),
                false);
    }

    @Override
    public Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public Frame frame() {
        return frame;
    }

    @Override
    public int[] encode(CharSequence text) {
        return encodeWithOffsets(text.toString()).ids();
    }

    @Override
    public Encoding encodeWithOffsets(String text) {
        var ids = new Ids(text.length());
        var starts = new Ids(text.length());
        var ends = new Ids(text.length());
        frame.added()
                .split(
                        text,
                        plain,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                for (int at = from; at < to; ) {
                                    int c = Utf8.codePoint(piece.text(), at, to);
                                    int end = at + Character.charCount(c);
                                    int start = piece.start(at);
                                    token(idOf(c, start), start, piece.end(end));
                                    at = end;
                                }
                            }

                            @Override
                            public void token(int id, int from, int to) {
                                ids.add(id);
                                starts.add(from);
                                ends.add(to);
                            }
                        });
        return new Encoding(ids.toArray(), starts.toArray(), ends.toArray());
    }

    private int idOf(int c, int at) {
        var id = characters.get(c);
        if (id != null) {
            return id;
        }
        if (unknown.isPresent()) {
            return unknown.getAsInt();
        }
        throw EspalierException.data(
                "character %d of the text, %s (U+%04X), is not among the %d of the vocabulary, which"
                                .formatted(at + 1, Character.toString(c), c, characters.size())
                        + " has no unknown token such as <unk>");
    }

    @Override
    public byte[] bytes(int id) {
        return vocabulary.token(id).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public CharacterTokenizer plain() {
        return plain ? this : new CharacterTokenizer(vocabulary, unknown, frame, true);
    }

    @Override
    public CharacterTokenizer with(List<String> tokens, boolean special) {
        var wider = vocabulary.with(tokens);
        return new CharacterTokenizer(wider, unknown, frame.with(tokens, wider, special), plain);
    }

    @Override
    public void save(Path folder) {
        TokenizerFiles.save(folder, frame, vocabulary, List.of());
    }
}
