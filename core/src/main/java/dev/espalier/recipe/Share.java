package dev.espalier.recipe;

/// A share of a whole, 0 to 1; `2%` in a recipe.
public record Share(double fraction) implements Span {
    public Share {
        if (!(fraction >= 0 && fraction <= 1)) {
            throw new IllegalArgumentException("a share lies in [0, 1]: " + fraction);
        }
    }

    @Override
    public String toString() {
        return Numbers.percent(fraction);
    }
}
