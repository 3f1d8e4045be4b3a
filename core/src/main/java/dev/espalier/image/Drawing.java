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

    /// A picture as PNG, at least as wide as a person needs it.
    public static byte[] png(ShownImage shown) {
        return png(drawn(shown));
    }

    /// Pictures in rows, each over its caption, as PNG.
    ///
    /// @param columns at most so many beside one another
    public static byte[] sheet(List<ShownImage> pictures, int columns) {
        var drawn = pictures.stream().map(Drawing::drawn).toList();
        var width = drawn.stream().mapToInt(BufferedImage::getWidth).max().orElseThrow();
        var height = drawn.stream().mapToInt(BufferedImage::getHeight).max().orElseThrow();
        var across = Math.min(columns, drawn.size());
        var line = FONT + GAP;
        var cellHeight = height + line + GAP;
        var sheet =
                new BufferedImage(
                        GAP + across * (width + GAP),
                        GAP + Math.ceilDiv(drawn.size(), across) * cellHeight,
                        BufferedImage.TYPE_INT_RGB);
        var graphics = sheet.createGraphics();
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
        var font = metrics(graphics);
        graphics.setColor(Color.BLACK);
        for (var i = 0; i < drawn.size(); i++) {
            var x = GAP + i % across * (width + GAP);
            var y = GAP + i / across * cellHeight;
            graphics.drawImage(drawn.get(i), x, y, null);
            if (font != null) {
                var caption = fitting(pictures.get(i).caption(), font, width);
                graphics.drawString(caption, x, y + height + FONT + GAP / 3);
            }
        }
        graphics.dispose();
        return png(sheet);
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
        var drawn = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        var mask = shown.mask() == null ? null : shown.mask().resize(image.width(), image.height());
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                drawn.setRGB(x, y, colour(image, mask, x / factor, y / factor));
            }
        }
        var graphics = drawn.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        graphics.setStroke(new BasicStroke(2));
        var font = metrics(graphics);
        for (var mark : shown.marks()) {
            mark(graphics, font, mark, factor, width, height);
        }
        graphics.dispose();
        return drawn;
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
        var left = Math.clamp((long) (box.left() * factor), 0, Math.max(0, width - wide));
        // Above the box, or inside where there is no room above.
        var above = (int) (box.top() * factor) - FONT - 3;
        var top = Math.clamp(above < 0 ? (int) (box.top() * factor) : above, 0, height);
        graphics.fillRect(left, top, wide, FONT + 3);
        graphics.setColor(Color.BLACK);
        graphics.drawString(name, left + 2, top + FONT);
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
    private static @Nullable FontMetrics metrics(Graphics2D graphics) {
        try {
            graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, FONT));
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
