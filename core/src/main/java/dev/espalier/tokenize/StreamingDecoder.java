package dev.espalier.tokenize;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/// Decodes tokens one at a time and gives out whole characters only: the bytes of a character that
/// is not complete wait for the next token. For one thread.
public final class StreamingDecoder {
    private final Tokenizer tokenizer;
    private final CharsetDecoder decoder =
            StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPLACE)
                    .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private ByteBuffer waiting = ByteBuffer.allocate(64);
    private CharBuffer out = CharBuffer.allocate(64);

    public StreamingDecoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /// The characters that `id` completes; often none, or those of earlier tokens too.
    public String next(int id) {
        var bytes = tokenizer.bytes(id);
        if (waiting.remaining() < bytes.length) {
            waiting = ByteBuffer.allocate(waiting.position() + bytes.length).put(waiting.flip());
        }
        waiting.put(bytes).flip();
        if (out.capacity() < waiting.remaining() + 1) {
            out = CharBuffer.allocate(waiting.remaining() + 1);
        }
        decoder.decode(waiting, out.clear(), false);
        waiting.compact();
        return out.flip().toString();
    }

    /// What is left when no token follows: U+FFFD if the last character is incomplete. The decoder
    /// may then be used for another text.
    public String finish() {
        decoder.decode(waiting.flip(), out.clear(), true);
        decoder.flush(out);
        decoder.reset();
        waiting.clear();
        return out.flip().toString();
    }
}
