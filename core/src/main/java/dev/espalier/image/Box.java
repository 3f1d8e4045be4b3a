package dev.espalier.image;

/// A rectangle in a picture, its sides parallel to the picture's, in pixels from the top left;
/// pixel x reaches from x to x + 1.
public record Box(double left, double top, double right, double bottom) {
    public double width() {
        return right - left;
    }

    public double height() {
        return bottom - top;
    }

    /// In square pixels; 0 where right lies left of left, or bottom above top.
    public double area() {
        return Math.max(0, width()) * Math.max(0, height());
    }

    /// What of this lies in `other` too.
    public Box in(Box other) {
        return new Box(
                Math.max(left, other.left),
                Math.max(top, other.top),
                Math.min(right, other.right),
                Math.min(bottom, other.bottom));
    }

    /// What of this lies in a picture of that size.
    public Box in(int width, int height) {
        return in(new Box(0, 0, width, height));
    }

    /// Intersection over union, 0 to 1.
    public double overlap(Box other) {
        var common = in(other).area();
        var all = area() + other.area() - common;
        return all > 0 ? common / all : 0;
    }

    /// This after x becomes `x * across + right`, and y likewise.
    public Box moved(double across, double right, double down, double below) {
        return new Box(
                left * across + right,
                top * down + below,
                this.right * across + right,
                bottom * down + below);
    }
}
