package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Rows;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Reads pairs of texts from CSV, TSV and JSONL files, plain or packed by gzip or zstd.
public final class PairReader {
    private PairReader() {}

    /// The pairs of `file` in order, targets without the white space around them. Records without
    /// an input are dropped and counted; those without a target, and broken ones, are set aside.
    ///
    /// @param input the column or key of the inputs
    /// @param target that of the targets
    /// @throws EspalierException (DATA) if there is no such column, or no pair
    public static List<TextPair> read(Path file, String input, String target, Ledger ledger) {
        var pairs = new ArrayList<TextPair>();
        var format = Rows.Format.of(file);
        var fields = new Rows.Fields(List.of(input), target, false);
        try (var rows = Rows.open(file, format, null, fields, ledger)) {
            for (var row = rows.next(); row != null; row = rows.next()) {
                if (!rows.hasTexts(row)) {
                    continue;
                }
                var text = row.values().get(1).strip();
                if (text.isEmpty()) {
                    ledger.reject(
                            file, row.line(), "empty target", "`" + target + "` holds no text");
                    continue;
                }
                ledger.keep();
                pairs.add(new TextPair(row.values().get(0), text, file + ":" + row.line()));
            }
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read to its end (" + e.getMessage() + ")", e);
        }
        if (pairs.isEmpty()) {
            throw EspalierException.data(file + ": holds no pair of texts" + ledger.leftOut());
        }
        return List.copyOf(pairs);
    }
}
