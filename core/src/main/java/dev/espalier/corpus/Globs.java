package dev.espalier.corpus;

import dev.espalier.EspalierException;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.regex.PatternSyntaxException;

/// Paths with `*`, `**`, `?`, `[…]` and `{…}`, relative to the working directory.
final class Globs {
    private Globs() {}

    /// The files that `pattern` names, in the order of their paths. `a/**/b` also matches `a/b`, as
    /// shells have it. Hidden files are only found by name.
    static List<Path> files(String pattern) {
        try {
            var slashed = pattern.replace(java.io.File.separatorChar, '/');
            var wild = firstWild(slashed);
            if (wild < 0) {
                var path = Path.of(pattern);
                if (!Files.exists(path)) {
                    throw EspalierException.data(pattern + ": there is no such file");
                }
                if (Files.isDirectory(path)) {
                    throw EspalierException.data(
                            pattern
                                    + ": is a folder; write a glob such as "
                                    + pattern
                                    + "/**/*.txt");
                }
                return List.of(path);
            }
            var slash = slashed.lastIndexOf('/', wild);
            var root = Path.of(slash < 0 ? "" : slash == 0 ? "/" : slashed.substring(0, slash));
            var rest = slashed.substring(slash + 1);
            var matcher =
                    FileSystems.getDefault()
                            .getPathMatcher("glob:" + rest.replace("**/", "{,**/}"));
            if (!Files.isDirectory(root.toAbsolutePath())) {
                throw EspalierException.data(pattern + ": there is no folder " + root);
            }
            try (var walk = Files.walk(root, FileVisitOption.FOLLOW_LINKS)) {
                var files =
                        walk.filter(Files::isRegularFile)
                                .filter(file -> !hidden(root.relativize(file)))
                                .filter(file -> matcher.matches(root.relativize(file)))
                                .sorted(Comparator.comparing(Globs::name))
                                .toList();
                if (files.isEmpty()) {
                    throw EspalierException.data(pattern + ": matches no file");
                }
                return files;
            }
        } catch (PatternSyntaxException | InvalidPathException e) {
            throw new EspalierException(
                    EspalierException.Kind.USAGE,
                    pattern + ": not a path or a glob (" + e.getMessage() + ")",
                    e);
        } catch (IOException e) {
            throw EspalierException.data(pattern + ": cannot be read (" + why(e) + ")", e);
        } catch (UncheckedIOException e) {
            throw EspalierException.data(
                    pattern
                            + ": cannot be read ("
                            + why(java.util.Objects.requireNonNull(e.getCause()))
                            + ")",
                    e);
        }
    }

    /// The path with `/` on every platform.
    static String name(Path file) {
        return file.toString().replace(java.io.File.separatorChar, '/');
    }

    /// Says in a few words why something could not be read.
    static String why(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> "there is no such file";
            case EOFException _ -> "it is truncated";
            default -> String.valueOf(e.getMessage());
        };
    }

    private static boolean hidden(Path relative) {
        for (var part : relative) {
            if (part.toString().startsWith(".")) {
                return true;
            }
        }
        return false;
    }

    private static int firstWild(String pattern) {
        for (var i = 0; i < pattern.length(); i++) {
            if ("*?[{".indexOf(pattern.charAt(i)) >= 0) {
                return i;
            }
        }
        return -1;
    }
}
