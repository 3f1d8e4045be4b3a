package dev.espalier.report;

import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.io.AtomicFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/// A [Report] as one HTML file: no script, no request to anywhere, light and dark, for screens of
/// any width and for paper. Whatever the texts hold is shown as text.
public final class HtmlReport {
    /// Beyond so many labels a confusion matrix is shown as its most frequent confusions.
    private static final int MATRIX_LABELS = 16;

    private static final int CONFUSIONS_SHOWN = 20;

    private final StringBuilder out = new StringBuilder();

    private HtmlReport() {}

    public static String render(Report report) {
        return new HtmlReport().page(report);
    }

    public static void write(Path file, Report report) {
        AtomicFiles.write(file, render(report));
    }

    /// `text` for use between tags and in quoted attributes. Characters that HTML forbids become
    /// U+FFFD.
    static String escape(String text) {
        var escaped = new StringBuilder(text.length() + 16);
        text.codePoints()
                .forEach(c -> {
                    switch (c) {
                        case '&' -> escaped.append("&amp;");
                        case '<' -> escaped.append("&lt;");
                        case '>' -> escaped.append("&gt;");
                        case '"' -> escaped.append("&quot;");
                        case '\'' -> escaped.append("&#39;");
                        default -> escaped.appendCodePoint(allowed(c) ? c : 0xFFFD);
                    }
                });
        return escaped.toString();
    }

    private static boolean allowed(int c) {
        return c == '\n'
                || c == '\t'
                || c >= 0x20 && c < 0x7F
                || c >= 0xA0
                        && !(c >= 0xD800 && c <= 0xDFFF)
                        && !(c >= 0xFDD0 && c <= 0xFDEF)
                        && (c & 0xFFFE) != 0xFFFE;
    }

    /// Writes a chart, in which there is something to be seen, as an SVG of its own.
    ///
    /// @throws dev.espalier.EspalierException (SYSTEM) if it cannot be written
    public static void writeChart(Path file, Block.LineChart chart) {
        AtomicFiles.write(file, Svg.alone(Svg.lines(chart, Svg.WIDE), CHARTS));
    }

    private String page(Report report) {
        out.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.append("<meta name=\"color-scheme\" content=\"light dark\">\n");
        // Should an escape ever be missed, the browser still runs and loads nothing.
        out.append(
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n");
        element("title", report.title());
        out.append("<style>\n").append(STYLE).append("</style>\n</head>\n<body>\n<header>\n");
        element("h1", report.title());
        paragraph("subtitle", report.subtitle());
        paragraph("verdict", report.verdict());
        out.append("</header>\n<main>\n");
        figures(report.figures());
        for (var section : report.sections()) {
            out.append("<section>\n");
            element("h2", section.title());
            section.blocks().forEach(this::block);
            out.append("</section>\n");
        }
        out.append("</main>\n</body>\n</html>\n");
        return out.toString();
    }

    private void block(Block block) {
        switch (block) {
            case Block.Paragraph(var text) -> paragraph("text", text);
            case Block.LineChart chart ->
                    chart(
                            chart.title(),
                            chart.note(),
                            chart.series().stream()
                                    .map(s -> s.points().isEmpty() ? "" : s.name())
                                    .toList(),
                            false,
                            Svg.lines(chart, Svg.WIDE),
                            Svg.lines(chart, Svg.NARROW));
            case Block.DotChart chart ->
                    chart(
                            chart.title(),
                            chart.note(),
                            chart.conditions(),
                            true,
                            Svg.dots(chart, Svg.WIDE),
                            Svg.dots(chart, Svg.NARROW));
            case Block.Table table -> table(table);
            case Block.Matrix(var caption, var counts) -> {
                if (counts.labels().size() <= MATRIX_LABELS) {
                    matrix(caption, counts);
                } else {
                    table(confusions(caption, counts));
                }
            }
            case Block.Samples(var caption, var samples) -> samples(caption, samples);
            case Block.Pictures(var caption, var pictures) -> pictures(caption, pictures);
            case Block.Definitions(var entries) -> {
                out.append("<dl>\n");
                for (var entry : entries) {
                    out.append("<div>");
                    element("dt", entry.term());
                    element("dd", entry.value());
                    out.append("</div>\n");
                }
                out.append("</dl>\n");
            }
        }
    }

    private void figures(List<Report.Figure> figures) {
        if (figures.isEmpty()) {
            return;
        }
        // No card should stand alone in its row.
        var columns =
                figures.size() % 4 == 0 || figures.size() % 4 == 3 && figures.size() > 3 ? 4 : 3;
        out.append("<ul class=\"figures\" style=\"--columns:").append(columns).append("\">\n");
        for (var figure : figures) {
            out.append("<li><span class=\"what\">")
                    .append(escape(figure.label()))
                    .append("</span> ");
            out.append("<strong>").append(escape(figure.value())).append("</strong>");
            if (!figure.note().isEmpty()) {
                out.append(" <span class=\"note\">")
                        .append(escape(figure.note()))
                        .append("</span>");
            }
            out.append("</li>\n");
        }
        out.append("</ul>\n");
    }

    /// @param names of the colours in their order; empty for one that is not in the chart
    private void chart(
            String title,
            String note,
            List<String> names,
            boolean legendOnWide,
            String wide,
            String narrow) {
        out.append("<figure>\n<figcaption>").append(escape(title)).append("</figcaption>\n");
        if (wide.isEmpty()) {
            paragraph("note", "There is nothing to draw.");
        } else {
            if (names.size() > 1) {
                out.append(
                        legendOnWide
                                ? "<p class=\"legend\" aria-hidden=\"true\">"
                                : "<p class=\"legend narrow\" aria-hidden=\"true\">");
                for (var i = 0; i < names.size(); i++) {
                    if (names.get(i).isEmpty()) {
                        continue;
                    }
                    out.append("<span class=\"c").append(i % Svg.COLOURS).append("\">");
                    out.append("●■◆▲", i % 4, i % 4 + 1);
                    out.append("</span> ").append(escape(names.get(i))).append(' ');
                }
                out.append("</p>\n");
            }
            out.append("<div class=\"wide\">").append(wide).append("</div>\n");
            out.append("<div class=\"narrow\">").append(narrow).append("</div>\n");
        }
        paragraph("note", note);
        out.append("</figure>\n");
    }

    private void table(Block.Table table) {
        var numeric = TextTable.numericColumns(table.columns().size(), table.rows());
        out.append("<div class=\"scroll\"><table>\n");
        out.append("<caption><span class=\"title\">")
                .append(escape(table.caption()))
                .append("</span></caption>");
        out.append("<thead><tr>");
        for (var c = 0; c < table.columns().size(); c++) {
            out.append(numeric[c] ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">");
            out.append(escape(table.columns().get(c))).append("</th>");
        }
        out.append("</tr></thead>\n<tbody>\n");
        for (var row : table.rows()) {
            out.append("<tr>");
            for (var c = 0; c < row.size(); c++) {
                var cell =
                        c == 0 && !numeric[0]
                                ? "th scope=\"row\""
                                : numeric[c] ? "td class=\"number\"" : "td";
                out.append('<').append(cell).append('>').append(escape(row.get(c)));
                out.append(cell.startsWith("th") ? "</th>" : "</td>");
            }
            out.append("</tr>\n");
        }
        out.append("</tbody></table></div>\n");
    }

    private void matrix(String caption, ConfusionMatrix counts) {
        var n = counts.labels().size();
        out.append("<div class=\"scroll\"><table class=\"matrix\">\n<caption>")
                .append(escape(caption));
        out.append(
                " <span class=\"note\">Rows: the true label; columns: the predicted one.</span></caption>\n");
        out.append("<thead><tr><th scope=\"col\">true label</th>");
        counts.labels()
                .forEach(l ->
                        out.append("<th scope=\"col\" class=\"up\"><span>")
                                .append(escape(l))
                                .append("</span></th>"));
        out.append(
                "<th scope=\"col\" class=\"up\"><span>recall</span></th></tr></thead>\n<tbody>\n");
        for (var truth = 0; truth < n; truth++) {
            out.append("<tr><th scope=\"row\">")
                    .append(escape(counts.labels().get(truth)))
                    .append("</th>");
            var support = Math.max(1L, counts.support(truth));
            for (var predicted = 0; predicted < n; predicted++) {
                var count = counts.count(truth, predicted);
                var share = (double) count / support;
                out.append(
                        String.format(
                                Locale.ROOT,
                                "<td class=\"%s%s\" style=\"--share:%.0f%%\">%s</td>",
                                truth == predicted ? "right" : "wrong",
                                share > 0.55 ? " strong" : "",
                                // The square root lifts the few confusions above the paper.
                                count == 0 ? 0 : 100 * Math.sqrt(share),
                                count == 0 ? "·" : Long.toString(count)));
            }
            out.append("<td class=\"sum\">")
                    .append(Numbers.percent(counts.recall(truth)))
                    .append("</td></tr>\n");
        }
        out.append("</tbody></table></div>\n");
    }

    private record Confusion(int truth, int predicted, long count) {}

    private static Block.Table confusions(String caption, ConfusionMatrix counts) {
        var n = counts.labels().size();
        var rows = new ArrayList<List<String>>();
        IntStream.range(0, n)
                .boxed()
                .flatMap(t ->
                        IntStream.range(0, n)
                                .mapToObj(p -> new Confusion(t, p, counts.count(t, p))))
                .filter(c -> c.truth != c.predicted && c.count > 0)
                .sorted(Comparator.comparingLong((Confusion c) -> -c.count))
                .limit(CONFUSIONS_SHOWN)
                .forEach(c ->
                        rows.add(
                                List.of(
                                        counts.labels().get(c.truth),
                                        counts.labels().get(c.predicted),
                                        Long.toString(c.count),
                                        Numbers.percent(
                                                (double) c.count / counts.support(c.truth)))));
        return new Block.Table(
                caption + ": the most frequent confusions",
                List.of("true label", "predicted", "how often", "of the label"),
                rows);
    }

    private void samples(String caption, List<Block.Sample> samples) {
        out.append("<div class=\"samples\" role=\"group\" aria-label=\"")
                .append(escape(caption))
                .append("\">\n");
        paragraph("caption", caption);
        for (var sample : samples) {
            out.append("<blockquote dir=\"auto\"><span class=\"prompt\">")
                    .append(escape(sample.prompt()));
            out.append("</span>").append(escape(sample.text())).append("</blockquote>\n");
            paragraph("note", sample.note());
        }
        out.append("</div>\n");
    }

    private void pictures(String caption, List<Block.Picture> pictures) {
        out.append("<div class=\"pictures\" role=\"group\" aria-label=\"")
                .append(escape(caption))
                .append("\">\n");
        paragraph("caption", caption);
        for (var picture : pictures) {
            out.append("<figure><img alt=\"")
                    .append(escape(picture.note()))
                    .append("\" src=\"data:image/png;base64,")
                    .append(Base64.getEncoder().encodeToString(picture.png()))
                    .append("\">");
            paragraph("note", picture.note());
            out.append("</figure>\n");
        }
        out.append("</div>\n");
    }

    private void element(String tag, String text) {
        out.append('<')
                .append(tag)
                .append('>')
                .append(escape(text))
                .append("</")
                .append(tag)
                .append('>');
    }

    private void paragraph(String style, String text) {
        if (!text.isEmpty()) {
            out.append("<p class=\"")
                    .append(style)
                    .append("\">")
                    .append(escape(text))
                    .append("</p>\n");
        }
    }

    /// The colours, and what charts need of them.
    private static final String CHARTS =
            """
            :root{--ink:#1c1f22;--soft:#5c646b;--faint:#e4e6e8;--paper:#fff;--card:#f6f7f7;
            --k0:#1f5f8b;--k1:#c2571a;--k2:#2e7d4f;--k3:#8a4f9e;--k4:#6d7278;--k5:#a07a00;--k6:#c2185b;--wrong:#c2571a}
            @media (prefers-color-scheme:dark){:root{--ink:#e6e8ea;--soft:#9ba4ab;--faint:#31363b;--paper:#15181b;
            --card:#1d2125;--k0:#6fb3e0;--k1:#f0975c;--k2:#77c796;--k3:#cf9be0;--k4:#a3aab1;--k5:#dcb84a;--k6:#ff5c8a;--wrong:#f0975c}}
            svg{display:block;max-width:100%;height:auto;overflow:visible;
            font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
            svg text{fill:var(--soft)}svg .end{text-anchor:end}svg .middle{text-anchor:middle}
            svg .name{fill:var(--ink)}
            svg .grid{stroke:var(--faint)}svg .axis{stroke:var(--soft);stroke-opacity:.6}
            .c0{--c:var(--k0)}.c1{--c:var(--k1)}.c2{--c:var(--k2)}.c3{--c:var(--k3)}.c4{--c:var(--k4)}.c5{--c:var(--k5)}.c6{--c:var(--k6)}
            .legend span,svg .name[class*=" c"]{color:var(--c);fill:var(--c)}
            svg .name[class*=" c"]{font-weight:600}
            svg .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
            svg .dashed{stroke-dasharray:6 5}
            svg .band{fill:var(--c);fill-opacity:.16}svg .bar{stroke:var(--c);stroke-width:1.6;stroke-opacity:.65}
            svg .mark{fill:var(--c);stroke:var(--paper);stroke-width:1}
            """;

    private static final String STYLE =
            CHARTS
                    + """
                    *{box-sizing:border-box}
                    body{margin:0 auto;max-width:784px;padding:48px 32px 64px;background:var(--paper);color:var(--ink);
                    font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;
                    overflow-wrap:break-word;-webkit-text-size-adjust:100%}
                    h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;font-weight:650;margin:0 0 4px}
                    h2{font-size:20px;line-height:1.3;letter-spacing:-.005em;font-weight:620;margin:0 0 12px}
                    p{margin:0 0 14px}
                    .subtitle,.note{color:var(--soft);font-size:13.5px;line-height:1.5}
                    .verdict{font-size:19px;line-height:1.5;margin:20px 0 0}
                    section{margin-top:48px;padding-top:22px;border-top:1px solid var(--faint)}
                    section>*+*{margin-top:26px}h2+*{margin-top:0!important}
                    .text{white-space:pre-line;max-width:66ch}
                    .figures{list-style:none;margin:30px 0 0;padding:0;display:grid;gap:12px;
                    grid-template-columns:repeat(var(--columns),1fr)}
                    .figures li{background:var(--card);border-radius:8px;padding:14px 16px 13px}
                    .figures span{display:block;font-size:13px;line-height:1.4;color:var(--soft)}
                    .figures strong{display:block;font-size:25px;line-height:1.3;font-weight:600;letter-spacing:-.015em;
                    font-variant-numeric:tabular-nums}
                    figure{margin:0}figcaption,caption,.caption{font-weight:600;font-size:15px;text-align:left;margin:0 0 8px;padding:0}
                    caption{padding-bottom:8px}caption .title{display:block;max-width:calc(100vw - 32px)}tbody th{min-width:6.5em}caption .note{font-weight:400;display:block}
                    figure .note{margin:6px 0 0;max-width:74ch}
                    .legend{font-size:13px;color:var(--soft);margin:0 0 6px}.legend span{margin-left:12px}
                    .legend span:first-child{margin-left:0}
                    p.narrow,div.narrow{display:none}
                    .scroll{overflow-x:auto}
                    table{border-collapse:collapse;font-size:14.5px;line-height:1.4;font-variant-numeric:tabular-nums;width:100%}
                    th,td{text-align:left;vertical-align:top;padding:7px 22px 7px 0;font-weight:400;border-bottom:1px solid var(--faint)}
                    th:last-child,td:last-child{padding-right:0}
                    thead th{color:var(--soft);font-size:13px;vertical-align:bottom;border-bottom:1px solid var(--soft)}
                    .number{text-align:right;white-space:nowrap}
                    .matrix{width:auto;font-size:12.5px}
                    .matrix th{padding:3px 10px 3px 0;border:0;white-space:nowrap;vertical-align:middle}
                    .matrix thead th{font-size:12.5px;padding-bottom:8px}
                    .matrix .up span{writing-mode:vertical-rl;transform:rotate(180deg);display:inline-block;max-height:200px;overflow:hidden}
                    .matrix th.up{padding:0 0 6px;text-align:center}
                    .matrix td{text-align:center;vertical-align:middle;min-width:36px;height:30px;padding:0 4px;border:1px solid var(--paper);
                    background:color-mix(in srgb,var(--tint) var(--share),var(--card))}
                    .matrix .right{--tint:var(--k0)}.matrix .wrong{--tint:var(--wrong);color:var(--ink)}
                    .matrix .right.strong,.matrix .wrong.strong{color:var(--paper)}
                    .matrix .sum{background:none;text-align:right;padding-left:12px;color:var(--soft);white-space:nowrap}
                    blockquote{margin:0 0 10px;padding:12px 16px;background:var(--card);border-left:3px solid var(--k0);border-radius:0 6px 6px 0;
                    font:15.5px/1.6 Charter,"Bitstream Charter",Georgia,"Liberation Serif",serif;white-space:pre-wrap;unicode-bidi:isolate}
                    .prompt{color:var(--soft)}
                    .pictures{display:flex;flex-wrap:wrap;gap:14px}.pictures .caption{flex-basis:100%;margin:0}
                    .pictures figure{max-width:100%}.pictures img{display:block;max-width:100%}.pictures .note{max-width:24em;white-space:pre-line}
                    dl{margin:0;font-size:14.5px}dl div{display:grid;grid-template-columns:190px 1fr;gap:16px;padding:6px 0;border-bottom:1px solid var(--faint)}
                    dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;white-space:pre-line;font-variant-numeric:tabular-nums}
                    @media (max-width:640px){body{padding:24px 16px 40px}h1{font-size:25px}.verdict{font-size:17px}
                    p.narrow,div.narrow{display:block}div.wide{display:none}
                    .figures{grid-template-columns:1fr 1fr;gap:8px}.figures li{padding:11px 12px}.figures strong{font-size:21px}
                    th,td{padding-right:14px}dl div{grid-template-columns:1fr;gap:0}}
                    @media print{:root{--ink:#000;--soft:#444;--faint:#ccc;--paper:#fff;--card:#f4f4f4;
                    --k0:#1f5f8b;--k1:#c2571a;--k2:#2e7d4f;--k3:#8a4f9e;--k4:#6d7278;--k5:#a07a00;--k6:#c2185b;--wrong:#c2571a}
                    body{max-width:none;padding:0;font-size:11pt}
                    figure,.figures li,blockquote,tr{break-inside:avoid}h2{break-after:avoid}
                    .scroll{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
                    """;
}
