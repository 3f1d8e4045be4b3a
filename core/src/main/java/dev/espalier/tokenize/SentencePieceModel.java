package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/// Reads SentencePiece's own file, `tokenizer.model`, as the `tokenizer.json` that means the same.
/// It is a message of Protocol Buffers, `ModelProto` in SentencePiece's `sentencepiece_model.proto`,
/// of which these fields count:
///
///     1 pieces            1 piece, 2 score, 3 type
///     2 trainer_spec      3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback
///     3 normalizer_spec   2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces,
///                         5 escape_whitespaces
///     5 denormalizer_spec 2 precompiled_charsmap
final class SentencePieceModel {
    private static final int UNIGRAM = 1;
    private static final int BPE = 2;

    /// Kinds of pieces; 5 are those that are not to be used.
    private static final int NORMAL = 1;

    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int BYTE = 6;

    private record Piece(String name, float score, int type) {}

    private final String file;
    private final List<Piece> pieces = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();
    private int unknown = -1;
    private int type = UNIGRAM;
    private boolean suffix;
    private boolean byteFallback;
    private byte[] charsmap = new byte[0];
    private boolean dummyPrefix = true;
    private boolean removeExtra = true;
    private boolean escape = true;

    private SentencePieceModel(String file) {
        this.file = file;
    }

    /// @throws EspalierException if it is damaged, or needs what is not supported
    static ObjectNode read(byte[] bytes, String file) {
        var model = new SentencePieceModel(file);
        model.parse(bytes);
        model.check();
        return model.json();
    }

    private EspalierException refused(String format, Object... arguments) {
        return EspalierException.data(file + ": " + format.formatted(arguments));
    }

    // The message

    /// Receives the fields of a message: of a number its bits, of anything longer its bytes.
    private interface Fields {
        void field(int number, long value, ByteBuffer bytes);
    }

    private void fields(ByteBuffer in, Fields to) {
        var none = ByteBuffer.allocate(0);
        while (in.hasRemaining()) {
            long key = varint(in);
            int number = (int) (key >>> 3);
            switch ((int) (key & 7)) {
                case 0 -> to.field(number, varint(in), none);
                case 1 -> to.field(number, need(in, 8).getLong(), none);
                case 2 -> {
                    long length = varint(in);
                    if (length < 0 || length > in.remaining()) {
                        throw damaged(in);
                    }
                    var part = in.slice(in.position(), (int) length);
                    in.position(in.position() + (int) length);
                    to.field(number, 0, part.order(ByteOrder.LITTLE_ENDIAN));
                }
                case 5 -> to.field(number, need(in, 4).getInt(), none);
                default -> throw damaged(in);
            }
        }
    }

    private ByteBuffer need(ByteBuffer in, int count) {
        if (in.remaining() < count) {
            throw damaged(in);
        }
        return in;
    }

    private long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte b = need(in, 1).get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw damaged(in);
    }

    private EspalierException damaged(ByteBuffer in) {
        return refused(
                "is no SentencePiece model, or is damaged: it cannot be read at byte %d of a"
                        + " message of %d",
                in.position(), in.limit());
    }

    private void parse(byte[] bytes) {
        fields(
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN),
                (number, value, part) -> {
                    switch (number) {
                        case 1 -> piece(part);
                        case 2 -> fields(part, this::trainer);
                        case 3 -> fields(part, this::normalizer);
                        case 5 ->
                                fields(
                                        part,
                                        (n, v, p) -> {
                                            if (n == 2 && p.hasRemaining()) {
                                                throw refused(
                                                        "changes texts after decoding, which is not"
                                                                + " supported");
                                            }
                                        });
                        default -> {}
                    }
                });
    }

    private void piece(ByteBuffer part) {
        var name = new String[] {""};
        var score = new float[1];
        var kind = new long[] {NORMAL};
        fields(
                part,
                (number, value, bytes) -> {
                    switch (number) {
                        case 1 -> name[0] = text(bytes);
                        case 2 -> score[0] = Float.intBitsToFloat((int) value);
                        case 3 -> kind[0] = value;
                        default -> {}
                    }
                });
        int id = pieces.size();
        if (name[0].isEmpty() || !Float.isFinite(score[0])) {
            throw refused("piece %d has no text, or a score of %s", id, score[0]);
        }
        var other = ids.put(name[0], id);
        if (other != null) {
            throw refused("pieces %d and %d have the same text", other, id);
        }
        if (kind[0] < NORMAL || kind[0] > BYTE || kind[0] == 5) {
            throw refused(
                    "piece %d is of type %d, which is not supported; supported are 1 to 4 and 6",
                    id, kind[0]);
        }
        if (kind[0] == UNKNOWN) {
            if (unknown >= 0) {
                throw refused("pieces %d and %d both are the unknown one", unknown, id);
            }
            unknown = id;
        }
        pieces.add(new Piece(name[0], score[0], (int) kind[0]));
    }

    private String text(ByteBuffer bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes.duplicate()).toString();
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    "%s: piece %d is not UTF-8".formatted(file, pieces.size()), e);
        }
    }

    private void trainer(int number, long value, ByteBuffer bytes) {
        switch (number) {
            case 3 -> type = (int) value;
            case 24 -> suffix = value != 0;
            case 35 -> byteFallback = value != 0;
            default -> {}
        }
    }

    private void normalizer(int number, long value, ByteBuffer bytes) {
        switch (number) {
            case 2 -> {
                charsmap = new byte[bytes.remaining()];
                bytes.get(charsmap);
            }
            case 3 -> dummyPrefix = value != 0;
            case 4 -> removeExtra = value != 0;
            case 5 -> escape = value != 0;
            default -> {}
        }
    }

    private void check() {
        if (type != UNIGRAM && type != BPE) {
            throw refused(
                    "its model_type is %d, which is not supported; supported are 1 (unigram) and 2"
                            + " (BPE)",
                    type);
        }
        if (suffix || !escape) {
            throw refused(
                    "%s is not supported",
                    suffix ? "treat_whitespace_as_suffix" : "escape_whitespaces = false");
        }
        if (unknown < 0) {
            throw refused("it has no piece for what is unknown");
        }
    }

    // tokenizer.json

    private ObjectNode json() {
        var root =
                TokenizerFiles.sentencePieceJson(
                        charsmap.length == 0 ? null : Base64.getEncoder().encodeToString(charsmap),
                        removeExtra,
                        dummyPrefix,
                        byteFallback);
        var added = root.putArray("added_tokens");
        for (int id = 0; id < pieces.size(); id++) {
            var piece = pieces.get(id);
            if (piece.type == UNKNOWN || piece.type == CONTROL || piece.type == USER_DEFINED) {
                TokenizerFiles.settings(
                        added.addObject().put("id", id).put("content", piece.name),
                        new AddedToken(
                                id,
                                piece.name,
                                false,
                                false,
                                false,
                                false,
                                piece.type != USER_DEFINED));
            }
        }
        if (type == UNIGRAM) {
            var model = TokenizerFiles.unigramModel(unknown, byteFallback);
            var list = model.putArray("vocab");
            for (var piece : pieces) {
                list.addArray().add(piece.name).add((double) piece.score);
            }
            root.set("model", model);
        } else {
            var model = (ObjectNode) root.get("model");
            model.put("unk_token", pieces.get(unknown).name);
            var names = model.putObject("vocab");
            for (int id = 0; id < pieces.size(); id++) {
                names.put(pieces.get(id).name, id);
            }
            var merges = model.putArray("merges");
            for (var merge : merges()) {
                merges.addArray().add(merge.left).add(merge.right);
            }
        }
        return root;
    }

    private record Merge(String left, String right, float score) {}

    /// All pairs of pieces that make a piece. SentencePiece merges by the score of what is made; of
    /// several pairs that make the same the one with the longer left piece comes first, so that
    /// runs of one character are merged from the left, as there.
    private List<Merge> merges() {
        var merges = new ArrayList<Merge>();
        for (var piece : pieces) {
            if (piece.type != NORMAL) {
                continue;
            }
            var name = piece.name;
            for (int at = name.offsetByCodePoints(0, 1);
                    at < name.length();
                    at = name.offsetByCodePoints(at, 1)) {
                var left = name.substring(0, at);
                var right = name.substring(at);
                if (isNormal(left) && isNormal(right)) {
                    merges.add(new Merge(left, right, piece.score));
                }
            }
        }
        merges.sort(
                Comparator.comparingDouble((Merge m) -> -m.score)
                        .thenComparingInt(m -> -m.left.codePointCount(0, m.left.length()))
                        .thenComparingInt(m -> -m.right.codePointCount(0, m.right.length())));
        return merges;
    }

    private boolean isNormal(String name) {
        var id = ids.get(name);
        return id != null && pieces.get(id).type == NORMAL;
    }
}
