package dev.espalier.tokenize;

import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/// Tokenizers of characters that put `<s>` before a text, as the published ones of Llama and
/// Mistral do by a `TemplateProcessing`.
public final class LlamasTokenizer {
    private LlamasTokenizer() {}

    /// One of the characters of `text`, as it is read from `folder`.
    public static Tokenizer of(Path folder, String text) {
        var plain = CharacterTokenizer.train(List.of(text), List.of("<s>", "</s>"));
        plain.save(folder);
        var file = folder.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        var begin = new TokenizerFiles.Marker("<s>", plain.id("<s>").orElseThrow());
        json.set("post_processor", TokenizerFiles.template(begin, null));
        AtomicFiles.write(file, json.toString());
        return Tokenizers.read(folder);
    }
}
