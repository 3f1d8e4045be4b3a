package dev.espalier.tokenize;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import tools.jackson.databind.node.ObjectNode;

/// What stands around the model in a tokenizer's files.
///
/// @param added the added tokens
/// @param template what goes around texts
/// @param specials the tokens that have a role
/// @param json `tokenizer.json`, with the vocabulary, merges and added tokens left out
/// @param mergesAsPairs whether merges are written as `["a", "b"]` rather than as `"a b"`, which
///   files older than 2024 have
/// @param config `tokenizer_config.json`
/// @param map `special_tokens_map.json`
record Frame(
        AddedTokens added,
        Template template,
        SpecialTokens specials,
        ObjectNode json,
        boolean mergesAsPairs,
        ObjectNode config,
        ObjectNode map) {

    /// This frame with `names`, whose ids `vocabulary` knows, as added tokens.
    Frame with(List<String> names, Vocabulary vocabulary, boolean special) {
        var tokens = new ArrayList<>(added.all());
        for (var name : names.stream().distinct().toList()) {
            int id = vocabulary.id(name).orElseThrow();
            var token = special ? AddedToken.special(id, name) : AddedToken.word(id, name);
            if (tokens.stream().noneMatch(known -> known.id() == id)) {
                tokens.add(token);
            } else if (special) {
                tokens.replaceAll(known ->
                        known.id() != id || known.special() ? known : AddedToken.special(id, name));
            }
        }
        var newAdded = added.with(tokens);
        return new Frame(
                newAdded,
                template,
                specials.completedBy(name -> specialId(newAdded, name)),
                json,
                mergesAsPairs,
                config,
                map);
    }

    boolean isSpecial(int id) {
        return added.isSpecial(id);
    }

    static OptionalInt specialId(AddedTokens added, String name) {
        return added.all().stream()
                .filter(token -> token.special() && token.content().equals(name))
                .mapToInt(AddedToken::id)
                .findFirst();
    }
}
