/// Writing text with a [dev.espalier.model.Decoder]: choosing tokens from its scores, the loop with
/// its key-value cache, stop strings, and text given out while it is written.
///
/// [dev.espalier.generate.Generator] works on texts, [dev.espalier.generate.TokenGenerator] under
/// it on token ids.
@org.jspecify.annotations.NullMarked
package dev.espalier.generate;
