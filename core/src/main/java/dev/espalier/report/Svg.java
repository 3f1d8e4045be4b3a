package dev.espalier.report;

import dev.espalier.evaluate.Interval;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import org.jspecify.annotations.Nullable;

/// Charts as inline SVG, coloured by the page's style sheet. `docs/decisions/040-own-svg.md` says
/// why there is no library here.
final class Svg {
    static final int WIDE = 720;
    static final int NARROW = 340;

    /// Colours that the style sheet has. More series begin again with dashes; with four kinds of
    /// marks 28 differ in their points, too.
    static final int COLOURS = 7;

    /// Where names stand at the lines' ends, how much of its line stands before each, if series
    /// share colours.
    private static final int KEY = 30;

    private static final int POINTS_SHOWN = 24;
    private static final double FONT = 12;
    private static final double LINE = 16;

    private final StringBuilder out = new StringBuilder();
    private final int width;

    private Svg(int width) {
        this.width = width;
    }

    static String lines(Block.LineChart chart, int width) {
        return new Svg(width).draw(chart);
    }

    /// A chart as a file of its own, with the style sheet that it is coloured by.
    static String alone(String chart, String style) {
        return chart.replaceFirst("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ")
                .replaceFirst(
                        ">",
                        Matcher.quoteReplacement(
                                "><style>\n" + style + "svg{background:var(--paper)}</style>\n"));
    }

    static String dots(Block.DotChart chart, int width) {
        return new Svg(width).draw(chart);
    }

    private String draw(Block.LineChart chart) {
        var all =
                chart.series().stream()
                        .flatMap(s -> s.points().stream())
                        .filter(p -> usable(chart, p))
                        .toList();
        if (all.isEmpty()) {
            return "";
        }
        var wide = width == WIDE;
        double height = wide ? 300 : 240, top = 30, bottom = height - 46;
        var low = Double.POSITIVE_INFINITY;
        var high = Double.NEGATIVE_INFINITY;
        for (var point : all) {
            low =
                    Math.min(
                            low,
                            point.hasInterval()
                                    ? Math.min(point.low(), point.value())
                                    : point.value());
            high =
                    Math.max(
                            high,
                            point.hasInterval()
                                    ? Math.max(point.high(), point.value())
                                    : point.value());
        }
        var y = Axis.linear(chart.fromZero() && low > 0 ? 0 : low, high, 5, bottom, top);
        var left = 12 + y.ticks().stream().mapToDouble(t -> textWidth(y.label(t))).max().orElse(20);
        var labelled = wide && chart.series().size() > 1;
        var key = chart.series().size() > COLOURS ? KEY : 0;
        var right =
                width
                        - (labelled
                                ? 16
                                        + key
                                        + Math.min(
                                                170,
                                                chart.series().stream()
                                                        .mapToDouble(s -> textWidth(s.name()))
                                                        .max()
                                                        .orElse(0))
                                : 16);
        var x = xAxis(chart, all, left, right);
        open(height, chart.title(), summary(chart));
        for (var tick : y.ticks()) {
            line("grid", left, y.pixel(tick), right, y.pixel(tick));
            text("tick end", left - 8, y.pixel(tick) + 4, y.label(tick));
        }
        text("label", 0, 12, chart.yLabel());
        xTicks(x, bottom, chart.xLabel());
        for (var s = 0; s < chart.series().size(); s++) {
            var points =
                    chart.series().get(s).points().stream()
                            .filter(p -> !chart.logX() || p.x() > 0)
                            .sorted(Comparator.comparingDouble(Block.Point::x))
                            .toList();
            series(points, s, x, y);
        }
        if (labelled) {
            endLabels(chart, y, right + 8, key, top, bottom);
        }
        return close();
    }

    private static boolean usable(Block.LineChart chart, Block.Point p) {
        return Double.isFinite(p.x()) && Double.isFinite(p.value()) && (!chart.logX() || p.x() > 0);
    }

    private Axis xAxis(Block.LineChart chart, List<Block.Point> all, double left, double right) {
        var min = all.stream().mapToDouble(Block.Point::x).min().orElseThrow();
        var max = all.stream().mapToDouble(Block.Point::x).max().orElseThrow();
        var few = all.stream().map(Block.Point::x).distinct().sorted().toList();
        if (chart.logX()) {
            var axis = Axis.log(min, max, left + 14, right - 14);
            return few.size() <= 6 ? axis.at(few) : axis;
        }
        return Axis.linear(min, max, width == WIDE ? 7 : 4, left, right).endingAt(max);
    }

    private void xTicks(Axis x, double bottom, String label) {
        line("axis", Math.min(x.from(), x.pixel(x.low())), bottom, x.to(), bottom);
        var free = Double.NEGATIVE_INFINITY;
        for (var tick : x.ticks()) {
            double at = x.pixel(tick), half = textWidth(x.label(tick)) / 2;
            line("axis", at, bottom, at, bottom + 4);
            if (at - half > free) {
                text("tick middle", Math.min(at, width - half), bottom + 18, x.label(tick));
                free = at + half + 6;
            }
        }
        text("label middle", (x.from() + x.to()) / 2, bottom + 38, label);
    }

    private void series(List<Block.Point> points, int index, Axis x, Axis y) {
        var colour = "c" + index % COLOURS;
        var style = style(index);
        var shown = points.size() <= POINTS_SHOWN;
        if (!shown
                && points.stream().allMatch(p -> p.hasInterval() && Double.isFinite(p.value()))) {
            var band = new StringBuilder();
            points.forEach(p -> band.append(at(x.pixel(p.x()), y.pixel(p.high()))));
            points.reversed().forEach(p -> band.append(at(x.pixel(p.x()), y.pixel(p.low()))));
            out.append("<polygon class=\"band ").append(colour).append("\" points=\"");
            out.append(band.toString().strip()).append("\"/>");
        }
        var run = new StringBuilder();
        for (var p : points) {
            if (Double.isFinite(p.value())) {
                run.append(at(x.pixel(p.x()), y.pixel(p.value())));
                if (shown && p.hasInterval()) {
                    line(
                            "bar " + colour,
                            x.pixel(p.x()),
                            y.pixel(p.low()),
                            x.pixel(p.x()),
                            y.pixel(p.high()));
                }
                if (shown) {
                    mark(index, x.pixel(p.x()), y.pixel(p.value()));
                }
            } else {
                polyline(run, style);
                run.setLength(0);
            }
        }
        polyline(run, style);
    }

    /// Of a series' line.
    private static String style(int index) {
        return "line c" + index % COLOURS + (index < COLOURS ? "" : " dashed");
    }

    private void polyline(StringBuilder points, String style) {
        if (!points.isEmpty()) {
            out.append("<polyline class=\"").append(style).append("\" points=\"");
            out.append(points.toString().strip()).append("\"/>");
        }
    }

    /// A circle, a square, a diamond or a triangle, so that colour is not all that tells apart.
    private void mark(int index, double x, double y) {
        var colour = "mark c" + index % COLOURS;
        var shape =
                switch (index % 4) {
                    case 0 -> null;
                    case 1 -> new double[][] {{-3.5, -3.5}, {3.5, -3.5}, {3.5, 3.5}, {-3.5, 3.5}};
                    case 2 -> new double[][] {{0, -5}, {5, 0}, {0, 5}, {-5, 0}};
                    default -> new double[][] {{0, -4.8}, {4.6, 3.6}, {-4.6, 3.6}};
                };
        if (shape == null) {
            out.append(
                    String.format(
                            Locale.ROOT,
                            "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>",
                            colour,
                            x,
                            y));
        } else {
            polygon(colour, shape, x, y);
        }
    }

    private void polygon(String style, double[][] shape, double x, double y) {
        var points = new StringBuilder();
        for (var corner : shape) {
            points.append(at(x + corner[0], y + corner[1]));
        }
        out.append("<polygon class=\"").append(style).append("\" points=\"");
        out.append(points.toString().strip()).append("\"/>");
    }

    /// A label that begins at `y`, and the series it names.
    private static final class EndLabel {
        final int series;
        final String name;
        double y;

        EndLabel(int series, String name, double y) {
            this.series = series;
            this.name = name;
            this.y = y;
        }
    }

    /// Names at the lines' ends, pushed apart where they would overlap.
    private void endLabels(
            Block.LineChart chart, Axis y, double left, double key, double top, double bottom) {
        var labels = new ArrayList<EndLabel>();
        for (var s = 0; s < chart.series().size(); s++) {
            var series = chart.series().get(s);
            lastPoint(chart, series, s, y, labels);
        }
        labels.sort(Comparator.comparingDouble(l -> l.y));
        for (var i = 1; i < labels.size(); i++) {
            labels.get(i).y = Math.max(labels.get(i).y, labels.get(i - 1).y + LINE);
        }
        var limit = bottom + 4;
        for (var i = labels.size() - 1; i >= 0; i--) {
            labels.get(i).y = Math.max(top + 4, Math.min(labels.get(i).y, limit));
            limit = labels.get(i).y - LINE;
        }
        for (var label : labels) {
            if (key > 0) {
                line(style(label.series), left, label.y, left + key - 6, label.y);
                mark(label.series, left + key / 2 - 3, label.y);
            }
            text(
                    "name c" + label.series % COLOURS,
                    left + key,
                    label.y + 4,
                    shorten(label.name, 170));
        }
    }

    private static void lastPoint(
            Block.LineChart chart, Block.Series series, int index, Axis y, List<EndLabel> labels) {
        Block.@Nullable Point last = null;
        for (var p : series.points()) {
            if (usable(chart, p) && (last == null || p.x() >= last.x())) {
                last = p;
            }
        }
        if (last != null) {
            labels.add(new EndLabel(index, series.name(), y.pixel(last.value())));
        }
    }

    private String draw(Block.DotChart chart) {
        var values =
                chart.rows().stream()
                        .flatMap(r -> r.values().stream())
                        .filter(v -> Double.isFinite(v.value()))
                        .toList();
        if (values.isEmpty()) {
            return "";
        }
        var wide = width == WIDE;
        var names = chart.rows().stream().mapToDouble(r -> textWidth(r.name())).max().orElse(0);
        var left = wide ? Math.min(220, names + 18) : 12;
        double above = wide ? 0 : LINE + 2,
                row = above + 13.0 * chart.conditions().size() + 15,
                top = 8;
        double bottom = top + row * chart.rows().size(), height = bottom + 46, right = width - 16;
        var low =
                values.stream()
                        .mapToDouble(v -> Double.isFinite(v.low()) ? v.low() : v.value())
                        .min()
                        .orElseThrow();
        var high =
                values.stream()
                        .mapToDouble(v -> Double.isFinite(v.high()) ? v.high() : v.value())
                        .max()
                        .orElseThrow();
        // Shares of a whole begin at nothing, unless all are far from it.
        var x =
                Axis.linear(
                        low >= 0 && low < 0.7 * high ? 0 : low, high, wide ? 7 : 5, left, right);
        open(height, chart.title(), summary(chart));
        for (var tick : x.ticks()) {
            line("grid", x.pixel(tick), top, x.pixel(tick), bottom);
        }
        for (var r = 0; r < chart.rows().size(); r++) {
            var item = chart.rows().get(r);
            var start = top + r * row;
            if (r > 0) {
                line("grid", wide ? 0 : left, start, right, start);
            }
            if (wide) {
                text("name", 0, start + row / 2 + 4, shorten(item.name(), 205));
            } else {
                text("name", left, start + 15, shorten(item.name(), width - 30.0));
            }
            for (var c = 0; c < item.values().size(); c++) {
                dot(item.values().get(c), c, x, start + above + 14 + 13.0 * c);
            }
        }
        xTicks(x, bottom, chart.xLabel());
        return close();
    }

    private void dot(Interval value, int condition, Axis x, double y) {
        if (!Double.isFinite(value.value())) {
            return;
        }
        if (Double.isFinite(value.low()) && Double.isFinite(value.high())) {
            line("bar c" + condition % COLOURS, x.pixel(value.low()), y, x.pixel(value.high()), y);
        }
        mark(condition, x.pixel(value.value()), y);
    }

    /// What someone who cannot see the chart is told.
    private static String summary(Block.LineChart chart) {
        var text = new StringBuilder(chart.yLabel() + " over " + chart.xLabel() + ".");
        for (var series : chart.series()) {
            var points = series.points().stream().filter(p -> Double.isFinite(p.value())).toList();
            if (!points.isEmpty()) {
                text.append(' ').append(series.name()).append(": from ");
                text.append(Numbers.fixed(points.getFirst().value(), 3)).append(" to ");
                text.append(Numbers.fixed(points.getLast().value(), 3)).append('.');
            }
        }
        return text.toString();
    }

    private static String summary(Block.DotChart chart) {
        var text = new StringBuilder(chart.xLabel() + ".");
        for (var row : chart.rows()) {
            for (var c = 0; c < row.values().size(); c++) {
                if (Double.isFinite(row.values().get(c).value())) {
                    text.append(' ')
                            .append(row.name())
                            .append(", ")
                            .append(chart.conditions().get(c))
                            .append(": ");
                    text.append(Numbers.fixed(row.values().get(c).value(), 1)).append('.');
                }
            }
        }
        return text.toString();
    }

    private void open(double height, String title, String description) {
        out.append(
                String.format(
                        Locale.ROOT,
                        "<svg role=\"img\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\"><title>%s</title><desc>%s</desc>",
                        width,
                        height,
                        width,
                        height,
                        HtmlReport.escape(title),
                        HtmlReport.escape(description)));
    }

    private String close() {
        return out.append("</svg>").toString();
    }

    private void line(String style, double x1, double y1, double x2, double y2) {
        out.append(
                String.format(
                        Locale.ROOT,
                        "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                        style,
                        x1,
                        y1,
                        x2,
                        y2));
    }

    private void text(String style, double x, double y, String text) {
        out.append(
                String.format(
                        Locale.ROOT,
                        "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>",
                        style,
                        x,
                        y,
                        HtmlReport.escape(text)));
    }

    private static String at(double x, double y) {
        return String.format(Locale.ROOT, "%.1f,%.1f ", x, y);
    }

    /// An estimate, since the reader's font is not known: on the wide side.
    private static double textWidth(String text) {
        return TextTable.width(text) * FONT * 0.58;
    }

    private static String shorten(String text, double most) {
        var characters = (int) (most / (FONT * 0.58));
        return text.codePointCount(0, text.length()) <= characters
                ? text
                : text.substring(0, text.offsetByCodePoints(0, characters - 1)) + "…";
    }
}
