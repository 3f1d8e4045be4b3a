package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.HuggingFace.Loaded;
import dev.espalier.io.AtomicFiles;
import dev.espalier.nn.Module;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "merge",
        description = {
            "Adds adapters, as PEFT writes them, to a model's weights, one after another, and writes"
                    + " the model.",
            "A classifier's adapter brings its labels and head, and gives a classifier of texts or of words."
        },
        footer = {
            "",
            "Example: espalier merge models/base --adapter runs/reviews/model --output models/reviews"
        })
final class Merge implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(paramLabel = "MODEL", description = "The folder of the base.")
    private Path model = Path.of("");

    @Option(
            names = "--adapter",
            required = true,
            paramLabel = "FOLDER",
            description = "The folder of an adapter. Repeatable.")
    private List<Path> adapters = new ArrayList<>();

    @Option(
            names = "--output",
            required = true,
            paramLabel = "FOLDER",
            description = "Where the model goes; there must be nothing.")
    private Path output = Path.of("");

    Merge(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        if (Files.exists(output)) {
            throw EspalierException.usage(output + " exists already; choose another --output");
        }
        Given.folder(model, "a model");
        adapters.forEach(adapter -> Given.folder(adapter, "an adapter"));
        // A classifier's adapter has a config.json beside it, since PEFT's files name no labels; so
        // has one that says how texts are read: what is put before them, and their length.
        var own = adapters.stream().filter(a -> Files.exists(a.resolve("config.json"))).toList();
        var classifying =
                own.stream()
                        .filter(a ->
                                HuggingFace.isClassifier(a) || HuggingFace.isTokenClassifier(a))
                        .toList();
        if (classifying.size() > 1) {
            throw EspalierException.usage(
                    classifying
                            + " are adapters of classifiers, each with a head; one can be merged");
        }
        var loaded =
                classifying.isEmpty()
                        ? HuggingFace.readModel(model, null)
                        : classifier(classifying.getFirst());
        try {
            for (var adapter : adapters) {
                if (!classifying.contains(adapter)) {
                    HuggingFace.mergeAdapter(adapter, loaded.model());
                }
            }
            var tokenizer = Tokenizers.read(model);
            AtomicFiles.writeFolder(
                    output,
                    folder -> {
                        var config =
                                classifying.isEmpty() && !own.isEmpty()
                                        ? HuggingFace.config(own.getLast())
                                        : loaded.config();
                        HuggingFace.write(folder, loaded.model(), config);
                        if (classifying.isEmpty()) {
                            HuggingFace.copyGenerationConfig(
                                    own.isEmpty() ? model : own.getLast(), folder);
                        }
                        tokenizer.save(folder);
                        if (classifying.isEmpty()) {
                            speak(folder);
                        }
                    });
        } finally {
            loaded.model().free();
        }
        var json = new LinkedHashMap<String, Object>();
        json.put("model", output.toString());
        context.console().result("model   " + output, json);
        return 0;
    }

    /// What the last adapter that brings a chat template was trained to be asked by, and to end
    /// with.
    private void speak(Path folder) throws IOException {
        for (var from : Stream.concat(Stream.of(model), adapters.stream()).toList()) {
            var template = ChatTemplate.read(from);
            if (template.isPresent()) {
                template.get().write(folder);
                HuggingFace.copyGenerationConfig(from, folder);
            }
        }
    }

    private Loaded<? extends Module> classifier(Path adapter) {
        var loaded =
                HuggingFace.isTokenClassifier(adapter)
                        ? HuggingFace.readTokenClassifier(adapter, model)
                        : HuggingFace.readClassifier(adapter, model);
        if (!loaded.missing().isEmpty()) {
            throw EspalierException.data(adapter + ": " + loaded.missing() + " is missing");
        }
        Lora.merge(loaded.model());
        return loaded;
    }
}
