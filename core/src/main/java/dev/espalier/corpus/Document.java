package dev.espalier.corpus;

import java.util.Map;

/// One unit of meaning, still readable by a person.
///
/// @param id names the document within its source and stays the same when others are added: the
///   file, `file#line` for a record of a file, `file#part` for a piece of a file too long to be
///   held
/// @param metadata where it comes from; [#FILE] is always there
public record Document(String id, Content content, Map<String, String> metadata) {
    /// The key of the file's path.
    public static final String FILE = "file";

    /// The key of a piece's number, from 1, where a file is delivered in pieces.
    public static final String PART = "part";

    /// The key that says that further pieces of the same file follow.
    public static final String CONTINUES = "continues";

    public Document {
        metadata = Map.copyOf(metadata);
    }

    /// The text, the only kind of content so far.
    public String text() {
        return switch (content) {
            case Content.Text(var text) -> text;
        };
    }

    /// The id of the whole that this is a piece of; its own where it is whole.
    public String wholeId() {
        var part = metadata.get(PART);
        return part == null ? id : id.substring(0, id.length() - part.length() - 1);
    }

    /// Whether the same whole goes on in the next document.
    public boolean continues() {
        return metadata.containsKey(CONTINUES);
    }
}
