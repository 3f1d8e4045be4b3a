package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.corpus.FileSource;
import dev.espalier.data.ShardBuilder.SourceFile;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.TokenizerRecipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.regex.Pattern;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What a run was made with beside its training data: the program, and each file of the parent
/// model, the tokenizer and the general text with its SHA-256.
final class Provenance {
    private static final Pattern MODEL =
            Pattern.compile("(generation_)?config\\.json|.+\\.safetensors(\\.index\\.json)?");
    private static final Pattern TOKENIZER =
            Pattern.compile(
                    "(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|encoder)\\.json"
                            + "|vocab\\.(txt|bpe)|merges\\.txt|chat_template\\.jinja|.+\\.model");

    private Provenance() {}

    /// Reads and hashes what `recipe` names; a tokenizer that was trained lies in `folder`, the
    /// run's.
    static ObjectNode of(Recipe recipe, Path folder) {
        var json = JsonNodeFactory.instance.objectNode();
        var tokenizer = folder.resolve("tokenizer");
        if (recipe.model() instanceof ModelRecipe.Saved saved) {
            add(json, "parent-model", saved.path().toString(), files(saved.path(), MODEL));
            tokenizer = recipe.tokenizer() == null ? saved.path() : tokenizer;
        }
        if (recipe.tokenizer() instanceof TokenizerRecipe.Saved saved) {
            tokenizer = saved.path();
        }
        add(json, "tokenizer", tokenizer.toString(), files(tokenizer, TOKENIZER));
        if (recipe instanceof FinetuneRecipe finetune && finetune.forgetting() != null) {
            var measured = finetune.forgetting().measure().corpus();
            add(json, "general-text", measured, FileSource.text(measured).files());
            if (finetune.forgetting().defence() instanceof DefenceRecipe.Replay replay) {
                add(json, "replay-text", replay.corpus(), FileSource.text(replay.corpus()).files());
            }
        }
        return json;
    }

    private static void add(ObjectNode json, String name, String path, List<Path> files) {
        var hashed = files.stream().map(f -> new SourceFile(f.toString(), AtomicFiles.sha256(f)));
        json.putObject(name)
                .put("path", path)
                .set("files", Json.mapper().valueToTree(hashed.toList()));
    }

    private static List<Path> files(Path path, Pattern names) {
        if (Files.isRegularFile(path)) {
            return List.of(path);
        }
        try (var inside = Files.list(path)) {
            return inside.filter(Files::isRegularFile)
                    .filter(f -> names.matcher(String.valueOf(f.getFileName())).matches())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw EspalierException.data(path + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// The program's `version`, and the `commit` that it was built from, `unknown` where the build
    /// did not know.
    static Properties build() {
        try (var in = Provenance.class.getResourceAsStream("build.properties")) {
            var build = new Properties();
            build.load(Objects.requireNonNull(in));
            return build;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
