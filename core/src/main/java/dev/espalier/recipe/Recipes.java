package dev.espalier.recipe;

/// Reads recipes from YAML and writes them back completed.
public final class Recipes {
    private Recipes() {}
}
