package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which model is trained: a new one of a family, or one that exists. A new model's vocabulary is
/// its tokenizer's.
public sealed interface ModelRecipe {
    @Doc("A new GPT-2 (Radford et al. 2019): a decoder with learnt positions and tied embeddings.")
    record Gpt2(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The most tokens that the model can see at once.", in = "[1, 1048576]")
                    int context,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout,
            @Doc(
                            value =
                                    "Whether biases are trained; `false` leaves them at zero, which is the same function"
                                            + " as having none.",
                            byDefault = "true")
                    boolean bias,
            @Doc(
                            value =
                                    "What stands within the MLP: `gelu-tanh` is GPT-2's, the exact `gelu` is nanoGPT's and"
                                            + " the faster on processors.",
                            byDefault = "gelu-tanh")
                    Activation activation)
            implements ModelRecipe, TextDecoder {
        /// The activations, by their names in `config.json`.
        public enum Activation {
            GELU_TANH("gelu_new"),
            GELU("gelu"),
            RELU("relu");

            private final String inConfig;

            Activation(String inConfig) {
                this.inConfig = inConfig;
            }

            public String inConfig() {
                return inConfig;
            }
        }
    }

    @Doc(
            "A new Llama (Touvron et al. 2023): a decoder with rotary positions, RMS norms and a gated MLP.")
    record Llama(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Heads of queries; they share `width` evenly.", in = "[1, 1000]")
                    int heads,
            @Doc(value = "Heads of keys and values, a divisor of `heads`.", in = "[1, 1000]")
                    int keyValueHeads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The width of the MLP's hidden layer.", in = "[1, 1048576]") int hidden,
            @Doc(value = "The most tokens that the model can see at once.", in = "[1, 1048576]")
                    int context,
            @Doc(value = "The base of the rotary positions.", byDefault = "10000", in = "(0, ∞)")
                    double ropeTheta,
            @Doc(value = "Whether the head is the table of token embeddings.", byDefault = "false")
                    boolean tied,
            @Doc(
                            value = "The share of attention weights dropped while training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, LlamaShape {}

    @Doc("A new Mistral (Jiang et al. 2023): a Llama whose tokens see a sliding window.")
    record Mistral(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Heads of queries; they share `width` evenly.", in = "[1, 1000]")
                    int heads,
            @Doc(value = "Heads of keys and values, a divisor of `heads`.", in = "[1, 1000]")
                    int keyValueHeads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The width of the MLP's hidden layer.", in = "[1, 1048576]") int hidden,
            @Doc(value = "The most tokens that the model can see at once.", in = "[1, 1048576]")
                    int context,
            @Doc(value = "The tokens that a token sees, itself included.", in = "[1, 1048576]")
                    int window,
            @Doc(value = "The base of the rotary positions.", byDefault = "10000", in = "(0, ∞)")
                    double ropeTheta,
            @Doc(value = "Whether the head is the table of token embeddings.", byDefault = "false")
                    boolean tied,
            @Doc(
                            value = "The share of attention weights dropped while training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, LlamaShape {}

    @Doc("A new Qwen2 (Yang et al. 2024): a Llama with biases on queries, keys and values.")
    record Qwen2(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Heads of queries; they share `width` evenly.", in = "[1, 1000]")
                    int heads,
            @Doc(value = "Heads of keys and values, a divisor of `heads`.", in = "[1, 1000]")
                    int keyValueHeads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The width of the MLP's hidden layer.", in = "[1, 1048576]") int hidden,
            @Doc(value = "The most tokens that the model can see at once.", in = "[1, 1048576]")
                    int context,
            @Doc(value = "The base of the rotary positions.", byDefault = "1000000", in = "(0, ∞)")
                    double ropeTheta,
            @Doc(value = "Whether the head is the table of token embeddings.", byDefault = "false")
                    boolean tied,
            @Doc(
                            value = "The share of attention weights dropped while training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, LlamaShape {}

    /// What the recipes of Llama and its kin share.
    sealed interface LlamaShape permits Llama, Mistral, Qwen2 {
        int layers();

        int heads();

        int keyValueHeads();

        int width();

        int hidden();

        int context();

        double ropeTheta();

        boolean tied();

        double dropout();
    }

    @Doc("A new BERT (Devlin et al. 2018): an encoder with learnt positions.")
    record Bert(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The most tokens that the model can see at once.", in = "[3, 1048576]")
                    int context,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0.1",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, EncoderShape {}

    @Doc(
            "A new RoBERTa (Liu et al. 2019): BERT without a pooler; its classifier has a layer of its own.")
    record Roberta(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The most tokens that the model can see at once.", in = "[3, 1048576]")
                    int context,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0.1",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, EncoderShape {}

    @Doc(
            value = "A new DistilBERT (Sanh et al. 2019): BERT without segments and pooler.",
            key = "distilbert")
    record DistilBert(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The most tokens that the model can see at once.", in = "[3, 1048576]")
                    int context,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0.1",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, EncoderShape {}

    /// What the recipes of BERT and its kin share.
    sealed interface EncoderShape permits Bert, Roberta, DistilBert {
        int layers();

        int heads();

        int width();

        int context();

        double dropout();
    }

    @Doc(
            "A new BART (Lewis et al. 2019): an encoder and a decoder of as many blocks each, with learnt"
                    + " positions and norms behind the sums.")
    record Bart(
            @Doc(value = "Blocks of the encoder, and of the decoder.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The most tokens of an input, and of an output.", in = "[4, 1048576]")
                    int context,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0.1",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe {}

    @Doc(
            value =
                    "A new T5 (Raffel et al. 2020): an encoder and a decoder of as many blocks each, with"
                            + " RMS norms and learnt biases of distances.",
            key = "t5")
    record T5(
            @Doc(value = "Blocks of the encoder, and of the decoder.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of a head.", byDefault = "64", in = "[1, 65536]") int headWidth,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(value = "The width of the MLPs' hidden layers.", in = "[1, 1048576]") int hidden,
            @Doc(
                            value =
                                    "Whether it is a T5 1.1, whose MLPs are gated by GELU and whose head is its own, or"
                                            + " a T5 1.0, with ReLU and the table of token embeddings as the head.",
                            byDefault = "true")
                    boolean gated,
            @Doc(
                            value =
                                    "The most tokens of an input, and of an output, while training.",
                            byDefault = "512",
                            in = "[4, 1048576]")
                    int context,
            @Doc(
                            value = "The share dropped while training, in all places.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe {}

    @Doc(
            "A new ViT (Dosovitskiy et al. 2020): an encoder over the patches of pictures, with learnt positions.")
    record Vit(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(
                            value =
                                    "Height and width of the pictures in pixels; others are stretched to it.",
                            in = "[1, 16384]")
                    int image,
            @Doc(
                            value =
                                    "Height and width of a patch in pixels, a divisor of `image`: smaller ones see more"
                                            + " and take more time.",
                            in = "[1, 16384]")
                    int patch,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe, PictureEncoder {}

    @Doc(
            "A new ViT-MAE (He et al. 2021): a ViT, and a small decoder that is used in pre-training alone.")
    record VitMae(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states, a multiple of 4.", in = "[4, 65536]")
                    int width,
            @Doc(
                            value =
                                    "Height and width of the pictures in pixels; others are stretched to it.",
                            in = "[1, 16384]")
                    int image,
            @Doc(
                            value = "Height and width of a patch in pixels, a divisor of `image`.",
                            in = "[1, 16384]")
                    int patch,
            @Doc(value = "The decoder's blocks.", byDefault = "8", in = "[1, 1000]")
                    int decoderLayers,
            @Doc(value = "The decoder's heads.", byDefault = "16", in = "[1, 1000]")
                    int decoderHeads,
            @Doc(
                            value = "The decoder's width, a multiple of 4.",
                            byDefault = "512",
                            in = "[4, 65536]")
                    int decoderWidth)
            implements ModelRecipe {}

    @Doc(
            "A new YOLOS (Fang et al. 2021): a ViT with tokens behind those of the patches, each of which tells a"
                    + " thing in the picture or none.")
    record Yolos(
            @Doc(value = "Blocks.", in = "[1, 1000]") int layers,
            @Doc(value = "Attention heads; they share `width` evenly.", in = "[1, 1000]") int heads,
            @Doc(value = "The width of the hidden states.", in = "[1, 65536]") int width,
            @Doc(
                            value =
                                    "Height and width of the pictures in pixels; others are stretched to it.",
                            in = "[1, 16384]")
                    List<Integer> image,
            @Doc(
                            value =
                                    "Height and width of a patch in pixels, a divisor of both: smaller ones see more and"
                                            + " take more time.",
                            in = "[1, 16384]")
                    int patch,
            @Doc(
                            value =
                                    "How many tokens tell things: more than there are things in a picture.",
                            byDefault = "100",
                            in = "[1, 10000]")
                    int detections,
            @Doc(
                            value =
                                    "The share of embeddings, attention weights and residual branches dropped while"
                                            + " training.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dropout)
            implements ModelRecipe {
        public Yolos {
            image = List.copyOf(image);
        }
    }

    @Doc(
            "A new SegFormer (Xie et al. 2021): four stages, each coarser than the one before, and a decoder of linear"
                    + " maps over all of them. The defaults are the published B0.")
    record Segformer(
            @Doc(
                            value =
                                    "Height and width of the pictures in pixels, a multiple of 32; others are stretched to"
                                            + " it.",
                            byDefault = "512",
                            in = "[32, 16384]")
                    int image,
            @Doc(
                            value =
                                    "The widths of the stages. The heads are 1, 2, 5 and 8 where they share these evenly,"
                                            + " else 1, 2, 4 and 8.",
                            byDefault = "[32, 64, 160, 256]",
                            in = "[1, 65536]")
                    List<Integer> widths,
            @Doc(value = "The blocks of the stages.", byDefault = "[2, 2, 2, 2]", in = "[1, 1000]")
                    List<Integer> layers,
            @Doc(value = "The width of the decoder.", byDefault = "256", in = "[1, 65536]")
                    int decoderWidth,
            @Doc(
                            value =
                                    "The share of pictures that pass over the last block's sums while training; earlier"
                                            + " ones' is less.",
                            byDefault = "0.1",
                            in = "[0, 1)")
                    double dropPath)
            implements ModelRecipe {
        public Segformer {
            widths = List.copyOf(widths);
            layers = List.copyOf(layers);
        }
    }

    @Doc(
            "A new U-Net (Ronneberger et al. 2015), to compare with: convolutions at several levels, each half as fine"
                    + " and twice as wide as the one before. Its files are read by this program alone.")
    record Unet(
            @Doc(
                            value =
                                    "Height and width of the pictures in pixels; others are stretched to it.",
                            byDefault = "256",
                            in = "[8, 16384]")
                    int image,
            @Doc(
                            value = "Channels of the finest level, a multiple of 8.",
                            byDefault = "32",
                            in = "[8, 4096]")
                    int width,
            @Doc(value = "Levels.", byDefault = "4", in = "[1, 8]") int levels)
            implements ModelRecipe {}

    @Doc(
            "A model that sees and one that writes of what it sees: a ViT whose patches a GPT-2 attends to. What is"
                    + " between the two is new, and so are the parts that are not given by a path.")
    record VisionEncoderDecoder(
            @Doc("What sees: a new ViT, or a folder with a ViT, or a ViT-MAE, whose body is used.")
                    PictureEncoder encoder,
            @Doc("What writes: a new GPT-2, or a folder with one, whose tokenizer is used.")
                    TextDecoder decoder)
            implements ModelRecipe {
        /// The decoder as a model of its own.
        public ModelRecipe writer() {
            return (ModelRecipe) decoder;
        }
    }

    /// What a model of two parts may see with.
    sealed interface PictureEncoder permits Vit, Saved {}

    /// What it may write with.
    sealed interface TextDecoder permits Gpt2, Saved {}

    /// Whether it is a model of pictures; an existing one may be.
    default boolean sees() {
        return this instanceof Vit
                || this instanceof VitMae
                || this instanceof Yolos
                || this instanceof Segformer
                || this instanceof Unet
                || this instanceof VisionEncoderDecoder
                || this instanceof Saved;
    }

    /// Whether nothing of it exists yet.
    default boolean begins() {
        return switch (this) {
            case Saved _ -> false;
            case VisionEncoderDecoder both ->
                    !(both.encoder() instanceof Saved) && !(both.decoder() instanceof Saved);
            default -> true;
        };
    }

    @Doc(value = "A model that exists, in the Hugging Face layout.", untyped = true)
    record Saved(
            @Doc("A folder with `config.json` and `model.safetensors`.") Path path,
            @Doc(
                            value =
                                    "Tokens to add to its vocabulary; their embeddings start at the mean of the others.",
                            byDefault = "[]")
                    List<String> addTokens,
            @Doc(
                            value =
                                    "The share dropped while training, in all places; `auto` is as `config.json` says.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[0, 1)")
                    @Nullable Double dropout,
            @Doc(
                            value =
                                    "How many tokens tell things where a ViT becomes a YOLOS: more"
                                            + " than there are things in a picture. `auto` is 100; a"
                                            + " YOLOS keeps its own.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 10000]")
                    @Nullable Integer detections)
            implements ModelRecipe, PictureEncoder, TextDecoder {
        public Saved {
            addTokens = List.copyOf(addTokens);
        }
    }
}
