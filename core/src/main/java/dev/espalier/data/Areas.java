package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.Content;
import dev.espalier.corpus.Document;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.JdkSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Source;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Paragraphs labelled by what they are about, from where they stand: a classification task that
/// any corpus in folders gives for nothing. A paragraph's `where` is its file.
public final class Areas {
    /// Records to train on and records to test on, from different files.
    public record Split(List<LabelledText> train, List<LabelledText> test) {}

    /// The area of a package is that of its longest prefix here; `-` means none.
    private static final Map<String, String> JDK =
            Map.ofEntries(
                    Map.entry("java.util", "collections and text"),
                    Map.entry("java.text", "collections and text"),
                    Map.entry("java.util.concurrent", "concurrency"),
                    Map.entry("java.util.logging", "-"),
                    Map.entry("java.util.prefs", "-"),
                    Map.entry("java.util.zip", "files and network"),
                    Map.entry("java.util.jar", "files and network"),
                    Map.entry("java.io", "files and network"),
                    Map.entry("java.nio", "files and network"),
                    Map.entry("java.net", "files and network"),
                    Map.entry("java.time", "dates and times"),
                    Map.entry("java.security", "security"),
                    Map.entry("javax.crypto", "security"),
                    Map.entry("javax.net.ssl", "security"),
                    Map.entry("javax.security", "security"),
                    Map.entry("javax.swing", "windows and controls"),
                    Map.entry("java.awt", "windows and controls"),
                    Map.entry("java.awt.image", "drawing and images"),
                    Map.entry("java.awt.geom", "drawing and images"),
                    Map.entry("java.awt.font", "drawing and images"),
                    Map.entry("java.awt.color", "drawing and images"),
                    Map.entry("javax.imageio", "drawing and images"),
                    Map.entry("javax.xml", "XML"),
                    Map.entry("javax.xml.crypto", "-"),
                    Map.entry("java.sql", "databases"),
                    Map.entry("javax.sql", "databases"),
                    Map.entry("java.lang", "language and classes"),
                    Map.entry("java.lang.management", "management and naming"),
                    Map.entry("javax.management", "management and naming"),
                    Map.entry("javax.naming", "management and naming"));

    private Areas() {}

    /// The area of the Java library that a package belongs to, one of 11; null for none.
    public static @Nullable String area(String packageName) {
        for (var name = packageName; !name.isEmpty(); ) {
            var area = JDK.get(name);
            if (area != null) {
                return area.equals("-") ? null : area;
            }
            name = name.substring(0, Math.max(0, name.lastIndexOf('.')));
        }
        return null;
    }

    /// The paragraphs of at least `words` words in the documentation of `java` and `javax`, by
    /// area.
    public static List<LabelledText> ofJdk(JdkSource source, int words, Ledger ledger) {
        return read(
                source, words, ledger, d -> area(d.metadata().getOrDefault(JdkSource.PACKAGE, "")));
    }

    /// The paragraphs of at least `words` words in the text files under `folder`, by the first
    /// folder below it.
    ///
    /// @throws EspalierException (DATA) unless at least two folders hold some
    public static List<LabelledText> ofFolder(Path folder, int words, Ledger ledger) {
        if (!Files.isDirectory(folder)) {
            throw EspalierException.data(folder + ": there is no such folder");
        }
        var records =
                read(
                        FileSource.text(folder + "/*/**"),
                        words,
                        ledger,
                        d ->
                                folder.relativize(
                                                Path.of(
                                                        d.metadata()
                                                                .getOrDefault(Document.FILE, "")))
                                        .getName(0)
                                        .toString());
        var labels = LabelledReader.labels(records);
        if (labels.size() < 2) {
            throw EspalierException.data(
                    "%s: paragraphs of at least %d words are labelled by the first folder below it, and only %s hold some; two are needed"
                            .formatted(folder, words, labels));
        }
        return records;
    }

    private static List<LabelledText> read(
            Source source, int words, Ledger ledger, Function<Document, @Nullable String> label) {
        var records = new ArrayList<LabelledText>();
        try (var documents = source.documents(ledger)) {
            documents.forEach(document -> {
                var area = label.apply(document);
                if (area != null && document.content() instanceof Content.Text text) {
                    for (var paragraph : text.paragraphs(words)) {
                        records.add(
                                new LabelledText(
                                        paragraph,
                                        area,
                                        document.metadata()
                                                .getOrDefault(Document.FILE, document.id())));
                    }
                }
            });
        }
        return records;
    }

    /// Splits by file, by the same hash that [ShardBuilder] splits documents by: what is validation
    /// there at a smaller share is test here.
    public static Split split(List<LabelledText> records, double testShare) {
        var split = new Split(new ArrayList<>(), new ArrayList<>());
        for (var record : records) {
            (ShardBuilder.isValidation(record.where(), testShare) ? split.test : split.train)
                    .add(record);
        }
        return split;
    }

    /// `perLabel` records of each label, drawn without replacement, in a random order; a label with
    /// fewer gives all it has. More records from the same seed begin with the same ones a label.
    public static List<LabelledText> balanced(List<LabelledText> records, int perLabel, long seed) {
        var byLabel = new TreeMap<String, List<LabelledText>>();
        for (var record : records) {
            byLabel.computeIfAbsent(record.label(), _ -> new ArrayList<>()).add(record);
        }
        var drawn = new ArrayList<LabelledText>();
        var label = 0;
        for (var group : byLabel.values()) {
            var order = Batches.shuffled(group.size(), Rng.at(seed, label++));
            for (var i = 0; i < Math.min(perLabel, order.length); i++) {
                drawn.add(group.get(order[i]));
            }
        }
        var mixed = new ArrayList<LabelledText>(drawn.size());
        for (var i : Batches.shuffled(drawn.size(), Rng.at(seed))) {
            mixed.add(drawn.get(i));
        }
        return mixed;
    }
}
