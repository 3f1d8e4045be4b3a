package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.image.Decoder;
import dev.espalier.image.Mask;
import dev.espalier.image.RunLengths;
import java.awt.Color;
import java.awt.RenderingHints;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A mask that can be had, again and again, by any thread.
public sealed interface MaskSource {
    /// The mask, read anew where it is not held.
    ///
    /// @throws EspalierException (DATA) if its file has gone, is broken, or has what is no class
    Mask mask();

    /// What the pixels of files stand for.
    ///
    /// @param names of the classes, the first of them 0
    /// @param colours of each as 0xRRGGBB; null where pixels hold the classes' numbers, with
    ///   [Mask#IGNORED] for none
    record Classes(List<String> names, @Nullable List<Integer> colours) {
        public Classes {
            names = List.copyOf(names);
            colours = colours == null ? null : List.copyOf(colours);
        }
    }

    /// In memory.
    record Held(Mask mask) implements MaskSource {}

    /// In a picture of its own.
    record InFile(Path file, Classes classes) implements MaskSource {
        @Override
        public Mask mask() {
            return classes.colours() == null ? numbers() : byColour(classes.colours());
        }

        private Mask numbers() {
            var mask = Decoder.numbers(file);
            var bytes = mask.classes();
            for (var i = 0; i < bytes.length; i++) {
                var value = bytes[i] & 0xFF;
                if (value >= classes.names().size() && value != Mask.IGNORED) {
                    throw unknown(mask.width(), i, "class " + value, allowedNumbers());
                }
            }
            return mask;
        }

        private String allowedNumbers() {
            return "0 to "
                    + (classes.names().size() - 1)
                    + " ("
                    + String.join(", ", classes.names())
                    + "), and 255 for none";
        }

        private Mask byColour(List<Integer> colours) {
            var image = Decoder.read(file).image();
            var index = new HashMap<Integer, Byte>();
            for (var c = 0; c < colours.size(); c++) {
                index.put(colours.get(c), (byte) c);
            }
            var rgb = image.rgb();
            var found = new byte[rgb.length / 3];
            for (var i = 0; i < found.length; i++) {
                var colour =
                        (rgb[3 * i] & 0xFF) << 16
                                | (rgb[3 * i + 1] & 0xFF) << 8
                                | (rgb[3 * i + 2] & 0xFF);
                var number = index.get(colour);
                if (number == null) {
                    var allowed = new ArrayList<String>();
                    for (var c = 0; c < colours.size(); c++) {
                        allowed.add(hex(colours.get(c)) + " (" + classes.names().get(c) + ")");
                    }
                    throw unknown(
                            image.width(), i, "colour " + hex(colour), String.join(", ", allowed));
                }
                found[i] = number;
            }
            return new Mask(image.width(), image.height(), found);
        }

        private static String hex(int colour) {
            return "#%06x".formatted(colour);
        }

        private EspalierException unknown(int width, int at, String what, String allowed) {
            return EspalierException.data(
                    "%s: an unknown %s at (%d, %d); allowed: %s"
                            .formatted(file, what, at % width, at / width, allowed));
        }
    }

    /// What belongs to a class.
    sealed interface Shape {
        /// The class's number, or [Mask#IGNORED].
        int label();

        /// In pixels.
        double area();

        /// Draws the number into the pixels.
        void draw(BufferedImage numbers);
    }

    /// A closed line with what is inside.
    ///
    /// @param points x, y, x, y and so on, in pixels
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    record Outline(int label, double[] points) implements Shape {
        @Override
        public double area() {
            var twice = 0.0;
            for (var i = 0; i + 1 < points.length; i += 2) {
                var j = (i + 2) % points.length;
                twice += points[i] * points[j + 1] - points[j] * points[i + 1];
            }
            return Math.abs(twice) / 2;
        }

        private Path2D path() {
            var path = new Path2D.Double();
            path.moveTo(points[0], points[1]);
            for (var i = 2; i + 1 < points.length; i += 2) {
                path.lineTo(points[i], points[i + 1]);
            }
            path.closePath();
            return path;
        }

        /// A pixel whose centre is inside belongs to it.
        @Override
        public void draw(BufferedImage numbers) {
            var graphics = numbers.createGraphics();
            graphics.setRenderingHint(
                    RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
            graphics.setColor(new Color(label));
            graphics.fill(path());
            graphics.dispose();
        }
    }

    /// Pixels one by one.
    record Runs(int label, RunLengths runs) implements Shape {
        @Override
        public double area() {
            return runs.area();
        }

        @Override
        public void draw(BufferedImage numbers) {
            runs.forEach((x, y) -> numbers.setRGB(x, y, label));
        }
    }

    /// Drawn from shapes on a background of class 0, larger ones below smaller ones.
    record Outlined(int width, int height, List<Shape> shapes) implements MaskSource {
        /// A pixel belongs to the smallest shape that holds it.
        @Override
        public Mask mask() {
            var drawn = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
            shapes.stream()
                    .sorted((a, b) -> Double.compare(b.area(), a.area()))
                    .forEach(shape -> shape.draw(drawn));
            var numbers = drawn.getRGB(0, 0, width, height, null, 0, width);
            var classes = new byte[numbers.length];
            for (var i = 0; i < classes.length; i++) {
                classes[i] = (byte) numbers[i];
            }
            return new Mask(width, height, classes);
        }
    }
}
