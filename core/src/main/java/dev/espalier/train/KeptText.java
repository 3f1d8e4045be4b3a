package dev.espalier.train;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.MaskedText;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.report.Forgotten;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// How well text is foreseen, or by an encoder how well its hidden tokens are told.
public final class KeptText implements Kept {
    private static final String PERPLEXITY = "perplexity";

    private final String name;
    private final String called;
    private final long tokens;
    private final Supplier<Measured> now;
    private final Measured before;
    private Measured last;

    /// @param told the share of hidden tokens that an encoder tells
    private record Measured(TextLoss loss, @Nullable Score told) {
        static Measured of(MaskedText.Measured measured) {
            return new Measured(
                    measured.loss(),
                    Score.of("", "accuracy", measured.told(), measured.loss().tokens()));
        }

        List<Score> scores(String data) {
            var scores = new ArrayList<>(loss.scores(data));
            if (told != null) {
                scores.add(Score.of(data, told.metric(), told.interval(), told.n()));
            }
            return scores;
        }
    }

    private KeptText(String name, String called, long tokens, Supplier<Measured> now) {
        this.name = name;
        this.called = called;
        this.tokens = tokens;
        this.now = now;
        before = now.get();
        last = before;
    }

    /// @param name of the figures
    /// @param called in a sentence
    /// @param model a decoder or an encoder
    static KeptText of(
            String name,
            String called,
            String corpus,
            LanguageModel model,
            Tokenizer tokenizer,
            boolean bf16,
            long seed) {
        var text = TextData.general(corpus, tokenizer, model);
        return new KeptText(
                name, called, text.tokens(), measuring(text, model, tokenizer, bf16, seed));
    }

    private static Supplier<Measured> measuring(
            GeneralText text, LanguageModel model, Tokenizer tokenizer, boolean bf16, long seed) {
        if (model instanceof Decoder decoder) {
            return () -> new Measured(text.loss(decoder, bf16), null);
        }
        var hidden = text.hidden(tokenizer, seed);
        return () ->
                Measured.of(
                        hidden.measure((Encoder) model, bf16, id -> tokenizer.bytes(id).length));
    }

    /// The relative rise of the perplexity of `corpus` from the model in one folder, a decoder or
    /// an encoder, to what was made of it in another.
    ///
    /// @param seed of the tokens that are hidden of an encoder
    public static Interval rise(String corpus, Path from, Path to, long seed) {
        return measured(corpus, to, seed).loss().riseSince(measured(corpus, from, seed).loss());
    }

    private static Measured measured(String corpus, Path folder, long seed) {
        var model = HuggingFace.readModel(folder, null).model();
        try {
            var tokenizer = Tokenizers.read(folder);
            var text = TextData.general(corpus, tokenizer, model);
            return measuring(text, model, tokenizer, false, seed).get();
        } finally {
            model.free();
        }
    }

    @Override
    public List<Score> measure() {
        last = now.get();
        return last.scores(name);
    }

    @Override
    public long tokens() {
        return tokens;
    }

    @Override
    public double worse() {
        return last.loss().riseSince(before.loss()).value();
    }

    @Override
    public String words() {
        return called + "'s perplexity rose";
    }

    @Override
    public List<Score> finish() {
        last = now.get();
        var all = new ArrayList<>(before.scores(name + "-before"));
        all.addAll(last.scores(name + "-after"));
        all.add(
                Score.of(
                        name,
                        "perplexity-rise",
                        last.loss().riseSince(before.loss()),
                        last.loss().tokens()));
        return all;
    }

    @Override
    public Forgotten.Kept outcome() {
        return new Forgotten.Kept(
                name,
                PERPLEXITY,
                true,
                before.loss().perplexity(),
                last.loss().perplexity(),
                last.loss().riseSince(before.loss()));
    }
}
