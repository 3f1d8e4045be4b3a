package dev.espalier.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JdkSourceTest {
    @TempDir Path folder;

    @Test
    void onlyDocumentationOfExportedPackagesIsReadAndRepetitionsAreLeftOut() throws IOException {
        var archive =
                archive(
                        Map.of(
                                "m/module-info.java",
                                "module m { exports java.a; exports java.b to x; }",
                                "m/java/a/A.java",
                                """
                                /* Copyright of A. */
                                package java.a;
                                /** Copyright of someone else. */
                                // not this
                                /** Does a thing well. */
                                class A { String s = "/** not this */"; char c = '"'; /** Does more things. */ }
                                """,
                                "m/java/a/B.java",
                                "/** Does a thing well. */ class B { String t = \"\"\"\n/** no */\"\"\"; }",
                                "m/java/a/C.java",
                                "/// Reads a [java.util.List] of things\n/// in two lines.\n///\n/// And *more* of it.\nclass C {}",
                                "m/java/b/D.java",
                                "/** Hidden from most. */ class D {}"));
        var ledger = Ledger.strict();
        List<Document> documents;
        try (var read = JdkSource.of(archive).documents(ledger)) {
            documents = read.toList();
        }
        assertThat(documents)
                .extracting(Document::id)
                .containsExactly("m/java/a/A.java", "m/java/a/C.java");
        assertThat(documents.get(0).text()).isEqualTo("Does a thing well.\n\nDoes more things.\n");
        assertThat(documents.get(1).text())
                .isEqualTo("Reads a List of things in two lines.\n\nAnd more of it.\n");
        assertThat(documents.get(0).metadata())
                .containsEntry(JdkSource.PACKAGE, "java.a")
                .containsEntry(JdkSource.MODULE, "m");
        assertThat(ledger.counts().dropped())
                .isEqualTo(
                        new TreeMap<>(
                                Map.of(
                                        "legal notice", 1L,
                                        "repeated paragraph", 1L,
                                        "without documentation", 1L)));
    }

    @Test
    void commentsReadAsTheirReadersSeeThem() {
        assertThat(
                        prose(
                                """

                                * Hash table of the {@code Map<K,V>} &amp; more, see {@link java.util.List#of(java.lang.Object)
                                * this one} or {@link #clear()} , and {@linkplain Foo}.  Costs 2<sup>n</sup> when a < b.
                                * <p>A new <i>paragraph</i> with <a href="x">an address</a>:<pre>
                                *   code(of no interest);</pre>
                                * <ul><li>an item {@literal @here} and {@code {braces}}
                                * </ul>
                                *
                                * @param key the key, not
                                *        null at all
                                * @param <T> the type
                                * @return the value
                                * @throws java.io.IOException if it fails
                                * @see Foo
                                * @since 1.2
                                * @implNote Sorted by hand.
                                """))
                .containsExactly(
                        "Hash table of the Map<K,V> & more, see this one or clear(), and Foo. Costs"
                                + " 2^n when a < b.",
                        "A new paragraph with an address:",
                        "an item @here and {braces}",
                        "Parameter key: the key, not null at all",
                        "Returns the value",
                        "Throws IOException if it fails",
                        "Sorted by hand.");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "java.util.Map#get(java.lang.Object) | Map.get(Object)",
                "#size() | size()",
                "Map.Entry | Map.Entry",
                "java.util.concurrent | java.util.concurrent",
                "java.base/java.util.List | List",
                "#field | field",
            })
    void referencesAreShownWithoutPackages(String reference, String shown) {
        assertThat(JavadocProse.simple(reference)).isEqualTo(shown);
    }

    /// In time that grows with their length; and each keeps what can be told from the nonsense.
    @Test
    void hostileCommentsEnd() {
        var after = "And so do those that come after it.";
        var wanted =
                Map.of(
                        // A tag that nothing closes holds all that follows, as it stands.
                        "{@code ",
                        List.of(
                                "The words before it stay. "
                                        + "{@code ".repeat(19_999)
                                        + "<p>"
                                        + after),
                        "{@link <",
                        List.of(
                                "The words before it stay. <"
                                        + "{@link <".repeat(19_999)
                                        + " <p>"
                                        + after),
                        // Ampersands are no prose, and spoil their own paragraph alone.
                        "&",
                        List.of(after),
                        // Nothing of a comment can be told whose markup never ends.
                        "<a ",
                        List.of());
        wanted.forEach((nonsense, paragraphs) -> {
            var comment = "The words before it stay. " + nonsense.repeat(20_000) + "\n<p>" + after;
            var found = assertTimeoutPreemptively(Duration.ofMinutes(1), () -> prose(comment));
            assertThat(found.equals(paragraphs)).as(nonsense + ": " + ends(found)).isTrue();
        });
    }

    private static String ends(List<String> paragraphs) {
        return paragraphs.stream()
                .map(p ->
                        p.length() < 99
                                ? p
                                : p.substring(0, 45) + "…" + p.substring(p.length() - 45))
                .toList()
                .toString();
    }

    @Test
    void anArchiveThatIsNoneOrHoldsNoJdkIsNamed() throws IOException {
        var none = folder.resolve("none.zip");
        var text = Files.writeString(folder.resolve("text.zip"), "not a zip");
        var other = archive(Map.of("readme.txt", "hello"));
        for (var file : List.of(none, text, other)) {
            assertThatThrownBy(() -> JdkSource.of(file).documents(Ledger.strict()).close())
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(file.toString());
        }
    }

    private static List<String> prose(String comment) {
        return JavaComments.of("/**" + comment + "*/").stream()
                .flatMap(c -> JavadocProse.paragraphs(c).stream())
                .toList();
    }

    private Path archive(Map<String, String> files) throws IOException {
        var archive = folder.resolve("src.zip");
        try (var zip = new ZipOutputStream(Files.newOutputStream(archive))) {
            for (var file : files.entrySet()) {
                zip.putNextEntry(new ZipEntry(file.getKey()));
                zip.write(file.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        return archive;
    }
}
