package dev.espalier.recipe;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Where raw text comes from. Files ending in `.gz` and `.zst` are unpacked on the way.
public sealed interface SourceRecipe {
    /// How much of the training text comes from here, relative to its size: 2 shows it twice as
    /// often.
    double weight();

    @Doc("Plain text files, each a document.")
    record Text(
            @Doc("A file or a glob such as `books/**/*.txt`.") String path,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight,
            @Doc(value = CHARSET, byDefault = "auto", nothing = "auto") @Nullable String charset)
            implements SourceRecipe {}

    @Doc("Markdown files, each a document; the markup is left out.")
    record Markdown(
            @Doc("A file or a glob such as `docs/**/*.md`.") String path,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight,
            @Doc(value = CHARSET, byDefault = "auto", nothing = "auto") @Nullable String charset)
            implements SourceRecipe {}

    @Doc("Files with a JSON object a line, each a document.")
    record Jsonl(
            @Doc("A file or a glob.") String path,
            @Doc(value = "The key of the object that holds the text.", byDefault = "text")
                    String field,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight,
            @Doc(value = CHARSET, byDefault = "auto", nothing = "auto") @Nullable String charset)
            implements SourceRecipe {}

    @Doc("Comma-separated files with a header line; each record is a document.")
    record Csv(
            @Doc("A file or a glob.") String path,
            @Doc(value = "The column that holds the text.", byDefault = "text") String field,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight,
            @Doc(value = CHARSET, byDefault = "auto", nothing = "auto") @Nullable String charset)
            implements SourceRecipe {}

    @Doc("Tab-separated files with a header line; each record is a document.")
    record Tsv(
            @Doc("A file or a glob.") String path,
            @Doc(value = "The column that holds the text.", byDefault = "text") String field,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight,
            @Doc(value = CHARSET, byDefault = "auto", nothing = "auto") @Nullable String charset)
            implements SourceRecipe {}

    @Doc(
            "The documentation comments of a JDK's library sources, as prose; each source file is a document.")
    record Jdk(
            @Doc(
                            value = "The `src.zip`; `auto` takes that of the JDK which runs.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable Path path,
            @Doc(value = WEIGHT, byDefault = "1", in = "(0, 1000]") double weight)
            implements SourceRecipe {}

    @Doc(
            "Pictures without labels: all of a folder and of those in it, or of a file in IDX. For the objective"
                    + " `masked-image`.")
    record Images(@Doc("The folder, or the file.") Path path) implements SourceRecipe {
        @Override
        public double weight() {
            return 1;
        }
    }

    /// The meaning of `weight`, for every kind of source.
    String WEIGHT =
            "How often the text is shown, relative to its size: 2 shows it twice as often as it would be.";

    /// The meaning of `charset`, for every kind of source.
    String CHARSET =
            "The files' character set, such as `UTF-8` or `ISO-8859-1`; `auto` detects it by file.";
}
