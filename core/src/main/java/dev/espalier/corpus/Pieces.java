package dev.espalier.corpus;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import org.jspecify.annotations.Nullable;

/// A file of text as one document, or as several where it is longer than memory should hold.
final class Pieces implements FileSource.Records {
    private final Path file;
    private final TextFile text;
    private final boolean markdown;
    private final Ledger ledger;
    private char[] buffer = new char[1 << 13];
    private final int piece;
    private int filled;
    private int part;
    private boolean ended;

    Pieces(Path file, TextFile text, int piece, boolean markdown, Ledger ledger) {
        this.file = file;
        this.text = text;
        this.piece = piece;
        this.markdown = markdown;
        this.ledger = ledger;
    }

    @Override
    public @Nullable Document next() throws IOException {
        while (!ended) {
            fill();
            var cut = ended ? filled : cut();
            var content = new String(buffer, 0, cut);
            System.arraycopy(buffer, cut, buffer, 0, filled - cut);
            filled -= cut;
            if (part == 0 && ended && content.isBlank()) {
                ledger.drop("empty");
                return null;
            }
            part++;
            var name = Globs.name(file);
            var metadata = new HashMap<String, String>();
            metadata.put(Document.FILE, name);
            metadata.put("charset", text.charset().name());
            if (ended && part == 1) {
                return document(name, content, metadata);
            }
            metadata.put(Document.PART, String.valueOf(part));
            if (!ended) {
                metadata.put(Document.CONTINUES, "true");
            }
            return document(name + "#" + part, content, metadata);
        }
        return null;
    }

    private Document document(String id, String content, HashMap<String, String> metadata) {
        return new Document(
                id, new Content.Text(markdown ? Markdown.text(content) : content), metadata);
    }

    /// Fills the buffer up to a piece and the character after it, by which the end is known.
    private void fill() throws IOException {
        while (!ended && filled <= piece) {
            if (filled == buffer.length) {
                buffer = java.util.Arrays.copyOf(buffer, Math.min(piece + 1, 2 * filled));
            }
            var n = text.read(buffer, filled, buffer.length - filled);
            ended = n < 0;
            filled += Math.max(0, n);
            if (buffer.length == piece + 1 && filled == buffer.length) {
                break;
            }
        }
    }

    /// The last end of a paragraph in the second half, else of a line, else of a word.
    private int cut() {
        int line = 0;
        int word = 0;
        for (var i = piece; i > piece / 2; i--) {
            var before = buffer[i - 1];
            if (before == '\n' && buffer[i - 2] == '\n') {
                return i;
            }
            if (line == 0 && before == '\n') {
                line = i;
            }
            if (word == 0 && before == ' ') {
                word = i;
            }
        }
        var cut = line > 0 ? line : word > 0 ? word : piece;
        return Character.isHighSurrogate(buffer[cut - 1]) ? cut - 1 : cut;
    }

    @Override
    public void close() throws IOException {
        if (text.malformed() > 0) {
            ledger.change("malformed bytes replaced", text.malformed());
        }
        if (text.anyReturn()) {
            ledger.change("line ends made \\n", 1);
        }
        text.close();
    }
}
