package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.tokenize.SentencePieceText.Metaspace;
import dev.espalier.tokenize.SentencePieceTokenizer.Decoding;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The parts of `tokenizer.json` that SentencePiece's tokenizers have and others do not.
final class SentencePieceFiles {
    private static final String SPACE = String.valueOf(SentencePieceText.SPACE);

    private SentencePieceFiles() {}

    /// Whether byte-pair encoding is that of SentencePiece, by what stands around it.
    static boolean isOne(ObjectNode root) {
        var known = List.of("Precompiled", "Strip", "Replace", "Prepend");
        for (var step : steps(root.path("normalizer"), "normalizers")) {
            if (known.contains(type(step))) {
                return true;
            }
        }
        for (var step : steps(root.path("pre_tokenizer"), "pretokenizers")) {
            if (type(step).equals("Metaspace")) {
                return true;
            }
        }
        return root.path("model").path("byte_fallback").asBoolean(false);
    }

    /// The node itself, those of a Sequence, or none.
    private static List<JsonNode> steps(JsonNode node, String list) {
        if (TokenizerReader.isAbsent(node)) {
            return List.of();
        }
        if (!type(node).equals("Sequence")) {
            return List.of(node);
        }
        var steps = new ArrayList<JsonNode>();
        node.path(list).forEach(steps::add);
        return steps;
    }

    private static String type(JsonNode node) {
        var type = TokenizerReader.text(TokenizerReader.typeOf(node));
        return type == null ? "" : type;
    }

    /// How text is prepared.
    static SentencePieceText text(Path file, ObjectNode root, Vocabulary vocabulary) {
        Charsmap charsmap = null;
        boolean strip = false, prefix = false, escape = false;
        char collapse = 0;
        int last = 0;
        for (var step : steps(root.path("normalizer"), "normalizers")) {
            int order = order(file, step);
            if (order <= last) {
                throw EspalierException.data(
                        file
                                + ": the steps of \"normalizer\" are not in a supported order, which"
                                + " is Precompiled, Strip, Replace of \" {2,}\", Prepend, Replace of"
                                + " \" \", each once at most");
            }
            last = order;
            switch (order) {
                case 1 -> charsmap = charsmap(file, step.path("precompiled_charsmap"));
                case 2 -> {
                    if (TokenizerReader.flag(file, step, "strip_left", true)) {
                        throw TokenizerReader.unsupported(
                                file, "normalizer.strip_left", step.path("strip_left"), "false");
                    }
                    strip = TokenizerReader.flag(file, step, "strip_right", true);
                }
                case 3 -> collapse = content(file, step, List.of(SPACE, " ")).charAt(0);
                case 4 -> {
                    if (!SPACE.equals(TokenizerReader.text(step.path("prepend")))) {
                        throw TokenizerReader.unsupported(
                                file, "normalizer.prepend", step.path("prepend"), SPACE);
                    }
                    prefix = true;
                }
                default -> {
                    content(file, step, List.of(SPACE));
                    escape = true;
                }
            }
        }
        boolean whitespace = false, split = false;
        var metaspace = Metaspace.NONE;
        for (var step : steps(root.path("pre_tokenizer"), "pretokenizers")) {
            if (type(step).equals("WhitespaceSplit") && metaspace == Metaspace.NONE) {
                whitespace = true;
            } else if (type(step).equals("Metaspace") && metaspace == Metaspace.NONE) {
                metaspace = metaspace(file, step, "pre_tokenizer");
                split = TokenizerReader.flag(file, step, "split", true);
            } else {
                throw TokenizerReader.unsupported(
                        file,
                        "pre_tokenizer",
                        TokenizerReader.typeOf(step),
                        "for SentencePiece Metaspace, WhitespaceSplit before it, or none");
            }
        }
        return new SentencePieceText(
                charsmap,
                strip,
                collapse,
                prefix,
                escape,
                whitespace,
                metaspace,
                split,
                split ? new BitSet() : joining(vocabulary));
    }

    private static int order(Path file, JsonNode step) {
        return switch (type(step)) {
            case "Precompiled" -> 1;
            case "Strip" -> 2;
            case "Prepend" -> 4;
            case "Replace" -> {
                var pattern = step.path("pattern");
                if (" {2,}".equals(TokenizerReader.text(pattern.path("Regex")))) {
                    yield 3;
                }
                if (" ".equals(TokenizerReader.text(pattern.path("String")))) {
                    yield 5;
                }
                throw TokenizerReader.unsupported(
                        file, "normalizer.pattern", pattern, "\" {2,}\" and \" \"");
            }
            default ->
                    throw TokenizerReader.unsupported(
                            file,
                            "normalizer",
                            TokenizerReader.typeOf(step),
                            "for SentencePiece Precompiled, Strip, Replace and Prepend");
        };
    }

    private static String content(Path file, JsonNode step, List<String> allowed) {
        var content = TokenizerReader.text(step.path("content"));
        if (content == null || !allowed.contains(content)) {
            throw TokenizerReader.unsupported(
                    file, "normalizer.content", step.path("content"), allowed.toString());
        }
        return content;
    }

    private static @Nullable Charsmap charsmap(Path file, JsonNode node) {
        if (TokenizerReader.isAbsent(node)) {
            return null;
        }
        try {
            var text = TokenizerReader.text(node);
            if (text != null) {
                return Charsmap.read(Base64.getDecoder().decode(text), file.toString());
            }
        } catch (IllegalArgumentException e) {
            // Said below.
        }
        throw TokenizerReader.unsupported(
                file, "normalizer.precompiled_charsmap", node, "a charsmap in Base64");
    }

    private static Metaspace metaspace(Path file, JsonNode step, String place) {
        if (!SPACE.equals(TokenizerReader.text(step.path("replacement")))) {
            throw TokenizerReader.unsupported(
                    file, place + ".replacement", step.path("replacement"), SPACE);
        }
        var scheme = step.path("prepend_scheme");
        if (TokenizerReader.isAbsent(scheme)) {
            return TokenizerReader.flag(file, step, "add_prefix_space", true)
                    ? Metaspace.ALWAYS
                    : Metaspace.NEVER;
        }
        return switch (String.valueOf(TokenizerReader.text(scheme))) {
            case "always" -> Metaspace.ALWAYS;
            case "first" -> Metaspace.FIRST;
            case "never" -> Metaspace.NEVER;
            default ->
                    throw TokenizerReader.unsupported(
                            file, place + ".prepend_scheme", scheme, "always, first or never");
        };
    }

    /// The characters that some token has before a `▁`; all, if `▁` itself is unknown, and so may
    /// be part of an unknown token.
    private static BitSet joining(Vocabulary vocabulary) {
        var joining = new BitSet();
        if (TokenizerReader.modelId(vocabulary, SPACE).isEmpty()) {
            joining.set(0, Character.MAX_CODE_POINT + 1);
            return joining;
        }
        for (int id = 0; id < vocabulary.size(); id++) {
            var name = vocabulary.token(id);
            for (int at = name.indexOf(SPACE, 1); at > 0; at = name.indexOf(SPACE, at + 1)) {
                joining.set(name.codePointBefore(at));
            }
        }
        return joining;
    }

    /// The ids of the bytes' tokens, or null if the model has none.
    static int @Nullable [] byteIds(Path file, ObjectNode model, Vocabulary vocabulary) {
        if (!TokenizerReader.flag(file, model, "byte_fallback", false)) {
            return null;
        }
        var ids = new int[256];
        for (int b = 0; b < ids.length; b++) {
            var id = TokenizerReader.modelId(vocabulary, Spelling.byteName(b));
            if (id.isEmpty() && !Utf8.isImpossible(b)) {
                throw EspalierException.data(
                        "%s: \"model.byte_fallback\" is true, but the vocabulary lacks \"%s\""
                                .formatted(file, Spelling.byteName(b)));
            }
            ids[b] = id.orElse(0);
        }
        return ids;
    }

    static Unigram unigram(
            Path file,
            ObjectNode model,
            Vocabulary vocabulary,
            double[] scores,
            int @Nullable [] byteIds) {
        var unknown = model.path("unk_id");
        if (!unknown.isIntegralNumber()
                || !unknown.canConvertToInt()
                || unknown.intValue() < 0
                || unknown.intValue() >= scores.length) {
            throw TokenizerReader.unsupported(
                    file, "model.unk_id", unknown, "the place of a token among " + scores.length);
        }
        try {
            return new Unigram(vocabulary, scores, unknown.intValue(), byteIds);
        } catch (IllegalArgumentException e) {
            throw EspalierException.data(
                    "%s: \"model.vocab\" is not supported: %s".formatted(file, e.getMessage()), e);
        }
    }

    static Decoding decoding(Path file, JsonNode node) {
        boolean bytes = false, metaspace = false, spaces = false, fused = false;
        int strip = 0;
        for (var step : steps(node, "decoders")) {
            switch (type(step)) {
                case "Replace" -> {
                    spaces = true;
                    if (!SPACE.equals(TokenizerReader.text(step.path("pattern").path("String")))
                            || !" ".equals(TokenizerReader.text(step.path("content")))) {
                        throw TokenizerReader.unsupported(
                                file, "decoder", step, "Replace of " + SPACE + " by a space");
                    }
                }
                case "ByteFallback" -> bytes = true;
                case "Metaspace" -> {
                    spaces = true;
                    metaspace = metaspace(file, step, "decoder") != Metaspace.NEVER;
                }
                case "Fuse" -> fused = true;
                case "Strip" -> {
                    var start = step.path("start");
                    if (!fused
                            || !" ".equals(TokenizerReader.text(step.path("content")))
                            || step.path("stop").asInt(0) != 0
                            || !start.isIntegralNumber()
                            || !start.canConvertToInt()
                            || start.intValue() < 0) {
                        throw TokenizerReader.unsupported(
                                file, "decoder", step, "Strip of spaces at the start, after Fuse");
                    }
                    strip = start.intValue();
                }
                default ->
                        throw TokenizerReader.unsupported(
                                file,
                                "decoder",
                                TokenizerReader.typeOf(step),
                                "for SentencePiece Metaspace, Replace, ByteFallback, Fuse and"
                                        + " Strip");
            }
        }
        if (!spaces) {
            throw TokenizerReader.unsupported(
                    file, "decoder", node, "for SentencePiece one with Metaspace or Replace");
        }
        return new Decoding(bytes, metaspace, strip);
    }
}
