package dev.espalier.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Interval;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xml.sax.InputSource;

class HtmlReportTest {
    private static Report everywhere(String text) {
        return new Report(
                text,
                text,
                text,
                List.of(new Report.Figure(text, text, text)),
                List.of(
                        new Report.Section(
                                text,
                                new Block.Paragraph(text),
                                new Block.LineChart(
                                        text,
                                        text,
                                        text,
                                        text,
                                        false,
                                        true,
                                        List.of(
                                                new Block.Series(
                                                        text,
                                                        List.of(
                                                                new Block.Point(1, 2),
                                                                new Block.Point(2, 1))),
                                                new Block.Series(
                                                        text,
                                                        List.of(new Block.Point(1, 3, 2, 4))))),
                                new Block.DotChart(
                                        text,
                                        text,
                                        text,
                                        List.of(text, text),
                                        List.of(
                                                new Block.Row(
                                                        text,
                                                        List.of(
                                                                new Interval(1, 0, 2),
                                                                new Interval(1, 0, 2))))),
                                new Block.Table(
                                        text, List.of(text, text), List.of(List.of(text, "1"))),
                                new Block.Matrix(
                                        text,
                                        ConfusionMatrix.of(
                                                List.of(text, "b"),
                                                new int[] {0, 1},
                                                new int[] {1, 1})),
                                new Block.Samples(
                                        text, List.of(new Block.Sample(text, text, text))),
                                new Block.Pictures(
                                        text,
                                        List.of(new Block.Picture(new byte[] {1, 2, 3}, text))),
                                new Block.Definitions(List.of(new Block.Definition(text, text))))));
    }

    /// Read as XML once the doctype and the void elements are out of the way: an escape that were
    /// missed breaks it.
    private static org.w3c.dom.Document parse(String html) throws Exception {
        var xml =
                html.replace("<!DOCTYPE html>", "")
                        .replaceAll("<meta [^>]*>", "")
                        .replaceAll(
                                "(<img alt=\"[^\"]*\" src=\"data:image/png;base64,AQID\")>",
                                "$1/>");
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(xml)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "<script>alert(1)</script>",
                "\"><img src=x onerror=alert(1)>",
                "' onload='alert(1)",
                "</style></title><b>&amp;",
                "]]>--><!-- %s %d {{x}} ${y}",
                "a\u0000b\u0007\ud800c\uffff\u202eevil\u001b[31m"
            })
    void hostileTextIsShownAsText(String text) throws Exception {
        var html = HtmlReport.render(everywhere(text));
        var document = parse(html);
        for (var tag : List.of("script", "b")) {
            assertThat(document.getElementsByTagName(tag).getLength()).as(tag).isZero();
        }
        // The report's own, which holds its bytes.
        assertThat(document.getElementsByTagName("img").getLength()).isEqualTo(1);
        var elements = document.getElementsByTagName("*");
        for (var e = 0; e < elements.getLength(); e++) {
            var attributes = elements.item(e).getAttributes();
            for (var a = 0; a < attributes.getLength(); a++) {
                assertThat(attributes.item(a).getNodeName()).doesNotStartWith("on");
            }
        }
        var shown =
                text.codePoints()
                        .map(c -> c < 0x20 || c == 0xd800 || c == 0xffff ? 0xfffd : c)
                        .collect(
                                StringBuilder::new,
                                StringBuilder::appendCodePoint,
                                StringBuilder::append)
                        .toString();
        assertThat(document.getElementsByTagName("h1").item(0).getTextContent()).isEqualTo(shown);
        assertThat(document.getElementsByTagName("blockquote").item(0).getTextContent())
                .isEqualTo(shown + shown);
    }

    /// As a file of its own a chart is XML of its name space, with the colours that it needs.
    @Test
    void aChartIsAPictureOfItsOwn(@TempDir Path folder) throws Exception {
        var series =
                new Block.Series("a < b", List.of(new Block.Point(1, 50), new Block.Point(2, 70)));
        var file = folder.resolve("chart.svg");
        HtmlReport.writeChart(
                file,
                new Block.LineChart("t", "", "labels", "%", true, false, List.of(series, series)));
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        var root = factory.newDocumentBuilder().parse(file.toFile()).getDocumentElement();
        assertThat(root.getNamespaceURI()).isEqualTo("http://www.w3.org/2000/svg");
        assertThat(root.getElementsByTagName("polyline").getLength()).isEqualTo(2);
        var style = root.getElementsByTagName("style").item(0).getTextContent();
        for (var name : List.of("--k0:", "--k1:", "svg .line", ".c1{")) {
            assertThat(style).contains(name);
        }
        assertThat(root.getTextContent()).contains("a < b");
    }

    /// As many lines as a study has ways, and more, differ in colour or dashes, their points in
    /// colour or mark, and all that tells them apart is in the style sheet.
    @Test
    void manySeriesAreToldApart(@TempDir Path folder) throws Exception {
        var series = new ArrayList<Block.Series>();
        for (var i = 0; i < 14; i++) {
            series.add(
                    new Block.Series(
                            "way " + i, List.of(new Block.Point(1, i), new Block.Point(2, i + 3))));
        }
        for (var n : List.of(7, 14)) {
            var file = folder.resolve(n + ".svg");
            HtmlReport.writeChart(
                    file,
                    new Block.LineChart("t", "", "x", "y", true, false, series.subList(0, n)));
            var root =
                    DocumentBuilderFactory.newInstance()
                            .newDocumentBuilder()
                            .parse(file.toFile())
                            .getDocumentElement();
            var style = root.getElementsByTagName("style").item(0).getTextContent();
            var lines = root.getElementsByTagName("polyline");
            var classes = new java.util.HashSet<String>();
            for (var i = 0; i < lines.getLength(); i++) {
                classes.add(lines.item(i).getAttributes().getNamedItem("class").getNodeValue());
            }
            assertThat(lines.getLength()).isEqualTo(n);
            assertThat(classes).hasSize(n);
            classes.stream()
                    .flatMap(c -> java.util.Arrays.stream(c.split(" ")))
                    .forEach(c -> assertThat(style).contains("." + c + "{"));
        }
        // No two colours are one.
        var colours =
                java.util.regex.Pattern.compile("--k\\d:(#\\w+)")
                        .matcher(Files.readString(folder.resolve("7.svg")))
                        .results()
                        .map(m -> m.group(1))
                        .toList();
        assertThat(colours).hasSize(2 * 7).doesNotHaveDuplicates();
    }

    /// One way has one colour in all charts of a page, those too where others have no points.
    @Test
    void aSeriesWithoutPointsKeepsItsColour() throws Exception {
        var points = List.of(new Block.Point(1, 50), new Block.Point(2, 70));
        var chart =
                new Block.LineChart(
                        "t",
                        "",
                        "x",
                        "y",
                        false,
                        false,
                        List.of(
                                new Block.Series("unseen", List.of()),
                                new Block.Series("second", points),
                                new Block.Series("third", points)));
        var html =
                HtmlReport.render(
                        new Report(
                                "t", "", "", List.of(), List.of(new Report.Section("s", chart))));
        parse(html);
        assertThat(html)
                .contains("<span class=\"c1\">■</span> second", "\"line c1\"", "\"line c2\"")
                .doesNotContain("unseen", "\"line c0\"");
    }

    @Test
    void needsNothingFromElsewhere(@TempDir Path folder) throws Exception {
        for (var report :
                List.of(Examples.quickstart(), Examples.pretraining(), Examples.finetuning())) {
            var file = folder.resolve("report.html");
            HtmlReport.write(file, report);
            var html = Files.readString(file);
            assertThat(html)
                    .doesNotContain(
                            "http://",
                            "https://",
                            "url(",
                            "@import",
                            "<script",
                            "src=",
                            "NaN",
                            "Infinity");
            assertThat(html.length()).isLessThan(300_000);
            var document = parse(html);
            var charts = document.getElementsByTagName("svg");
            assertThat(charts.getLength()).isGreaterThan(4);
            for (var c = 0; c < charts.getLength(); c++) {
                assertThat(charts.item(c).getAttributes().getNamedItem("role").getNodeValue())
                        .isEqualTo("img");
                assertThat(charts.item(c).getFirstChild().getNodeName()).isEqualTo("title");
            }
            var tables = document.getElementsByTagName("table");
            for (var t = 0; t < tables.getLength(); t++) {
                assertThat(tables.item(t).getTextContent().strip()).isNotEmpty();
                assertThat(
                                ((org.w3c.dom.Element) tables.item(t))
                                        .getElementsByTagName("caption")
                                        .getLength())
                        .isOne();
            }
        }
    }

    @Test
    void chartsWithoutUsableFiguresSaySo() throws Exception {
        var empty =
                new Block.LineChart(
                        "t",
                        "",
                        "x",
                        "y",
                        true,
                        true,
                        List.of(
                                new Block.Series(
                                        "s",
                                        List.of(
                                                new Block.Point(0, 1),
                                                new Block.Point(1, Double.NaN)))));
        var html =
                HtmlReport.render(
                        new Report(
                                "t", "", "", List.of(), List.of(new Report.Section("s", empty))));
        assertThat(html).contains("nothing to draw");
        parse(html);
        parse(
                HtmlReport.render(
                        RunReport.pretraining(
                                new RunReport.Heading("n", "", List.of(), "tokens"),
                                List.of(),
                                List.of(),
                                List.of(),
                                List.of())));
    }

    @Test
    void manyLabelsBecomeTheirConfusions() {
        var labels = new ArrayList<String>();
        for (var i = 0; i < 150; i++) {
            labels.add("intent-" + i);
        }
        var html =
                HtmlReport.render(
                        new Report(
                                "t",
                                "",
                                "",
                                List.of(),
                                List.of(
                                        new Report.Section(
                                                "s",
                                                new Block.Matrix(
                                                        "m", Examples.confusion(labels))))));
        assertThat(html).contains("most frequent confusions").doesNotContain("class=\"matrix\"");
    }

    @Test
    void theVerdictSaysWhetherPreTrainingHelped() {
        assertThat(Examples.quickstart().verdict())
                .contains(
                        "With 64 labels, pre-training adds 18.8 points of accuracy (95 % interval over 3 seeds:")
                .contains("With 512 labels, pre-training adds 19.1 points");
    }

    /// Writes the examples where -Despalier.examples=DIR says, to be looked at; into a folder that
    /// is thrown away otherwise.
    @Test
    void examplesAreWritten(@TempDir Path folder) {
        var to = Path.of(System.getProperty("espalier.examples", folder.toString()));
        HtmlReport.write(to.resolve("quickstart.html"), Examples.quickstart());
        HtmlReport.write(to.resolve("pretraining.html"), Examples.pretraining());
        HtmlReport.write(to.resolve("finetuning.html"), Examples.finetuning());
        assertThat(to.resolve("quickstart.html")).isNotEmptyFile();
    }
}
