package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a model learns from labelled records.
public sealed interface TaskRecipe {
    /// Whether the records are pictures, and not texts.
    default boolean ofPictures() {
        return this instanceof ImageClassification
                || this instanceof ObjectDetection
                || this instanceof Captioning
                || this instanceof Segmentation;
    }

    @Doc("Tell the label, the labels or the number of a text, or of a pair of texts.")
    record Classification(
            @Doc(value = "The column or key that holds the text.", byDefault = "text") String text,
            @Doc(
                            value =
                                    "The column or key that holds the second text of a pair. What stands between the two"
                                            + " is what the tokenizer puts there; where it puts nothing, as for GPT-2,"
                                            + " its end of text, or without one a line end.",
                            byDefault = "none")
                    @Nullable String pair,
            @Doc(
                            value =
                                    "The column or key that holds the label, the labels or the number.",
                            byDefault = "label")
                    String label,
            @Doc(value = "What is told of a text.", byDefault = "{type: single-label}")
                    ProblemRecipe problem,
            @Doc(
                            value =
                                    "The most tokens that the model sees at once, those put around the texts included."
                                            + " A longer text is cut at its end, of a pair the longer one first, and"
                                            + " counted. `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxLength,
            @Doc(
                            value =
                                    "Whether to read longer texts whole, in windows that overlap, rather than to cut"
                                            + " them.",
                            byDefault = "none")
                    @Nullable Windows windows,
            @Doc(
                            value =
                                    "`balanced` weighs each label's loss by the inverse of its frequency, of several"
                                            + " labels each where it holds by how much more often it does not; `none`"
                                            + " weighs every record alike.",
                            byDefault = "none")
                    ClassWeights classWeights,
            @Doc(
                            value =
                                    "What learns to tell the label. `every-token`: the states of all tokens, later ones"
                                            + " with more weight, which learns more from few labels. `last-token`: the"
                                            + " state of the last alone. Labels are predicted from the last token"
                                            + " either way. Encoders learn and predict by the first token's"
                                            + " state.",
                            byDefault = "every-token")
                    LearnFrom learnFrom)
            implements TaskRecipe {
        @Doc(
                "Windows of `max-length` tokens over a longer text, of a pair over its longer text with the shorter"
                        + " one whole in each. A text's score is the mean over its windows of the scores before softmax"
                        + " or sigmoid; in training each window learns what the text is labelled with, and all"
                        + " windows of a text together count as one text.")
        public record Windows(
                @Doc(
                                value =
                                        "From the beginning of one window to that of the next, in tokens of the text;"
                                                + " `auto` is half of what a window holds of it.",
                                byDefault = "auto",
                                nothing = "auto",
                                in = "[1, 1048576]")
                        @Nullable Integer stride) {}

        /// How the labels' losses are weighed.
        public enum ClassWeights {
            NONE,
            BALANCED
        }

        /// Whose states learn to tell the label.
        public enum LearnFrom {
            EVERY_TOKEN,
            LAST_TOKEN
        }
    }

    @Doc(
            "Tell a tag of each word of a text: named entities in IOB1, IOB2, IOBES or BILOU, or word classes. The"
                    + " data are CoNLL, CoNLL-U (`.conllu`) or spans of characters (`.jsonl`).")
    record TokenLabelling(
            @Doc(
                            value =
                                    "Where a word's tag is: in CoNLL the number of a column from 1, in CoNLL-U a column's"
                                            + " name; `auto` is the last column, and `upos`.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable String column,
            @Doc(value = "The key of the text in JSONL.", byDefault = "text") String text,
            @Doc(
                            value =
                                    "The key of the list of spans in JSONL, each `{start, end, label}` with places in"
                                            + " characters.",
                            byDefault = "spans")
                    String spans,
            @Doc(
                            value =
                                    "The most tokens that the model sees at once; longer texts are read in pieces of"
                                            + " whole words. `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxLength)
            implements TaskRecipe {}

    @Doc(
            "Answer as in the training conversations: the loss is on the assistant's words alone, and on the token"
                    + " that ends them. The data are JSON objects, one a line (`.jsonl`) or in a list"
                    + " (`.json`), with `messages`, with `instruction`, `input` and `output`, with"
                    + " `prompt` and `completion`, or with `conversations` as ShareGPT has them.")
    record Instruction(
            @Doc(
                            value =
                                    "How turns are told apart: `chatml`, `llama-3`, `zephyr`, `alpaca`, or a file with"
                                            + " a template in Jinja; `auto` is the tokenizer's own. It is written"
                                            + " beside the model, for `chat` and `generate`.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable String template,
            @Doc(
                            value =
                                    "The date that a template tells which asks for one, such as 2026-01-31; `none`"
                                            + " leaves it what the template says without. It is kept with the"
                                            + " template, and told when the model is asked.",
                            byDefault = "none")
                    @Nullable String date,
            @Doc(
                            value =
                                    "Whose loss counts: `every` answer of a conversation, or the `last`, for templates"
                                            + " that tell earlier turns in another way.",
                            byDefault = "every")
                    Answers answers,
            @Doc(
                            value =
                                    "The most tokens of a conversation, and of a row into which several are packed."
                                            + " `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[2, 1048576]")
                    @Nullable Integer maxLength,
            @Doc(
                            value =
                                    "What becomes of longer ones: `forget` leaves out their oldest turns, and is"
                                            + " counted; `leave-out` the whole record, and is counted; `refuse`"
                                            + " ends the run. An answer is never cut.",
                            byDefault = "forget")
                    Longer longer,
            @Doc(
                            value =
                                    "Whether several conversations share a row of `max-length` tokens, without seeing"
                                            + " each other; `training.batch` counts rows.",
                            byDefault = "true")
                    boolean packing)
            implements TaskRecipe {
        /// Whose loss counts.
        public enum Answers {
            EVERY,
            LAST
        }

        /// What becomes of conversations that are too long.
        public enum Longer {
            FORGET,
            LEAVE_OUT,
            REFUSE
        }
    }

    @Doc(
            "Tell the label, or the labels, of a picture. The data are a folder with a folder of pictures for each"
                    + " label; a table in CSV, TSV or JSONL; COCO; or IDX: the file of the pictures, with that of"
                    + " the labels beside it.")
    record ImageClassification(
            @Doc(value = "The column or key of a table that names a picture.", byDefault = "image")
                    String image,
            @Doc(
                            value = "The column or key of a table that holds its label, or labels.",
                            byDefault = "label")
                    String label,
            @Doc(
                            value =
                                    "The folder from which a table or COCO names its pictures; `auto` is the one that it"
                                            + " lies in.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable Path pictures,
            @Doc(
                            value = "What is told of a picture; numbers are not.",
                            byDefault = "{type: single-label}")
                    ProblemRecipe problem,
            @Doc(
                            value =
                                    "How labels' losses are weighed; see the task `classification`.",
                            byDefault = "none")
                    Classification.ClassWeights classWeights,
            @Doc(value = "How pictures are changed at random in training.", byDefault = "{}")
                    AugmentRecipe augment)
            implements TaskRecipe {}

    @Doc(
            "Tell which things are where in a picture, each by a box and its class. The data are COCO, YOLO or"
                    + " Pascal VOC. A `model` of a path is a YOLOS, or a ViT or ViT-MAE, which becomes one with 100"
                    + " new tokens for things.")
    record ObjectDetection(
            @Doc(
                            value =
                                    "The folder from which COCO, or YOLO's description, names its pictures; `auto` is the one"
                                            + " that it lies in, or that the description's `path` names.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable Path pictures,
            @Doc(
                            value = "How pictures and boxes are changed at random in training.",
                            byDefault = "{}")
                    AugmentRecipe augment)
            implements TaskRecipe {}

    @Doc(
            "Tell the class of each pixel of a picture. The data are a folder with `images` and `masks` of the same"
                    + " names, Pascal VOC, or COCO, whose polygons are filled.")
    record Segmentation(
            @Doc(
                            value =
                                    "The names of the classes, the one of pixels that hold 0 first; not needed where the"
                                            + " data name them.",
                            byDefault = "[]")
                    List<String> classes,
            @Doc(
                            value =
                                    "The colour of each class in the masks, such as \"#ff0000\"; without any, pixels hold"
                                            + " the classes' numbers, and 255 where they mean nothing.",
                            byDefault = "[]")
                    List<String> colours,
            @Doc(
                            value =
                                    "The folder from which COCO names its pictures; `auto` is the one that it lies in.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable Path pictures,
            @Doc(value = "What is learnt from.", byDefault = "{}") Loss loss,
            @Doc(
                            value =
                                    "`balanced` weighs each class's pixels by the inverse of their frequency; `none` weighs"
                                            + " every pixel alike.",
                            byDefault = "none")
                    Classification.ClassWeights classWeights,
            @Doc(
                            value =
                                    "Whether to see pictures at their own size, in windows of the size that the model reads,"
                                            + " rather than stretched to it: in training one at a random place, else as"
                                            + " many as cover the picture. The share by which neighbours overlap.",
                            byDefault = "none",
                            in = "[0, 0.9]")
                    @Nullable Double windows,
            @Doc(
                            value = "How pictures and masks are changed at random in training.",
                            byDefault = "{}")
                    AugmentRecipe augment)
            implements TaskRecipe {
        public Segmentation {
            classes = List.copyOf(classes);
            colours = List.copyOf(colours);
        }

        @Doc("A sum of losses, each times its weight; 0 leaves it out.")
        public record Loss(
                @Doc(value = "The cross-entropy of each pixel.", byDefault = "1", in = "[0, ∞)")
                        double crossEntropy,
                @Doc(
                                value =
                                        "One minus the overlap (Dice) of each class that a picture has, which weighs small"
                                                + " things as large ones.",
                                byDefault = "0",
                                in = "[0, ∞)")
                        double dice,
                @Doc(
                                value =
                                        "The focal loss of each pixel, which passes over what is told already.",
                                byDefault = "0",
                                in = "[0, ∞)")
                        double focal,
                @Doc(value = "How much the focal loss does so.", byDefault = "2", in = "[0, 10]")
                        double gamma) {}
    }

    @Doc(
            "Write of a picture what is to be seen in it. The data are a table in CSV, TSV or JSONL, in which a picture"
                    + " may have several rows, or COCO's captions. Each caption of a picture is learnt; when the"
                    + " model is measured all are right.")
    record Captioning(
            @Doc(value = "The column or key of a table that names a picture.", byDefault = "image")
                    String image,
            @Doc(
                            value = "The column or key of a table that holds a caption.",
                            byDefault = "caption")
                    String caption,
            @Doc(
                            value =
                                    "The folder from which a table or COCO names its pictures; `auto` is the one that it"
                                            + " lies in.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable Path pictures,
            @Doc(
                            value =
                                    "How captions are written when the model is measured, and later, since it is kept in"
                                            + " the model's `generation_config.json`.",
                            byDefault = "{beams: 1}")
                    SequenceToSequence.Generation generation,
            @Doc(value = "How pictures are changed at random in training.", byDefault = "{}")
                    AugmentRecipe augment)
            implements TaskRecipe {}

    @Doc(
            "Write one text from another, such as a summary, a translation, another spelling; by an encoder with a"
                    + " decoder (BART, T5). Decoders learn such things as instructions. In validation and test"
                    + " records with the same input are one question, with all their targets for right answers.")
    record SequenceToSequence(
            @Doc(value = "The column or key that holds the input.", byDefault = "input")
                    String input,
            @Doc(value = "The column or key that holds the target.", byDefault = "target")
                    String target,
            @Doc(
                            value =
                                    "Put before each input, such as T5's `translate English to German: `. Kept in the"
                                            + " model's `config.json`.",
                            byDefault = "none")
                    @Nullable String prefix,
            @Doc(
                            value =
                                    "The most tokens of an input, those put around it included; longer ones are cut at"
                                            + " their end, and counted. `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxInput,
            @Doc(
                            value =
                                    "The most tokens of a target, those put around it included. `auto` is the model's"
                                            + " context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxTarget,
            @Doc(
                            value =
                                    "What becomes of a target of more tokens: `refuse` stops the run before it begins,"
                                            + " `cut` cuts it at its end, and counts it.",
                            byDefault = "refuse")
                    LongTargets longTargets,
            @Doc(
                            value =
                                    "How texts are written when the model is measured, and later, since it is kept in"
                                            + " the model's `generation_config.json`.",
                            byDefault = "{beams: 1}")
                    Generation generation,
            @Doc(value = "How written texts are measured.", byDefault = "{words: wmt-13a}")
                    Metrics metrics)
            implements TaskRecipe {
        /// What becomes of a target that is too long.
        public enum LongTargets {
            REFUSE,
            CUT
        }

        @Doc("How texts are written.")
        public record Generation(
                @Doc(
                                value =
                                        "How many of the most probable texts are followed (beam search); 1 takes the"
                                                + " likeliest token always.",
                                byDefault = "1",
                                in = "[1, 256]")
                        int beams,
                @Doc(
                                value =
                                        "With beams: above 0 favours long texts, below 0 short ones, 0 goes by the"
                                                + " probability alone.",
                                byDefault = "1")
                        double lengthPenalty,
                @Doc(
                                value =
                                        "The most tokens that are written; `auto` is as many as the longest training"
                                                + " target has.",
                                byDefault = "auto",
                                nothing = "auto",
                                in = "[1, 1048576]")
                        @Nullable Integer maxNewTokens,
                @Doc(
                                value =
                                        "Tokens before which no text ends; `auto` is what the base model's"
                                                + " `generation_config.json` says, or 0.",
                                byDefault = "auto",
                                nothing = "auto",
                                in = "[0, 1048576]")
                        @Nullable Integer minNewTokens,
                @Doc(
                                value =
                                        "No sequence of so many tokens comes twice in a text; 0 for no such rule. `auto`"
                                                + " as above. A summariser's 3 would spoil a task whose texts repeat"
                                                + " themselves.",
                                byDefault = "auto",
                                nothing = "auto",
                                in = "[0, 1048576]")
                        @Nullable Integer noRepeatNgram,
                @Doc(
                                value =
                                        "What the scores of tokens that are there already are divided by (Keskar et al."
                                                + " 2019, arXiv:1909.05858); 1 for no penalty. `auto` as above.",
                                byDefault = "auto",
                                nothing = "auto",
                                in = "(0, 1000]")
                        @Nullable Double repetitionPenalty) {}

        @Doc("How written texts are measured.")
        public record Metrics(
                @Doc(
                                value =
                                        "What a word is to BLEU: `wmt-13a` parts words and punctuation as is usual for"
                                                + " western languages, `characters` is for those without spaces, `none`"
                                                + " parts at white space alone.",
                                byDefault = "wmt-13a")
                        Words words,
                @Doc(
                                value =
                                        "Whether ROUGE compares the stems of English words (Porter's).",
                                byDefault = "false")
                        boolean stemming) {
            /// What BLEU counts.
            public enum Words {
                WMT_13A,
                CHARACTERS,
                NONE
            }
        }
    }

    @Doc(
            "Prefer the chosen of two answers to the rejected one, held to the model from which training starts."
                    + " The data are JSON objects, one a line (`.jsonl`) or in a list (`.json`), with"
                    + " `chosen` and `rejected` beside `prompt`, beside `instruction` and `input`, or as"
                    + " lists of messages. Nothing is dropped out unless `model.dropout` or the adapter"
                    + " says so.")
    record Preference(
            @Doc(
                            value = "How turns are told apart; see the task `instruction`.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable String template,
            @Doc(
                            value = "The date that a template tells; see the task `instruction`.",
                            byDefault = "none")
                    @Nullable String date,
            @Doc(value = "How a preference becomes a loss.", byDefault = "{type: dpo}")
                    PreferenceLossRecipe loss,
            @Doc(
                            value =
                                    "The most tokens of a prompt with an answer. `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[2, 1048576]")
                    @Nullable Integer maxLength,
            @Doc(
                            value =
                                    "What becomes of pairs with a longer one: `leave-out` leaves them out, and counts"
                                            + " them; `refuse` ends the run. Nothing is ever cut.",
                            byDefault = "leave-out")
                    Longer longer)
            implements TaskRecipe {
        /// What becomes of pairs that are too long.
        public enum Longer {
            LEAVE_OUT,
            REFUSE
        }
    }
}
