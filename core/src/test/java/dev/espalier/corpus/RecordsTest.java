package dev.espalier.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordsTest {
    @TempDir private Path folder;

    private final List<String> taken = new ArrayList<>();

    private void read(Path file, Ledger ledger) {
        Records.read(file, ledger, (record, at) -> taken.add(at + " " + record));
    }

    /// That a list is never held whole shows in what was taken before its end is missed.
    @Test
    void aListIsReadOneRecordAfterTheOther() throws IOException {
        var file = Files.writeString(folder.resolve("a.json"), "[{\"a\": 1}, 7, {\"b\": [2]}]\n");
        var ledger = Ledger.counting();
        read(file, ledger);
        assertThat(taken).containsExactly("1 {\"a\":1}", "3 {\"b\":[2]}");
        assertThat(ledger.firstRejects())
                .singleElement()
                .hasToString(file + ":2: not a JSON object");
        taken.clear();
        Files.writeString(file, "[{\"a\": 1}, {\"b\": 2}");
        assertThatThrownBy(() -> read(file, ledger))
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(Kind.DATA))
                .hasMessageStartingWith(file + ": not JSON (");
        assertThat(taken).containsExactly("1 {\"a\":1}", "2 {\"b\":2}");
    }

    @Test
    void whatIsNoListIsRefused() throws IOException {
        var file = folder.resolve("a.json");
        for (var text : List.of("", " ", "{\"a\": [1]}", "7")) {
            Files.writeString(file, text);
            assertThatThrownBy(() -> read(file, Ledger.counting()))
                    .hasMessage(file + ": is no list of records");
        }
        for (var text : List.of("[] []", "[{}] x", "[{} {}]", "[{},]", "[{\"a\": 1, \"a\": 2}]")) {
            Files.writeString(file, text);
            assertThatThrownBy(() -> read(file, Ledger.counting()))
                    .as(text)
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(file + ": ");
        }
    }

    /// A file of a few kilobytes, whose second record cannot be held.
    @Test
    void aRecordThatIsTooLongEndsAPackedList() throws IOException {
        var file = folder.resolve("a.json.gz");
        try (var out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("[{}, {\"a\": \"".getBytes(StandardCharsets.UTF_8));
            var letters = "a".repeat(1 << 20).getBytes(StandardCharsets.UTF_8);
            for (var i = 0; i < 17; i++) {
                out.write(letters);
            }
            out.write("\"}]".getBytes(StandardCharsets.UTF_8));
        }
        assertThatThrownBy(() -> read(file, Ledger.counting()))
                .isInstanceOf(EspalierException.class)
                .hasMessage(file + ": record 2 is longer than 16777216 characters");
        assertThat(taken).containsExactly("1 {}");
    }
}
