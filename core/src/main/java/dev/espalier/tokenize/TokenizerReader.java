package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.tokenize.SpecialTokens.Role;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads one tokenizer's files; see [Tokenizers#read]. Everything in them is checked before it is
/// believed.
final class TokenizerReader {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String MAP = "special_tokens_map.json";
    private static final String ADDED = "added_tokens.json";

    /// The tokens that a class has by default.
    private static final Map<Role, String> GPT2 =
            Map.of(
                    Role.BEGIN, "<|endoftext|>",
                    Role.END, "<|endoftext|>",
                    Role.UNKNOWN, "<|endoftext|>");

    private static final Map<Role, String> ROBERTA =
            Map.of(
                    Role.BEGIN, "<s>",
                    Role.END, "</s>",
                    Role.UNKNOWN, "<unk>",
                    Role.SEPARATOR, "</s>",
                    Role.PADDING, "<pad>",
                    Role.CLASSIFICATION, "<s>",
                    Role.MASK, "<mask>");

    private static final Map<Role, String> BERT =
            Map.of(
                    Role.UNKNOWN, "[UNK]",
                    Role.SEPARATOR, "[SEP]",
                    Role.PADDING, "[PAD]",
                    Role.CLASSIFICATION, "[CLS]",
                    Role.MASK, "[MASK]");

    /// How far ids may go beyond twice the number of tokens: a hostile one takes no memory.
    private static final int MOST_HOLES = 10_000;

    /// Words beyond it could make the work on hostile text more than linear.
    private static final int LONGEST_WORD = 1000;

    private final Path path;
    private final Path folder;
    private final ObjectNode config;
    private final ObjectNode map;

    TokenizerReader(Path path) {
        this.path = path;
        var parent = path.toAbsolutePath().getParent();
        folder = Files.isDirectory(path) || parent == null ? path : parent;
        config = optional(CONFIG);
        map = optional(MAP);
    }

    private ObjectNode optional(String name) {
        var file = folder.resolve(name);
        return Files.exists(file)
                ? object(file, Json.read(file), "the whole file")
                : Json.mapper().createObjectNode();
    }

    Tokenizer read() {
        if (!Files.exists(path)) {
            throw EspalierException.data(path + ": there is no such file or folder");
        }
        if (!Files.isDirectory(path)) {
            // Mistral's are called tokenizer.model.v1 and the like.
            return path.toString().matches("(?s).*\\.model(\\.v[0-9]+)?")
                    ? readModel(path)
                    : readJson(path);
        }
        var json = path.resolve("tokenizer.json");
        if (Files.exists(json)) {
            return readJson(json);
        }
        for (var name : List.of("tokenizer.model", "spiece.model")) {
            var model = path.resolve(name);
            if (Files.exists(model)) {
                return readModel(model);
            }
        }
        for (var names :
                List.of(
                        List.of("vocab.json", "merges.txt"),
                        List.of("encoder.json", "vocab.bpe"))) {
            var vocabulary = path.resolve(names.get(0));
            var merges = path.resolve(names.get(1));
            if (Files.exists(vocabulary) && Files.exists(merges)) {
                return readVocabulary(vocabulary, merges);
            }
        }
        var list = path.resolve("vocab.txt");
        if (Files.exists(list)) {
            return readVocabularyList(list);
        }
        throw EspalierException.data(
                path
                        + ": holds neither tokenizer.json nor tokenizer.model nor vocab.json with"
                        + " merges.txt nor vocab.txt");
    }

    // tokenizer.json

    private Tokenizer readJson(Path file) {
        return read(file, object(file, Json.read(file), "the whole file"));
    }

    private Tokenizer read(Path file, ObjectNode root) {
        var model = object(file, root.path("model"), "\"model\"");
        var type = text(model.path("type"));
        if ("WordPiece".equals(type)) {
            return readWordPiece(file, root, model);
        }
        boolean unigram = "Unigram".equals(type);
        if (!unigram && (type == null ? !model.has("merges") : !type.equals("BPE"))) {
            throw unsupported(file, "model", model.path("type"), "BPE, WordPiece or Unigram");
        }
        if (unigram || SentencePieceFiles.isOne(root)) {
            return readSentencePiece(file, root, model, unigram);
        }
        boolean nfc = isNfc(file, root.path("normalizer"));
        plainMerges(file, model);
        var split = split(file, root.path("pre_tokenizer"));
        var decoder = only(root.path("decoder"), "decoders");
        var allowed = split == null ? "Fuse" : "ByteLevel";
        if (!isAbsent(decoder) && !allowed.equals(text(typeOf(decoder)))) {
            throw unsupported(file, "decoder", typeOf(decoder), allowed);
        }

        var names = new LinkedHashMap<String, Integer>();
        for (var entry : object(file, model.path("vocab"), "\"model.vocab\"").properties()) {
            names.put(entry.getKey(), id(file, entry.getKey(), entry.getValue()));
        }
        var added = addedTokens(file, root.path("added_tokens"), names);
        var vocabulary = vocabulary(file, names, added);
        var pairs = merges(file, model.path("merges"));
        boolean asPairs = pairs.isEmpty() || model.path("merges").path(0).isArray();
        var template = template(file, root.path("post_processor"), vocabulary);

        model.putObject("vocab");
        model.putArray("merges");
        root.putArray("added_tokens");
        var frame = frame(new AddedTokens(added, nfc ? Nfc::of : null), template, root, asPairs);
        var unknown = unknown(file, text(model.path("unk_token")), vocabulary);
        return split == null
                ? characters(file, vocabulary, pairs, unknown, frame)
                : byteLevel(file, split, vocabulary, pairs, unknown, frame);
    }

    /// Refuses what changes merges.
    private static void plainMerges(Path file, ObjectNode model) {
        for (var key : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!isAbsent(model.path(key)) && !"".equals(text(model.path(key)))) {
                throw unsupported(file, "model." + key, model.path(key), "none");
            }
        }
        if (!isAbsent(model.path("dropout")) && model.path("dropout").asDouble(1) != 0) {
            throw unsupported(file, "model.dropout", model.path("dropout"), "none");
        }
    }

    /// A unigram model, or byte-pair encoding in SentencePiece's manner.
    private Tokenizer readSentencePiece(
            Path file, ObjectNode root, ObjectNode model, boolean unigram) {
        var names = new LinkedHashMap<String, Integer>();
        var scores = new double[unigram ? model.path("vocab").size() : 0];
        if (unigram) {
            for (var entry : model.path("vocab")) {
                var name = text(entry.path(0));
                var score = entry.path(1);
                if (name == null || !score.isNumber() || !Double.isFinite(score.doubleValue())) {
                    throw EspalierException.data(
                            "%s: token %d, %s, is not [\"token\", score]"
                                    .formatted(file, names.size(), shown(entry)));
                }
                scores[names.size()] = score.doubleValue();
                var other = names.put(name, names.size());
                if (other != null) {
                    throw EspalierException.data(
                            "%s: the token \"%s\" comes twice, as %d and behind %d"
                                    .formatted(file, shorten(name), other, names.size() - 1));
                }
            }
        } else {
            plainMerges(file, model);
            for (var entry : object(file, model.path("vocab"), "\"model.vocab\"").properties()) {
                names.put(entry.getKey(), id(file, entry.getKey(), entry.getValue()));
            }
        }
        var added = addedTokens(file, root.path("added_tokens"), names);
        var vocabulary = vocabulary(file, names, added);
        var text = SentencePieceFiles.text(file, root, vocabulary);
        var decoding = SentencePieceFiles.decoding(file, root.path("decoder"));
        var template = template(file, root.path("post_processor"), vocabulary);
        var byteIds = SentencePieceFiles.byteIds(file, model, vocabulary);
        Spelling spelling;
        boolean asPairs = true;
        if (unigram) {
            spelling = SentencePieceFiles.unigram(file, model, vocabulary, scores, byteIds);
            model.putArray("vocab");
        } else {
            var pairs = merges(file, model.path("merges"));
            asPairs = pairs.isEmpty() || model.path("merges").path(0).isArray();
            var unknown = unknown(file, text(model.path("unk_token")), vocabulary);
            if (unknown.isEmpty() && byteIds == null) {
                throw EspalierException.data(
                        file + ": \"model.unk_token\" is missing, and there are no bytes' tokens");
            }
            var textless = new BitSet();
            unknown.ifPresent(textless::set);
            if (byteIds != null) {
                Arrays.stream(byteIds).forEach(textless::set);
            }
            spelling =
                    new CharacterMerges(
                            vocabulary,
                            merges(file, vocabulary, pairs, textless),
                            unknown.orElse(-1),
                            flag(file, model, "fuse_unk", false),
                            byteIds);
            model.putObject("vocab");
            model.putArray("merges");
        }
        root.putArray("added_tokens");
        var frame = frame(new AddedTokens(added, text), template, root, asPairs);
        return new SentencePieceTokenizer(vocabulary, spelling, text, decoding, frame, false);
    }

    private Tokenizer readWordPiece(Path file, ObjectNode root, ObjectNode model) {
        var normalizer = only(root.path("normalizer"), "normalizers");
        if (!"BertNormalizer".equals(text(typeOf(normalizer)))) {
            throw unsupported(
                    file, "normalizer", typeOf(normalizer), "BertNormalizer, for WordPiece");
        }
        var pre = only(root.path("pre_tokenizer"), "pretokenizers");
        if (!"BertPreTokenizer".equals(text(typeOf(pre)))) {
            throw unsupported(
                    file, "pre_tokenizer", typeOf(pre), "BertPreTokenizer, for WordPiece");
        }
        var decoder = only(root.path("decoder"), "decoders");
        if (!isAbsent(decoder) && !"WordPiece".equals(text(typeOf(decoder)))) {
            throw unsupported(file, "decoder", typeOf(decoder), "WordPiece");
        }
        var names = new LinkedHashMap<String, Integer>();
        for (var entry : object(file, model.path("vocab"), "\"model.vocab\"").properties()) {
            names.put(entry.getKey(), id(file, entry.getKey(), entry.getValue()));
        }
        var added = addedTokens(file, root.path("added_tokens"), names);
        var vocabulary = vocabulary(file, names, added);
        var template = template(file, root.path("post_processor"), vocabulary);
        var lowercase = flag(file, normalizer, "lowercase", true);
        var text =
                new BertText(
                        flag(file, normalizer, "clean_text", true),
                        flag(file, normalizer, "handle_chinese_chars", true),
                        flag(file, normalizer, "strip_accents", lowercase),
                        lowercase);
        model.putObject("vocab");
        root.putArray("added_tokens");
        return wordPiece(
                file,
                vocabulary,
                text,
                flag(file, decoder, "cleanup", true),
                frame(new AddedTokens(added, text), template, root, true));
    }

    private static Tokenizer wordPiece(
            Path file, Vocabulary vocabulary, BertText text, boolean cleanUp, Frame frame) {
        var model = frame.json().path("model");
        var unknown = unknown(file, text(model.path("unk_token")), vocabulary);
        if (unknown.isEmpty()) {
            throw EspalierException.data(
                    file + ": \"model.unk_token\" is missing, which WordPiece needs");
        }
        var prefix = text(model.path("continuing_subword_prefix"));
        if (prefix == null || prefix.isEmpty()) {
            throw unsupported(
                    file,
                    "model.continuing_subword_prefix",
                    model.path("continuing_subword_prefix"),
                    "a prefix such as ##");
        }
        var longest = model.path("max_input_chars_per_word");
        if (!isAbsent(longest)
                && (!longest.isIntegralNumber()
                        || !longest.canConvertToInt()
                        || longest.intValue() < 1
                        || longest.intValue() > LONGEST_WORD)) {
            throw unsupported(
                    file,
                    "model.max_input_chars_per_word",
                    longest,
                    "a whole number from 1 to " + LONGEST_WORD);
        }
        return new WordPieceTokenizer(
                vocabulary,
                unknown.getAsInt(),
                new WordPieceTokenizer.Options(text, prefix, longest.asInt(100), cleanUp),
                frame);
    }

    private Tokenizer readVocabularyList(Path file) {
        var type = text(config.path("tokenizer_class"));
        var kind = type == null ? "Bert" : type.replaceFirst("Tokenizer(Fast)?$", "");
        if (!List.of("Bert", "DistilBert", "Electra", "PreTrained").contains(kind)) {
            throw unsupported(
                    folder.resolve(CONFIG),
                    "tokenizer_class",
                    config.path("tokenizer_class"),
                    "with a vocab.txt BertTokenizer or DistilBertTokenizer");
        }
        var names = new LinkedHashMap<String, Integer>();
        for (var line : lines(file)) {
            var other = names.put(line, names.size());
            if (other != null) {
                throw EspalierException.data(
                        "%s: lines %d and %d are both \"%s\""
                                .formatted(file, other + 1, names.size() + 1, shorten(line)));
            }
        }
        customary(BERT, names);
        var added = addedTokens(file, MissingNode.getInstance(), names);
        var vocabulary = vocabulary(file, names, added);
        var settings = folder.resolve(CONFIG);
        var lowercase = flag(settings, config, "do_lower_case", true);
        var strip = flag(settings, config, "strip_accents", lowercase);
        var chinese = flag(settings, config, "tokenize_chinese_chars", true);
        var cleanUp = flag(settings, config, "clean_up_tokenization_spaces", true);
        int classification = roleId(Role.CLASSIFICATION, vocabulary);
        int separator = roleId(Role.SEPARATOR, vocabulary);
        var json =
                TokenizerFiles.wordPieceJson(
                        lowercase,
                        strip,
                        chinese,
                        cleanUp,
                        vocabulary.token(roleId(Role.UNKNOWN, vocabulary)));
        json.set(
                "post_processor",
                TokenizerFiles.bert(
                        vocabulary.token(separator),
                        separator,
                        vocabulary.token(classification),
                        classification));
        var text = new BertText(true, chinese, strip, lowercase);
        return wordPiece(
                file,
                vocabulary,
                text,
                cleanUp,
                frame(
                        new AddedTokens(added, text),
                        Template.around(classification, separator, false),
                        json,
                        true));
    }

    private static boolean isNfc(Path file, JsonNode node) {
        var normalizer = only(node, "normalizers");
        boolean nfc = "NFC".equals(text(typeOf(normalizer)));
        if (!nfc && !isAbsent(normalizer)) {
            throw unsupported(file, "normalizer", typeOf(normalizer), "NFC or none");
        }
        return nfc;
    }

    /// What the pre-tokenizer does, or null for characters, which have none.
    private static @Nullable Split split(Path file, JsonNode node) {
        var pre = only(node, "pretokenizers");
        if (isAbsent(pre)) {
            return null;
        }
        if ("ByteLevel".equals(text(typeOf(pre)))) {
            requireStep(file, pre, "use_regex", true, "no Split");
            return Split.GPT2;
        }
        var steps = pre.path("pretokenizers");
        var cut = steps.path(0);
        boolean digits = "Digits".equals(text(typeOf(cut)));
        if (!"Sequence".equals(text(typeOf(pre)))
                || steps.size() != 2
                || !digits && !"Split".equals(text(typeOf(cut)))
                || !"ByteLevel".equals(text(typeOf(steps.path(1))))) {
            var types = new ArrayList<String>();
            steps.forEach(step -> types.add(shown(typeOf(step))));
            throw EspalierException.data(
                    "%s: \"pre_tokenizer\" is %s%s, which is not supported; supported is ByteLevel,"
                                    .formatted(
                                            file,
                                            shown(typeOf(pre)),
                                            types.isEmpty() ? "" : " of " + types)
                            + " a Sequence of Split or Digits and ByteLevel, or none for"
                            + " characters");
        }
        var step = steps.path(1);
        if (digits) {
            requireStep(file, step, "use_regex", true, "no Split");
            requireStep(file, step, "add_prefix_space", false, "Digits");
            return flag(file, cut, "individual_digits", false)
                    ? Split.GPT2_DIGITS
                    : Split.GPT2_NUMBERS;
        }
        var expression = text(cut.path("pattern").path("Regex"));
        var behavior = text(cut.path("behavior"));
        boolean invert = flag(file, cut, "invert", false);
        for (var split : Split.values()) {
            if (split.expression.equals(expression)) {
                // The expressions match all of a text: inverted, Removed removes what lies between.
                if (!"Isolated".equals(behavior) && !("Removed".equals(behavior) && invert)) {
                    throw unsupported(
                            file,
                            "pre_tokenizer.behavior",
                            cut.path("behavior"),
                            "Isolated, or Removed and inverted");
                }
                for (var key : List.of("use_regex", "add_prefix_space")) {
                    requireStep(file, step, key, false, "a Split");
                }
                return split;
            }
        }
        throw EspalierException.data(
                "%s: \"pre_tokenizer\" splits by %s, which is not supported; supported are the"
                                .formatted(file, cut.path("pattern"))
                        + " expressions of GPT-2, cl100k (Llama 3) and Qwen 2");
    }

    /// @param before what stands before ByteLevel, which therefore must be so
    private static void requireStep(
            Path file, JsonNode byteLevel, String key, boolean value, String before) {
        if (flag(file, byteLevel, key, true) != value) {
            throw unsupported(
                    file,
                    "pre_tokenizer." + key,
                    byteLevel.path(key),
                    "%s, where %s stands before ByteLevel".formatted(value, before));
        }
    }

    private static OptionalInt unknown(Path file, @Nullable String token, Vocabulary vocabulary) {
        if (token == null || token.isEmpty()) {
            return OptionalInt.empty();
        }
        var id = vocabulary.id(token);
        if (id.isEmpty() || !vocabulary.isModel(id.getAsInt())) {
            throw EspalierException.data(
                    "%s: \"model.unk_token\" is \"%s\", which the vocabulary lacks"
                            .formatted(file, token));
        }
        return id;
    }

    private record Pair(String left, String right, String place) {}

    private static List<Pair> merges(Path file, JsonNode node) {
        if (!node.isArray()) {
            throw EspalierException.data(file + ": \"model.merges\" is not a list");
        }
        var pairs = new ArrayList<Pair>(node.size());
        for (var merge : node) {
            var place = "merge " + (pairs.size() + 1);
            var text = text(merge);
            if (merge.isArray() && merge.size() == 2) {
                var left = text(merge.path(0));
                var right = text(merge.path(1));
                if (left != null && right != null) {
                    pairs.add(new Pair(left, right, place));
                    continue;
                }
            } else if (text != null) {
                pairs.add(pair(file, text, place));
                continue;
            }
            throw EspalierException.data(
                    "%s: %s, %s, is neither \"a b\" nor [\"a\", \"b\"]"
                            .formatted(file, place, shown(merge)));
        }
        return pairs;
    }

    private static Pair pair(Path file, String line, String place) {
        int space = line.indexOf(' ');
        if (space <= 0 || space == line.length() - 1 || line.indexOf(' ', space + 1) >= 0) {
            throw EspalierException.data(
                    "%s: %s, \"%s\", is not two tokens with a space between them"
                            .formatted(file, place, shorten(line)));
        }
        return new Pair(line.substring(0, space), line.substring(space + 1), place);
    }

    private List<AddedToken> addedTokens(Path file, JsonNode node, Map<String, Integer> names) {
        var found = new LinkedHashMap<Integer, AddedToken>();
        var contents = new HashSet<String>();
        if (!isAbsent(node)) {
            if (!node.isArray()) {
                throw EspalierException.data(file + ": \"added_tokens\" is not a list");
            }
            for (var entry : node) {
                var token = object(file, entry, "an entry of \"added_tokens\"");
                var name = text(token.path("content"));
                add(file, found, contents, added(file, token, id(file, name, token.path("id"))));
            }
        }
        // What only the files beside it name, in the order of their ids.
        var decoder = config.path("added_tokens_decoder");
        if (!isAbsent(decoder)) {
            var configFile = folder.resolve(CONFIG);
            for (var entry : object(configFile, decoder, "\"added_tokens_decoder\"").properties()) {
                var token = object(configFile, entry.getValue(), "token " + entry.getKey());
                if (!entry.getKey().matches("[0-9]{1,9}")) {
                    throw EspalierException.data(
                            "%s: \"%s\" in \"added_tokens_decoder\" is no token id"
                                    .formatted(configFile, shorten(entry.getKey())));
                }
                var fresh = added(configFile, token, Integer.parseInt(entry.getKey()));
                if (!contents.contains(fresh.content())) {
                    add(configFile, found, contents, fresh);
                }
            }
        }
        var older = folder.resolve(ADDED);
        if (Files.exists(older)) {
            for (var entry : object(older, Json.read(older), "the whole file").properties()) {
                int id = id(older, entry.getKey(), entry.getValue());
                if (!contents.contains(entry.getKey())) {
                    add(older, found, contents, AddedToken.word(id, entry.getKey()));
                }
            }
        }
        for (var role : Role.values()) {
            var value = role(role);
            var name = roleName(value);
            if (name == null) {
                continue;
            }
            var id = names.get(name);
            if (id != null && !contents.contains(name)) {
                add(
                        file,
                        found,
                        contents,
                        value.isObject()
                                ? added(file, (ObjectNode) value, id)
                                : AddedToken.special(id, name));
            }
        }
        return List.copyOf(found.values());
    }

    private static void add(
            Path file, Map<Integer, AddedToken> found, Set<String> contents, AddedToken token) {
        contents.add(token.content());
        var other = found.putIfAbsent(token.id(), token);
        if (other != null) {
            throw EspalierException.data(
                    "%s: the added tokens \"%s\" and \"%s\" both have id %d"
                            .formatted(
                                    file,
                                    shorten(other.content()),
                                    shorten(token.content()),
                                    token.id()));
        }
    }

    private static AddedToken added(Path file, ObjectNode node, int id) {
        var content = text(node.path("content"));
        if (content == null || content.isEmpty()) {
            throw EspalierException.data(
                    "%s: the added token with id %d has no \"content\"".formatted(file, id));
        }
        return new AddedToken(
                id,
                content,
                flag(file, node, "single_word", false),
                flag(file, node, "lstrip", false),
                flag(file, node, "rstrip", false),
                flag(file, node, "normalized", true),
                flag(file, node, "special", true));
    }

    private static Vocabulary vocabulary(
            Path file, Map<String, Integer> names, List<AddedToken> added) {
        var all = new LinkedHashMap<>(names);
        for (var token : added) {
            var other = all.putIfAbsent(token.content(), token.id());
            if (other != null && other != token.id()) {
                throw EspalierException.data(
                        "%s: the added token \"%s\" has id %d, but the vocabulary gives it %d"
                                .formatted(file, shorten(token.content()), token.id(), other));
            }
        }
        if (all.isEmpty()) {
            throw EspalierException.data(file + ": the vocabulary is empty");
        }
        long most = 2L * all.size() + MOST_HOLES;
        int size = 0;
        for (var entry : all.entrySet()) {
            if (entry.getValue() >= most) {
                throw EspalierException.data(
                        "%s: the id of \"%s\" is %d, but of %d tokens ids up to %d are allowed"
                                .formatted(
                                        file,
                                        shorten(entry.getKey()),
                                        entry.getValue(),
                                        all.size(),
                                        most - 1));
            }
            size = Math.max(size, entry.getValue() + 1);
        }
        var tokens = new String[size];
        var model = new BitSet();
        var holes = new BitSet();
        holes.set(0, size);
        for (var entry : all.entrySet()) {
            int id = entry.getValue();
            if (!holes.get(id)) {
                throw EspalierException.data(
                        "%s: \"%s\" and \"%s\" both have id %d"
                                .formatted(file, shorten(tokens[id]), shorten(entry.getKey()), id));
            }
            tokens[id] = entry.getKey();
            holes.clear(id);
            if (names.containsKey(entry.getKey())) {
                model.set(id);
            }
        }
        return new Vocabulary(tokens, model, holes);
    }

    private Template template(Path file, JsonNode node, Vocabulary vocabulary) {
        if (isAbsent(node)) {
            return Template.NONE;
        }
        var type = text(typeOf(node));
        switch (type == null ? "" : type) {
            case "ByteLevel" -> {
                return Template.NONE;
            }
            case "RobertaProcessing", "BertProcessing" -> {
                int separator = special(file, node.path("sep"), vocabulary);
                int classification = special(file, node.path("cls"), vocabulary);
                return Template.around(classification, separator, "RobertaProcessing".equals(type));
            }
            case "TemplateProcessing" -> {
                var tokens = node.path("special_tokens");
                var types = new Ids(8);
                var pair = pieces(file, node.path("pair"), tokens, vocabulary, types);
                return new Template(
                        pieces(file, node.path("single"), tokens, vocabulary, new Ids(8)),
                        pair.length == 0 ? Template.PAIR : pair,
                        pair.length == 0 ? Template.PAIR_TYPES : types.toArray());
            }
            case "Sequence" -> {
                var template = Template.NONE;
                var processors = node.path("processors");
                for (var processor : processors) {
                    var next = template(file, processor, vocabulary);
                    if (next != Template.NONE && template != Template.NONE) {
                        throw unsupported(
                                file, "post_processor", node, "one that adds special tokens");
                    }
                    template = next == Template.NONE ? template : next;
                }
                return template;
            }
            default ->
                    throw unsupported(
                            file,
                            "post_processor",
                            typeOf(node),
                            "ByteLevel, RobertaProcessing, BertProcessing, TemplateProcessing or a"
                                    + " Sequence of them");
        }
    }

    private static int special(Path file, JsonNode node, Vocabulary vocabulary) {
        var name = text(node.path(0));
        var id = node.path(1);
        if (name == null) {
            throw EspalierException.data(
                    file + ": \"post_processor\" lacks a [\"token\", id] for \"sep\" or \"cls\"");
        }
        return known(file, id(file, name, id), vocabulary);
    }

    private static int known(Path file, int id, Vocabulary vocabulary) {
        if (id >= vocabulary.size() || vocabulary.isHole(id)) {
            throw EspalierException.data(
                    "%s: \"post_processor\" uses id %d, which is none of the vocabulary"
                            .formatted(file, id));
        }
        return id;
    }

    /// The parts of a template; the type of each goes to `types`.
    private static int[] pieces(
            Path file, JsonNode node, JsonNode tokens, Vocabulary vocabulary, Ids types) {
        var ids = new Ids(8);
        if (node.isArray()) {
            for (var piece : node) {
                var sequence = piece.path("Sequence").path("id");
                var special = text(piece.path("SpecialToken").path("id"));
                if ("A".equals(text(sequence))) {
                    ids.add(Template.FIRST);
                } else if ("B".equals(text(sequence))) {
                    ids.add(Template.SECOND);
                } else if (special != null && tokens.path(special).path("ids").isArray()) {
                    for (var id : tokens.path(special).path("ids")) {
                        ids.add(known(file, id(file, special, id), vocabulary));
                    }
                } else {
                    throw EspalierException.data(
                            "%s: \"post_processor\" has a piece, %s, that is neither a sequence, A or"
                                            .formatted(file, shown(piece))
                                    + " B, nor one of its special tokens");
                }
                int type = type(file, piece);
                for (int added = types.size(); added < ids.size(); added++) {
                    types.add(type);
                }
            }
        }
        return ids.toArray();
    }

    private static int type(Path file, JsonNode piece) {
        var kind = piece.has("Sequence") ? "Sequence" : "SpecialToken";
        var type = piece.path(kind).path("type_id");
        if (!type.isMissingNode() && !(type.isInt() && type.intValue() >> 1 == 0)) {
            throw unsupported(file, "post_processor.type_id", type, "0 or 1");
        }
        return type.asInt(0);
    }

    // tokenizer.model

    private Tokenizer readModel(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
        var root = SentencePieceModel.read(bytes, file.toString());
        var type = text(config.path("tokenizer_class"));
        var kind = type == null ? "" : type.replaceFirst("Tokenizer(Fast)?$", "");
        if (!List.of("", "Llama", "T5", "PreTrained").contains(kind)) {
            throw unsupported(
                    folder.resolve(CONFIG),
                    "tokenizer_class",
                    config.path("tokenizer_class"),
                    "with a tokenizer.model LlamaTokenizer or T5Tokenizer");
        }
        if (kind.equals("T5")) {
            sentinels(root);
        }
        boolean llama =
                kind.equals("Llama")
                        || kind.isEmpty()
                                && root.path("model").path("byte_fallback").asBoolean(false);
        var settings = folder.resolve(CONFIG);
        boolean begins = flag(settings, config, "add_bos_token", llama);
        boolean ends = flag(settings, config, "add_eos_token", kind.equals("T5"));
        if (begins || ends) {
            root.set(
                    "post_processor",
                    TokenizerFiles.template(
                            begins ? marker(root, Role.BEGIN, "<s>") : null,
                            ends ? marker(root, Role.END, "</s>") : null));
        }
        return read(file, root);
    }

    private TokenizerFiles.Marker marker(ObjectNode root, Role role, String customary) {
        var given = roleName(role(role));
        var name = given == null ? customary : given;
        for (var token : root.path("added_tokens")) {
            if (name.equals(text(token.path("content")))) {
                return new TokenizerFiles.Marker(name, token.path("id").intValue());
            }
        }
        throw EspalierException.data(
                "%s: \"%s\" is %s, which the model lacks"
                        .formatted(folder.resolve(CONFIG), role.key, shorten(name)));
    }

    /// T5's sentinels, which its model does not hold: the first has the last id.
    private void sentinels(ObjectNode root) {
        var count = config.path("extra_ids");
        if (!isAbsent(count)
                && (!count.isIntegralNumber()
                        || !count.canConvertToInt()
                        || count.intValue() < 0
                        || count.intValue() > 10_000)) {
            throw unsupported(
                    folder.resolve(CONFIG), "extra_ids", count, "a whole number from 0 to 10000");
        }
        var vocabulary = (ArrayNode) root.path("model").path("vocab");
        var added = (ArrayNode) root.path("added_tokens");
        for (int n = count.asInt(100) - 1; n >= 0; n--) {
            var name = "<extra_id_%d>".formatted(n);
            TokenizerFiles.settings(
                    added.addObject().put("id", vocabulary.size()).put("content", name),
                    AddedToken.special(vocabulary.size(), name));
            vocabulary.addArray().add(name).add(0.0);
        }
    }

    // vocab.json and merges.txt

    private Tokenizer readVocabulary(Path vocabularyFile, Path mergesFile) {
        var type = text(config.path("tokenizer_class"));
        var kind = type == null ? "GPT2" : type.replaceFirst("Tokenizer(Fast)?$", "");
        boolean roberta = List.of("Roberta", "Bart", "Longformer", "LED").contains(kind);
        if (!roberta && !kind.equals("GPT2")) {
            throw unsupported(
                    folder.resolve(CONFIG),
                    "tokenizer_class",
                    config.path("tokenizer_class"),
                    "without a tokenizer.json GPT2Tokenizer, RobertaTokenizer or BartTokenizer");
        }
        var names = new LinkedHashMap<String, Integer>();
        var root = object(vocabularyFile, Json.read(vocabularyFile), "the whole file");
        for (var entry : root.properties()) {
            names.put(entry.getKey(), id(vocabularyFile, entry.getKey(), entry.getValue()));
        }
        customary(roberta ? ROBERTA : GPT2, names);
        var added = addedTokens(vocabularyFile, MissingNode.getInstance(), names);
        var vocabulary = vocabulary(vocabularyFile, names, added);
        var pairs = new ArrayList<Pair>();
        int number = 0;
        for (var line : lines(mergesFile)) {
            number++;
            if (!(number == 1 && line.startsWith("#version")) && !line.isEmpty()) {
                pairs.add(pair(mergesFile, line, "line " + number));
            }
        }
        boolean prefix = flag(folder.resolve(CONFIG), config, "add_prefix_space", false);
        var json = TokenizerFiles.byteLevelJson(prefix);
        var template = Template.NONE;
        if (roberta) {
            int classification = roleId(Role.CLASSIFICATION, vocabulary);
            int separator = roleId(Role.SEPARATOR, vocabulary);
            template = Template.around(classification, separator, true);
            json.set(
                    "post_processor",
                    TokenizerFiles.roberta(
                            vocabulary.token(separator),
                            separator,
                            vocabulary.token(classification),
                            classification,
                            prefix));
        } else if (flag(folder.resolve(CONFIG), config, "add_bos_token", false)) {
            int begin = roleId(Role.BEGIN, vocabulary);
            template = Template.behind(begin);
            json.set(
                    "post_processor",
                    TokenizerFiles.template(
                            new TokenizerFiles.Marker(vocabulary.token(begin), begin), null));
        }
        return byteLevel(
                mergesFile,
                Split.GPT2,
                vocabulary,
                pairs,
                OptionalInt.empty(),
                frame(new AddedTokens(added), template, json, true));
    }

    /// Gives roles that the files leave out the tokens that the tokenizer's class implies.
    private void customary(Map<Role, String> tokens, Map<String, Integer> names) {
        tokens.forEach((role, name) -> {
            if (!config.has(role.key) && !map.has(role.key) && names.containsKey(name)) {
                if (role == Role.MASK) {
                    map.putObject(role.key)
                            .put("content", name)
                            .put("single_word", false)
                            .put("lstrip", true)
                            .put("rstrip", false)
                            .put("normalized", false);
                } else {
                    map.put(role.key, name);
                }
            }
        });
    }

    private int roleId(Role role, Vocabulary vocabulary) {
        var name = roleName(role(role));
        var id = name == null ? OptionalInt.empty() : vocabulary.id(name);
        if (id.isEmpty()) {
            throw EspalierException.data(
                    "%s: \"%s\" is not given, or not in the vocabulary"
                            .formatted(folder.resolve(CONFIG), role.key));
        }
        return id.getAsInt();
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read as UTF-8 text (" + e.getMessage() + ")", e);
        }
    }

    // Both

    private Tokenizer byteLevel(
            Path file,
            Split split,
            Vocabulary vocabulary,
            List<Pair> pairs,
            OptionalInt unknown,
            Frame frame) {
        var model = frame.json().path("model");
        var byteIds = new int[256];
        for (int b = 0; b < 256; b++) {
            var name = String.valueOf(ByteAlphabet.character(b));
            var id = modelId(vocabulary, name);
            if (id.isEmpty() && Utf8.isImpossible(b)) {
                continue;
            }
            if (id.isEmpty() && (unknown.isEmpty() || flag(file, model, "fuse_unk", false))) {
                throw EspalierException.data(
                        "%s: the vocabulary lacks \"%s\", the token of byte %d, and so cannot spell"
                                        .formatted(file, name, b)
                                + " every text");
            }
            byteIds[b] = id.orElseGet(unknown::getAsInt);
        }
        var merges = merges(file, vocabulary, pairs, new BitSet());
        var json = frame.json();
        boolean prefix = false;
        if (only(json.path("pre_tokenizer"), "pretokenizers") instanceof ObjectNode pre
                && "ByteLevel".equals(text(typeOf(pre)))) {
            prefix =
                    flag(
                            folder.resolve(CONFIG),
                            config,
                            "add_prefix_space",
                            flag(file, pre, "add_prefix_space", true));
            pre.put("add_prefix_space", prefix);
        }
        var trimming = trimming(json.path("post_processor"));
        var options =
                new BytePairTokenizer.Options(
                        split,
                        prefix,
                        !isAbsent(trimming) && flag(file, trimming, "trim_offsets", true),
                        !isAbsent(trimming) && flag(file, trimming, "add_prefix_space", true),
                        flag(file, model, "ignore_merges", false));
        return new BytePairTokenizer(vocabulary, merges, byteIds, options, frame);
    }

    /// @param textless tokens that no merge may have
    private static List<BytePairTokenizer.Merge> merges(
            Path file, Vocabulary vocabulary, List<Pair> pairs, BitSet textless) {
        var merges = new ArrayList<BytePairTokenizer.Merge>(pairs.size());
        for (var pair : pairs) {
            int left = merged(file, vocabulary, pair, pair.left());
            int right = merged(file, vocabulary, pair, pair.right());
            if (textless.get(left) || textless.get(right)) {
                throw EspalierException.data(
                        "%s: %s, \"%s %s\", has a token that stands for no text of its own"
                                .formatted(
                                        file,
                                        pair.place(),
                                        shorten(pair.left()),
                                        shorten(pair.right())));
            }
            merges.add(
                    new BytePairTokenizer.Merge(
                            left,
                            right,
                            merged(file, vocabulary, pair, pair.left() + pair.right())));
        }
        return merges;
    }

    /// The post-processor that says how offsets are trimmed, or a missing node.
    private static JsonNode trimming(JsonNode node) {
        var type = text(typeOf(node));
        if ("Sequence".equals(type)) {
            for (var processor : node.path("processors")) {
                var found = trimming(processor);
                if (!isAbsent(found)) {
                    return found;
                }
            }
        }
        return "ByteLevel".equals(type) || "RobertaProcessing".equals(type)
                ? node
                : MissingNode.getInstance();
    }

    private static int merged(Path file, Vocabulary vocabulary, Pair pair, String token) {
        var id = modelId(vocabulary, token);
        if (id.isEmpty()) {
            throw EspalierException.data(
                    "%s: %s, \"%s %s\", needs the token \"%s\", which the vocabulary lacks"
                            .formatted(
                                    file,
                                    pair.place(),
                                    shorten(pair.left()),
                                    shorten(pair.right()),
                                    shorten(token)));
        }
        return id.getAsInt();
    }

    static OptionalInt modelId(Vocabulary vocabulary, String token) {
        var id = vocabulary.id(token);
        return id.isPresent() && vocabulary.isModel(id.getAsInt()) ? id : OptionalInt.empty();
    }

    private static Tokenizer characters(
            Path file, Vocabulary vocabulary, List<Pair> pairs, OptionalInt unknown, Frame frame) {
        if (!pairs.isEmpty()) {
            throw EspalierException.data(
                    file
                            + ": merges without a \"pre_tokenizer\" are not supported; ByteLevel is, or"
                            + " characters, which have no merges");
        }
        var model = frame.json().path("model");
        for (var key : List.of("fuse_unk", "byte_fallback", "ignore_merges")) {
            if (flag(file, model, key, false)) {
                throw unsupported(file, "model." + key, model.path(key), "false, for characters");
            }
        }
        return new CharacterTokenizer(vocabulary, unknown, frame, false);
    }

    private Frame frame(
            AddedTokens tokens, Template template, ObjectNode json, boolean mergesAsPairs) {
        var given =
                SpecialTokens.of(role -> {
                    var name = roleName(role(role));
                    return tokens.all().stream()
                            .filter(token -> token.content().equals(name))
                            .mapToInt(AddedToken::id)
                            .findFirst();
                });
        var completed = given.completedBy(name -> Frame.specialId(tokens, name));
        var roles =
                SpecialTokens.of(role ->
                        config.has(role.key) || map.has(role.key)
                                ? given.id(role)
                                : completed.id(role));
        return new Frame(tokens, template, roles, json, mergesAsPairs, config, map);
    }

    /// What the files beside the tokenizer give for a role: a name, or a token with its settings.
    private JsonNode role(Role role) {
        var inMap = map.path(role.key);
        return isAbsent(inMap) ? config.path(role.key) : inMap;
    }

    private static @Nullable String roleName(JsonNode role) {
        return role.isObject() ? text(role.path("content")) : text(role);
    }

    // Checked access to JSON

    /// The node itself, or the only one of a Sequence.
    static JsonNode only(JsonNode node, String list) {
        if ("Sequence".equals(text(typeOf(node)))
                && node.path(list).isArray()
                && node.path(list).size() == 1) {
            return node.path(list).path(0);
        }
        return node;
    }

    static JsonNode typeOf(JsonNode node) {
        return node.path("type");
    }

    static boolean isAbsent(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    static @Nullable String text(JsonNode node) {
        return node.isString() ? node.stringValue() : null;
    }

    private static ObjectNode object(Path file, JsonNode node, String what) {
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw EspalierException.data(
                "%s: %s is not a JSON object%s"
                        .formatted(file, what, node.isMissingNode() ? ", but missing" : ""));
    }

    static boolean flag(Path file, JsonNode node, String key, boolean absent) {
        var value = node.path(key);
        if (isAbsent(value)) {
            return absent;
        }
        if (!value.isBoolean()) {
            throw EspalierException.data(
                    "%s: \"%s\" is %s; true and false are allowed"
                            .formatted(file, key, shown(value)));
        }
        return value.booleanValue();
    }

    private static int id(Path file, @Nullable String token, JsonNode node) {
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 0) {
            throw EspalierException.data(
                    "%s: the id of \"%s\" is %s, and must be a whole number from 0"
                            .formatted(file, shorten(String.valueOf(token)), shown(node)));
        }
        return node.intValue();
    }

    static EspalierException unsupported(Path file, String key, JsonNode value, String supported) {
        return EspalierException.data(
                "%s: \"%s\" is %s, which is not supported; supported is %s"
                        .formatted(file, key, shown(value), supported));
    }

    static String shown(JsonNode node) {
        return node.isMissingNode() ? "missing" : shorten(node.toString());
    }

    static String shorten(String text) {
        return text.length() <= 60 ? text : text.substring(0, 60) + "…";
    }
}
