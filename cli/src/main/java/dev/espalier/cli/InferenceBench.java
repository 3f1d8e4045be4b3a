package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Beams;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Penalties;
import dev.espalier.generate.Sampling;
import dev.espalier.plan.Machine;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.PictureSegmenter;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// How fast this machine tells or continues the texts of a file, or tells the pictures it names,
/// one batch after another, as `predict` and `generate` do; loading the model is left out.
final class InferenceBench {
    private static final Sampling GREEDY = new Sampling(0, 0, 1, 1);

    /// Texts of a batch.
    private static final int TOLD = 256;

    private static final int CONTINUED = 16;

    /// Tokens that each text is continued by.
    private static final int NEW_TOKENS = 64;

    private InferenceBench() {}

    /// @param textsPerSecond of all texts
    record Predicting(
            String processor,
            int texts,
            double seconds,
            double textsPerSecond,
            long peakMemoryBytes) {}

    /// @param imagesPerSecond of all pictures, reading them included
    /// @param matmulGflops the rate of 2048 x 2048 products in fp32, the mean of before and after
    /// @param matmulShare the rate of telling over that of products; null where pictures differ in
    ///   what they take
    record Seeing(
            String processor,
            int images,
            double seconds,
            double imagesPerSecond,
            double matmulGflops,
            @Nullable Double matmulShare,
            long peakMemoryBytes) {}

    /// @param tokensPerSecond new tokens of all texts, 16 texts at once
    /// @param oneTextTokensPerSecond new tokens where a single text is continued
    /// @param oneTextPrecision in which that is, fp32 or fp16
    record Generating(
            String processor,
            int texts,
            long tokens,
            double seconds,
            double tokensPerSecond,
            double oneTextTokensPerSecond,
            String oneTextPrecision,
            long peakMemoryBytes) {}

    /// @throws EspalierException if there is no text, or the folder holds no model that reads texts
    ///
    /// @param fp16 whether a decoder goes on with a single text in half precision
    static void run(Console console, Path model, TextLines lines, boolean fp16) {
        var texts = new ArrayList<String>();
        lines.forEach(List.of(), TOLD, (first, chunk) -> texts.addAll(chunk));
        if (texts.isEmpty()) {
            throw EspalierException.data("bench: there is no text to measure with");
        }
        var tells = SeenPictures.tells(model) || HuggingFace.isClassifier(model);
        if (fp16 && tells) {
            throw EspalierException.usage("--precision fp16 is for models that go on with texts");
        }
        if (SeenPictures.tells(model)) {
            pictures(console, model, texts);
        } else if (HuggingFace.isClassifier(model)) {
            predict(console, model, texts);
        } else {
            generate(console, model, texts, fp16);
        }
    }

    private static void pictures(Console console, Path model, List<String> names) {
        var operations = operations(model);
        var before = Machine.matmulRate(false);
        var seconds = SeenPictures.seconds(model, names);
        var rate = (before + Machine.matmulRate(false)) / 2;
        var result =
                new Seeing(
                        Machine.processor(),
                        names.size(),
                        seconds,
                        names.size() / seconds,
                        rate / 1e9,
                        operations == null
                                ? null
                                : Double.valueOf(operations * names.size() / seconds / rate),
                        Torch.peakResidentBytes());
        console.result(
                String.format(
                        Locale.ROOT,
                        """
                        processor        %s
                        predict          %,.1f images/s, %,d images in %.1f s
                        matrix products  %.0f GFLOP/s (2048 x 2048, before and after)
                        share            %s
                        memory           %.2f GiB at the peak\
                        """,
                        result.processor(),
                        result.imagesPerSecond(),
                        result.images(),
                        result.seconds(),
                        result.matmulGflops(),
                        result.matmulShare() == null
                                ? "not known, since pictures differ in what they take"
                                : String.format(Locale.ROOT, "%.0f %%", 100 * result.matmulShare()),
                        result.peakMemoryBytes() / 0x1p30),
                result);
    }

    /// Operations of telling a picture; null where it is written of, seen in windows, or read at a
    /// size of its own.
    private static @Nullable Double operations(Path folder) {
        if (HuggingFace.isCaptioner(folder)) {
            return null;
        }
        var loaded = HuggingFace.readVision(folder, null);
        try {
            var size = PictureClassifier.preprocessor(folder, loaded.model()).fixed();
            var inWindows = loaded.config().path(HuggingFace.OWN).has(PictureSegmenter.WINDOWS);
            return size == null || inWindows
                    ? null
                    : Double.valueOf(
                            2 * loaded.model().multiplications(size.height(), size.width()));
        } finally {
            loaded.model().free();
        }
    }

    private static void predict(Console console, Path model, List<String> texts) {
        try (var classifier = TextClassifier.load(model)) {
            classifier.classify(texts.subList(0, Math.min(8, texts.size())));
            var start = System.nanoTime();
            for (var i = 0; i < texts.size(); i += TOLD) {
                classifier.classify(texts.subList(i, Math.min(i + TOLD, texts.size())));
            }
            var seconds = (System.nanoTime() - start) / 1e9;
            var result =
                    new Predicting(
                            Machine.processor(),
                            texts.size(),
                            seconds,
                            texts.size() / seconds,
                            Torch.peakResidentBytes());
            console.result(
                    String.format(
                            Locale.ROOT,
                            """
                            processor        %s
                            predict          %,.1f texts/s, %,d texts in %.1f s
                            memory           %.2f GiB at the peak\
                            """,
                            result.processor(),
                            result.textsPerSecond(),
                            result.texts(),
                            result.seconds(),
                            result.peakMemoryBytes() / 0x1p30),
                    result);
        }
    }

    private static void generate(Console console, Path model, List<String> texts, boolean fp16) {
        var writer = HuggingFace.readWriter(Given.writer(model), null).model();
        try (var half = fp16 ? GenerationOptions.half(console, writer) : null) {
            var tokenizer = Tokenizers.read(model);
            TextClassifier.checkVocabulary(model, tokenizer, writer.vocabulary());
            var generator = new Generator(writer, tokenizer);
            continued(generator, texts.subList(0, 1), 8);
            var alone = tokensPerSecond(generator, texts.subList(0, 1));
            var start = System.nanoTime();
            var tokens = 0L;
            for (var i = 0; i < texts.size(); i += CONTINUED) {
                tokens +=
                        continued(
                                generator,
                                texts.subList(i, Math.min(i + CONTINUED, texts.size())),
                                NEW_TOKENS);
            }
            var seconds = (System.nanoTime() - start) / 1e9;
            var result =
                    new Generating(
                            Machine.processor(),
                            texts.size(),
                            tokens,
                            seconds,
                            tokens / seconds,
                            alone,
                            half != null && half.isActive() ? "fp16" : "fp32",
                            Torch.peakResidentBytes());
            console.result(
                    String.format(
                            Locale.ROOT,
                            """
                            processor        %s
                            generate         %,.1f tokens/s, %,d texts, %d at once, %d tokens each, in %.1f s
                            one text         %,.1f tokens/s in %s
                            memory           %.2f GiB at the peak\
                            """,
                            result.processor(),
                            result.tokensPerSecond(),
                            result.texts(),
                            CONTINUED,
                            NEW_TOKENS,
                            result.seconds(),
                            result.oneTextTokensPerSecond(),
                            result.oneTextPrecision(),
                            result.peakMemoryBytes() / 0x1p30),
                    result);
        } finally {
            writer.free();
        }
    }

    private static double tokensPerSecond(Generator generator, List<String> texts) {
        var start = System.nanoTime();
        var tokens = continued(generator, texts, 2 * NEW_TOKENS);
        return tokens / ((System.nanoTime() - start) / 1e9);
    }

    /// Continues each text greedily, beyond its end too; the tokens that were written.
    private static long continued(Generator generator, List<String> texts, int tokens) {
        var config =
                new GenerationConfig(
                        GREEDY,
                        Beams.NONE,
                        Penalties.NONE,
                        new Limits(tokens, List.of(), Set.of()),
                        1);
        return generator.generate(texts, config, written -> {}).stream()
                .flatMap(List::stream)
                .mapToLong(text -> text.ids().length)
                .sum();
    }
}
