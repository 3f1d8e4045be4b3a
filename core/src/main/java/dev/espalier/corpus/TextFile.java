package dev.espalier.corpus;

import com.github.luben.zstd.ZstdInputStream;
import dev.espalier.EspalierException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.mozilla.universalchardet.UniversalDetector;

/// The characters of a file, plain or packed by gzip or zstd (told by its first bytes), in a
/// character set that is given or told from its content, with line ends made `\n`.
///
/// What cannot be decoded becomes U+FFFD and is counted. A mark of the byte order (BOM) wins over
/// everything and is left out. Otherwise text that is UTF-8 but for rare faults is UTF-8, which the
/// first 16 MiB decide; else the detector of Mozilla is asked (juniversalchardet), and where it
/// knows nothing the text is taken as windows-1252.
final class TextFile extends Reader {
    private static final int HEAD = 1 << 12;
    private static final int DETECTED = 1 << 24;
    private static final int CHARDET = 1 << 20;

    /// A file that is no text, and why.
    static final class NotText extends Exception {
        private static final long serialVersionUID = 1;

        NotText(String why) {
            super(why);
        }
    }

    private final InputStream in;
    private final Charset charset;
    private final CharsetDecoder decoder;
    private final ByteBuffer bytes = ByteBuffer.allocate(1 << 16).limit(0);
    private final CharBuffer chars = CharBuffer.allocate(1 << 16).limit(0);
    private boolean ended;
    private boolean afterReturn;
    private boolean anyReturn;
    private long malformed;

    private TextFile(InputStream in, Charset charset) {
        this.in = in;
        this.charset = charset;
        decoder =
                charset.newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT);
    }

    /// As below; a character set that was told from the content, and is not UTF-8, is counted as a
    /// change.
    static TextFile open(Path file, @Nullable Charset declared, Ledger ledger)
            throws IOException, NotText {
        var text = open(file, declared);
        if (declared == null && !text.charset.equals(StandardCharsets.UTF_8)) {
            ledger.change("file read as " + text.charset.name(), 1);
        }
        return text;
    }

    /// Opens `file`.
    ///
    /// @param declared null to tell the character set from the content
    /// @throws NotText if its beginning is not text
    static TextFile open(Path file, @Nullable Charset declared) throws IOException, NotText {
        byte[] head;
        try (var in = unpacked(file)) {
            head = in.readNBytes(HEAD);
        }
        var mark = mark(head);
        if (mark == null) {
            var foreign = foreign(head);
            if (foreign != null) {
                throw new NotText(foreign);
            }
        }
        Charset charset;
        if (mark != null) {
            charset = mark.charset;
        } else if (declared != null) {
            charset = declared;
        } else {
            try (var in = unpacked(file)) {
                charset = detect(in);
            }
        }
        var wide = charset.name().startsWith("UTF-16") || charset.name().startsWith("UTF-32");
        if (!wide && holdsNul(head)) {
            throw new NotText("binary, not text (a zero byte in its first " + HEAD + " bytes)");
        }
        if (controls(head) > 0.1 && !wide) {
            throw new NotText("binary, not text (full of control characters)");
        }
        var in = unpacked(file);
        if (mark != null) {
            in.skipNBytes(mark.length);
        }
        return new TextFile(in, charset);
    }

    /// The character set of that name.
    static Charset charset(String name) {
        try {
            return Charset.forName(name);
        } catch (IllegalArgumentException e) {
            throw new EspalierException(
                    EspalierException.Kind.USAGE,
                    "charset: there is no character set `"
                            + name
                            + "`; write auto or a name such as UTF-8, ISO-8859-1, windows-1252,"
                            + " UTF-16LE",
                    e);
        }
    }

    Charset charset() {
        return charset;
    }

    /// Places so far that could not be decoded.
    long malformed() {
        return malformed;
    }

    /// Whether any line so far ended in a carriage return.
    boolean anyReturn() {
        return anyReturn;
    }

    @Override
    public int read(char[] into, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, into.length);
        var n = 0;
        while (n < length) {
            if (!chars.hasRemaining() && (n > 0 || !decode())) {
                break;
            }
            var c = chars.get();
            if (c == '\r') {
                anyReturn = true;
                into[offset + n++] = '\n';
            } else if (c != '\n' || !afterReturn) {
                into[offset + n++] = c;
            }
            afterReturn = c == '\r';
        }
        return n == 0 && length > 0 ? -1 : n;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }

    /// Fills `chars`; false at the end.
    private boolean decode() throws IOException {
        chars.clear();
        while (chars.position() == 0) {
            if (!ended && bytes.remaining() < 64) {
                bytes.compact();
                var n = in.read(bytes.array(), bytes.position(), bytes.remaining());
                ended = n < 0;
                bytes.position(bytes.position() + Math.max(0, n)).flip();
            }
            var result = decoder.decode(bytes, chars, ended);
            if (result.isError()) {
                if (!chars.hasRemaining()) {
                    break;
                }
                bytes.position(bytes.position() + result.length());
                chars.put('\uFFFD');
                malformed++;
            } else if (result.isUnderflow() && ended) {
                break;
            }
        }
        chars.flip();
        return chars.hasRemaining();
    }

    /// The bytes of `file`, unpacked.
    static InputStream unpacked(Path file) throws IOException {
        var in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        try {
            in.mark(4);
            var magic = ByteBuffer.wrap(Arrays.copyOf(in.readNBytes(4), 4)).getInt();
            in.reset();
            if (magic >>> 16 == 0x1F8B) {
                return new BufferedInputStream(new GZIPInputStream(in, 1 << 16), 1 << 16);
            }
            if (magic == 0x28B52FFD) {
                return new BufferedInputStream(new ZstdInputStream(in), 1 << 16);
            }
            return in;
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    private enum Mark {
        // UTF-32LE begins as UTF-16LE does, and must be asked first.
        UTF_32LE("UTF-32LE", 0xFF, 0xFE, 0, 0),
        UTF_32BE("UTF-32BE", 0, 0, 0xFE, 0xFF),
        UTF_8("UTF-8", 0xEF, 0xBB, 0xBF),
        UTF_16LE("UTF-16LE", 0xFF, 0xFE),
        UTF_16BE("UTF-16BE", 0xFE, 0xFF);

        final Charset charset;
        final int length;
        private final int first;

        Mark(String charset, int... bytes) {
            this.charset = Charset.forName(charset);
            this.length = bytes.length;
            this.first = pack(bytes);
        }

        private static int pack(int... bytes) {
            var packed = 0;
            for (var b : bytes) {
                packed = packed << 8 | b;
            }
            return packed;
        }

        boolean begins(byte[] head) {
            var packed = 0;
            for (var i = 0; i < length && i < head.length; i++) {
                packed = packed << 8 | head[i] & 0xFF;
            }
            return head.length >= length && packed == first;
        }
    }

    private static @Nullable Mark mark(byte[] head) {
        return Arrays.stream(Mark.values()).filter(m -> m.begins(head)).findFirst().orElse(null);
    }

    /// What the first bytes say the file is, if that is no text.
    private static @Nullable String foreign(byte[] head) {
        record Magic(String begins, String what) {}
        var magics =
                new Magic[] {
                    new Magic("%PDF-", "a PDF file"),
                    new Magic("\u0089PNG", "a PNG picture"),
                    new Magic("GIF8", "a GIF picture"),
                    new Magic("\u00FF\u00D8\u00FF", "a JPEG picture"),
                    new Magic("PK\u0003\u0004", "a ZIP archive or an Office document"),
                    new Magic("BZh", "packed by bzip2"),
                    new Magic("\u00FD7zXZ", "packed by xz"),
                    new Magic("7z\u00BC\u00AF", "a 7-Zip archive"),
                    new Magic("\u007FELF", "a program"),
                    new Magic("\u00CA\u00FE\u00BA\u00BE", "a class file"),
                    new Magic("PAR1", "a Parquet file"),
                    new Magic("\u00D0\u00CF\u0011\u00E0", "an old Office document"),
                };
        var start = new String(head, 0, Math.min(8, head.length), StandardCharsets.ISO_8859_1);
        return Arrays.stream(magics)
                .filter(m -> start.startsWith(m.begins))
                .map(m -> m.what + ", not text")
                .findFirst()
                .orElse(null);
    }

    private static boolean holdsNul(byte[] head) {
        for (var b : head) {
            if (b == 0) {
                return true;
            }
        }
        return false;
    }

    private static double controls(byte[] head) {
        var n = 0;
        for (var b : head) {
            if (b >= 0 && b < 0x20 && b != '\n' && b != '\r' && b != '\t' && b != '\f') {
                n++;
            }
        }
        return (double) n / Math.max(1, head.length);
    }

    /// Whether the bytes are UTF-8 but for rare faults; if not, what the detector says.
    private static Charset detect(InputStream in) throws IOException {
        var detector = new UniversalDetector();
        var buffer = new byte[1 << 13];
        long good = 0;
        long bad = 0;
        var following = 0;
        var fed = 0;
        for (var total = 0; total < DETECTED; ) {
            var n = in.read(buffer);
            if (n < 0) {
                break;
            }
            total += n;
            var high = false;
            for (var i = 0; i < n; i++) {
                var b = buffer[i] & 0xFF;
                high |= b >= 0x80;
                if (following > 0) {
                    if (b >> 6 == 2) {
                        if (--following == 0) {
                            good++;
                        }
                        continue;
                    }
                    bad++;
                    following = 0;
                }
                if (b >= 0x80) {
                    following =
                            b >= 0xC2 && b < 0xE0
                                    ? 1
                                    : b >= 0xE0 && b < 0xF0 ? 2 : b >= 0xF0 && b < 0xF5 ? 3 : 0;
                    bad += following == 0 ? 1 : 0;
                }
            }
            // The detector is slow, and plain ASCII teaches it nothing.
            if (high && fed < CHARDET) {
                detector.handleData(buffer, 0, n);
                fed += n;
            }
        }
        if (bad * 10 <= good) {
            return StandardCharsets.UTF_8;
        }
        detector.dataEnd();
        var name = detector.getDetectedCharset();
        return name == null || name.equals("US-ASCII") || !Charset.isSupported(name)
                ? Charset.forName("windows-1252")
                : Charset.forName(name);
    }
}
