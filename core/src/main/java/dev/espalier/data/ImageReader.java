package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.image.Decoder;
import dev.espalier.image.Image;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/// Reads pictures with labels. Every picture is decoded once, so that broken ones are set aside
/// before a run begins.
public final class ImageReader {
    private static final Set<String> ENDINGS =
            Set.of("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp");

    /// Pictures whose samples are held are not decoded again; together they take at most this share
    /// of the memory that Java may use.
    private static final double HELD = 0.25;

    private static final int IDX_IMAGES = 0x0803;
    private static final int IDX_LABELS = 0x0801;

    private ImageReader() {}

    /// The pictures of `root`, a folder for each label with the pictures that have it, in folders
    /// of their own or not; in the order of their paths. Hidden files are passed over.
    ///
    /// @throws EspalierException (DATA) if there is no such folder, or a label without a picture
    public static List<LabelledImage> folders(Path root, Ledger ledger) {
        if (!Files.isDirectory(root)) {
            throw EspalierException.data(root + ": there is no such folder");
        }
        var found = new ArrayList<LabelledImage>();
        for (var folder : visible(root)) {
            if (!Files.isDirectory(folder)) {
                ledger.drop("file beside the folders of labels");
                continue;
            }
            var label = folder.getFileName().toString();
            var before = found.size();
            for (var file : pictures(folder, ledger)) {
                found.add(new LabelledImage(new Picture.InFile(file), List.of(label)));
            }
            if (found.size() == before) {
                throw EspalierException.data(
                        "%s: the label `%s` has no picture; a folder of labels holds pictures, as %s"
                                .formatted(folder, label, ENDINGS.stream().sorted().toList()));
            }
        }
        if (found.isEmpty()) {
            throw EspalierException.data(
                    root + ": holds no folder of pictures, one for each label, is needed");
        }
        return decoded(found, ledger);
    }

    /// Pictures and labels in IDX (LeCun's MNIST): bytes of n x height x width, and of n; plain or
    /// packed by gzip. Labels are the numbers as they stand.
    ///
    /// @throws EspalierException (DATA) if either is broken, or they do not belong together
    public static List<LabelledImage> idx(Path images, Path labels, Ledger ledger) {
        var told = idx(labels, IDX_LABELS, 1);
        var pixels = idx(images, IDX_IMAGES, 3);
        var n = pixels.sizes[0];
        if (told.sizes[0] != n) {
            throw EspalierException.data(
                    "%s: holds %,d pictures, and %s holds %,d labels"
                            .formatted(images, n, labels, told.sizes[0]));
        }
        var height = pixels.sizes[1];
        var width = pixels.sizes[2];
        var result = new ArrayList<LabelledImage>();
        for (var i = 0; i < n; i++) {
            var from = i * height * width;
            var grey = Arrays.copyOfRange(pixels.bytes, from, from + height * width);
            ledger.keep();
            result.add(
                    new LabelledImage(
                            new Picture.Held(Image.grey(width, height, grey), images + "#" + i),
                            List.of(String.valueOf(told.bytes[i] & 0xFF))));
        }
        return result;
    }

    /// An array of bytes.
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    private record Idx(int[] sizes, byte[] bytes) {}

    private static Idx idx(Path file, int magic, int dimensions) {
        try (var in = new DataInputStream(unpacked(file))) {
            if (in.readInt() != magic) {
                throw EspalierException.data(
                        "%s: not IDX of bytes in %d dimensions".formatted(file, dimensions));
            }
            var sizes = new int[dimensions];
            var bytes = 1L;
            for (var d = 0; d < dimensions; d++) {
                sizes[d] = in.readInt();
                // Beyond an int already, it must not come to overflow a long.
                bytes = bytes > Integer.MAX_VALUE ? bytes : bytes * sizes[d];
                if (sizes[d] < 1 || bytes > Integer.MAX_VALUE - 8) {
                    throw EspalierException.data(
                            "%s: IDX of the sizes %s; at least 1 each, and at most 2 GiB are read"
                                    .formatted(file, Arrays.toString(sizes)));
                }
            }
            // In pieces, so that a header alone takes no memory.
            var content = in.readNBytes((int) bytes);
            if (content.length < bytes) {
                throw new EOFException();
            }
            if (in.read() >= 0) {
                throw EspalierException.data(
                        "%s: goes on after the %,d bytes that its header tells"
                                .formatted(file, bytes));
            }
            return new Idx(sizes, content);
        } catch (EOFException e) {
            throw EspalierException.data(file + ": ends before its header says", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static InputStream unpacked(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw EspalierException.data(file + ": there is no such file");
        }
        var in = new BufferedInputStream(Files.newInputStream(file));
        return file.toString().endsWith(".gz") ? new GZIPInputStream(in) : in;
    }

    private static List<Path> visible(Path folder) {
        try (var files = Files.list(folder)) {
            return files.filter(f -> !f.getFileName().toString().startsWith("."))
                    .sorted(Comparator.comparing(Path::toString))
                    .toList();
        } catch (IOException e) {
            throw EspalierException.data(folder + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static List<Path> pictures(Path folder, Ledger ledger) {
        var found = new ArrayList<Path>();
        for (var file : visible(folder)) {
            // A link to a folder may lead back to where it stands.
            if (Files.isDirectory(file) && !Files.isSymbolicLink(file)) {
                found.addAll(pictures(file, ledger));
            } else if (isPicture(file) && Files.isRegularFile(file)) {
                found.add(file);
            } else {
                ledger.drop("not a picture by its name");
            }
        }
        return found;
    }

    private static boolean isPicture(Path file) {
        var name = file.getFileName().toString();
        return ENDINGS.contains(name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT));
    }

    /// What decoding one came to: a picture or why not.
    private record Outcome(@Nullable Image image, boolean animated, String failure) {}

    /// Those of `images` that can be decoded, held in memory as far as there is room.
    private static List<LabelledImage> decoded(List<LabelledImage> images, Ledger ledger) {
        var room = (long) (Runtime.getRuntime().maxMemory() * HELD);
        var result = new ArrayList<LabelledImage>();
        // By parts, so that what finds no room does not lie about.
        var part = 64;
        for (var start = 0; start < images.size(); start += part) {
            var some = images.subList(start, Math.min(images.size(), start + part));
            var outcomes = some.parallelStream().map(i -> outcome(i.picture())).toList();
            for (var i : IntStream.range(0, some.size()).toArray()) {
                var labelled = some.get(i);
                var outcome = outcomes.get(i);
                var image = outcome.image();
                if (image == null) {
                    ledger.reject(
                            Path.of(labelled.where()), 0, "broken picture", outcome.failure());
                    continue;
                }
                ledger.keep();
                if (outcome.animated()) {
                    ledger.change("first picture of an animation", 1);
                }
                var bytes = image.rgb().length;
                if (bytes <= room) {
                    room -= bytes;
                    labelled =
                            new LabelledImage(
                                    new Picture.Held(image, labelled.where()), labelled.labels());
                }
                result.add(labelled);
            }
        }
        if (result.isEmpty()) {
            throw EspalierException.data(
                    images.getFirst().where() + ": no picture can be read" + ledger.leftOut());
        }
        return result;
    }

    private static Outcome outcome(Picture picture) {
        try {
            if (picture instanceof Picture.InFile(var file)) {
                var decoded = Decoder.read(file);
                return new Outcome(decoded.image(), decoded.animated(), "");
            }
            return new Outcome(picture.image(), false, "");
        } catch (EspalierException e) {
            // The ledger names the file itself.
            var message = String.valueOf(e.getMessage());
            var named = picture.where() + ": ";
            return new Outcome(
                    null,
                    false,
                    message.startsWith(named) ? message.substring(named.length()) : message);
        }
    }
}
