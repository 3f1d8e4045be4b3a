package dev.espalier.recipe;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

@Doc(
        "Labelled records: CSV or TSV with a header line, or JSONL, for tags of words CoNLL, CoNLL-U or JSONL, for"
                + " conversations and preferences JSONL or a JSON list, by the file's ending; `.gz` and `.zst` too; or pictures,"
                + " as the task says.")
public record FinetuneData(
        @Doc("The file of training records, or their folder.") Path train,
        @Doc(
                        value =
                                "The file of validation records; `none` keeps back `validation-share` of the training"
                                        + " records.",
                        byDefault = "none")
                @Nullable Path validation,
        @Doc(
                        value =
                                "The share of the training records, and of those of each label, kept back where there"
                                        + " is no validation file.",
                        byDefault = "10%",
                        in = "(0, 1)")
                double validationShare,
        @Doc(value = "The file of test records, measured once, at the end.", byDefault = "none")
                @Nullable Path test,
        @Doc(
                        value =
                                "How many broken records may be set aside before the run is refused.",
                        byDefault = "100",
                        in = "[0, ∞)")
                long maxRejects) {}
