/// Files: JSON in the one style that we write, atomic writes, hashes. Nothing here knows what the
/// files mean.
@org.jspecify.annotations.NullMarked
package dev.espalier.io;
