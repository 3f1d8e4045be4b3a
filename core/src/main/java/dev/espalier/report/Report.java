package dev.espalier.report;

import java.util.List;

/// A report: what was found, then the evidence.
///
/// @param title what the report is about
/// @param subtitle when and where it was made
/// @param verdict the finding in one or two sentences; may be empty
/// @param figures the few numbers to remember
public record Report(
        String title,
        String subtitle,
        String verdict,
        List<Figure> figures,
        List<Section> sections) {
    public Report {
        figures = List.copyOf(figures);
        sections = List.copyOf(sections);
    }

    /// A number to remember.
    ///
    /// @param label what it is
    /// @param value the number with its unit
    /// @param note what it is to be compared with; may be empty
    public record Figure(String label, String value, String note) {}

    public record Section(String title, List<Block> blocks) {
        public Section {
            blocks = List.copyOf(blocks);
        }

        public Section(String title, Block... blocks) {
            this(title, List.of(blocks));
        }
    }
}
