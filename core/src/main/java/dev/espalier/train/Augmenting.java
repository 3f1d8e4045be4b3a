package dev.espalier.train;

import dev.espalier.image.Augmentation;
import dev.espalier.image.Change;
import dev.espalier.image.Colours;
import dev.espalier.image.Geometry;
import dev.espalier.image.RandAugment;
import dev.espalier.recipe.AugmentRecipe;
import java.util.ArrayList;
import java.util.List;

/// From a recipe to the changes that it asks for.
final class Augmenting {
    private Augmenting() {}

    static Augmentation of(AugmentRecipe recipe, long seed) {
        var changes = new ArrayList<Change>();
        var crop = recipe.crop();
        if (crop != null) {
            changes.add(Geometry.crop(crop.area().getFirst(), crop.area().getLast(), crop.shape()));
        }
        if (!recipe.scale().equals(List.of(1.0, 1.0))) {
            changes.add(Geometry.scale(recipe.scale().getFirst(), recipe.scale().getLast()));
        }
        switch (recipe.flip()) {
            case NONE -> {}
            case HORIZONTAL -> changes.add(Geometry.flips(true, false));
            case VERTICAL -> changes.add(Geometry.flips(false, true));
            case BOTH -> changes.add(Geometry.flips(true, true));
        }
        var colour = recipe.colour();
        if (colour != null) {
            changes.add(
                    Colours.jitter(
                            colour.brightness(),
                            colour.contrast(),
                            colour.saturation(),
                            colour.hue()));
        }
        var rand = recipe.randAugment();
        if (rand != null) {
            changes.add(new RandAugment(rand.changes(), rand.magnitude()));
        }
        if (recipe.erase() > 0) {
            changes.add(Geometry.erase(recipe.erase()));
        }
        return new Augmentation(changes, recipe.mosaic(), recipe.mixUp(), recipe.cutMix(), seed);
    }
}
