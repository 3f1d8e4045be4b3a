package dev.espalier.data;

import dev.espalier.image.Decoder;
import dev.espalier.image.Image;
import dev.espalier.io.AtomicFiles;
import java.nio.file.Path;
import java.util.HexFormat;

/// A picture that can be had, again and again, by any thread.
public sealed interface Picture {
    /// The picture, decoded anew where it is not held.
    ///
    /// @throws dev.espalier.EspalierException (DATA) if its file has gone or is broken
    Image image();

    /// What it shows, in short: the SHA-256 of its samples in hexadecimal, which copies share.
    default String content() {
        return HexFormat.of().formatHex(AtomicFiles.sha256(image().rgb()));
    }

    /// Where it stands: a file, or `file#number` for one of many, from 0.
    String where();

    /// In a file of its own.
    record InFile(Path file) implements Picture {
        @Override
        public Image image() {
            return Decoder.read(file).image();
        }

        @Override
        public String where() {
            return file.toString();
        }
    }

    /// In memory.
    record Held(Image image, String where) implements Picture {}
}
