package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Records;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// Reads minimal pairs as BLiMP has them (Warstadt et al. 2020, arXiv:1912.00582): JSON objects
/// with `sentence_good` and `sentence_bad`, and, if wanted, `UID`, the paradigm, and `field`.
/// Without a `UID` a file is a paradigm.
public final class MinimalPairReader {
    private MinimalPairReader() {}

    /// The first pairs, at most `most` of each file, of the files that a name or a glob stands for.
    /// Broken ones are set aside in the ledger.
    ///
    /// @throws EspalierException (DATA) if a file cannot be read, or there is no pair
    public static List<MinimalPair> read(String pattern, int most, Ledger ledger) {
        var pairs = new ArrayList<MinimalPair>();
        for (var file : FileSource.text(pattern).files()) {
            var before = pairs.size();
            Records.read(
                    file,
                    ledger,
                    (record, at) -> {
                        if (pairs.size() - before < most) {
                            add(pairs, record, file, at, ledger);
                        }
                    });
        }
        if (pairs.isEmpty()) {
            throw EspalierException.data(pattern + ": holds no minimal pair" + ledger.leftOut());
        }
        return List.copyOf(pairs);
    }

    private static void add(
            List<MinimalPair> pairs, JsonNode record, Path file, long at, Ledger ledger) {
        var good = record.path("sentence_good").asString("").strip();
        var bad = record.path("sentence_bad").asString("").strip();
        if (good.isEmpty() || bad.isEmpty()) {
            ledger.reject(
                    file,
                    at,
                    "missing sentence",
                    "`sentence_good` and `sentence_bad` must both hold a sentence");
        } else if (good.equals(bad)) {
            ledger.reject(file, at, "equal sentences", "both sentences are the same");
        } else {
            ledger.keep();
            var name = String.valueOf(file.getFileName()).replaceFirst("\\..*$", "");
            pairs.add(
                    new MinimalPair(
                            good,
                            bad,
                            record.path("UID").asString(name),
                            record.path("field").asString(""),
                            file + ":" + at));
        }
    }
}
