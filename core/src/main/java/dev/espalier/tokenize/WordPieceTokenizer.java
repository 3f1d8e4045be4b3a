package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/// WordPiece as in BERT (Schuster and Nakajima 2012; Devlin et al. 2018, arXiv:1810.04805, section
/// 3): text is cleaned and cut into words, marks of punctuation and Chinese characters by
/// [BertText], and each is spelt by the longest token that it begins with, then the longest that
/// the rest begins with, and so on. Tokens within a word carry a prefix, `##`. A word that cannot
/// be spelt is the unknown token.
///
/// [#bytes] of a token that begins a word has a space in front, which no text had there perhaps;
/// [#decode] puts no space before the first, and with `cleanUp` none before the marks that English
/// sets without, as the Hugging Face library does.
public final class WordPieceTokenizer implements FramedTokenizer {
    /// @param text how text is cleaned and cut
    /// @param prefix what tokens within a word begin with
    /// @param longestWord a word of more characters is unknown
    /// @param cleanUp whether [#decode] draws marks of punctuation to their words
    record Options(BertText text, String prefix, int longestWord, boolean cleanUp) {}

    private final Vocabulary vocabulary;
    private final int unknown;
    private final Options options;
    private final Frame frame;
    private final boolean plain;
    private final Map<String, Integer> heads;
    private final Map<String, Integer> tails;

    /// Of heads and tails, in characters.
    private final int longestToken;

    /// Those that no thread is using now.
    private final Queue<Speller> spellers;

    WordPieceTokenizer(Vocabulary vocabulary, int unknown, Options options, Frame frame) {
        this.vocabulary = vocabulary;
        this.unknown = unknown;
        this.options = options;
        this.frame = frame;
        plain = false;
        heads = new HashMap<>();
        tails = new HashMap<>();
        var longest = 1;
        for (var id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.isModel(id)) {
                var name = vocabulary.token(id);
                heads.put(name, id);
                longest = Math.max(longest, name.codePointCount(0, name.length()));
                if (name.startsWith(options.prefix())) {
                    tails.put(name.substring(options.prefix().length()), id);
                }
            }
        }
        longestToken = longest;
        spellers = new ConcurrentLinkedQueue<>();
    }

    private WordPieceTokenizer(WordPieceTokenizer other, boolean plain) {
        vocabulary = other.vocabulary;
        unknown = other.unknown;
        options = other.options;
        frame = other.frame;
        heads = other.heads;
        tails = other.tails;
        longestToken = other.longestToken;
        spellers = other.spellers;
        this.plain = plain;
    }

    /// Spells the words of a text, and remembers how.
    private final class Speller {
        private final WordCache cache = new WordCache();
        private Ids ids = new Ids(2);

        int[] encode(String text, boolean asPlain) {
            ids = new Ids(text.length() / 4 + 8);
            frame.added()
                    .split(
                            text,
                            asPlain,
                            new AddedTokens.Pieces() {
                                @Override
                                public void text(Normalized piece, int from, int to) {
                                    options.text()
                                            .words(
                                                    piece.text(),
                                                    from,
                                                    to,
                                                    options.longestWord(),
                                                    Speller.this::word);
                                }

                                @Override
                                public void token(int id, int from, int to) {
                                    ids.add(id);
                                }
                            });
            var result = ids.toArray();
            ids = new Ids(2);
            return result;
        }

        private void word(BertText.Word word) {
            if (word.characters() > options.longestWord()) {
                ids.add(unknown);
                return;
            }
            ids.reserve(WordCache.WRITTEN);
            if (!cache.find(word.bytes(), 0, word.length(), ids)) {
                var found = spell(word.text(), null);
                cache.put(word.bytes(), 0, word.length(), found);
                ids.addAll(found, found.length);
            }
        }
    }

    /// The tokens of a word.
    ///
    /// @param ends filled with where each ends, in characters; null if that is not wanted
    private int[] spell(String word, @Nullable Ids ends) {
        var characters = word.codePoints().toArray();
        var found = new Ids(8);
        for (var at = 0; at < characters.length; ) {
            var tokens = at == 0 ? heads : tails;
            var end = Math.min(characters.length, at + longestToken);
            var id = tokens.get(new String(characters, at, end - at));
            while (id == null && end > at + 1) {
                end--;
                id = tokens.get(new String(characters, at, end - at));
            }
            if (id == null) {
                if (ends != null) {
                    ends.clear();
                    ends.add(characters.length);
                }
                return new int[] {unknown};
            }
            found.add(id);
            if (ends != null) {
                ends.add(end);
            }
            at = end;
        }
        return found.toArray();
    }

    @Override
    public int[] encode(CharSequence text) {
        var free = spellers.poll();
        var speller = free == null ? new Speller() : free;
        var ids = speller.encode(text.toString(), plain);
        spellers.add(speller);
        return ids;
    }

    @Override
    public Encoding encodeWithOffsets(String text) {
        var ids = new Ids(text.length() / 4 + 8);
        var starts = new Ids(text.length() / 4 + 8);
        var ends = new Ids(text.length() / 4 + 8);
        frame.added()
                .split(
                        text,
                        plain,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                options.text()
                                        .words(
                                                piece.text(),
                                                from,
                                                to,
                                                options.longestWord(),
                                                word -> word(piece, word));
                            }

                            private void word(Normalized piece, BertText.Word word) {
                                if (word.characters() > options.longestWord()) {
                                    token(
                                            unknown,
                                            piece.start(word.start(0)),
                                            piece.end(word.lastEnd()));
                                    return;
                                }
                                var stops = new Ids(8);
                                var found = spell(word.text(), stops);
                                for (int t = 0, at = 0; t < found.length; at = stops.get(t++)) {
                                    token(
                                            found[t],
                                            piece.start(word.start(at)),
                                            piece.end(word.end(stops.get(t) - 1)));
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

    private boolean isTail(int id) {
        return vocabulary.isModel(id)
                && !frame.isSpecial(id)
                && vocabulary.token(id).startsWith(options.prefix())
                && vocabulary.token(id).length() > options.prefix().length();
    }

    @Override
    public String decode(int[] ids) {
        var text = new StringBuilder();
        for (var id : vocabulary.withoutHoles(ids)) {
            if (isTail(id) && !text.isEmpty()) {
                text.append(vocabulary.token(id), options.prefix().length(), length(id));
            } else {
                text.append(text.isEmpty() ? "" : " ").append(vocabulary.token(id));
            }
        }
        return options.cleanUp() ? cleanUp(text.toString()) : text.toString();
    }

    private int length(int id) {
        return vocabulary.token(id).length();
    }

    /// Without the spaces before marks and clitics that English sets without.
    static String cleanUp(String text) {
        return text.replace(" .", ".")
                .replace(" ?", "?")
                .replace(" !", "!")
                .replace(" ,", ",")
                .replace(" ' ", "'")
                .replace(" n't", "n't")
                .replace(" 'm", "'m")
                .replace(" 's", "'s")
                .replace(" 've", "'ve")
                .replace(" 're", "'re");
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
    public byte[] bytes(int id) {
        var name = vocabulary.token(id);
        var text =
                isTail(id)
                        ? name.substring(options.prefix().length())
                        : vocabulary.isModel(id) && !frame.isSpecial(id) ? " " + name : name;
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public WordPieceTokenizer plain() {
        return plain ? this : new WordPieceTokenizer(this, true);
    }

    @Override
    public WordPieceTokenizer with(List<String> tokens, boolean special) {
        var wider = vocabulary.with(tokens);
        var result =
                new WordPieceTokenizer(wider, unknown, options, frame.with(tokens, wider, special));
        return plain ? result.plain() : result;
    }

    @Override
    public void save(Path folder) {
        TokenizerFiles.save(folder, frame, vocabulary, List.of());
    }

    /// Writes `vocab.txt` into `folder`, as BERT had it: a token a line. Added tokens that the
    /// model's vocabulary lacks are left to [#save].
    ///
    /// @throws EspalierException if a token has a line break, or an id that is not its line's
    public void saveVocabulary(Path folder) {
        var lines = new StringBuilder();
        var number = 0;
        for (var id = 0; id < vocabulary.size(); id++) {
            var name = vocabulary.token(id);
            if (name.indexOf('\n') >= 0 || name.indexOf('\r') >= 0) {
                throw EspalierException.data(
                        "token %d holds a line break, which vocab.txt cannot".formatted(id));
            }
            if (vocabulary.isModel(id)) {
                if (id != number++) {
                    throw EspalierException.data(
                            "token %d would stand in line %d of vocab.txt, where the line tells the id"
                                    .formatted(id, number));
                }
                lines.append(name).append('\n');
            }
        }
        AtomicFiles.write(folder.resolve("vocab.txt"), lines.toString());
    }
}
