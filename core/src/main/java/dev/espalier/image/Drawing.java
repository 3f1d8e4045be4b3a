package dev.espalier.image;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;

/// Draws what is marked into pictures, and puts pictures together to a sheet.
///
/// Names are written where the system has a font; where it has none, as in some containers, colours
/// have to do.
public final class Drawing {
    /// Small pictures are shown at least so wide, by whole factors.
    private static final int WIDE = 192;

    /// The longer side of larger pictures in what is looked at on a page, since a report holds
    /// many.
    private static final int MOST = 640;

    private static final int GAP = 12;
    private static final int FONT = 12;

    /// Of a mask's colour, over the picture.
    private static final double OPACITY = 0.5;

    /// Hues one after another are far apart: steps of the golden ratio.
    private static final float HUE = 0.618034f;

    private Drawing() {}

    /// A picture as it is, as PNG, from which its samples are read again.
    public static byte[] png(Image image) {
        var drawn = new BufferedImage(image.width(), image.height(), BufferedImage.TYPE_INT_RGB);
        for (var y = 0; y < image.height(); y++) {
            for (var x = 0; x < image.width(); x++) {
                drawn.setRGB(x, y, colour(image, null, x, y));
            }
        }
        return png(drawn);
    }

    /// A picture as PNG, as wide as a person needs it to look at.
    public static byte[] png(ShownImage shown) {
        return png(drawn(shrunk(shown)));
    }

    /// A picture as PNG at its own size, small ones larger, over its caption where it has one.
    /// Lines and letters grow with it.
    public static byte[] whole(ShownImage shown) {
        return shown.caption().isEmpty()
                ? png(drawn(shown))
                : sheet(List.of(shown), List.of(drawn(shown)), 1);
    }

    /// Pictures in rows, each over its caption, as PNG.
    ///
    /// @param columns at most so many beside one another
    public static byte[] sheet(List<ShownImage> pictures, int columns) {
        return sheet(pictures, pictures.stream().map(p -> drawn(shrunk(p))).toList(), columns);
    }

    private static byte[] sheet(List<ShownImage> pictures, List<BufferedImage> drawn, int columns) {
        var width = drawn.stream().mapToInt(BufferedImage::getWidth).max().orElseThrow();
        var height = drawn.stream().mapToInt(BufferedImage::getHeight).max().orElseThrow();
        var unit = unit(width, height);
        int gap = (int) (GAP * unit), letter = (int) (FONT * unit);
        var across = Math.min(columns, drawn.size());
        var cellHeight = height + letter + 2 * gap;
        var sheet =
                new BufferedImage(
                        gap + across * (width + gap),
                        gap + Math.ceilDiv(drawn.size(), across) * cellHeight,
                        BufferedImage.TYPE_INT_RGB);
        var graphics = sheet.createGraphics();
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
        var font = metrics(graphics, letter);
        graphics.setColor(Color.BLACK);
        for (var i = 0; i < drawn.size(); i++) {
            var x = gap + i % across * (width + gap);
            var y = gap + i / across * cellHeight;
            graphics.drawImage(drawn.get(i), x, y, null);
            if (font != null) {
                var caption = fitting(pictures.get(i).caption(), font, width);
                graphics.drawString(caption, x, y + height + letter + gap / 3);
            }
        }
        graphics.dispose();
        return png(sheet);
    }

    /// How much larger lines and letters are than in what fits on a page.
    private static double unit(int width, int height) {
        return Math.max(1, (double) Math.max(width, height) / MOST);
    }

    /// `shown` with what is marked in it, no larger than fits on a page.
    private static ShownImage shrunk(ShownImage shown) {
        var image = shrunk(shown.image());
        if (image == shown.image()) {
            return shown;
        }
        var across = (double) image.width() / shown.image().width();
        var down = (double) image.height() / shown.image().height();
        var marks =
                shown.marks().stream()
                        .map(m ->
                                new ShownImage.Mark(
                                        m.box().moved(across, 0, down, 0), m.name(), m.kind()))
                        .toList();
        return new ShownImage(image, marks, shown.areas(), shown.caption());
    }

    /// `image`, no larger than fits on a page.
    public static Image shrunk(Image image) {
        var longer = Math.max(image.width(), image.height());
        return longer <= MOST
                ? image
                : Resampling.BILINEAR.resize(
                        image,
                        Math.max(1, (int) ((long) image.width() * MOST / longer)),
                        Math.max(1, (int) ((long) image.height() * MOST / longer)));
    }

    /// `image` in grey, and the redder where `weights` (height, width), which are spread over it,
    /// are larger; from the least to the most of them.
    public static Image heated(Image image, int width, int height, float[] weights) {
        float least = Float.MAX_VALUE, most = -Float.MAX_VALUE;
        for (var weight : weights) {
            least = Math.min(least, weight);
            most = Math.max(most, weight);
        }
        var grey = new byte[weights.length];
        for (var i = 0; i < grey.length && most > least; i++) {
            grey[i] = (byte) Math.round(255 * (weights[i] - least) / (most - least));
        }
        var heat =
                Resampling.BILINEAR.resize(
                        Image.grey(width, height, grey), image.width(), image.height());
        var rgb = new byte[image.rgb().length];
        for (var i = 0; i < rgb.length; i += 3) {
            var sum = 0;
            for (var c = 0; c < 3; c++) {
                sum += image.rgb()[i + c] & 0xFF;
            }
            var over = OPACITY * (heat.rgb()[i] & 0xFF) / 255;
            for (var c = 0; c < 3; c++) {
                rgb[i + c] = (byte) Math.round(sum / 3.0 * (1 - over) + (c == 0 ? 255 : 0) * over);
            }
        }
        return new Image(image.width(), image.height(), rgb);
    }

    /// A mask as PNG whose palette has the colours that classes are drawn in, 0 in black and what
    /// is ignored in white; its pixels hold the classes' numbers.
    public static byte[] palette(Mask mask) {
        var colours = new int[256];
        for (var c = 1; c < Mask.IGNORED; c++) {
            colours[c] = colour(c).getRGB();
        }
        colours[Mask.IGNORED] = 0xFFFFFF;
        var image =
                new BufferedImage(
                        mask.width(),
                        mask.height(),
                        BufferedImage.TYPE_BYTE_INDEXED,
                        new IndexColorModel(8, 256, colours, 0, false, -1, DataBuffer.TYPE_BYTE));
        image.getRaster().setDataElements(0, 0, mask.width(), mask.height(), mask.classes());
        return png(image);
    }

    private static BufferedImage drawn(ShownImage shown) {
        var image = shown.image();
        var factor = Math.max(1, Math.ceilDiv(WIDE, Math.max(image.width(), image.height())));
        var width = image.width() * factor;
        var height = image.height() * factor;
        var areas = shown.areas();
        var unit = unit(width, height);
        var legend = areas == null ? List.<Entry>of() : legend(areas, width, unit);
        var below = legend.isEmpty() ? 0 : legend.getLast().line() * line(unit) + line(unit);
        var drawn = new BufferedImage(width, height + below, BufferedImage.TYPE_INT_RGB);
        var mask = areas == null ? null : areas.mask().resize(image.width(), image.height());
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                drawn.setRGB(x, y, colour(image, mask, x / factor, y / factor));
            }
        }
        var graphics = drawn.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        var font = metrics(graphics, (int) (FONT * unit));
        graphics.setStroke(new BasicStroke((float) (2 * unit)));
        for (var mark : shown.marks()) {
            mark(graphics, font, mark, factor, width, height);
        }
        if (below > 0) {
            graphics.setColor(Color.WHITE);
            graphics.fillRect(0, height, width, below);
            graphics.setStroke(new BasicStroke((float) unit));
            legend.forEach(entry -> entry(graphics, font, entry, height, unit));
        }
        graphics.dispose();
        return drawn;
    }

    /// A class in the legend below a picture.
    ///
    /// @param x from the left
    /// @param line from 0
    private record Entry(int kind, String name, int x, int line) {}

    private static int line(double unit) {
        return (int) ((FONT + GAP / 2) * unit);
    }

    /// The classes that are there, one behind the other, in as many lines as they need.
    private static List<Entry> legend(ShownImage.Areas areas, int width, double unit) {
        var there = new boolean[256];
        for (var number : areas.mask().classes()) {
            there[number & 0xFF] = true;
        }
        var scratch = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
        var font = metrics(scratch, (int) (FONT * unit));
        var legend = new ArrayList<Entry>();
        int x = 0, line = 0;
        for (var kind = 0; kind < areas.names().size(); kind++) {
            if (!there[kind]) {
                continue;
            }
            // The square and a gap stand before the name, another gap behind it.
            var square = (int) ((FONT + GAP / 2) * unit);
            var name = font == null ? "" : fitting(areas.names().get(kind), font, width - square);
            var wide = square + (font == null ? 0 : font.stringWidth(name));
            if (x > 0 && x + wide > width) {
                x = 0;
                line++;
            }
            legend.add(new Entry(kind, name, x, line));
            x += wide + (int) (GAP * unit);
        }
        scratch.dispose();
        return legend;
    }

    /// Class 0 has no colour: its square is empty.
    private static void entry(
            Graphics2D graphics, @Nullable FontMetrics font, Entry entry, int below, double unit) {
        int side = (int) (FONT * unit), top = below + entry.line() * line(unit) + (int) (3 * unit);
        var square = new Rectangle2D.Double(entry.x() + unit / 2, top, side - unit, side - unit);
        if (entry.kind() > 0) {
            graphics.setColor(colour(entry.kind()));
            graphics.fill(square);
        }
        graphics.setColor(Color.BLACK);
        graphics.draw(square);
        if (font != null) {
            graphics.drawString(
                    entry.name(),
                    entry.x() + (int) ((FONT + GAP / 2) * unit),
                    top + side - (int) (2 * unit));
        }
    }

    private static int colour(Image image, @Nullable Mask mask, int x, int y) {
        var told = mask == null ? 0 : mask.at(x, y);
        var over = told == 0 || told == Mask.IGNORED ? null : colour(told);
        var rgb = 0;
        for (var c = 0; c < 3; c++) {
            var v = image.at(x, y, c);
            if (over != null) {
                var w = over.getRGB() >> (16 - 8 * c) & 0xFF;
                v = (int) Math.rint(v * (1 - OPACITY) + w * OPACITY);
            }
            rgb = rgb << 8 | v;
        }
        return rgb;
    }

    private static Color colour(int kind) {
        return Color.getHSBColor(Math.max(0, kind) * HUE, 0.9f, 0.95f);
    }

    private static void mark(
            Graphics2D graphics,
            @Nullable FontMetrics font,
            ShownImage.Mark mark,
            int factor,
            int width,
            int height) {
        var box = mark.box();
        graphics.setColor(colour(mark.kind()));
        graphics.draw(
                new Rectangle2D.Double(
                        box.left() * factor,
                        box.top() * factor,
                        box.width() * factor,
                        box.height() * factor));
        if (font == null) {
            return;
        }
        var name = fitting(mark.name(), font, width);
        var wide = font.stringWidth(name) + 4;
        var letter = font.getFont().getSize();
        var left = Math.clamp((long) (box.left() * factor), 0, Math.max(0, width - wide));
        // Above the box, or inside where there is no room above.
        var above = (int) (box.top() * factor) - letter - 3;
        var top = Math.clamp(above < 0 ? (int) (box.top() * factor) : above, 0, height);
        graphics.fillRect(left, top, wide, letter + 3);
        graphics.setColor(Color.BLACK);
        graphics.drawString(name, left + 2, top + letter);
    }

    private static String fitting(String text, FontMetrics font, int width) {
        var line = text.replace('\n', ' ');
        if (font.stringWidth(line) <= width) {
            return line;
        }
        var end = line.length();
        while (end > 0 && font.stringWidth(line.substring(0, end) + "…") > width) {
            end--;
        }
        return line.substring(0, end) + "…";
    }

    /// Null where the system has no font, which Java tells by an error.
    private static @Nullable FontMetrics metrics(Graphics2D graphics, int letter) {
        try {
            graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, letter));
            return graphics.getFontMetrics();
        } catch (RuntimeException | LinkageError | InternalError e) {
            return null;
        }
    }

    private static byte[] png(BufferedImage image) {
        var out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }
}
