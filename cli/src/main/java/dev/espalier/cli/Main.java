package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.recipe.Numbers;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/// The program `espalier`.
@Command(
        name = "espalier",
        description = "Pre-trains and fine-tunes language models on the JVM.",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "VERB",
        usageHelpAutoWidth = true,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done",
            "1:a fault of ours",
            "2:wrong usage or recipe",
            "3:bad data",
            "4:not enough memory or disk",
            "5:a check failed",
            "130:interrupted, after saving"
        })
public final class Main {
    @Option(
            names = "--json",
            scope = ScopeType.INHERIT,
            description = "Print results and progress as lines of JSON.")
    private boolean json;

    @Option(
            names = "--quiet",
            scope = ScopeType.INHERIT,
            description = "Print results and errors only.")
    private boolean quiet;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Print the program's log, and stack traces of faults.")
    private boolean debug;

    private final Screen screen;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean terminal;
    private final boolean colour;

    /// @param terminal whether a person looks on, who wants a bar
    Main(PrintStream out, PrintStream err, boolean terminal) {
        this(out, err, terminal, false);
    }

    Main(PrintStream out, PrintStream err, boolean terminal, boolean colour) {
        screen = new Screen(out, err);
        this.out = screen.out();
        this.err = screen.err();
        this.terminal = terminal;
        this.colour = colour;
    }

    public static void main(String[] args) {
        // Numbers are printed alike everywhere.
        Locale.setDefault(Locale.ROOT);
        var utf8 = StandardCharsets.UTF_8;
        var out = new PrintStream(System.out, true, utf8);
        var err = new PrintStream(System.err, true, utf8);
        // The launcher knows whether these are terminals; Java does not tell.
        var main =
                new Main(
                        out,
                        err,
                        Boolean.getBoolean("espalier.terminal"),
                        Boolean.getBoolean("espalier.colour"));
        // The log is written there, as all else is.
        System.setErr(main.err);
        var stop = new Stop();
        Garbage.watch();
        var code = main.run(stop, List.of(args));
        out.flush();
        stop.finished();
        System.exit(code);
    }

    /// Runs a command line and says with which code the process is to exit.
    int run(Stop stop, List<String> args) {
        var line = new CommandLine(this);
        var context = new Context(() -> new Console(screen, json, quiet, terminal, colour), stop);
        line.addSubcommand(new QuickstartVerb(context))
                .addSubcommand(new RunVerb.Pretrain(context))
                .addSubcommand(new RunVerb.Finetune(context))
                .addSubcommand(new Predict(context))
                .addSubcommand(new Generate(context))
                .addSubcommand(new Chat(context))
                .addSubcommand(new Evaluate(context))
                .addSubcommand(new Merge(context))
                .addSubcommand(new Verify(context))
                .addSubcommand(new VerifyResume(context))
                .addSubcommand(new PlanVerb(context))
                .addSubcommand(new CompareVerb(context))
                .addSubcommand(new SequenceVerb(context))
                .addSubcommand(new AdviseVerb(context))
                .addSubcommand(new BenchVerb(context))
                .addSubcommand(new TokenizerVerb(context))
                .addSubcommand(new Inspect(context))
                .addSubcommand(new Schema(context))
                .addSubcommand(new Doctor(context));
        line.registerConverter(int.class, text -> (int) count(text, Integer.MAX_VALUE))
                .registerConverter(Integer.class, text -> (int) count(text, Integer.MAX_VALUE))
                .registerConverter(long.class, text -> count(text, Long.MAX_VALUE))
                .registerConverter(Long.class, text -> count(text, Long.MAX_VALUE));
        line.setCaseInsensitiveEnumValuesAllowed(true)
                .setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF))
                .setOut(new PrintWriter(out, true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(err, true, StandardCharsets.UTF_8))
                .setParameterExceptionHandler((e, unused) -> usage(e))
                .setExecutionExceptionHandler((e, unused, parsed) -> failure(e))
                .setExecutionStrategy(parsed -> {
                    Logging.configure(debug, quiet, json);
                    return new CommandLine.RunLast().execute(parsed);
                });
        try {
            return line.execute(args.toArray(String[]::new));
        } catch (Error e) {
            return failure(e);
        }
    }

    /// What the verbs are given.
    record Context(Supplier<Console> consoles, Stop stop) {
        /// The console as the command line's options ask for it: to be called once they are parsed.
        Console console() {
            return consoles.get();
        }
    }

    /// A number as recipes write it.
    private static long count(String text, long most) {
        var number = Numbers.whole(text, most);
        if (number == null) {
            throw new TypeConversionException(
                    "'" + text + "' is not a whole number such as 1000, 1_000 or 10k");
        }
        return number;
    }

    private int usage(ParameterException e) {
        var line = e.getCommandLine();
        var message = new StringBuilder(String.valueOf(e.getMessage()));
        if (message.indexOf("Missing required subcommand") == 0) {
            line.usage(line.getErr());
            return Kind.USAGE.exitCode();
        }
        if (e instanceof UnmatchedArgumentException unmatched) {
            var suggestions = new StringWriter();
            if (UnmatchedArgumentException.printSuggestions(
                    unmatched, new PrintWriter(suggestions))) {
                message.append(". ").append(suggestions.toString().strip());
            }
        }
        message.append(". See: ").append(line.getCommandSpec().qualifiedName()).append(" --help");
        console().error("usage", message.toString(), Kind.USAGE.exitCode());
        return Kind.USAGE.exitCode();
    }

    int failure(Throwable e) {
        if (debug) {
            e.printStackTrace(err);
        }
        return switch (e) {
            case EspalierException known -> {
                var kind = known.kind();
                console()
                        .error(
                                kind.name().toLowerCase(Locale.ROOT),
                                String.valueOf(known.getMessage()),
                                kind.exitCode());
                yield kind.exitCode();
            }
            case OutOfMemoryError memory -> {
                var code = Kind.RESOURCES.exitCode();
                var heap = Runtime.getRuntime().maxMemory() >> 20;
                console()
                        .error(
                                "resources",
                                "The Java heap of %,d MB is full (%s); ESPALIER_HEAP=4g gives it more"
                                        .formatted(heap, memory.getMessage()),
                                code);
                yield code;
            }
            default -> {
                console().error("fault", "A fault of ours: " + e + trace(e), 1);
                yield 1;
            }
        };
    }

    private Console console() {
        return new Console(screen, json, quiet, terminal, colour);
    }

    private String trace(Throwable e) {
        if (debug) {
            return "";
        }
        var text = new StringWriter();
        e.printStackTrace(new PrintWriter(text));
        try {
            var file = Files.createTempFile("espalier-fault-", ".txt");
            Files.writeString(file, text.toString());
            return ". The stack trace is in " + file;
        } catch (IOException cannot) {
            return ". With --debug it prints the stack trace";
        }
    }

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            var version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"espalier " + (version == null ? "(unpackaged)" : version)};
        }
    }
}
