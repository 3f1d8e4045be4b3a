package dev.espalier.tokenize;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/// A tokenizer in the manner of SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226): a
/// unigram language model as in T5 (Kudo 2018, arXiv:1804.10959), or byte-pair encoding of
/// characters as in Llama 2. White space is a character like others, `▁`; what the vocabulary lacks
/// is the unknown token, or spelt by bytes.
///
/// Ids, places and texts are the Hugging Face library's. [#bytes] of a token that begins with `▁`
/// begin with a space; [#decode] leaves out the one that was put before the text.
public final class SentencePieceTokenizer implements FramedTokenizer {
    /// How tokens become text.
    ///
    /// @param bytes whether the names of bytes stand for them
    /// @param metaspace whether the first token's `▁` are left out
    /// @param strip how many spaces at the beginning are left out
    record Decoding(boolean bytes, boolean metaspace, int strip) {}

    private final Vocabulary vocabulary;
    private final Spelling spelling;
    private final SentencePieceText text;
    private final Decoding decoding;
    private final Frame frame;
    private final boolean plain;

    /// What spells text: [#spelling], or without special tokens if this is plain.
    private final Spelling speller;

    /// What one thread needs to encode.
    private record Workspace(WordCache cache, SentencePieceText.Words words) {}

    /// Those that no thread is using now.
    private final Queue<Workspace> workspaces = new ConcurrentLinkedQueue<>();

    SentencePieceTokenizer(
            Vocabulary vocabulary,
            Spelling spelling,
            SentencePieceText text,
            Decoding decoding,
            Frame frame,
            boolean plain) {
        this.vocabulary = vocabulary;
        this.spelling = spelling;
        this.text = text;
        this.decoding = decoding;
        this.frame = frame;
        this.plain = plain;
        if (plain) {
            var special = new BitSet();
            frame.added().all().stream()
                    .filter(AddedToken::special)
                    .forEach(token -> special.set(token.id()));
            speller = spelling.without(special);
        } else {
            speller = spelling;
        }
    }

    @Override
    public int[] encode(CharSequence given) {
        return encode(given, Before.NOTHING);
    }

    @Override
    public int[] encode(CharSequence given, Before before) {
        var string = given.toString();
        var ids = new Ids(string.length() / 3 + 8);
        var free = workspaces.poll();
        var workspace =
                free == null
                        ? new Workspace(new WordCache(), new SentencePieceText.Words(text, false))
                        : free;
        var cache = workspace.cache();
        SentencePieceText.Receiver receiver =
                (bytes, length) -> {
                    ids.reserve(WordCache.WRITTEN);
                    if (!cache.find(bytes, 0, length, ids)) {
                        var found = speller.spell(bytes, 0, length, null);
                        cache.put(bytes, 0, length, found);
                        ids.addAll(found, found.length);
                    }
                };
        boolean normalized = frame.added().normalizes() || !text.normalizes();
        frame.added()
                .split(
                        string,
                        plain,
                        before,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                var words = workspace.words();
                                var there = piece.start(from) == 0 ? before : Before.TOKEN;
                                if (normalized) {
                                    words.ofNormalized(piece, from, to, there, receiver);
                                } else {
                                    words.of(piece.text(), from, to, there, receiver);
                                }
                            }

                            @Override
                            public void token(int id, int from, int to) {
                                ids.add(id);
                            }
                        });
        workspaces.add(workspace);
        return ids.toArray();
    }

    @Override
    public Encoding encodeWithOffsets(String given) {
        var ids = new Ids(given.length() / 3 + 8);
        var starts = new Ids(given.length() / 3 + 8);
        var ends = new Ids(given.length() / 3 + 8);
        var words = new SentencePieceText.Words(text, true);
        var places = new Ids(16);
        SentencePieceText.Receiver receiver =
                (bytes, length) -> {
                    places.clear();
                    var found = speller.spell(bytes, 0, length, places);
                    ids.addAll(found, found.length);
                    for (int i = 0; i < found.length; i++) {
                        starts.add(words.start(places.get(2 * i)));
                        ends.add(words.end(places.get(2 * i + 1) - 1));
                    }
                };
        boolean normalized = frame.added().normalizes();
        frame.added()
                .split(
                        given,
                        plain,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                var there = piece.start(from) == 0 ? Before.NOTHING : Before.TOKEN;
                                if (normalized) {
                                    words.ofNormalized(piece, from, to, there, receiver);
                                    return;
                                }
                                var normal = text.of(piece.text(), from, to);
                                boolean same = normal.starts() == null;
                                words.ofNormalized(
                                        normal,
                                        same ? from : 0,
                                        same ? to : normal.text().length(),
                                        there,
                                        receiver);
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

    /// Bytes that make no character become U+FFFD, each byte of a run that is not UTF-8 as a whole.
    @Override
    public String decode(int[] given) {
        var ids = vocabulary.withoutHoles(given);
        var result = new StringBuilder();
        var run = new ByteArrayOutputStream();
        for (int i = 0; i < ids.length; i++) {
            var name = vocabulary.token(ids[i]);
            int b = decoding.bytes() ? Spelling.byteOf(name) : -1;
            if (b >= 0) {
                run.write(b);
                continue;
            }
            end(run, result);
            if (decoding.metaspace() && i == 0) {
                result.append(name.replace(String.valueOf(SentencePieceText.SPACE), ""));
            } else {
                result.append(name.replace(SentencePieceText.SPACE, ' '));
            }
        }
        end(run, result);
        int leading = 0;
        while (leading < Math.min(decoding.strip(), result.length())
                && result.charAt(leading) == ' ') {
            leading++;
        }
        return result.substring(leading);
    }

    private static void end(ByteArrayOutputStream run, StringBuilder result) {
        if (run.size() == 0) {
            return;
        }
        try {
            result.append(
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(run.toByteArray())));
        } catch (CharacterCodingException e) {
            result.repeat("\ufffd", run.size());
        }
        run.reset();
    }

    @Override
    public byte[] bytes(int id) {
        var name = vocabulary.token(id);
        int b = decoding.bytes() ? Spelling.byteOf(name) : -1;
        return b >= 0
                ? new byte[] {(byte) b}
                : name.replace(SentencePieceText.SPACE, ' ').getBytes(StandardCharsets.UTF_8);
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
    public SentencePieceTokenizer plain() {
        return plain
                ? this
                : new SentencePieceTokenizer(vocabulary, spelling, text, decoding, frame, true);
    }

    @Override
    public SentencePieceTokenizer with(List<String> tokens, boolean special) {
        var wider = vocabulary.with(tokens);
        return new SentencePieceTokenizer(
                wider, spelling, text, decoding, frame.with(tokens, wider, special), plain);
    }

    @Override
    public void save(Path folder) {
        spelling.save(folder, frame, vocabulary);
    }
}
