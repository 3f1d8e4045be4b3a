package dev.espalier.report;

import dev.espalier.evaluate.ConfusionMatrix;
import dev.espalier.evaluate.Interval;
import java.util.List;

/// A part of a section. All text is plain text, whatever it holds.
public sealed interface Block {
    record Paragraph(String text) implements Block {}

    /// Lines over a numeric axis. Series of up to 24 points show each point, with its interval as a
    /// bar; longer ones show a line, with the intervals as a band. A series has the colour of its
    /// place, so that one without points keeps those of the others as in a chart where it has some.
    ///
    /// @param note says what band, bars and smoothing mean; may be empty
    /// @param fromZero whether the y axis begins at 0, so that small changes look small
    /// @param logX whether the x axis is logarithmic; points at or below 0 are left out then
    record LineChart(
            String title,
            String note,
            String xLabel,
            String yLabel,
            boolean logX,
            boolean fromZero,
            List<Series> series)
            implements Block {
        public LineChart {
            series = List.copyOf(series);
        }
    }

    record Series(String name, List<Point> points) {
        public Series {
            points = List.copyOf(points);
        }
    }

    /// A point and the ends of its interval, which are not finite where there is none. A value that
    /// is not finite leaves a gap.
    record Point(double x, double value, double low, double high) {
        public Point(double x, double value) {
            this(x, value, Double.NaN, Double.NaN);
        }

        public Point(double x, Interval y) {
            this(x, y.value(), y.low(), y.high());
        }

        boolean hasInterval() {
            return Double.isFinite(low) && Double.isFinite(high);
        }
    }

    /// Values with intervals, a row for each thing that is compared, a colour for each condition.
    ///
    /// @param conditions the names of the colours
    record DotChart(
            String title, String note, String xLabel, List<String> conditions, List<Row> rows)
            implements Block {
        public DotChart {
            conditions = List.copyOf(conditions);
            rows = List.copyOf(rows);
        }
    }

    /// @param values one a condition; not finite where there is none
    record Row(String name, List<Interval> values) {
        public Row {
            values = List.copyOf(values);
        }
    }

    /// A table; columns of numbers are aligned to the right.
    record Table(String caption, List<String> columns, List<List<String>> rows) implements Block {
        public Table {
            columns = List.copyOf(columns);
            rows = rows.stream().map(List::copyOf).toList();
            for (var row : rows) {
                if (row.size() != columns.size()) {
                    throw new IllegalArgumentException(
                            row.size() + " cells under " + columns.size() + " columns");
                }
            }
        }
    }

    record Matrix(String caption, ConfusionMatrix counts) implements Block {}

    record Samples(String caption, List<Sample> samples) implements Block {
        public Samples {
            samples = List.copyOf(samples);
        }
    }

    /// @param prompt what was given; may be empty
    /// @param text what the model made of it
    /// @param note where it comes from; may be empty
    record Sample(String prompt, String text, String note) {}

    /// Pictures beside one another, each as large as its pixels.
    record Pictures(String caption, List<Picture> pictures) implements Block {
        public Pictures {
            pictures = List.copyOf(pictures);
        }
    }

    /// A picture.
    ///
    /// @param png the bytes of a PNG
    /// @param note what stands below it
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    record Picture(byte[] png, String note) {}

    record Definitions(List<Definition> entries) implements Block {
        public Definitions {
            entries = List.copyOf(entries);
        }
    }

    record Definition(String term, String value) {}
}
