package dev.espalier.corpus;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/// The documentation comments in a JDK's `lib/src.zip` as prose: a document for each source file of
/// a package that its module exports to all, in the order of their names. A paragraph that stood
/// before, word for word, is left out and counted, so that boilerplate does not repeat.
///
/// @param archive the `src.zip`
/// @param prefixes packages begin with one of these, such as `java.`; all if empty
public record JdkSource(Path archive, List<String> prefixes) implements Source {
    /// Keys of the metadata.
    public static final String MODULE = "module";

    public static final String PACKAGE = "package";

    private static final Pattern EXPORTS =
            Pattern.compile("(?:^|[;{}]|\\*/)\\s*exports\\s+([\\w.]+)\\s*(?=;)", Pattern.MULTILINE);
    private static final List<String> LEGAL =
            List.of("opyright", "ights reserved", "icensed under", "GNU General Public");
    private static final int AHEAD = 64;
    private static final long LONGEST = 1L << 26;

    public JdkSource {
        prefixes = List.copyOf(prefixes);
    }

    /// The sources of `archive`, or of the JDK that runs this program if null.
    ///
    /// @throws EspalierException (DATA) if there are none
    public static JdkSource of(@Nullable Path archive) {
        return new JdkSource(archive == null ? running() : archive, List.of());
    }

    private static Path running() {
        var home = Path.of(System.getProperty("java.home"));
        var archive = home.resolve("lib").resolve("src.zip");
        if (!Files.isRegularFile(archive)) {
            throw EspalierException.data(
                    "the JDK at "
                            + home
                            + " has no lib/src.zip, the library's sources whose documentation is"
                            + " read here; run with a JDK that has them (those of adoptium.net do;"
                            + " Debian and Ubuntu have them in openjdk-25-source), or give another"
                            + " corpus");
        }
        return archive;
    }

    @Override
    public String description() {
        return "jdk " + archive.getFileName() + " " + String.join(",", prefixes);
    }

    @Override
    public List<Path> files() {
        if (!Files.isRegularFile(archive)) {
            throw EspalierException.data(archive + ": there is no such file");
        }
        return List.of(archive);
    }

    @Override
    public Stream<Document> documents(Ledger ledger) {
        var file = files().get(0);
        try {
            var zip = new ZipFile(file.toFile());
            try {
                var exported = exported(zip);
                var seen = new HashSet<String>();
                var entries = entries(zip, exported);
                // Files are turned into prose in parallel, a few at a time, and told apart from
                // what
                // stood before in their order.
                return IntStream.iterate(0, from -> from < entries.size(), from -> from + AHEAD)
                        .mapToObj(from ->
                                entries.subList(from, Math.min(from + AHEAD, entries.size())))
                        .flatMap(some ->
                                some.parallelStream()
                                        .map(entry -> prose(zip, entry))
                                        .toList()
                                        .stream())
                        .flatMap(prose -> document(prose, seen, ledger).stream())
                        .onClose(() -> close(zip));
            } catch (IOException | RuntimeException e) {
                zip.close();
                throw e;
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": not a readable ZIP archive (" + e.getMessage() + ")", e);
        }
    }

    /// The packages that each module exports to all.
    private static Map<String, Set<String>> exported(ZipFile zip) throws IOException {
        var exported = new HashMap<String, Set<String>>();
        for (var entry : Collections.list(zip.entries())) {
            if (entry.getName().endsWith("/module-info.java")) {
                var names = new HashSet<String>();
                var matcher = EXPORTS.matcher(source(zip, entry));
                while (matcher.find()) {
                    names.add(matcher.group(1));
                }
                exported.put(module(entry), names);
            }
        }
        return exported;
    }

    private List<ZipEntry> entries(ZipFile zip, Map<String, Set<String>> exported) {
        var entries = new ArrayList<ZipEntry>();
        for (var entry : Collections.list(zip.entries())) {
            var name = entry.getName();
            var packageName = packageName(entry);
            if (name.endsWith(".java")
                    && !name.endsWith("/module-info.java")
                    && exported.getOrDefault(module(entry), Set.of()).contains(packageName)
                    && (prefixes.isEmpty()
                            || prefixes.stream().anyMatch(packageName::startsWith))) {
                entries.add(entry);
            }
        }
        if (entries.isEmpty()) {
            throw EspalierException.data(
                    archive + ": holds no sources of a JDK (module/package/File.java)");
        }
        entries.sort(Comparator.comparing(ZipEntry::getName));
        return entries;
    }

    private record Prose(ZipEntry entry, List<String> paragraphs) {}

    private static Prose prose(ZipFile zip, ZipEntry entry) {
        try {
            var paragraphs = new ArrayList<String>();
            for (var comment : JavaComments.of(source(zip, entry))) {
                paragraphs.addAll(JavadocProse.paragraphs(comment));
            }
            return new Prose(entry, paragraphs);
        } catch (IOException e) {
            throw EspalierException.data(
                    zip.getName()
                            + "!"
                            + entry.getName()
                            + ": cannot be read ("
                            + Globs.why(e)
                            + ")",
                    e);
        }
    }

    private static Optional<Document> document(Prose prose, Set<String> seen, Ledger ledger) {
        var paragraphs = new ArrayList<String>();
        for (var paragraph : prose.paragraphs) {
            if (LEGAL.stream().anyMatch(paragraph::contains)) {
                ledger.drop("legal notice");
            } else if (seen.add(paragraph)) {
                paragraphs.add(paragraph);
            } else {
                ledger.drop("repeated paragraph");
            }
        }
        if (paragraphs.isEmpty()) {
            ledger.drop("without documentation");
            return Optional.empty();
        }
        ledger.keep();
        var name = prose.entry.getName();
        return Optional.of(
                new Document(
                        name,
                        new Content.Text(String.join("\n\n", paragraphs) + "\n"),
                        Map.of(
                                Document.FILE,
                                name,
                                MODULE,
                                module(prose.entry),
                                PACKAGE,
                                packageName(prose.entry))));
    }

    private static String source(ZipFile zip, ZipEntry entry) throws IOException {
        if (entry.getSize() > LONGEST) {
            throw new IOException("longer than " + LONGEST + " bytes");
        }
        try (var in = zip.getInputStream(entry)) {
            // The size in the directory may lie.
            return new String(in.readNBytes((int) LONGEST), StandardCharsets.UTF_8);
        }
    }

    private static String module(ZipEntry entry) {
        var slash = entry.getName().indexOf('/');
        return slash < 0 ? "" : entry.getName().substring(0, slash);
    }

    private static String packageName(ZipEntry entry) {
        var name = entry.getName();
        var first = name.indexOf('/');
        var last = name.lastIndexOf('/');
        return first == last ? "" : name.substring(first + 1, last).replace('/', '.');
    }

    private static void close(ZipFile zip) {
        try {
            zip.close();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
