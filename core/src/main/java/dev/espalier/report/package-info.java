/// What a person looks at when a run is over: an immutable [Report] of sections and blocks, written
/// as one HTML file that needs no network, no script and no fonts ([HtmlReport]), the builders of
/// the reports that Espalier makes itself ([RunReport]), and tables for a terminal ([TextTable]).
@org.jspecify.annotations.NullMarked
package dev.espalier.report;
