package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.corpus.FileSource;
import dev.espalier.data.ShardBuilder.SourceFile;
import dev.espalier.image.Preprocessor;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.SourceRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What a run is made with: the program, and each file of the parent model, the tokenizer, the
/// general text and the data with its SHA-256.
final class Provenance {
    private static final Pattern MODEL =
            Pattern.compile(
                    "(generation_)?config\\.json|.+\\.safetensors(\\.index\\.json)?|"
                            + Pattern.quote(Preprocessor.FILE));
    private static final Pattern TOKENIZER =
            Pattern.compile(
                    "(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|encoder)\\.json"
                            + "|vocab\\.(txt|bpe)|merges\\.txt|chat_template\\.jinja|.+\\.model");

    private static final String DATA = "data";

    private Provenance() {}

    /// Reads and hashes what `recipe` names; a tokenizer that was trained lies in `folder`, the
    /// run's.
    static ObjectNode of(Recipe recipe, Path folder) {
        return with(recipe, folder.resolve("tokenizer"));
    }

    /// As [#of], of what is there before the run: all but a tokenizer that it trains.
    static ObjectNode before(Recipe recipe) {
        return with(recipe, null);
    }

    private static ObjectNode with(Recipe recipe, @Nullable Path trained) {
        var json = JsonNodeFactory.instance.objectNode();
        var tokenizer = trained;
        switch (recipe.model()) {
            case ModelRecipe.Saved saved -> {
                parent(json, "parent-model", saved);
                tokenizer = recipe.tokenizer() == null ? saved.path() : tokenizer;
            }
            case ModelRecipe.VisionEncoderDecoder both -> {
                if (both.encoder() instanceof ModelRecipe.Saved saved) {
                    parent(json, "parent-encoder", saved);
                }
                if (both.decoder() instanceof ModelRecipe.Saved saved) {
                    parent(json, "parent-decoder", saved);
                    tokenizer = recipe.tokenizer() == null ? saved.path() : tokenizer;
                }
            }
            default -> {}
        }
        if (recipe.tokenizer() instanceof TokenizerRecipe.Saved saved) {
            tokenizer = saved.path();
        }
        var writes =
                recipe instanceof FinetuneRecipe f && f.task() instanceof TaskRecipe.Captioning;
        if (tokenizer != null && (writes || !recipe.ofPictures())) {
            add(json, "tokenizer", tokenizer.toString(), files(tokenizer, TOKENIZER));
        }
        if (recipe instanceof FinetuneRecipe finetune && finetune.forgetting() != null) {
            var measure = finetune.forgetting().measure();
            if (measure.corpus() != null) {
                add(
                        json,
                        "general-text",
                        measure.corpus(),
                        FileSource.text(measure.corpus()).files());
            }
            for (var domain : measure.domains()) {
                add(
                        json,
                        "text-of-" + domain.name(),
                        domain.corpus(),
                        FileSource.text(domain.corpus()).files());
            }
            for (var task : measure.tasks()) {
                add(json, "earlier-task-" + task, task.toString(), earlier(task));
            }
            if (measure.pairs() != null) {
                add(
                        json,
                        "minimal-pairs",
                        measure.pairs(),
                        FileSource.text(measure.pairs()).files());
            }
            if (measure.head() != null) {
                add(
                        json,
                        "vocabulary-head",
                        measure.head().toString(),
                        files(measure.head(), MODEL));
            }
            switch (finetune.forgetting().defence()) {
                case DefenceRecipe.Replay d ->
                        add(json, "replay-text", d.corpus(), FileSource.text(d.corpus()).files());
                case DefenceRecipe.Ewc d ->
                        add(json, "fisher-text", d.corpus(), FileSource.text(d.corpus()).files());
                case DefenceRecipe.Soup d ->
                        d.models()
                                .forEach(model ->
                                        add(
                                                json,
                                                "soup-" + model,
                                                model.toString(),
                                                files(model, MODEL)));
                default -> {}
            }
        }
        json.putObject(DATA).set("files", hashed(data(recipe)));
        return json;
    }

    private static void parent(ObjectNode json, String name, ModelRecipe.Saved model) {
        add(json, name, model.path().toString(), files(model.path(), MODEL));
    }

    /// The model of an earlier run, and what its task is read from.
    private static List<Path> earlier(Path run) {
        var files = new ArrayList<>(files(run.resolve("model"), MODEL));
        var recipe = run.resolve("recipe.yaml");
        files.add(recipe);
        files.addAll(data(Recipes.read(recipe)));
        return files;
    }

    private static List<Path> data(Recipe recipe) {
        return switch (recipe) {
            case PretrainRecipe pretrain ->
                    pretrain.data().sources().stream()
                            .flatMap(source ->
                                    source instanceof SourceRecipe.Images images
                                            ? Stream.of(images.path())
                                            : TextData.source(source).files().stream())
                            .toList();
            case FinetuneRecipe finetune ->
                    Stream.of(
                                    finetune.data().train(),
                                    finetune.data().validation(),
                                    finetune.data().test())
                            .filter(Objects::nonNull)
                            .flatMap(path ->
                                    finetune.task().ofPictures()
                                            ? PictureData.files(path).stream()
                                            : Stream.of(path))
                            .toList();
        };
    }

    private static void add(ObjectNode json, String name, String path, List<Path> files) {
        json.putObject(name).put("path", path).set("files", hashed(files));
    }

    private static JsonNode hashed(List<Path> files) {
        return Json.mapper()
                .valueToTree(
                        files.stream()
                                .map(f -> new SourceFile(f.toString(), AtomicFiles.sha256(f)))
                                .toList());
    }

    /// Refuses to go on with a run that was begun with other files.
    ///
    /// @param begun what [#of] gave then
    /// @throws EspalierException (DATA) that names the first file that differs
    static void requireSame(JsonNode begun, Recipe recipe, Path folder) {
        var now = of(recipe, folder);
        var names = new LinkedHashSet<>(begun.propertyNames());
        names.addAll(now.propertyNames());
        for (var name : names) {
            var were = begun.path(name).path("files");
            var are = known(now.path(name).path("files"), were);
            // Which documents are kept back goes by the names of their files.
            var named = name.equals(DATA) && recipe instanceof PretrainRecipe;
            for (var i = 0; i < Math.max(were.size(), are.size()); i++) {
                var was = were.path(i);
                var is = are.path(i);
                if (!(named ? was.equals(is) : was.path("sha256").equals(is.path("sha256")))) {
                    throw differs(
                            name.replace('-', ' '),
                            was.path("file").asString(""),
                            is.path("file").asString(""));
                }
            }
        }
    }

    /// Of the files that are there those of which a run's notes can tell: they did not always tell
    /// of [Preprocessor#FILE].
    private static JsonNode known(JsonNode are, JsonNode were) {
        return were.valueStream().anyMatch(Provenance::isPreprocessor)
                ? are
                : Json.mapper()
                        .valueToTree(are.valueStream().filter(f -> !isPreprocessor(f)).toList());
    }

    private static boolean isPreprocessor(JsonNode file) {
        return file.path("file").asString("").endsWith(Preprocessor.FILE);
    }

    private static EspalierException differs(String name, String was, String is) {
        var why =
                is.isEmpty()
                        ? was + ": the run was begun with this file of its " + name
                        : was.isEmpty()
                                ? is + ": the run was begun without this file of its " + name
                                : was.equals(is)
                                        ? is + ": has changed since the run began with it"
                                        : is + ": the run was begun with another file, " + was;
        return EspalierException.data(
                why + "; resume it with what it had, or begin another run in another output");
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
        } catch (NoSuchFileException e) {
            throw EspalierException.data(path + ": there is no such folder", e);
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
