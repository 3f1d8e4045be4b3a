package dev.espalier.image;

/// A thing in a picture: where it is, and of what kind.
///
/// @param area of the thing itself, which the box holds, in square pixels; what counts as small is
///   judged by it
/// @param crowd whether it is many things that were not told apart
/// @param difficult whether it is marked as too hard to be told
public record Region(Box box, String label, double area, boolean crowd, boolean difficult) {
    public Region(Box box, String label, double area, boolean crowd) {
        this(box, label, area, crowd, false);
    }

    /// Whether it is learnt, and missed where it is not told.
    public boolean counts() {
        return !crowd && !difficult;
    }

    /// One thing that fills its box.
    public Region(Box box, String label) {
        this(box, label, box.area(), false);
    }
}
