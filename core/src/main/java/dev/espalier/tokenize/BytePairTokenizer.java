package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Byte-level byte-pair encoding as in GPT-2 (Radford et al. 2019, "Language models are
/// unsupervised multitask learners", section 2.2) and RoBERTa: text is cut by a [Split], and the
/// bytes of each piece are merged pair by pair, the pair learnt first before the others.
public final class BytePairTokenizer implements FramedTokenizer {
    /// How the pre-tokenizer and the post-processor treat text.
    ///
    /// @param split cuts text into pieces
    /// @param addPrefixSpace a text that does not begin with a space is read as if it did
    /// @param trimOffsets offsets leave out the spaces of a token
    /// @param keepsPrefix the space that a text's first token begins with is taken for one that
    ///   `addPrefixSpace` put there
    /// @param ignoreMerges a piece that is a token is that token, whatever the merges say
    record Options(
            Split split,
            boolean addPrefixSpace,
            boolean trimOffsets,
            boolean keepsPrefix,
            boolean ignoreMerges) {}

    /// A merge: two ids and the id that they become.
    record Merge(int left, int right, int id) {}

    /// What one thread needs to encode.
    private record Workspace(WordCache cache, Utf8Chunks chunks) {}

    private final Vocabulary vocabulary;
    private final List<Merge> merges;
    private final Options options;
    private final Frame frame;
    private final boolean plain;

    private final Merges table;
    private final int[] byteIds;
    private final byte[][] bytes;
    private final BitSet added = new BitSet();

    /// Those that no thread is using now.
    private final Queue<Workspace> workspaces;

    /// @param byteIds the id of each byte
    BytePairTokenizer(
            Vocabulary vocabulary,
            List<Merge> merges,
            int[] byteIds,
            Options options,
            Frame frame) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        this.frame = frame;
        this.byteIds = byteIds;
        plain = false;
        table = Merges.of(merges, vocabulary.size());
        bytes = new byte[vocabulary.size()][];
        for (int id = 0; id < bytes.length; id++) {
            bytes[id] = ByteAlphabet.readOrUtf8(vocabulary.token(id));
        }
        for (var token : frame.added().all()) {
            bytes[token.id()] = token.content().getBytes(StandardCharsets.UTF_8);
            added.set(token.id());
        }
        workspaces = new ConcurrentLinkedQueue<>();
    }

    private BytePairTokenizer(BytePairTokenizer other, boolean plain) {
        vocabulary = other.vocabulary;
        merges = other.merges;
        options = other.options;
        frame = other.frame;
        table = other.table;
        byteIds = other.byteIds;
        bytes = other.bytes;
        added.or(other.added);
        workspaces = other.workspaces;
        this.plain = plain;
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
        return encode(text, Before.NOTHING);
    }

    @Override
    public int[] encode(CharSequence text, Before before) {
        var string = text.toString();
        var ids = new Ids(string.length() / 3 + 8);
        frame.added()
                .split(
                        string,
                        plain,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                var goesOn = piece.start(from) == 0 && before == Before.TEXT;
                                encode(
                                        piece.text(),
                                        from,
                                        to,
                                        !goesOn && prefixed(piece.text(), from),
                                        ids);
                            }

                            @Override
                            public void token(int id, int from, int to) {
                                ids.add(id);
                            }
                        });
        return ids.toArray();
    }

    private void encode(String text, int from, int to, boolean prefix, Ids ids) {
        var free = workspaces.poll();
        var workspace = free == null ? new Workspace(new WordCache(), new Utf8Chunks()) : free;
        var cache = workspace.cache();
        var chunks = workspace.chunks();
        var split = options.split();
        chunks.read(text, from, to, prefix);
        while (chunks.next()) {
            var chunk = chunks.bytes();
            int limit = chunks.limit();
            // No piece has more ids than bytes.
            ids.reserve(limit + WordCache.WRITTEN);
            for (int at = 0; at < limit; ) {
                int end = split.next(chunk, at, limit);
                if (!cache.find(chunk, at, end, ids)) {
                    var merged = merge(chunk, at, end);
                    cache.put(chunk, at, end, merged);
                    ids.addAll(merged, merged.length);
                }
                at = end;
            }
        }
        workspaces.add(workspace);
    }

    private boolean prefixed(String text, int from) {
        return options.addPrefixSpace() && text.charAt(from) != ' ';
    }

    private int[] merge(byte[] piece, int from, int to) {
        if (options.ignoreMerges()) {
            var whole = vocabulary.id(ByteAlphabet.write(piece, from, to));
            if (whole.isPresent() && vocabulary.isModel(whole.getAsInt())) {
                return new int[] {whole.getAsInt()};
            }
        }
        var ids = new int[to - from];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = byteIds[piece[from + i] & 0xff];
        }
        return Arrays.copyOf(ids, table.apply(ids, ids.length));
    }

    @Override
    public Encoding encodeWithOffsets(String text) {
        var ids = new Ids(text.length() / 3 + 8);
        var starts = new Ids(text.length() / 3 + 8);
        var ends = new Ids(text.length() / 3 + 8);
        frame.added()
                .split(
                        text,
                        plain,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                int before = ids.size();
                                encode(piece.text(), from, to, prefixed(piece.text(), from), ids);
                                offsets(piece, from, to, ids, before, starts, ends);
                            }

                            @Override
                            public void token(int id, int from, int to) {
                                ids.add(id);
                                starts.add(from);
                                ends.add(to);
                            }
                        });
        var encoding = new Encoding(ids.toArray(), starts.toArray(), ends.toArray());
        if (options.trimOffsets()) {
            trim(text, encoding);
        }
        return encoding;
    }

    /// The places of the tokens from `first` on, which spell `piece.text()[from, to)`.
    private void offsets(
            Normalized piece, int from, int to, Ids ids, int first, Ids starts, Ids ends) {
        var text = piece.text();
        int start = from;
        int end = characterEnd(text, from, to);
        // How many bytes of the character [start, end) are spelt, and how many it has. The space
        // that was put before the text counts to its first character.
        int spelt = 0;
        int width = width(text, start, to) + (prefixed(text, from) ? 1 : 0);
        for (int i = first; i < ids.size(); i++) {
            int left = Math.max(bytes[ids.get(i)].length, 1);
            if (spelt == width) {
                start = end;
                end = characterEnd(text, start, to);
                width = width(text, start, to);
                spelt = 0;
            }
            starts.add(piece.start(start));
            while (left > width - spelt) {
                left -= width - spelt;
                start = end;
                end = characterEnd(text, start, to);
                width = width(text, start, to);
                spelt = 0;
            }
            spelt += left;
            ends.add(piece.end(end));
        }
    }

    private static int characterEnd(String text, int at, int to) {
        return at + Character.charCount(Utf8.codePoint(text, at, to));
    }

    private static int width(String text, int at, int to) {
        int c = Utf8.codePoint(text, at, to);
        return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }

    /// Leaves out the spaces at both ends of each token.
    private void trim(String text, Encoding encoding) {
        for (int i = 0; i < encoding.ids().length; i++) {
            int start = encoding.starts()[i];
            int end = encoding.ends()[i];
            int leading = 0;
            int trailing = 0;
            if (added.get(encoding.ids()[i])) {
                // An added token may have taken any white space around it.
                while (start + leading < end && Split.isWhiteSpace(text.charAt(start + leading))) {
                    leading++;
                }
                while (end - trailing > start
                        && Split.isWhiteSpace(text.charAt(end - trailing - 1))) {
                    trailing++;
                }
            } else {
                var token = bytes[encoding.ids()[i]];
                while (leading < token.length && token[leading] == ' ') {
                    leading++;
                }
                while (trailing < token.length && token[token.length - 1 - trailing] == ' ') {
                    trailing++;
                }
            }
            if (leading == 1 && (i == 0 || start == 0) && options.keepsPrefix()) {
                leading = 0;
            }
            // The space put before the text stands for its first character, which may have two
            // surrogates.
            for (; leading > 0 && start < end; leading--) {
                start += Character.charCount(text.codePointAt(start));
            }
            for (; trailing > 0 && end > start; trailing--) {
                end -= Character.charCount(text.codePointBefore(end));
            }
            encoding.starts()[i] = start;
            encoding.ends()[i] = end;
        }
    }

    @Override
    public byte[] bytes(int id) {
        return bytes[id].clone();
    }

    @Override
    public BytePairTokenizer plain() {
        return plain ? this : new BytePairTokenizer(this, true);
    }

    @Override
    public BytePairTokenizer with(List<String> tokens, boolean special) {
        for (var token : tokens) {
            var id = vocabulary.id(token);
            if (id.isPresent()
                    && !Arrays.equals(
                            bytes[id.getAsInt()], token.getBytes(StandardCharsets.UTF_8))) {
                throw EspalierException.usage(
                        "\"%s\" cannot be added: the vocabulary has a token of that name, which"
                                        .formatted(token)
                                + " stands for other text");
            }
        }
        var wider = vocabulary.with(tokens);
        var result =
                new BytePairTokenizer(
                        wider, merges, byteIds, options, frame.with(tokens, wider, special));
        return plain ? result.plain() : result;
    }

    /// The merges as pairs of tokens, in the order in which they apply.
    public List<Map.Entry<String, String>> merges() {
        var pairs = new ArrayList<Map.Entry<String, String>>(merges.size());
        for (var merge : merges) {
            pairs.add(Map.entry(vocabulary.token(merge.left()), vocabulary.token(merge.right())));
        }
        return pairs;
    }

    @Override
    public void save(Path folder) {
        TokenizerFiles.save(folder, frame, vocabulary, merges());
    }

    /// Writes `vocab.json` and `merges.txt` into `folder`, as GPT-2 had them. Added tokens that the
    /// model's vocabulary lacks are left to [#save].
    public void saveVocabulary(Path folder) {
        TokenizerFiles.saveVocabulary(folder, vocabulary, merges());
    }
}
