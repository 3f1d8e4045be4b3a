package dev.espalier.tokenize.jinja;

/// What is wrong with a template, or what it does not accept.
public final class JinjaException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final boolean refusal;

    JinjaException(String message, int line) {
        super("line " + line + ": " + message);
        refusal = false;
    }

    JinjaException(String message) {
        this(message, false);
    }

    JinjaException(String message, boolean refusal) {
        super(message);
        this.refusal = refusal;
    }

    /// Whether the template itself refuses what it was given (`raise_exception`).
    public boolean isRefusal() {
        return refusal;
    }

    /// Always there.
    @Override
    public String getMessage() {
        return String.valueOf(super.getMessage());
    }
}
