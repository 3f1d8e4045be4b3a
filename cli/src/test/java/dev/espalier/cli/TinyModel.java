package dev.espalier.cli;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.model.TokenClassifier;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// A language model of characters that writes nonsense, of all of which the scores depend on what
/// stands before.
final class TinyModel {
    private TinyModel() {}

    /// Writes it into `folder`, with these special tokens beside the one that ends a text.
    static Path write(Path folder, List<String> specials) {
        var all = Stream.concat(Stream.of("<|endoftext|>"), specials.stream()).toList();
        var tokenizer =
                CharacterTokenizer.train(
                        List.of("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\n.,:<>|"),
                        all);
        var model = new Gpt2(Gpt2Config.of(tokenizer.vocabularySize(), 96, 16, 2, 2, 0));
        model.initialize(1);
        Torch.noGrad(() ->
                model.parameters()
                        .forEach((name, parameter) -> {
                            if (!name.contains("ln_")) {
                                parameter.value().mulInPlace(12);
                            }
                        }));
        HuggingFace.save(folder, model, HuggingFace.newConfig(0, null));
        tokenizer.save(folder);
        model.free();
        return folder;
    }

    /// As [#write] a T5, whose answers do not repeat the prompt.
    static Path writeT5(Path folder) {
        var tokenizer =
                CharacterTokenizer.train(
                        List.of("abcdefghijklmnopqrstuvwxyz"), List.of("</s>", "<pad>"));
        var model =
                new T5(T5Config.of(tokenizer.vocabularySize(), 32, 16, 1, 2, 8, 24, true, 0, 1, 0));
        model.initialize(4);
        HuggingFace.save(folder, model, HuggingFace.newConfig(0, 1));
        tokenizer.save(folder);
        model.free();
        return folder;
    }

    /// A BERT that knows nothing, for texts of small letters, and a labeller of words on it.
    static Path writeBert(Path folder, Path labeller, List<String> labels) {
        var tokenizer =
                WordPieceTrainer.train(
                        List.of("the quick brown fox jumps over the lazy dog"), 60, 1, true, true);
        var shape =
                EncoderConfig.of(
                        EncoderConfig.Kind.BERT, tokenizer.vocabularySize(), 24, 16, 1, 2, 0, 0);
        var model = new Bert(shape);
        model.initialize(3);
        HuggingFace.save(folder, model, HuggingFace.newConfig(null, null));
        tokenizer.save(folder);
        model.free();
        var body = new Bert(shape, false);
        body.initialize(3);
        var classifier = new TokenClassifier(body, labels);
        classifier.initializeHead(5);
        HuggingFace.save(labeller, classifier, HuggingFace.newConfig(null, null));
        tokenizer.save(labeller);
        classifier.free();
        return folder;
    }
}
