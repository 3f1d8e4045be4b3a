package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.Content;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.JdkSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Source;
import dev.espalier.data.LabelledText;
import dev.espalier.data.ShardBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The texts that [Quickstart] can be made with: the documentation of a JDK, labelled by the area
/// of the library that it documents, or a folder of texts, labelled by its first folders.
public final class Corpora {
    /// A paragraph of fewer words says too little to be told by.
    private static final int WORDS = 25;

    /// The share of files whose paragraphs are the test, and which pre-training does not see.
    private static final double TEST = 0.2;

    /// The share of the other files that the language model is measured on.
    private static final double HELD_OUT = 0.05;

    /// Areas with fewer paragraphs than this are left out, since they could not be told from a
    /// draw's noise.
    private static final int FEWEST = 40;

    /// Packages by what they begin with, longer beginnings first.
    private static final Map<String, String> AREAS = new LinkedHashMap<>();

    static {
        AREAS.put("java.util.concurrent", "concurrency");
        AREAS.put("java.util.zip", "files and network");
        AREAS.put("java.util.jar", "files and network");
        AREAS.put("java.util.logging", "management and naming");
        AREAS.put("java.util", "collections and text");
        AREAS.put("java.text", "collections and text");
        AREAS.put("java.io", "files and network");
        AREAS.put("java.nio", "files and network");
        AREAS.put("java.net", "files and network");
        AREAS.put("java.time", "dates");
        AREAS.put("javax.xml.crypto", "security");
        AREAS.put("java.security", "security");
        AREAS.put("javax.crypto", "security");
        AREAS.put("javax.net.ssl", "security");
        AREAS.put("javax.security", "security");
        AREAS.put("javax.swing", "windows");
        AREAS.put("java.awt", "drawing");
        AREAS.put("javax.imageio", "drawing");
        AREAS.put("javax.xml", "XML");
        AREAS.put("org.w3c", "XML");
        AREAS.put("org.xml", "XML");
        AREAS.put("java.sql", "databases");
        AREAS.put("javax.sql", "databases");
        AREAS.put("javax.management", "management and naming");
        AREAS.put("java.lang.management", "management and naming");
        AREAS.put("javax.naming", "management and naming");
        AREAS.put("java.lang", "the language");
    }

    private Corpora() {}

    /// The documentation of the JDK that runs this program.
    ///
    /// @throws EspalierException if this JDK has no sources
    public static Quickstart.Corpus jdk() {
        return of(
                "the documentation of JDK " + Runtime.version().feature(),
                JdkSource.of(null),
                Document::wholeId,
                Corpora::area);
    }

    private static @Nullable String area(Document document) {
        var name = document.metadata().getOrDefault(JdkSource.PACKAGE, "");
        return AREAS.entrySet().stream()
                .filter(e -> name.equals(e.getKey()) || name.startsWith(e.getKey() + "."))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse(null);
    }

    /// The text files under `folder`, each labelled by the first folder under it.
    ///
    /// @throws EspalierException if there are no texts, or fewer than two labels
    public static Quickstart.Corpus folder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw EspalierException.usage(
                    folder + ": not a folder; --corpus needs one with a folder for each label");
        }
        return of(
                folder.toString(),
                FileSource.text(folder + "/**/*.txt"),
                // Wherever the folder lies, the same files are the test.
                document -> inside(folder, document).toString().replace('\\', '/'),
                document -> {
                    var inside = inside(folder, document);
                    return inside.getNameCount() < 2 ? null : inside.getName(0).toString();
                });
    }

    private static Path inside(Path folder, Document document) {
        var file = Path.of(document.metadata().get(Document.FILE));
        return folder.toAbsolutePath().normalize().relativize(file.toAbsolutePath().normalize());
    }

    private static Quickstart.Corpus of(
            String name,
            Source source,
            Function<Document, String> file,
            Function<Document, @Nullable String> label) {
        var prose = new ArrayList<String>();
        var heldOut = new ArrayList<String>();
        var train = new TreeMap<String, List<LabelledText>>();
        var test = new TreeMap<String, List<LabelledText>>();
        try (var ledger = new Ledger(null, new Ledger.Limit.Share(1));
                var documents = source.documents(ledger)) {
            for (var document : (Iterable<Document>) documents::iterator) {
                var id = file.apply(document);
                var isTest = ShardBuilder.isValidation("test " + id, TEST);
                if (!isTest) {
                    (ShardBuilder.isValidation(id, HELD_OUT) ? heldOut : prose)
                            .add(document.text());
                }
                var area = label.apply(document);
                if (area != null && document.content() instanceof Content.Text text) {
                    var side =
                            (isTest ? test : train).computeIfAbsent(area, a -> new ArrayList<>());
                    text.paragraphs(WORDS).forEach(p -> side.add(new LabelledText(p, area, id)));
                }
            }
        }
        train.values().removeIf(records -> records.size() < FEWEST);
        test.values().removeIf(List::isEmpty);
        train.keySet().retainAll(test.keySet());
        test.keySet().retainAll(train.keySet());
        if (train.size() < 2) {
            throw EspalierException.data(
                    name
                            + ": only "
                            + train.size()
                            + " labels with at least "
                            + FEWEST
                            + " paragraphs of "
                            + WORDS
                            + " words in more than one file; two are needed");
        }
        if (prose.isEmpty() || heldOut.isEmpty()) {
            throw EspalierException.data(
                    name + ": too few files to train on some and measure on others");
        }
        // The order of the files is that of the library; any beginning of the text should be a
        // sample of the whole.
        shuffle(prose);
        shuffle(heldOut);
        return new Quickstart.Corpus(name, prose, heldOut, balanced(train), balanced(test));
    }

    private static <T> void shuffle(List<T> list) {
        var rng = Rng.at(0, list.size());
        for (var i = list.size() - 1; i > 0; i--) {
            Collections.swap(list, i, rng.nextInt(i + 1));
        }
    }

    /// As many of each label as of the rarest.
    private static List<LabelledText> balanced(Map<String, List<LabelledText>> byLabel) {
        var least = byLabel.values().stream().mapToInt(List::size).min().orElse(0);
        var all = new ArrayList<LabelledText>();
        byLabel.values()
                .forEach(records -> {
                    shuffle(records);
                    all.addAll(records.subList(0, least));
                });
        return all;
    }
}
