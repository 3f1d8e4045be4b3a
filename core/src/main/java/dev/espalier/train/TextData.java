package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.JdkSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Source;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.data.Conversation;
import dev.espalier.data.ConversationReader;
import dev.espalier.data.ImageData;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.data.PairReader;
import dev.espalier.data.Preference;
import dev.espalier.data.PreferenceReader;
import dev.espalier.data.SentenceBlocks;
import dev.espalier.data.ShardBuilder;
import dev.espalier.data.Split;
import dev.espalier.data.TextPair;
import dev.espalier.data.TokenShard;
import dev.espalier.data.Window;
import dev.espalier.data.Windows;
import dev.espalier.evaluate.Bleu;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.LanguageModel;
import dev.espalier.recipe.FinetuneData;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainData;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.SourceRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import dev.espalier.tokenize.Boundaries;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.SentencePieceTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.tokenize.WordPieceTrainer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The text that a recipe names, as tokens: what lies between the recipe's data section and the
/// loop.
public final class TextData implements AutoCloseable {
    /// General text is measured and replayed from its first so many tokens; see decision 043.
    /// Recipes' documentation names them.
    static final int GENERAL_TOKENS = 65_536;

    private final PretrainData recipe;
    private final Tokenizer tokenizer;
    private final ShardBuilder.Shards shards;
    private final List<TokenShard> open = new ArrayList<>();

    private TextData(PretrainData recipe, Tokenizer tokenizer, ShardBuilder.Shards shards) {
        this.recipe = recipe;
        this.tokenizer = tokenizer;
        this.shards = shards;
    }

    /// The token shards of a pre-training recipe, in the run's folder.
    ///
    /// @param needed special tokens that the objective needs, added where they are missing
    /// @throws EspalierException (USAGE) if they are missing and the model exists
    static TextData pretraining(
            PretrainRecipe recipe, List<String> needed, Path folder, Watcher watcher) {
        var sources = recipe.data().sources().stream().map(TextData::source).toList();
        var tokenizer =
                withNeeded(tokenizer(recipe, sources, folder, watcher), needed, recipe.model());
        var tokens =
                ShardBuilder.Tokens.of(
                        tokenizer,
                        hash(tokenizer, folder),
                        recipe.objective() instanceof ObjectiveRecipe.Causal
                                || recipe.objective() instanceof ObjectiveRecipe.FillInTheMiddle,
                        separator(tokenizer));
        var shards =
                ShardBuilder.build(
                        folder.resolve("data"),
                        sources,
                        tokens,
                        recipe.data().validation(),
                        new Ledger.Limit.Count(recipe.data().maxRejects()),
                        Runtime.getRuntime().availableProcessors());
        for (var i = 0; i < sources.size(); i++) {
            var source = shards.data().sources().get(i);
            watcher.said(
                    String.format(
                            Locale.ROOT,
                            "%s: %,d documents, %,d tokens to train on, %,d to validate on%s",
                            source.description(),
                            source.counts().kept(),
                            source.train().tokens(),
                            source.validation().tokens(),
                            lost(source.counts(), shards.rejects(i))));
        }
        return new TextData(recipe.data(), tokenizer, shards);
    }

    /// What became of records that are not used as they stand, and where the broken ones are; empty
    /// where there are none.
    private static String lost(Ledger.Counts counts, Path rejects) {
        var said = new StringBuilder();
        counts.dropped()
                .forEach((reason, n) -> said.append("; dropped %,d: ".formatted(n) + reason));
        counts.changed()
                .forEach((reason, n) -> said.append("; changed %,d: ".formatted(n) + reason));
        counts.rejected()
                .forEach((reason, n) -> said.append("; set aside %,d: ".formatted(n) + reason));
        return said + (counts.rejected().isEmpty() ? "" : "; those set aside are in " + rejects);
    }

    /// The embeddings of a model that exists grow only where the recipe says so.
    private static Tokenizer withNeeded(
            Tokenizer tokenizer, List<String> needed, ModelRecipe model) {
        var missing = needed.stream().filter(token -> tokenizer.id(token).isEmpty()).toList();
        if (!missing.isEmpty() && model instanceof ModelRecipe.Saved) {
            throw EspalierException.usage(
                    "model.add-tokens: the objective needs tokens that the tokenizer lacks: "
                            + missing.subList(0, Math.min(5, missing.size()))
                            + (missing.size() > 5 ? " and " + (missing.size() - 5) + " more" : ""));
        }
        return needed.isEmpty() ? tokenizer : tokenizer.withSpecialTokens(needed);
    }

    /// What ends a document.
    private static OptionalInt separator(Tokenizer tokenizer) {
        var specials = tokenizer.specials();
        return specials.endOfText().isPresent() ? specials.endOfText() : specials.separator();
    }

    static Source source(SourceRecipe recipe) {
        return switch (recipe) {
            case SourceRecipe.Text s -> FileSource.text(s.path()).withCharset(s.charset());
            case SourceRecipe.Markdown s -> FileSource.markdown(s.path()).withCharset(s.charset());
            case SourceRecipe.Jsonl s ->
                    FileSource.jsonl(s.path(), s.field()).withCharset(s.charset());
            case SourceRecipe.Csv s -> FileSource.csv(s.path(), s.field()).withCharset(s.charset());
            case SourceRecipe.Tsv s -> FileSource.tsv(s.path(), s.field()).withCharset(s.charset());
            case SourceRecipe.Jdk s -> JdkSource.of(s.path());
            case SourceRecipe.Images s ->
                    throw EspalierException.usage(s.path() + ": holds pictures, and no texts");
        };
    }

    /// The name of a tokenizer: the SHA-256 of its file.
    private static String hash(Tokenizer tokenizer, Path folder) {
        var saved = folder.resolve("tokenizer");
        AtomicFiles.writeFolder(saved, tokenizer::save);
        return AtomicFiles.sha256(saved.resolve("tokenizer.json"));
    }

    private static Tokenizer tokenizer(
            PretrainRecipe recipe, List<Source> sources, Path folder, Watcher watcher) {
        var named = saved(recipe.tokenizer(), recipe.model());
        if (named != null) {
            return named;
        }
        sources.forEach(TextData::requireText);
        return trained(
                java.util.Objects.requireNonNull(recipe.tokenizer()),
                () ->
                        sources.stream()
                                .flatMap(s ->
                                        s.documents(new Ledger(null, new Ledger.Limit.Share(1))))
                                .map(Document::text)
                                .iterator(),
                key(sources),
                folder,
                watcher);
    }

    private static void requireText(Source source) {
        var ledger = new Ledger(null, new Ledger.Limit.Share(1));
        try (var documents = source.documents(ledger)) {
            if (documents.findFirst().isEmpty()) {
                var counts = ledger.counts();
                throw EspalierException.data(
                        source.description()
                                + ": holds no text; dropped "
                                + counts.dropped()
                                + ", set aside "
                                + counts.rejected());
            }
        }
    }

    private static String key(List<Source> sources) {
        var inputs = new StringBuilder();
        for (var source : sources) {
            inputs.append(source.description()).append('\n');
            source.files()
                    .forEach(f -> inputs.append(f).append(AtomicFiles.sha256(f)).append('\n'));
        }
        return inputs.toString();
    }

    /// The tokenizer of a fine-tuning recipe; one that is not named by a path is trained on the
    /// training records.
    static Tokenizer tokenizer(
            FinetuneRecipe recipe, List<LabelledText> records, Path folder, Watcher watcher) {
        return tokenizer(
                recipe,
                records.stream().flatMap(r -> r.texts().stream())::iterator,
                folder,
                watcher);
    }

    static Tokenizer tokenizer(
            FinetuneRecipe recipe, Iterable<String> texts, Path folder, Watcher watcher) {
        var named = saved(recipe.tokenizer(), recipe.model());
        var tokenizer =
                named != null
                        ? named
                        : trained(
                                java.util.Objects.requireNonNull(recipe.tokenizer()),
                                texts,
                                AtomicFiles.sha256(recipe.data().train()),
                                folder,
                                watcher);
        return tokenizer.plain();
    }

    /// As [#tokenizer], where special tokens are found in what a template writes: tokens that the
    /// recipe adds are special.
    static Tokenizer chatTokenizer(
            FinetuneRecipe recipe, List<String> texts, Path folder, Watcher watcher) {
        var named = saved(recipe.tokenizer(), recipe.model());
        if (named == null) {
            return trained(
                    java.util.Objects.requireNonNull(recipe.tokenizer()),
                    texts,
                    AtomicFiles.sha256(recipe.data().train()),
                    folder,
                    watcher);
        }
        return recipe.model() instanceof ModelRecipe.Saved model && !model.addTokens().isEmpty()
                ? named.withSpecialTokens(model.addTokens())
                : named;
    }

    private static @Nullable Tokenizer saved(@Nullable TokenizerRecipe recipe, ModelRecipe model) {
        if (recipe == null) {
            if (model instanceof ModelRecipe.VisionEncoderDecoder both) {
                return saved(null, both.writer());
            }
            if (!(model instanceof ModelRecipe.Saved saved)) {
                throw EspalierException.usage(
                        "tokenizer: a new model needs one, such as {type: bpe, vocabulary: 16k}");
            }
            return Tokenizers.read(saved.path()).withAddedTokens(saved.addTokens());
        }
        return recipe instanceof TokenizerRecipe.Saved saved ? Tokenizers.read(saved.path()) : null;
    }

    /// Trains a tokenizer, or takes the one that this folder holds from the same recipe and text.
    ///
    /// @throws EspalierException (DATA) if weights here were trained with another one
    private static Tokenizer trained(
            TokenizerRecipe recipe,
            Iterable<String> texts,
            String inputs,
            Path folder,
            Watcher watcher) {
        var cache = folder.resolve("tokenizer");
        var note = folder.resolve("tokenizer.key");
        var key =
                HexFormat.of()
                        .formatHex(
                                AtomicFiles.sha256(
                                        (recipe + inputs).getBytes(StandardCharsets.UTF_8)));
        try {
            if (Files.isRegularFile(note) && Files.readString(note).equals(key)) {
                return Tokenizers.read(cache);
            }
        } catch (java.io.IOException e) {
            throw EspalierException.data(note + ": cannot be read (" + e.getMessage() + ")", e);
        }
        if (!new Checkpoints(folder.resolve("checkpoints")).list().isEmpty()) {
            throw EspalierException.data(
                    cache
                            + ": was trained by another `tokenizer`, or on other text, than the recipe has now, and the checkpoints beside it need it; resume with what it had, or begin another run in another output");
        }
        watcher.said("training the tokenizer");
        Tokenizer tokenizer =
                switch (recipe) {
                    case TokenizerRecipe.Bpe bpe ->
                            BytePairTrainer.train(
                                    texts,
                                    bpe.vocabulary(),
                                    bpe.minimumFrequency(),
                                    bpe.specialTokens());
                    case TokenizerRecipe.Characters characters ->
                            CharacterTokenizer.train(texts, characters.specialTokens());
                    case TokenizerRecipe.WordPiece w ->
                            WordPieceTrainer.train(
                                    texts,
                                    w.vocabulary(),
                                    w.minimumFrequency(),
                                    w.lowercase(),
                                    w.lowercase());
                    case TokenizerRecipe.Unigram u ->
                            SentencePieceTrainer.unigram(
                                    texts,
                                    u.vocabulary(),
                                    u.coverage(),
                                    u.normalization(),
                                    u.byteFallback(),
                                    u.specialTokens());
                    case TokenizerRecipe.SentencePieceBpe bpe ->
                            SentencePieceTrainer.bytePairs(
                                    texts,
                                    bpe.vocabulary(),
                                    bpe.minimumFrequency(),
                                    bpe.coverage(),
                                    bpe.specialTokens());
                    case TokenizerRecipe.Saved saved ->
                            throw new IllegalArgumentException(saved + " is not trained");
                };
        AtomicFiles.writeFolder(cache, tokenizer::save);
        AtomicFiles.write(note, key);
        return tokenizer;
    }

    Tokenizer tokenizer() {
        return tokenizer;
    }

    /// Windows of `length` + 1 tokens to train on, all sources mixed by their weights.
    Windows training(int length) {
        var parts = new ArrayList<Windows.Part>();
        for (var i = 0; i < recipe.sources().size(); i++) {
            var shard = open(shards.train(i));
            if (shard.tokens() < length + 1L) {
                throw EspalierException.data(
                        shards.data().sources().get(i).description()
                                + ": only "
                                + shard.tokens()
                                + " tokens to train on, fewer than one sequence of "
                                + length
                                + "; give more text or a shorter objective.length");
            }
            var windows =
                    switch (recipe.sampling()) {
                        case SHUFFLED -> Windows.shuffled(shard, length);
                        case RANDOM_CROPS -> Windows.randomCrops(shard, length);
                    };
            parts.add(new Windows.Part(windows, recipe.sources().get(i).weight()));
        }
        return parts.size() == 1 ? parts.getFirst().windows() : Windows.mixture(parts);
    }

    /// Blocks of whole sentences of at most `length` tokens to train on, all sources mixed by their
    /// weights.
    Blocks blocks(int length, boolean acrossDocuments) {
        var boundaries = new Boundaries(tokenizer);
        double weighted = 0, of = 0;
        var parts = new ArrayList<Windows.Part>();
        for (var i = 0; i < recipe.sources().size(); i++) {
            var blocks = blocks(shards.train(i), boundaries, length, acrossDocuments);
            if (blocks.perEpoch() == 0) {
                throw EspalierException.data(
                        shards.data().sources().get(i).description()
                                + ": no text to train on; give more");
            }
            var weight = recipe.sources().get(i).weight();
            parts.add(new Windows.Part(blocks, weight));
            weighted += weight * shards.data().sources().get(i).train().tokens();
            of += weight * blocks.perEpoch();
        }
        return new Blocks(
                parts.size() == 1 ? parts.getFirst().windows() : Windows.mixture(parts),
                weighted / of);
    }

    /// Text to train on.
    ///
    /// @param mean their mean length, nearly
    record Blocks(Windows windows, double mean) {}

    /// All validation text, in blocks as [#blocks] has them.
    List<Window> validationBlocks(int length, boolean acrossDocuments) {
        var boundaries = new Boundaries(tokenizer);
        var all = new ArrayList<Window>();
        for (var i = 0; i < recipe.sources().size(); i++) {
            var blocks = blocks(shards.validation(i), boundaries, length, acrossDocuments);
            for (var b = 0; b < blocks.perEpoch(); b++) {
                all.add(blocks.block(b));
            }
        }
        return all;
    }

    private SentenceBlocks blocks(
            Path file, Boundaries boundaries, int length, boolean acrossDocuments) {
        return new SentenceBlocks(
                open(file),
                boundaries::sentences,
                separator(tokenizer).orElse(-1),
                length,
                acrossDocuments);
    }

    /// All validation text, in windows of `length` tokens, the last of each source shorter, but of
    /// at least 2.
    List<Window> validationWindows(int length) {
        var all = new ArrayList<Window>();
        for (var i = 0; i < recipe.sources().size(); i++) {
            var shard = open(shards.validation(i));
            for (var at = 0L; at + 1 < shard.tokens(); at += length) {
                all.add(shard.window(at, (int) Math.min(length, shard.tokens() - at)));
            }
        }
        if (all.isEmpty()) {
            throw nothingKept();
        }
        return all;
    }

    private static EspalierException nothingKept() {
        return EspalierException.data(
                "data.validation: no text was kept back; give more text or a larger share");
    }

    /// All validation text, in windows of `length` tokens, which hold no more than one document
    /// each unless they go `acrossDocuments`.
    GeneralText validation(int length, boolean acrossDocuments) {
        var windows = new ArrayList<int[]>();
        for (var i = 0; i < recipe.sources().size(); i++) {
            var shard = open(shards.validation(i));
            if (acrossDocuments) {
                read(shard, 0, shard.tokens(), length, windows);
            } else {
                for (var d = 0L; d < shard.documents(); d++) {
                    read(shard, shard.documentStart(d), shard.documentEnd(d), length, windows);
                }
            }
        }
        if (windows.isEmpty()) {
            throw nothingKept();
        }
        return GeneralText.of(windows, tokenizer);
    }

    private static void read(TokenShard shard, long from, long to, int length, List<int[]> into) {
        for (var at = from; at + 1 < to; at += length) {
            into.add(shard.read(at, (int) Math.min(length + 1L, to - at)));
        }
    }

    private TokenShard open(Path file) {
        var shard = TokenShard.open(file);
        open.add(shard);
        return shard;
    }

    /// What went in, and what became of it.
    ObjectNode passport() {
        return Json.mapper().valueToTree(shards.data());
    }

    /// General text by a file's name or a glob, to measure or to replay, in windows of the model's
    /// context, of 1024 tokens at most: a context of 128k would be one window, replayed in every
    /// step. Of an encoder with room for what stands around a text.
    static GeneralText general(String pattern, Tokenizer tokenizer, LanguageModel model) {
        return GeneralText.read(FileSource.text(pattern), tokenizer, model, GENERAL_TOKENS);
    }

    /// The i-th of the full windows of `text`, in an order that is new each epoch; all windows
    /// where none is full.
    static LongFunction<int[]> shuffled(GeneralText text, long seed) {
        var length = text.windows().getFirst().length;
        var full = text.windows().stream().filter(w -> w.length == length).toList();
        return i -> {
            var order =
                    new dev.espalier.data.Permutation(
                            full.size(), dev.espalier.Rng.seed(seed, 4, i / full.size()));
            return full.get((int) order.at(i % full.size()));
        };
    }

    /// Labelled records.
    public record Labelled<R>(
            List<R> train, List<R> validation, @Nullable List<R> test, ObjectNode passport) {
        /// Of all three files.
        public Stream<R> all() {
            return Stream.of(train, validation, test == null ? List.<R>of() : test)
                    .flatMap(List::stream);
        }

        /// What a report judges by: the test, or without one the validation records.
        List<R> judged() {
            return test == null ? validation : test;
        }

        /// What [#judged] is called in scores.
        String judgedName() {
            return test == null ? "validation" : "test";
        }
    }

    /// How the records of a task are read, and what of them a split goes by.
    ///
    /// @param text copies of which stay on one side
    /// @param labels to be divided by
    record Kind<R>(
            Read<R> read,
            Function<R, String> text,
            Function<R, ? extends Iterable<String>> labels) {
        Kind(
                BiFunction<Path, Ledger, List<R>> read,
                Function<R, String> text,
                Function<R, ? extends Iterable<String>> labels) {
            this((file, _, ledger) -> read.apply(file, ledger), text, labels);
        }
    }

    /// Reads the records of a file that are for `part`.
    interface Read<R> {
        List<R> of(Path file, ImageData.Part part, Ledger ledger);
    }

    /// The records of a fine-tuning recipe. Without a validation file, a share of the training
    /// records is kept back, see [Split].
    public static Labelled<LabelledText> labelled(
            FinetuneData data,
            TaskRecipe.Classification task,
            long seed,
            Path folder,
            Watcher watcher) {
        return labelled(
                data,
                seed,
                folder,
                watcher,
                new Kind<>(
                        (file, ledger) -> LabelledReader.read(file, columns(task), null, ledger),
                        record -> String.join("\n", record.texts()),
                        record ->
                                task.problem() instanceof ProblemRecipe.Regression
                                        ? List.of()
                                        : record.labels()));
    }

    private static LabelledReader.Columns columns(TaskRecipe.Classification task) {
        return new LabelledReader.Columns(
                task.text(), task.pair(), task.label(), labels(task.problem()));
    }

    /// How the labels of a record are written.
    static LabelledReader.Labels labels(ProblemRecipe problem) {
        return switch (problem) {
            case ProblemRecipe.SingleLabel _ -> new LabelledReader.Labels.One();
            case ProblemRecipe.MultiLabel several ->
                    new LabelledReader.Labels.Several(several.separator(), several.allowNone());
            case ProblemRecipe.Regression _ -> new LabelledReader.Labels.Number();
        };
    }

    /// As [#labelled] for texts with tagged words.
    public static Labelled<TaggedText> tagged(
            FinetuneData data,
            TaskRecipe.TokenLabelling task,
            long seed,
            Path folder,
            Watcher watcher) {
        var column = task.column() == null ? "" : task.column();
        return labelled(
                data,
                seed,
                folder,
                watcher,
                new Kind<>(
                        (file, ledger) ->
                                TaggedReader.read(file, column, task.text(), task.spans(), ledger),
                        TaggedText::text,
                        TaggedText::types));
    }

    /// As [#labelled] for conversations.
    static Labelled<Conversation> conversations(
            FinetuneData data, long seed, Path folder, Watcher watcher) {
        return labelled(
                data,
                seed,
                folder,
                watcher,
                new Kind<>(ConversationReader::read, Conversation::text, _ -> List.of()));
    }

    /// As [#labelled] for pairs of answers: those to the same prompt stay on one side.
    static Labelled<Preference> preferences(
            FinetuneData data, long seed, Path folder, Watcher watcher) {
        return labelled(
                data,
                seed,
                folder,
                watcher,
                new Kind<>(PreferenceReader::read, Preference::asked, _ -> List.of()));
    }

    /// How texts that a task writes are measured.
    public static WrittenTexts.Settings settings(TaskRecipe.SequenceToSequence.Metrics metrics) {
        return new WrittenTexts.Settings(
                switch (metrics.words()) {
                    case WMT_13A -> Bleu.Tokens.WMT_13A;
                    case CHARACTERS -> Bleu.Tokens.CHARACTERS;
                    case NONE -> Bleu.Tokens.NONE;
                },
                metrics.stemming());
    }

    /// As [#labelled] for pairs of texts: those with the same input stay on one side.
    public static Labelled<TextPair> paired(
            FinetuneData data,
            TaskRecipe.SequenceToSequence task,
            long seed,
            Path folder,
            Watcher watcher) {
        return labelled(
                data,
                seed,
                folder,
                watcher,
                new Kind<>(
                        (file, ledger) ->
                                PairReader.read(file, task.input(), task.target(), ledger),
                        TextPair::input,
                        pair -> List.of()));
    }

    static <R> Labelled<R> labelled(
            FinetuneData data, long seed, Path folder, Watcher watcher, Kind<R> kind) {
        var passport = JsonNodeFactory.instance.objectNode();
        var limit = new Ledger.Limit.Count(data.maxRejects());
        var rejects = folder.resolve("rejects.jsonl");
        try (var ledger = new Ledger(rejects, limit)) {
            var train = read(data.train(), ImageData.Part.TRAIN, kind, ledger, passport);
            List<R> validation;
            if (data.validation() != null) {
                validation =
                        read(data.validation(), ImageData.Part.VALIDATION, kind, ledger, passport);
            } else {
                var split =
                        Split.stratified(
                                train, kind.text(), kind.labels(), data.validationShare(), seed);
                if (split.train().isEmpty() || split.validation().isEmpty()) {
                    throw EspalierException.data(
                            "%s: %d records are too few to keep %s of them back, since copies of a text stay together and a label's only one is trained on; name a data.validation file"
                                    .formatted(data.train(), train.size(), data.validationShare()));
                }
                train = split.train();
                validation = split.validation();
            }
            var test =
                    data.test() == null
                            ? null
                            : read(data.test(), ImageData.Part.TEST, kind, ledger, passport);
            ledger.finish();
            var lost = lost(ledger.counts(), rejects);
            if (!lost.isEmpty()) {
                watcher.said("%,d records".formatted(ledger.counts().kept()) + lost);
            }
            sayFew(train, kind, watcher);
            passport.set("counts", Json.mapper().valueToTree(ledger.counts()));
            return new Labelled<>(train, validation, test, passport);
        }
    }

    /// A label of fewer records is seldom learnt by fine-tuning; 16 is the usual few-shot setting,
    /// for which other methods are made (Gao et al. 2021, arXiv:2012.15723).
    private static final int FEW = 16;

    private static <R> void sayFew(List<R> train, Kind<R> kind, Watcher watcher) {
        var counts = new TreeMap<String, Integer>();
        train.forEach(r -> kind.labels().apply(r).forEach(l -> counts.merge(l, 1, Integer::sum)));
        var few =
                counts.entrySet().stream()
                        .filter(label -> label.getValue() < FEW)
                        .sorted(Map.Entry.comparingByValue())
                        .map(label -> "'%s' has %d".formatted(label.getKey(), label.getValue()))
                        .toList();
        if (!few.isEmpty()) {
            watcher.said(
                    "few labels: of %d labels %d have fewer than %d records to train on (%s%s), from which fine-tuning seldom learns them; label more, or join labels"
                            .formatted(
                                    counts.size(),
                                    few.size(),
                                    FEW,
                                    String.join(", ", few.subList(0, Math.min(10, few.size()))),
                                    few.size() > 10 ? " and so on" : ""));
        }
    }

    private static <R> List<R> read(
            Path file, ImageData.Part part, Kind<R> kind, Ledger ledger, ObjectNode passport) {
        var records = kind.read().of(file, part, ledger);
        var entry = passport.putObject(part.name().toLowerCase(Locale.ROOT));
        entry.put("file", file.toString());
        entry.put("sha256", AtomicFiles.sha256(file));
        entry.put("records", records.size());
        return records;
    }

    @Override
    public void close() {
        open.forEach(TokenShard::close);
    }
}
