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

    /// The frame of RoBERTa's tokenizer, `<s> text </s>`, for a new tokenizer whose special tokens
    /// begin and end a text and hide a token, as an encoder's do; that of T5's, `text </s>`, for
    /// one whose tokens end and fill up a text, and begin none; this one for others.
    Frame forEncoders(Vocabulary vocabulary) {
        if (specials.beginOfText().isEmpty()
                && specials.endOfText().isPresent()
                && specials.padding().isPresent()
                && specials.mask().isEmpty()) {
            int end = specials.endOfText().getAsInt();
            var newJson = json.deepCopy();
            newJson.set(
                    "post_processor",
                    TokenizerFiles.template(
                            null, new TokenizerFiles.Marker(vocabulary.token(end), end)));
            return new Frame(
                    added, Template.before(end), specials, newJson, mergesAsPairs, config, map);
        }
        if (specials.mask().isEmpty()
                || specials.beginOfText().isEmpty()
                || specials.endOfText().isEmpty()
                || specials.beginOfText().equals(specials.endOfText())) {
            return this;
        }
        int begin = specials.beginOfText().getAsInt(), end = specials.endOfText().getAsInt();
        var newJson = json.deepCopy();
        newJson.set(
                "post_processor",
                TokenizerFiles.roberta(
                        vocabulary.token(end), end, vocabulary.token(begin), begin, false));
        return new Frame(
                added,
                Template.around(begin, end, true),
                SpecialTokens.of(role ->
                        switch (role) {
                            case CLASSIFICATION -> specials.beginOfText();
                            case SEPARATOR -> specials.endOfText();
                            default -> specials.id(role);
                        }),
                newJson,
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
