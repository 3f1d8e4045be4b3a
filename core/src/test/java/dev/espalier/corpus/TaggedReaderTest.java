package dev.espalier.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TaggedReaderTest {
    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(100));

    private List<TaggedText> read(String name, String column, String content) throws IOException {
        var file = folder.resolve(name);
        Files.writeString(file, content);
        return TaggedReader.read(file, column, "text", "spans", ledger);
    }

    private static List<String> words(TaggedText text) {
        return IntStream.range(0, text.words())
                .mapToObj(w ->
                        text.text().substring(text.starts()[w], text.ends()[w])
                                + "/"
                                + text.tags().get(w))
                .toList();
    }

    @Test
    void conllHasAWordALine() throws IOException {
        var texts =
                read(
                        "ner.conll",
                        "",
                        "-DOCSTART- -X- O\n\nAnna NNP B-PER\nsang VBD O\n\n\nParis\tNNP\tI-LOC\r\n");
        assertThat(texts).hasSize(2);
        assertThat(texts.getFirst().text()).isEqualTo("Anna sang");
        assertThat(words(texts.getFirst())).containsExactly("Anna/B-PER", "sang/O");
        assertThat(texts.getFirst().where()).endsWith("ner.conll:3");
        assertThat(words(texts.get(1))).containsExactly("Paris/I-LOC");
        assertThat(words(read("pos.txt", "2", "Anna NNP O\n").getFirst()))
                .containsExactly("Anna/NNP");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a.conll|'# O\r\nAnna B-PER\n\n\nsang O\n-DOCSTART- O\n\nParis B-LOC'",
                "a.conllu|'# text = a\n1\tDo\t_\tX\t_\t_\t_\t_\t_\tSpaceAfter=No\n\n1\tn\t_\tY\t_\t_\t_\t_\t_\t_\n\n1\ta\t_\tZ\t_\t_\t_\t_\t_\t_\n'",
                "a.jsonl|'{\"text\": \"Anna\", \"spans\": []}\n\n{\"text\": \"a  b\", \"spans\": [{\"start\": 0, \"end\": 1, \"label\": \"X\"}]}\n{\"text\": \"c\", \"spans\": []}\n'"
            })
    void recordsAreWrittenAgainAsTheyWere(String name, String content) throws IOException {
        var texts = read(name, "", content);
        assertThat(texts).hasSize(3);
        var some = List.of(texts.get(2), texts.getFirst());
        var again =
                read("again." + TaggedReader.ending(Path.of(name)), "", TaggedReader.lines(some));
        assertThat(again.stream().map(TaggedReaderTest::words))
                .isEqualTo(some.stream().map(TaggedReaderTest::words).toList());
        assertThat(again.stream().map(TaggedText::text))
                .isEqualTo(some.stream().map(TaggedText::text).toList());
        Files.writeString(folder.resolve(name), "\n");
        assertThatThrownBy(() -> TaggedReader.lines(some))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("has gone");
    }

    @Test
    void conlluHasTenColumns() throws IOException {
        var content =
                """
                # text = Don't go.
                1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
                1\tDo\tdo\tAUX\tVBP\t_\t0\troot\t_\tSpaceAfter=No
                2\tn't\tnot\tPART\tRB\t_\t1\tadvmod\t_\t_
                2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_
                3\tgo\tgo\tVERB\tVB\t_\t1\txcomp\t_\tA=b|SpaceAfter=No
                4\t.\t.\tPUNCT\t.\t_\t1\tpunct\t_\t_
                """;
        var text = read("a.conllu", "", content).getFirst();
        assertThat(text.text()).isEqualTo("Don't go.");
        assertThat(words(text)).containsExactly("Do/AUX", "n't/PART", "go/VERB", "./PUNCT");
        assertThat(words(read("b.conllu", "XPOS", content).getFirst())).contains("go/VB");
        assertThatThrownBy(() -> read("c.conllu", "pos", content))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("task.column")
                .hasMessageContaining("upos");
    }

    /// As the sentence stands where the words of a token spell it; where they do not, a space parts
    /// them. What follows the token is said on its own line.
    @Test
    void whatFollowsATokenOfSeveralWordsIsSaidOnItsLine() throws IOException {
        var content =
                """
                # text = Don't, vámonos.
                1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
                1\tDo\tdo\tAUX\t_\t_\t_\t_\t_\t_
                1.1\tx\tx\tX\t_\t_\t_\t_\t_\t_
                2\tn't\tnot\tPART\t_\t_\t_\t_\t_\t_
                3\t,\t,\tPUNCT\t_\t_\t_\t_\t_\t_
                4-5\tvámonos\t_\t_\t_\t_\t_\t_\t_\tx=y|SpaceAfter=No
                4\tvamos\tir\tVERB\t_\t_\t_\t_\t_\t_
                5\tnos\tnos\tPRON\t_\t_\t_\t_\t_\t_
                6\t.\t.\tPUNCT\t_\t_\t_\t_\t_\t_
                7-9\tan end that never comes\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
                7\tso\tso\tADV\t_\t_\t_\t_\t_\t_
                8\tit\tit\tPRON\t_\t_\t_\t_\t_\t_
                """;
        var text = read("a.conllu", "", content).getFirst();
        assertThat(text.text()).isEqualTo("Don't, vamos nos. so it");
        assertThat(words(text))
                .startsWith("Do/AUX", "n't/PART", ",/PUNCT", "vamos/VERB", "nos/PRON", "./PUNCT");
    }

    @Test
    void wordsAreReadWithoutTheirTags() throws IOException {
        var conll = Files.writeString(folder.resolve("a.conll"), "Anna\ndo\nn't\n\nParis\n");
        assertThat(TaggedReader.words(conll, ledger).stream().map(TaggedReaderTest::words))
                .containsExactly(List.of("Anna/O", "do/O", "n't/O"), List.of("Paris/O"));
        var tagged = Files.writeString(folder.resolve("b.conll"), "Anna NNP B-PER\n");
        assertThat(words(TaggedReader.words(tagged, ledger).getFirst())).containsExactly("Anna/O");
        var universal =
                Files.writeString(
                        folder.resolve("c.conllu"),
                        "1\tGo\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No\n2\t!\t_\t_\t_\t_\t_\t_\t_\t_\n");
        var text = TaggedReader.words(universal, ledger).getFirst();
        assertThat(text.text()).isEqualTo("Go!");
        assertThat(words(text)).containsExactly("Go/O", "!/O");
        var empty = Files.writeString(folder.resolve("d.conll"), "\n");
        assertThatThrownBy(() -> TaggedReader.words(empty, ledger))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("holds no words");
    }

    @Test
    void aTextIsCutByItsLettersOrByItsWhiteSpace() {
        assertThat(words(TaggedReader.untagged(" I do n't\u00a0go.")))
                .containsExactly("I/O", "do/O", "n/O", "'/O", "t/O", "go/O", "./O");
        assertThat(words(TaggedReader.spaced(" I do n't\u00a0go.")))
                .containsExactly("I/O", "do/O", "n't/O", "go./O");
    }

    @Test
    void spansBecomeTagsOfWords() throws IOException {
        var text =
                read(
                                "a.jsonl",
                                "",
                                "{\"text\": \"Anna Maria saw Paris, 木 in 1889.\", \"spans\": [{\"start\": 15,"
                                        + " \"end\": 20, \"label\": \"LOC\"}, {\"start\": 0, \"end\": 10,"
                                        + " \"label\": \"PER\"}]}")
                        .getFirst();
        assertThat(words(text))
                .containsExactly(
                        "Anna/B-PER",
                        "Maria/I-PER",
                        "saw/O",
                        "Paris/B-LOC",
                        ",/O",
                        "木/O",
                        "in/O",
                        "1889/O",
                        "./O");
        assertThat(ledger.counts().changed()).isEmpty();
        var widened =
                read(
                                "b.jsonl",
                                "",
                                "{\"text\": \"Parisians sing\", \"spans\": [{\"start\": 0, \"end\": 5, \"label\":"
                                        + " \"LOC\"}]}")
                        .getFirst();
        assertThat(words(widened)).containsExactly("Parisians/B-LOC", "sing/O");
        assertThat(ledger.counts().changed()).containsEntry("a span widened to whole words", 1L);
    }

    /// Java counts the sun as two characters, Python as one.
    @Test
    void spansBehindEmojiAreCountedAsTheirFileCountsThem() throws IOException {
        var line =
                "{\"text\": \"🌞 Anna saw Paris\", \"spans\": [{\"start\": %d, \"end\": %d, \"label\": \"PER\"},"
                        + " {\"start\": %d, \"end\": %d, \"label\": \"LOC\"}]}";
        var expected = List.of("🌞/O", "Anna/B-PER", "saw/O", "Paris/B-LOC");
        assertThat(words(read("java.jsonl", "", line.formatted(3, 7, 12, 17)).getFirst()))
                .isEqualTo(expected);
        assertThat(ledger.counts().changed())
                .containsOnly(
                        entry("a text with emoji or the like: places are counted in UTF-16", 1L));
        assertThat(words(read("python.jsonl", "", line.formatted(2, 6, 11, 16)).getFirst()))
                .isEqualTo(expected);
        assertThat(ledger.counts().changed())
                .containsEntry(
                        "a text with emoji or the like: places are counted in code points, by which more"
                                + " spans are whole words",
                        1L);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a.conll | a B~b O O~~c O | mismatched columns",
                "a.conll | a~~c O | mismatched columns",
                "a.conllu | 1 a b~~ | mismatched columns",
                "a.conllu | '1\t\t_\tX\t_\t_\t_\t_\t_\t_~~' | empty columns",
                "a.conllu | '1\ta\t_\t\t_\t_\t_\t_\t_\t_~~' | empty columns",
                "a.jsonl | {\"text\": \"ab\", \"spans\": [{\"start\": 0, \"end\": 3, \"label\": \"x\"}]} | bad span",
                "a.jsonl | {\"text\": \"ab\", \"spans\": [{\"start\": -1, \"end\": 1, \"label\": \"x\"}]} | bad span",
                "a.jsonl | {\"text\": \"ab\", \"spans\": [{\"start\": 1, \"end\": 1, \"label\": \"x\"}]} | bad span",
                "a.jsonl | {\"text\": \"ab\", \"spans\": [{\"start\": 0, \"end\": 1}]} | bad span",
                "a.jsonl | {\"text\": \"ab\", \"spans\": [{\"start\": 0.5, \"end\": 1, \"label\": \"x\"}]} | bad span",
                "a.jsonl | {\"text\": \"a b\", \"spans\": [{\"start\": 1, \"end\": 2, \"label\": \"x\"}]} | bad span",
                "a.jsonl | {\"text\": \"abcd\", \"spans\": [{\"start\": 0, \"end\": 2, \"label\": \"x\"}, {\"start\": 2, \"end\": 4, \"label\": \"y\"}]} | bad span",
                "a.jsonl | {\"text\": \"ab c\", \"spans\": [{\"start\": 0, \"end\": 3, \"label\": \"x\"}, {\"start\": 2, \"end\": 4, \"label\": \"y\"}]} | overlapping spans",
                "a.jsonl | {\"text\": 3, \"spans\": []} | missing field",
                "a.jsonl | {\"text\": \"a\"} | missing field",
                "a.jsonl | nonsense | broken JSON"
            })
    void brokenRecordsAreSetAsideWithTheirReason(String name, String content, String reason)
            throws IOException {
        try {
            read(name, "", content.replace('~', '\n') + "\n");
        } catch (EspalierException e) {
            assertThat(e).hasMessageContaining("no tagged words").hasMessageContaining(reason);
        }
        assertThat(ledger.counts().rejected()).containsEntry(reason, 1L);
    }
}
