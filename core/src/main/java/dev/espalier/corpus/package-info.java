/// Raw text: where it comes from, how its bytes become characters, and what was set aside on the
/// way.
///
/// A [Source] enumerates [Document]s; everything that is dropped, changed or broken is counted in a
/// [Ledger]. Nothing here knows of tokens.
@org.jspecify.annotations.NullMarked
package dev.espalier.corpus;
