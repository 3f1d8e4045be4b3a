package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.model.Bart;
import dev.espalier.model.BartConfig;
import dev.espalier.model.Bert;
import dev.espalier.model.Decoder;
import dev.espalier.model.DistilBert;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.Roberta;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The model that a recipe names, made or read.
final class Models {
    private Models() {}

    /// A model with the tokens that it is to be used with, and its `config.json`.
    ///
    /// @param headless whether its files lacked the head for the vocabulary
    record Ready(LanguageModel model, ObjectNode config, boolean headless) {
        Ready(LanguageModel model, ObjectNode config) {
            this(model, config, false);
        }

        /// @throws EspalierException if a decoder is to write without a head
        void requireHead(Recipe recipe) {
            if (headless && model instanceof Decoder) {
                throw EspalierException.data(
                        "%s: model: its head for the vocabulary is missing, as classifiers lose it"
                                .formatted(recipe.name()));
            }
        }
    }

    /// @throws EspalierException if the tokenizer does not belong to the model
    static Ready of(ModelRecipe recipe, Tokenizer tokenizer, long seed) {
        return switch (recipe) {
            case ModelRecipe.Gpt2 _, ModelRecipe.LlamaShape _ ->
                    new Ready(
                            decoder(recipe, tokenizer.vocabularySize(), seed),
                            newConfig(tokenizer));
            case ModelRecipe.EncoderShape encoder -> encoder(encoder, tokenizer, seed);
            case ModelRecipe.Bart b -> {
                var config =
                        BartConfig.of(
                                tokenizer.vocabularySize(),
                                b.context(),
                                b.width(),
                                b.layers(),
                                b.heads(),
                                b.dropout(),
                                padding(tokenizer),
                                end(tokenizer));
                var json = newConfig(tokenizer).put("forced_eos_token_id", config.end());
                tokenizer.specials().beginOfText().ifPresent(id -> json.put("bos_token_id", id));
                yield new Ready(new Bart(config).initialize(seed), json);
            }
            case ModelRecipe.T5 t -> {
                var config =
                        T5Config.of(
                                tokenizer.vocabularySize(),
                                t.context(),
                                t.width(),
                                t.layers(),
                                t.heads(),
                                t.headWidth(),
                                t.hidden(),
                                t.gated(),
                                t.dropout(),
                                padding(tokenizer),
                                end(tokenizer));
                var json = newConfig(tokenizer);
                json.remove("bos_token_id");
                yield new Ready(new T5(config).initialize(seed), json);
            }
            case ModelRecipe.Vit _,
                    ModelRecipe.VitMae _,
                    ModelRecipe.Yolos _,
                    ModelRecipe.Segformer _,
                    ModelRecipe.Unet _,
                    ModelRecipe.VisionEncoderDecoder _ ->
                    throw EspalierException.usage("model: sees pictures, and reads no texts");
            case ModelRecipe.Saved saved -> {
                if (HuggingFace.isAdapter(saved.path())) {
                    throw EspalierException.usage(
                            "model.path: %s holds an adapter alone; 'espalier merge' makes a model of it"
                                    .formatted(saved.path()));
                }
                var loaded = HuggingFace.readModel(saved.path(), saved.dropout());
                if (!loaded.missing().isEmpty() && loaded.model() instanceof Encoder encoder) {
                    encoder.initializeHead(seed);
                }
                yield new Ready(
                        grown(saved, loaded.model(), tokenizer, seed),
                        loaded.config(),
                        !loaded.missing().isEmpty());
            }
        };
    }

    /// A new decoder.
    ///
    /// @throws EspalierException if the recipe's is another model
    static Decoder decoder(ModelRecipe recipe, int vocabulary, long seed) {
        return switch (recipe) {
            case ModelRecipe.Gpt2 g -> {
                var config =
                        Gpt2Config.of(
                                        vocabulary,
                                        g.context(),
                                        g.width(),
                                        g.layers(),
                                        g.heads(),
                                        g.dropout())
                                .withActivation(g.activation().inConfig());
                var model = new Gpt2(config).initialize(seed);
                if (!g.bias()) {
                    model.parameters()
                            .forEach((name, parameter) ->
                                    parameter.trained(!name.endsWith(".bias")));
                }
                yield model;
            }
            case ModelRecipe.LlamaShape llama ->
                    new Llama(config(llama, vocabulary)).initialize(seed);
            default -> throw EspalierException.usage("model: a new decoder is needed");
        };
    }

    private static Ready encoder(ModelRecipe.EncoderShape e, Tokenizer tokenizer, long seed) {
        var specials = tokenizer.specials();
        var config =
                EncoderConfig.of(
                        switch (e) {
                            case ModelRecipe.Bert _ -> EncoderConfig.Kind.BERT;
                            case ModelRecipe.Roberta _ -> EncoderConfig.Kind.ROBERTA;
                            case ModelRecipe.DistilBert _ -> EncoderConfig.Kind.DISTILBERT;
                        },
                        tokenizer.vocabularySize(),
                        e.context(),
                        e.width(),
                        e.layers(),
                        e.heads(),
                        padding(tokenizer),
                        e.dropout());
        var json = JsonNodeFactory.instance.objectNode();
        specials.beginOfText().ifPresent(id -> json.put("bos_token_id", id));
        specials.endOfText().ifPresent(id -> json.put("eos_token_id", id));
        var model =
                switch (e) {
                    case ModelRecipe.Bert _ -> new Bert(config);
                    case ModelRecipe.Roberta _ -> new Roberta(config);
                    case ModelRecipe.DistilBert _ -> new DistilBert(config);
                };
        return new Ready(model.initialize(seed), json);
    }

    private static int padding(Tokenizer tokenizer) {
        return tokenizer
                .specials()
                .padding()
                .orElseThrow(() ->
                        EspalierException.usage(
                                "tokenizer: an encoder needs a token for padding, such as `<pad>`"
                                        + " among the special tokens"));
    }

    static int end(Tokenizer tokenizer) {
        return tokenizer
                .specials()
                .endOfText()
                .orElseThrow(() ->
                        EspalierException.usage(
                                "tokenizer: a decoder needs a token that ends a text, such as `</s>`"
                                        + " among the special tokens"));
    }

    private static LlamaConfig config(ModelRecipe.LlamaShape l, int vocabulary) {
        return LlamaConfig.of(
                switch (l) {
                    case ModelRecipe.Llama _ -> LlamaConfig.Kind.LLAMA;
                    case ModelRecipe.Mistral _ -> LlamaConfig.Kind.MISTRAL;
                    case ModelRecipe.Qwen2 _ -> LlamaConfig.Kind.QWEN2;
                },
                vocabulary,
                l.context(),
                l.width(),
                l.layers(),
                l.heads(),
                l.keyValueHeads(),
                l.hidden(),
                l.ropeTheta(),
                l.dropout(),
                l.tied(),
                l instanceof ModelRecipe.Mistral m ? m.window() : null);
    }

    private static ObjectNode newConfig(Tokenizer tokenizer) {
        var end = tokenizer.specials().endOfText();
        var padding = tokenizer.specials().padding();
        return HuggingFace.newConfig(
                end.isPresent() ? end.getAsInt() : null,
                padding.isPresent() ? padding.getAsInt() : null);
    }

    /// The model with rows for the tokens that were added to its vocabulary: the mean of the
    /// others, with a little noise so that they can part (Hewitt 2021, "Initializing new word
    /// embeddings for pretrained language models").
    private static LanguageModel grown(
            ModelRecipe.Saved recipe, LanguageModel model, Tokenizer tokenizer, long seed) {
        var size = tokenizer.vocabularySize();
        if (size <= model.vocabulary()) {
            return model;
        }
        if (recipe.addTokens().isEmpty()) {
            throw EspalierException.data(
                    recipe.path()
                            + ": the tokenizer has "
                            + size
                            + " tokens, but the model's vocab_size is "
                            + model.vocabulary()
                            + "; they do not belong together");
        }
        var larger = model.withVocabulary(size);
        var from = model.parameters();
        var rng = Rng.at(seed, 1);
        try (var scope = new Scope()) {
            Torch.noGrad(() ->
                    larger.parameters()
                            .forEach((name, parameter) -> {
                                var old = java.util.Objects.requireNonNull(from.get(name)).value();
                                var target = parameter.value();
                                if (target.count() == old.count()) {
                                    target.copyInPlace(old);
                                } else if (parameter.isMatrix()) {
                                    extend(target, old, rng);
                                } else {
                                    target.narrow(0, 0, old.count()).copyInPlace(old);
                                }
                            }));
        }
        model.free();
        return larger;
    }

    private static void extend(Tensor table, Tensor old, Rng rng) {
        long rows = old.size(0), width = old.size(1);
        table.narrow(0, 0, rows).copyInPlace(old);
        var values = old.floats();
        var mean = new double[(int) width];
        for (var i = 0; i < values.length; i++) {
            mean[i % (int) width] += values[i] / (double) rows;
        }
        var fresh = new float[(int) ((table.size(0) - rows) * width)];
        for (var i = 0; i < fresh.length; i++) {
            fresh[i] = (float) (mean[i % (int) width] + 1e-3 * rng.nextGaussian());
        }
        table.narrow(0, rows, table.size(0) - rows)
                .copyInPlace(Tensor.of(fresh, table.size(0) - rows, width));
    }
}
