package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PairReaderTest {
    @TempDir Path folder;

    private Ledger ledger() {
        return new Ledger(folder.resolve("rejects.jsonl"), new Ledger.Limit.Count(9));
    }

    /// Many records without an input would all be one question, which any of their answers is right
    /// for.
    @Test
    void recordsWithoutAnInputAreDroppedAndWithoutATargetSetAside() throws IOException {
        var csv = "in,out\nfig,FIG\n,ANY\n  ,OTHER\nsaw,\naxe,\" AXE \"\n";
        var file = Files.writeString(folder.resolve("pairs.csv"), csv);
        try (var ledger = ledger()) {
            assertThat(PairReader.read(file, "in", "out", ledger))
                    .containsExactly(
                            new TextPair("fig", "FIG", file + ":2"),
                            new TextPair("axe", "AXE", file + ":6"));
            assertThat(ledger.counts().dropped()).containsEntry("empty", 2L);
            assertThat(ledger.counts().rejected()).containsEntry("empty target", 1L);
            assertThat(ledger.counts().kept()).isEqualTo(2);
        }
    }

    @Test
    void aFileWithoutAPairIsRefused() throws IOException {
        var file = Files.writeString(folder.resolve("none.csv"), "in,out\n,FIG\n");
        try (var ledger = ledger()) {
            assertThatThrownBy(() -> PairReader.read(file, "in", "out", ledger))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("holds no pair of texts");
        }
    }
}
