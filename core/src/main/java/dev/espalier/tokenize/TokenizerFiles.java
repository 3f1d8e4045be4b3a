package dev.espalier.tokenize;

import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.tokenize.SpecialTokens.Role;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Writes a tokenizer's files as the Hugging Face libraries do, and makes the parts of new ones.
final class TokenizerFiles {
    private TokenizerFiles() {}

    /// The frame of a new byte-level tokenizer, without tokens.
    static Frame byteLevelFrame() {
        return newFrame(byteLevelJson(false));
    }

    /// The frame of a new tokenizer of characters, without tokens: byte-pair encoding that has no
    /// merges and no pre-tokenizer, which other libraries read as just that.
    static Frame characterFrame(@Nullable String unknown) {
        var json = json(null, null, object("type", "Fuse"));
        ((ObjectNode) json.get("model")).put("unk_token", unknown);
        return newFrame(json);
    }

    private static Frame newFrame(ObjectNode json) {
        return newFrame(json, null);
    }

    /// @param normalizer what is done to text before added tokens are searched for in it
    static Frame newFrame(ObjectNode json, AddedTokens.@Nullable Normalizer normalizer) {
        return new Frame(
                new AddedTokens(List.of(), normalizer),
                Template.NONE,
                SpecialTokens.NONE,
                json,
                true,
                Json.mapper().createObjectNode(),
                Json.mapper().createObjectNode());
    }

    static ObjectNode byteLevelJson(boolean prefix) {
        var post = byteLevel(true);
        post.put("trim_offsets", false);
        return json(byteLevel(prefix), post, byteLevel(true));
    }

    /// The frame of a new WordPiece tokenizer whose special tokens are BERT's, without tokens.
    static Frame wordPieceFrame(boolean lowercase, boolean stripAccents) {
        return newFrame(wordPieceJson(lowercase, stripAccents, true, true, "[UNK]"));
    }

    static ObjectNode wordPieceJson(
            boolean lowercase,
            boolean stripAccents,
            boolean chinese,
            boolean cleanUp,
            String unknown) {
        var root =
                json(
                        object("type", "BertPreTokenizer"),
                        null,
                        object("type", "WordPiece").put("prefix", "##").put("cleanup", cleanUp));
        root.set(
                "normalizer",
                object("type", "BertNormalizer")
                        .put("clean_text", true)
                        .put("handle_chinese_chars", chinese)
                        .put("strip_accents", stripAccents)
                        .put("lowercase", lowercase));
        var model =
                root.putObject("model")
                        .put("type", "WordPiece")
                        .put("unk_token", unknown)
                        .put("continuing_subword_prefix", "##")
                        .put("max_input_chars_per_word", 100);
        model.putObject("vocab");
        return root;
    }

    /// The files of SentencePiece's tokenizers; the model is that of byte-pair encoding, see
    /// [#unigramModel].
    ///
    /// @param charsmap the precompiled_charsmap in Base64, or null
    /// @param removeExtra spaces at the ends are left out, and of others one stays
    /// @param prefix whether a space goes before a text
    static ObjectNode sentencePieceJson(
            @Nullable String charsmap, boolean removeExtra, boolean prefix, boolean byteFallback) {
        var space = String.valueOf(SentencePieceText.SPACE);
        var scheme = prefix ? "always" : "never";
        var metaspace =
                object("type", "Metaspace")
                        .put("replacement", space)
                        .put("prepend_scheme", scheme)
                        .put("split", true);
        var decoder = metaspace.deepCopy();
        if (byteFallback || !removeExtra) {
            decoder = object("type", "Sequence");
            var steps = decoder.putArray("decoders");
            replace(steps.addObject(), "String", space, " ");
            steps.addObject().put("type", "ByteFallback");
            steps.addObject().put("type", "Fuse");
            steps.addObject()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", prefix ? 1 : 0)
                    .put("stop", 0);
        }
        var root = json(removeExtra ? metaspace : null, null, decoder);
        var normalizer = object("type", "Sequence");
        var steps = normalizer.putArray("normalizers");
        if (charsmap != null) {
            steps.addObject().put("type", "Precompiled").put("precompiled_charsmap", charsmap);
        }
        if (removeExtra) {
            steps.addObject()
                    .put("type", "Strip")
                    .put("strip_left", false)
                    .put("strip_right", true);
            replace(steps.addObject(), "Regex", " {2,}", space);
        } else {
            if (prefix) {
                steps.addObject().put("type", "Prepend").put("prepend", space);
            }
            replace(steps.addObject(), "String", " ", space);
        }
        root.set("normalizer", normalizer);
        ((ObjectNode) root.get("model")).put("fuse_unk", true).put("byte_fallback", byteFallback);
        return root;
    }

    static ObjectNode unigramModel(int unknown, boolean byteFallback) {
        var model = object("type", "Unigram").put("unk_id", unknown);
        model.putArray("vocab");
        return model.put("byte_fallback", byteFallback);
    }

    private static void replace(ObjectNode step, String kind, String pattern, String by) {
        step.put("type", "Replace").putObject("pattern").put(kind, pattern);
        step.put("content", by);
    }

    static ObjectNode bert(
            String separator, int separatorId, String classification, int classificationId) {
        var node = object("type", "BertProcessing");
        node.putArray("sep").add(separator).add(separatorId);
        node.putArray("cls").add(classification).add(classificationId);
        return node;
    }

    private static ObjectNode byteLevel(boolean prefix) {
        return object("type", "ByteLevel")
                .put("add_prefix_space", prefix)
                .put("trim_offsets", true)
                .put("use_regex", true);
    }

    private static ObjectNode json(
            @Nullable ObjectNode pre, @Nullable ObjectNode post, ObjectNode decoder) {
        var root = object("version", "1.0").putNull("truncation").putNull("padding");
        root.putArray("added_tokens");
        root.putNull("normalizer");
        root.set("pre_tokenizer", pre);
        root.set("post_processor", post);
        root.set("decoder", decoder);
        var model =
                root.putObject("model")
                        .put("type", "BPE")
                        .putNull("dropout")
                        .putNull("unk_token")
                        .putNull("continuing_subword_prefix")
                        .putNull("end_of_word_suffix")
                        .put("fuse_unk", false)
                        .put("byte_fallback", false)
                        .put("ignore_merges", false);
        model.putObject("vocab");
        model.putArray("merges");
        return root;
    }

    static ObjectNode roberta(
            String separator,
            int separatorId,
            String classification,
            int classificationId,
            boolean prefix) {
        var node = object("type", "RobertaProcessing");
        node.putArray("sep").add(separator).add(separatorId);
        node.putArray("cls").add(classification).add(classificationId);
        return node.put("trim_offsets", true).put("add_prefix_space", prefix);
    }

    /// A token that stands before or behind texts.
    record Marker(String token, int id) {}

    /// `begin first end` and `begin first end begin second end`, each where it is not null.
    static ObjectNode template(@Nullable Marker begin, @Nullable Marker end) {
        var node = object("type", "TemplateProcessing");
        var single = node.putArray("single");
        var pair = node.putArray("pair");
        for (int sequence = 0; sequence < 2; sequence++) {
            for (var pieces : sequence == 0 ? List.of(single, pair) : List.of(pair)) {
                if (begin != null) {
                    piece(pieces, "SpecialToken", begin.token(), sequence);
                }
                piece(pieces, "Sequence", sequence == 0 ? "A" : "B", sequence);
                if (end != null) {
                    piece(pieces, "SpecialToken", end.token(), sequence);
                }
            }
        }
        var tokens = node.putObject("special_tokens");
        Stream.of(begin, end)
                .filter(Objects::nonNull)
                .forEach(marker -> {
                    var special = tokens.putObject(marker.token()).put("id", marker.token());
                    special.putArray("ids").add(marker.id());
                    special.putArray("tokens").add(marker.token());
                });
        return node;
    }

    private static void piece(ArrayNode pieces, String kind, String id, int sequence) {
        pieces.addObject().putObject(kind).put("id", id).put("type_id", sequence);
    }

    private static ObjectNode object(String key, String value) {
        return Json.mapper().createObjectNode().put(key, value);
    }

    static void save(
            Path folder,
            Frame frame,
            Vocabulary vocabulary,
            List<Map.Entry<String, String>> merges) {
        var json = frame.json().deepCopy();
        var model = (ObjectNode) json.get("model");
        model.set("vocab", vocabularyJson(vocabulary));
        var list =
                "WordPiece".equals(model.path("type").asString(""))
                        ? Json.mapper().createArrayNode()
                        : model.putArray("merges");
        for (var merge : merges) {
            if (frame.mergesAsPairs()) {
                list.addArray().add(merge.getKey()).add(merge.getValue());
            } else {
                list.add(merge.getKey() + " " + merge.getValue());
            }
        }
        save(folder, frame, vocabulary, json);
    }

    /// With the scores of the model's tokens.
    static void save(Path folder, Frame frame, Vocabulary vocabulary, double[] scores) {
        var json = frame.json().deepCopy();
        var list = ((ObjectNode) json.get("model")).putArray("vocab");
        for (int id = 0; id < scores.length; id++) {
            list.addArray().add(vocabulary.token(id)).add(scores[id]);
        }
        save(folder, frame, vocabulary, json);
    }

    private static void save(Path folder, Frame frame, Vocabulary vocabulary, ObjectNode json) {
        var added = json.putArray("added_tokens");
        for (var token : frame.added().all()) {
            var node = added.addObject().put("id", token.id()).put("content", token.content());
            settings(node, token);
        }
        write(folder.resolve("tokenizer.json"), json);

        var config = frame.config().deepCopy();
        var decoder = config.putObject("added_tokens_decoder");
        for (var token : frame.added().all()) {
            settings(
                    decoder.putObject(String.valueOf(token.id())).put("content", token.content()),
                    token);
        }
        if (!config.has("tokenizer_class")) {
            config.put("clean_up_tokenization_spaces", false);
            config.put("tokenizer_class", "PreTrainedTokenizerFast");
        }
        write(folder.resolve("tokenizer_config.json"), withRoles(config, frame, vocabulary));
        write(
                folder.resolve("special_tokens_map.json"),
                withRoles(frame.map().deepCopy(), frame, vocabulary));
    }

    static void settings(ObjectNode node, AddedToken token) {
        node.put("single_word", token.singleWord())
                .put("lstrip", token.lstrip())
                .put("rstrip", token.rstrip())
                .put("normalized", token.normalized())
                .put("special", token.special());
    }

    private static ObjectNode withRoles(ObjectNode node, Frame frame, Vocabulary vocabulary) {
        for (var role : Role.values()) {
            var id = frame.specials().id(role);
            if (id.isPresent() && (!node.has(role.key) || node.get(role.key).isNull())) {
                node.put(role.key, vocabulary.token(id.getAsInt()));
            }
        }
        return node;
    }

    private static ObjectNode vocabularyJson(Vocabulary vocabulary) {
        var node = Json.mapper().createObjectNode();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.isModel(id)) {
                node.put(vocabulary.token(id), id);
            }
        }
        return node;
    }

    static void saveVocabulary(
            Path folder, Vocabulary vocabulary, List<Map.Entry<String, String>> merges) {
        AtomicFiles.write(folder.resolve("vocab.json"), Json.line(vocabularyJson(vocabulary)));
        var lines = new StringBuilder("#version: 0.2\n");
        for (var merge : merges) {
            lines.append(merge.getKey()).append(' ').append(merge.getValue()).append('\n');
        }
        AtomicFiles.write(folder.resolve("merges.txt"), lines.toString());
    }

    static void write(Path file, JsonNode json) {
        var indenter = new DefaultIndenter("  ", "\n");
        var printer =
                new DefaultPrettyPrinter()
                        .withArrayIndenter(indenter)
                        .withObjectIndenter(indenter)
                        .withSeparators(
                                Separators.createDefaultInstance()
                                        .withObjectNameValueSpacing(Separators.Spacing.AFTER)
                                        .withObjectEmptySeparator("")
                                        .withArrayEmptySeparator(""));
        AtomicFiles.write(file, Json.mapper().writer().with(printer).writeValueAsString(json));
    }
}
