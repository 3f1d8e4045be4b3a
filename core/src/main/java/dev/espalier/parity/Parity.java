package dev.espalier.parity;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.model.VisionModel;
import dev.espalier.nn.Module;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/// Compares a model with a folder of reference numbers: `golden.json` with the losses, statistics
/// of gradients and generations, and `golden.safetensors` with inputs, scores and states, by case.
/// Three kinds of folder are known by their keys: `cases` (of a language model or a classifier;
/// with `sentences` beside them for pseudo-perplexity), `adapter_keys` beside them (a base, its
/// LoRA in `adapter/`, and `merged/`), and `losses` (a training, with its batches and the weights
/// after it).
public final class Parity {
    private Parity() {}

    /// Compares the model in `model` with the reference in `golden`.
    ///
    /// @throws EspalierException if either folder cannot be read
    public static ParityReport check(Path model, Path golden, Tolerances tolerances) {
        var json = Json.read(golden.resolve("golden.json"));
        var findings = new Findings();
        if (json.has("losses")) {
            new TrajectoryCheck(json, golden, tolerances, findings).check(model);
        } else if (json.has("cases")) {
            try (var tensors = new Golden(golden.resolve("golden.safetensors"))) {
                var cases = new CaseCheck(json, tensors, tolerances, findings);
                if (json.has("adapter_keys")) {
                    adapter(model, golden, cases);
                } else {
                    plain(model, golden, json, tensors, cases, tolerances, findings);
                }
            }
        } else {
            throw EspalierException.data(
                    golden.resolve("golden.json")
                            + ": neither 'cases' nor 'losses' is there; this is no reference that"
                            + " a language model can be compared with");
        }
        return findings.report();
    }

    private static void plain(
            Path model,
            Path golden,
            JsonNode json,
            Golden tensors,
            CaseCheck cases,
            Tolerances tolerances,
            Findings findings) {
        with(
                module(model),
                m -> {
                    // Generation first: the check of gradients ends by freeing the weights.
                    var generation = json.path("generation");
                    if (m instanceof VisionEncoderDecoder) {
                        var pictures = new VisionCheck(json, tensors, tolerances, findings);
                        Torch.noGrad(() -> {
                            try (var scope = new Scope()) {
                                new GenerationCheck((LanguageModel) m, model, tolerances, findings)
                                        .check(
                                                generation,
                                                pictures.memory((VisionEncoderDecoder) m));
                            }
                        });
                        pictures.check(m);
                        return;
                    }
                    if (m instanceof Decoder || m instanceof EncoderDecoder) {
                        new GenerationCheck((LanguageModel) m, model, tolerances, findings)
                                .check(generation);
                    } else {
                        generation
                                .propertyNames()
                                .forEach(name ->
                                        findings.unchecked(
                                                "generation", name, "the model does not write"));
                    }
                    if (json.has("sentences")) {
                        if (m instanceof Encoder encoder) {
                            new SentenceCheck(json, golden, tolerances, findings).check(encoder);
                        } else {
                            findings.unchecked(
                                    "sentence", "all", "the model does not tell hidden tokens");
                        }
                    }
                    if (m instanceof VisionModel vision) {
                        new VisionCheck(json, tensors, tolerances, findings).check(vision);
                    } else {
                        cases.check(m, "");
                    }
                });
    }

    private static void adapter(Path model, Path golden, CaseCheck cases) {
        with(module(model), base -> cases.checkForward(base, "base_"));
        var own = model.resolve("adapter");
        var adapter = Files.isDirectory(own) ? own : golden.resolve("adapter");
        with(
                module(model),
                m -> {
                    HuggingFace.readAdapter(adapter, m);
                    cases.check(m, "base_model.model.");
                });
        with(
                module(model),
                m -> {
                    HuggingFace.readAdapter(adapter, m);
                    try (var merged =
                            new Golden(golden.resolve("merged").resolve("model.safetensors"))) {
                        cases.checkMerged(m, merged);
                    }
                });
    }

    private static Module module(Path folder) {
        if (HuggingFace.isVision(folder)) {
            return HuggingFace.readVision(folder, 0.0).model();
        }
        if (HuggingFace.isClassifier(folder)) {
            return HuggingFace.readClassifier(folder).model();
        }
        return HuggingFace.isTokenClassifier(folder)
                ? HuggingFace.readTokenClassifier(folder).model()
                : HuggingFace.readModel(folder, 0.0).model();
    }

    private static <M extends Module> void with(M model, Consumer<M> body) {
        try {
            body.accept(model);
        } finally {
            model.free();
        }
    }
}
