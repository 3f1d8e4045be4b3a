package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import java.nio.file.Files;
import java.nio.file.Path;

/// Paths on the command line. One that leads nowhere, or to a file where a folder is needed, is
/// wrong usage; what is wrong with that to which it leads is bad data, as is a path that stands in
/// a file.
final class Given {
    private Given() {}

    static Path path(Path path) {
        if (!Files.exists(path)) {
            throw EspalierException.usage(path + ": there is no such file or folder");
        }
        return path;
    }

    static Path file(Path path) {
        if (!Files.exists(path)) {
            throw EspalierException.usage(path + ": there is no such file");
        }
        if (Files.isDirectory(path)) {
            throw EspalierException.usage(path + ": is a folder; a file is needed");
        }
        return path;
    }

    /// @param what it is needed for, such as `a model`
    static Path folder(Path path, String what) {
        if (!Files.exists(path)) {
            throw EspalierException.usage(
                    path + ": there is no such folder; that of " + what + " is needed");
        }
        if (!Files.isDirectory(path)) {
            throw EspalierException.usage(
                    path + ": is a file; the folder of " + what + " is needed");
        }
        return path;
    }

    /// The folder of a model that writes text.
    static Path writer(Path path) {
        folder(path, "a model");
        if (HuggingFace.isClassifier(path) || HuggingFace.isTokenClassifier(path)) {
            throw EspalierException.usage(
                    path + ": a classifier, which writes no text; 'espalier predict' asks it");
        }
        return path;
    }
}
