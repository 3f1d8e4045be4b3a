package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledReader.Columns;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LabelledTest {
    private static final Columns COLUMNS = new Columns("text", "label");

    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(10));

    @Test
    void recordsOfEachFormatAreRead() throws IOException {
        for (var format :
                List.of(
                        List.of("a.csv", "label,text\npos,\"good, fine\"\nneg,bad\n,none\npos,\n"),
                        List.of("a.tsv", "label\ttext\npos\tgood, fine\nneg\tbad\n\tnone\npos\t\n"),
                        List.of(
                                "a.jsonl",
                                """
                                {"label":"pos","text":"good, fine"}
                                {"label":"neg","text":"bad"}
                                {"label":"","text":"none"}
                                {"label":"pos","text":""}
                                """))) {
            var file = Files.writeString(folder.resolve(format.get(0)), format.get(1));
            var counting = Ledger.strict();
            var records = LabelledReader.read(file, COLUMNS, null, counting);
            assertThat(records).extracting(LabelledText::text).containsExactly("good, fine", "bad");
            assertThat(LabelledReader.labels(records)).containsExactly("neg", "pos");
            assertThat(counting.counts().dropped())
                    .containsEntry("empty", 1L)
                    .containsEntry("empty label", 1L);
            assertThat(counting.counts().kept()).isEqualTo(2);
            assertThat(records.get(1).where())
                    .isEqualTo(file + (format.get(0).endsWith("l") ? ":2" : ":3"));
        }
    }

    @Test
    void numbersMayBeLabelsInJson() throws IOException {
        var file = Files.writeString(folder.resolve("a.jsonl"), "{\"t\":\"x\",\"l\":1}\n");
        assertThat(LabelledReader.read(file, new Columns("t", "l"), null, ledger).get(0).label())
                .isEqualTo("1");
    }

    @Test
    void aMissingColumnAnUnknownEndingAndNoRecordsAreNamed() throws IOException {
        var csv = Files.writeString(folder.resolve("a.csv"), "text,class\nx,y\n");
        var txt = Files.writeString(folder.resolve("a.txt"), "x");
        var empty = Files.writeString(folder.resolve("b.csv"), "text,label\n");
        var nothing = Files.writeString(folder.resolve("c.csv"), "");
        refused(csv, "no field `label`; there are `text`, `class`");
        refused(txt, ".csv, .tsv and .jsonl");
        refused(empty, "holds no labelled text");
        refused(nothing, "is empty");
        refused(folder.resolve("none.csv"), "there is no such file");
    }

    @Test
    void aLabelThatTrainingDoesNotHaveIsNamedWithItsLine() throws IOException {
        var file = Files.writeString(folder.resolve("a.csv"), "text,label\nx,a\ny,c\n");
        var records = LabelledReader.read(file, COLUMNS, null, ledger);
        LabelledReader.requireKnown(records, List.of("a", "b", "c"));
        assertThatThrownBy(() -> LabelledReader.requireKnown(records, List.of("a", "b")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("a.csv:3")
                .hasMessageContaining("`c`")
                .hasMessageContaining("`a`, `b`");
    }

    @Test
    void batchesHoldEveryIndexOnceAndPadLittle() {
        var lengths = Rng.at(4).ints(1003, 1, 200).toArray();
        var batches = Batches.byLength(lengths, 16, 1, 0);
        var seen = new HashSet<Integer>();
        var padded = 0L;
        for (var batch : batches) {
            Arrays.stream(batch).forEach(i -> assertThat(seen.add(i)).isTrue());
            padded +=
                    (long) batch.length
                            * Arrays.stream(batch).map(i -> lengths[i]).max().getAsInt();
        }
        assertThat(seen).hasSize(1003);
        assertThat((double) padded / Arrays.stream(lengths).sum()).isLessThan(1.1);
        assertThat(Batches.byLength(lengths, 16, 1, 0).get(0)).isEqualTo(batches.get(0));
        assertThat(Batches.byLength(lengths, 16, 1, 1).get(0)).isNotEqualTo(batches.get(0));
        assertThat(Batches.byLength(new int[0], 16, 1, 1)).isEmpty();
    }

    @Test
    void rowsAreCut() {
        var cut = Batches.truncate(List.of(new int[] {1, 2, 3}, new int[] {4}), 2);
        assertThat(cut.truncated()).isEqualTo(1);
        assertThat(cut.rows()).containsExactly(new int[] {1, 2}, new int[] {4});
    }

    private void refused(Path file, String message) {
        assertThatThrownBy(() -> LabelledReader.read(file, COLUMNS, null, ledger))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(message);
    }
}
