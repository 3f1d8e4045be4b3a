package dev.espalier.corpus;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// Names bytes and enumerates the documents in them, always in the same order.
public interface Source {
    /// Everything besides the files' bytes that decides which documents come out, on one line: the
    /// kind, the pattern, the field, the character set.
    String description();

    /// The files that are read, in order; never empty.
    ///
    /// @throws dev.espalier.EspalierException (DATA) if there are none
    List<Path> files();

    /// The documents, read while they are taken. To be closed.
    ///
    /// @param ledger counts what is kept, dropped, changed and rejected
    Stream<Document> documents(Ledger ledger);
}
