package dev.espalier.generate;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What a model wrote after one prompt.
///
/// @param text what was written, without the prompt, a stop string, or tokens that stand for no
///   text
/// @param ids all tokens that were written: the one that ends the text, and those of a stop string,
///   are among them
/// @param ending why it ends there
/// @param score what beam search ranks it by; null without beams
public record Generated(String text, int[] ids, Ending ending, @Nullable Double score) {
    /// Why a text ends.
    public enum Ending {
        /// The model ended it.
        END_OF_TEXT,
        /// A stop string followed.
        STOP_STRING,
        /// It has as many tokens as were asked for.
        LENGTH,
        /// Prompt and text fill the model's context.
        CONTEXT;

        /// As programs are told it, such as `stop-string`.
        public String word() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }
}
