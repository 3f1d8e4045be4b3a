package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.Normalization;
import dev.espalier.tokenize.SentencePieceTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.tokenize.WordPieceTrainer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "tokenizer",
        description = "Trains tokenizers, and shows what they do.",
        synopsisSubcommandLabel = "train|encode|decode|inspect",
        footerHeading = "%nExample:%n",
        footer = {
            "  espalier tokenizer train books/ --vocabulary 16k -o my-tokenizer",
            "  espalier tokenizer encode my-tokenizer \"Hello there\""
        })
final class TokenizerVerb {
    private enum Type {
        BPE,
        WORDPIECE,
        CASED_WORDPIECE,
        UNIGRAM,
        SENTENCEPIECE_BPE,
        CHARACTERS
    }

    /// Files that hold text; what else is named is read as plain text.
    private static final Pattern TEXT =
            Pattern.compile(".*\\.(txt|md|jsonl|csv|tsv)(\\.gz|\\.zst)?", Pattern.DOTALL);

    /// The share of the text's characters that are tokens, as SentencePiece has it.
    private static final double COVERAGE = 0.9995;

    private final Main.Context context;

    TokenizerVerb(Main.Context context) {
        this.context = context;
    }

    @Command(
            name = "train",
            description =
                    "Trains a tokenizer on files of text, plain or packed by gzip or zstd. A file is a"
                            + " document, or each record of *.jsonl, *.csv and *.tsv; of *.md the markup"
                            + " is left out.",
            footerHeading = "%nExample:%n",
            footer = {
                "  espalier tokenizer train books/ notes.md --vocabulary 16k -o my-tokenizer",
                "  espalier tokenizer train reviews.jsonl.gz --field body -o my-tokenizer"
            })
    int train(
            @Parameters(
                            paramLabel = "PATH",
                            arity = "1..*",
                            description =
                                    "Files, and folders of *.txt, *.md, *.jsonl, *.csv and *.tsv files,"
                                            + " also *.gz and *.zst of these.")
                    List<Path> paths,
            @Option(
                            names = {"-o", "--output"},
                            required = true,
                            paramLabel = "DIR",
                            description = "Where the tokenizer's files go.")
                    Path output,
            @Option(
                            names = "--field",
                            defaultValue = "text",
                            paramLabel = "NAME",
                            description =
                                    "The field or column of *.jsonl, *.csv and *.tsv that holds the"
                                            + " text. Default: text.")
                    String field,
            @Option(
                            names = "--type",
                            defaultValue = "BPE",
                            paramLabel = "TYPE",
                            description =
                                    "bpe (byte-level, as GPT-2's), wordpiece (BERT's, in small letters),"
                                            + " cased_wordpiece, unigram (T5's), sentencepiece_bpe (Llama"
                                            + " 2's), or characters. Default: bpe.")
                    Type type,
            @Option(
                            names = "--vocabulary",
                            defaultValue = "16k",
                            paramLabel = "N",
                            description = "Tokens at most, such as 16k or 50257. Default: 16k.")
                    int vocabulary,
            @Option(
                            names = "--minimum-frequency",
                            defaultValue = "2",
                            paramLabel = "N",
                            description = "Rarer pairs are not merged. Default: 2.")
                    int minimumFrequency,
            @Option(
                            names = "--special",
                            paramLabel = "TOKEN",
                            description =
                                    "A special token; may be given again. Default: <|endoftext|>; for"
                                            + " unigram <pad>, </s> and <unk>; for sentencepiece_bpe <unk>,"
                                            + " <s> and </s>.")
                    @Nullable List<String> given) {
        if (Files.exists(output.resolve("tokenizer.json"))) {
            throw EspalierException.usage(
                    output + ": holds a tokenizer already; choose another --output");
        }
        var special = given == null ? special(type) : given;
        var console = context.console();
        var files = files(paths);
        Iterable<String> texts =
                () -> {
                    var progress = console.progress("reading", 0, files.size(), "files");
                    var read = new int[1];
                    var ledger = Ledger.strict();
                    return files.stream()
                            .flatMap(file -> {
                                progress.at(++read[0], "");
                                if (read[0] == files.size()) {
                                    progress.close();
                                }
                                return source(file, field).documents(ledger);
                            })
                            .map(Document::text)
                            .iterator();
                };
        Tokenizer tokenizer =
                switch (type) {
                    case BPE -> BytePairTrainer.train(texts, vocabulary, minimumFrequency, special);
                    case WORDPIECE, CASED_WORDPIECE -> {
                        var small = type == Type.WORDPIECE;
                        yield WordPieceTrainer.train(
                                texts, vocabulary, minimumFrequency, small, small);
                    }
                    case UNIGRAM ->
                            SentencePieceTrainer.unigram(
                                    texts,
                                    vocabulary,
                                    COVERAGE,
                                    Normalization.NMT_NFKC,
                                    false,
                                    special);
                    case SENTENCEPIECE_BPE ->
                            SentencePieceTrainer.bytePairs(
                                    texts, vocabulary, minimumFrequency, COVERAGE, special);
                    case CHARACTERS -> CharacterTokenizer.train(texts, special);
                };
        tokenizer.save(output);
        var result = new LinkedHashMap<String, Object>();
        result.put("output", output.toString());
        result.put("vocabulary", tokenizer.vocabularySize());
        console.result(
                "%s: %d tokens from %d files"
                        .formatted(output, tokenizer.vocabularySize(), files.size()),
                result);
        return 0;
    }

    private static List<String> special(Type type) {
        return switch (type) {
            case UNIGRAM -> List.of("<pad>", "</s>", "<unk>");
            case SENTENCEPIECE_BPE -> List.of("<unk>", "<s>", "</s>");
            default -> List.of("<|endoftext|>");
        };
    }

    @Command(
            name = "encode",
            description =
                    "Prints the token ids of texts: of the arguments, or of each line of standard"
                            + " input. With --json also the tokens and their places in the text.",
            footerHeading = "%nExample:%n",
            footer = "  espalier tokenizer encode my-tokenizer \"Hello there\" --json")
    int encode(
            @Parameters(
                            paramLabel = "TOKENIZER",
                            description = "Its folder, tokenizer.json or tokenizer.model.")
                    Path path,
            @Parameters(paramLabel = "TEXT", arity = "0..*") @Nullable List<String> texts,
            @Option(
                            names = "--plain",
                            description = "Read special tokens in the text as plain text.")
                    boolean plain) {
        var console = context.console();
        var read = Tokenizers.read(Given.path(path));
        var tokenizer = plain ? read.plain() : read;
        lines(texts)
                .forEach(text -> {
                    var encoding = tokenizer.encodeWithOffsets(text);
                    var result = new LinkedHashMap<String, Object>();
                    result.put("ids", encoding.ids());
                    result.put(
                            "tokens",
                            Arrays.stream(encoding.ids()).mapToObj(tokenizer::token).toList());
                    result.put("starts", encoding.starts());
                    result.put("ends", encoding.ends());
                    console.result(
                            Arrays.stream(encoding.ids())
                                    .mapToObj(String::valueOf)
                                    .collect(Collectors.joining(" ")),
                            result);
                });
        return 0;
    }

    @Command(
            name = "decode",
            description =
                    "Prints the text of token ids: of the arguments, or of each line of standard"
                            + " input.",
            footerHeading = "%nExample:%n",
            footer = "  espalier tokenizer decode my-tokenizer 15496 612")
    int decode(
            @Parameters(
                            paramLabel = "TOKENIZER",
                            description = "Its folder, tokenizer.json or tokenizer.model.")
                    Path path,
            @Parameters(paramLabel = "ID", arity = "0..*") @Nullable List<String> ids) {
        var console = context.console();
        var tokenizer = Tokenizers.read(Given.path(path));
        lines(ids == null ? null : List.of(String.join(" ", ids)))
                .forEach(line -> {
                    var text = tokenizer.decode(ids(line, tokenizer));
                    console.result(text, java.util.Map.of("text", text));
                });
        return 0;
    }

    @Command(
            name = "inspect",
            description = "Says what a tokenizer is.",
            footerHeading = "%nExample:%n",
            footer = "  espalier tokenizer inspect my-tokenizer")
    int inspect(
            @Parameters(
                            paramLabel = "TOKENIZER",
                            description = "Its folder, tokenizer.json or tokenizer.model.")
                    Path path) {
        var facts = facts(Tokenizers.read(Given.path(path)));
        context.console().result(Inspect.text(facts), facts);
        return 0;
    }

    static LinkedHashMap<String, Object> facts(Tokenizer tokenizer) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("vocabulary", tokenizer.vocabularySize());
        var special =
                IntStream.range(0, tokenizer.vocabularySize())
                        .filter(id -> tokenizer.isSpecial(id) && !tokenizer.token(id).isEmpty())
                        .boxed()
                        .collect(
                                Collectors.toMap(
                                        tokenizer::token,
                                        id -> id,
                                        (a, b) -> a,
                                        LinkedHashMap::new));
        facts.put("special-tokens", special);
        var roles = tokenizer.specials();
        put(facts, "begin-of-text", roles.beginOfText());
        put(facts, "end-of-text", roles.endOfText());
        put(facts, "padding", roles.padding());
        put(facts, "unknown", roles.unknown());
        facts.put("added-around-one-text", tokenizer.template().addedToOne());
        return facts;
    }

    private static void put(LinkedHashMap<String, Object> facts, String role, OptionalInt id) {
        id.ifPresent(value -> facts.put(role, value));
    }

    private static int[] ids(String line, Tokenizer tokenizer) {
        var words = line.strip().split("[\\s,]+");
        return Arrays.stream(words)
                .filter(word -> !word.isEmpty())
                .mapToInt(word -> {
                    try {
                        var id = Integer.parseInt(word);
                        if (id >= 0 && id < tokenizer.vocabularySize()) {
                            return id;
                        }
                    } catch (NumberFormatException e) {
                        // Said below, as for a number out of range.
                    }
                    throw EspalierException.usage(
                            "'%s' is no token id; allowed are 0 to %d"
                                    .formatted(word, tokenizer.vocabularySize() - 1));
                })
                .toArray();
    }

    /// The arguments, or the lines of standard input while they arrive.
    private static Stream<String> lines(@Nullable List<String> arguments) {
        return arguments == null || arguments.isEmpty()
                ? new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
                        .lines()
                : arguments.stream();
    }

    private static List<Path> files(List<Path> paths) {
        var files = new ArrayList<Path>();
        for (var path : paths) {
            if (Files.isDirectory(Given.path(path))) {
                try (var walk = Files.walk(path)) {
                    walk.filter(file -> TEXT.matcher(file.toString()).matches())
                            .filter(Files::isRegularFile)
                            .sorted()
                            .forEach(files::add);
                } catch (IOException | UncheckedIOException e) {
                    throw EspalierException.data(path + ": cannot be listed", e);
                }
            } else {
                files.add(path);
            }
        }
        if (files.isEmpty()) {
            var names = paths.stream().map(Path::toString).collect(Collectors.joining(", "));
            throw EspalierException.data(
                    names + ": no *.txt, *.md, *.jsonl, *.csv or *.tsv file in them");
        }
        return files;
    }

    private static FileSource source(Path file, String field) {
        // A file's name is no glob.
        return FileSource.of(file.toString().replaceAll("[*?\\[{]", "[$0]"), field);
    }
}
