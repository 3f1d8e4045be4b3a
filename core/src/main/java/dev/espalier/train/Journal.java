package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;

/// `metrics.jsonl`: a line a step, flushed as it is written.
final class Journal implements AutoCloseable {
    private final Path file;
    private final BufferedWriter writer;

    private Journal(Path file, BufferedWriter writer) {
        this.file = file;
        this.writer = writer;
    }

    /// Opens the journal with the lines of the first `step` steps, which a resumed run keeps; those
    /// of the steps that it makes again, and a line that was cut off, go.
    static Journal open(Path file, long step) {
        try {
            var kept = new StringBuilder();
            for (var line : Files.exists(file) ? lines(file) : List.<String>of()) {
                var figures = parse(line);
                if (figures == null || figures.step() > step) {
                    break;
                }
                kept.append(line).append('\n');
            }
            AtomicFiles.write(file, kept.toString());
            return new Journal(file, Files.newBufferedWriter(file, StandardOpenOption.APPEND));
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    /// A line that was cut off may end within a character.
    private static List<String> lines(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    }

    private static @org.jspecify.annotations.Nullable StepFigures parse(String line) {
        try {
            return Json.mapper().readValue(line, StepFigures.class);
        } catch (JacksonException e) {
            return null; // the process was killed while it wrote this line
        }
    }

    /// All lines of a journal.
    static List<StepFigures> read(Path file) {
        try {
            var figures = new ArrayList<StepFigures>();
            for (var line : lines(file)) {
                var parsed = parse(line);
                if (parsed != null) {
                    figures.add(parsed);
                }
            }
            return figures;
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    void add(StepFigures figures) {
        try {
            writer.write(Json.line(figures));
            writer.write('\n');
            writer.flush();
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    @Override
    public void close() {
        try {
            writer.close();
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }
}
