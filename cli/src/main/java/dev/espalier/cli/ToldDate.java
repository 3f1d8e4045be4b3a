package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.tokenize.ChatTemplate;
import java.time.LocalDate;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The date that a chat template tells which asks for one. A `@Mixin`.
final class ToldDate {
    @Option(
            names = "--date",
            paramLabel = "YYYY-MM-DD",
            description =
                    "The date that a chat template tells which asks for one. Default: the one that the"
                            + " model was trained with, or what the template says without.")
    private @Nullable LocalDate date;

    /// `template` on the date that is asked for, with a note where it was trained with another.
    ChatTemplate of(Console console, ChatTemplate template) {
        if (date == null) {
            return template;
        }
        template.date()
                .filter(trained -> !trained.equals(date))
                .ifPresent(trained ->
                        console.note(
                                "--date: the model was trained with %s, and is told %s"
                                        .formatted(trained, date)));
        return template.on(date);
    }

    /// @throws EspalierException (USAGE) if a date is given, for a model that is told none
    void refuse() {
        if (date != null) {
            throw EspalierException.usage("--date is for models that are asked by a chat template");
        }
    }
}
