package dev.espalier.image;

import dev.espalier.Rng;

/// A random change of a picture and of what is marked in it.
public interface Change {
    Sample apply(Sample sample, Rng rng);
}
