package dev.espalier.torch;

import dev.espalier.EspalierException;

/// libtorch refused an operation: shapes or types that do not fit, a fault of the caller's. The
/// message is libtorch's first line; the C++ frames are left out.
public final class TorchException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private TorchException(String message, Throwable cause) {
        super(message, cause);
    }

    /// What a binding call threw, in our terms: memory that ran out is the user's to mend, all else
    /// is a fault of ours.
    static RuntimeException of(RuntimeException e) {
        var message = String.valueOf(e.getMessage());
        var end = message.indexOf("\nException raised from");
        var first = (end < 0 ? message : message.substring(0, end)).strip();
        if (first.contains("can't allocate memory")
                || first.contains("out of memory")
                || first.contains("bad_alloc")) {
            return new EspalierException(
                    EspalierException.Kind.RESOURCES,
                    "not enough memory: " + first + "; use a smaller micro-batch, context or model",
                    e);
        }
        return new TorchException(first, e);
    }
}
