package dev.espalier.recipe;

import java.util.List;
import org.jspecify.annotations.Nullable;

@Doc(
        "How pictures are changed at random in training, anew every epoch, in the order given here; boxes and masks"
                + " move with them. Nothing is changed by default.")
public record AugmentRecipe(
        @Doc(
                        value =
                                "How often four pictures are put together to one, around a random point.",
                        byDefault = "0",
                        in = "[0, 1]")
                double mosaic,
        @Doc(
                        value =
                                "A window of a random share of the picture, stretched to what the model reads.",
                        byDefault = "none")
                @Nullable Crop crop,
        @Doc(
                        value =
                                "The least and the most by which all is made larger, such as [0.5, 2]: a window of the"
                                        + " picture, or the picture in grey.",
                        byDefault = "[1, 1]",
                        in = "[0.1, 10]")
                List<Double> scale,
        @Doc(value = "How every second picture is mirrored.", byDefault = "none") Flip flip,
        @Doc(value = "Random brightness and colours.", byDefault = "none") @Nullable Colour colour,
        @Doc(
                        value =
                                "Several of fourteen changes, drawn anew for each picture (Cubuk et al. 2019). A picture"
                                        + " with boxes is neither turned nor sheared.",
                        byDefault = "none")
                @Nullable Rand randAugment,
        @Doc(
                        value = "How often noise covers a part of the picture.",
                        byDefault = "0",
                        in = "[0, 1]")
                double erase,
        @Doc(
                        value =
                                "α of the Beta(α, α) that tells how much another picture shines through, with its label"
                                        + " counting as much. Of whole pictures' labels only.",
                        byDefault = "0",
                        in = "[0, 4]")
                double mixUp,
        @Doc(
                        value =
                                "α of the Beta(α, α) that tells how much of a picture another one"
                                        + " covers, with its label counting as much, or its mask in its"
                                        + " place; beside `mix-up`, every second time. Of whole"
                                        + " pictures' labels and of masks.",
                        byDefault = "0",
                        in = "[0, 4]")
                double cutMix) {
    @Doc("A window of a picture.")
    public record Crop(
            @Doc(
                            value = "The least and the most of its area.",
                            byDefault = "[0.08, 1]",
                            in = "(0, 1]")
                    List<Double> area,
            @Doc(
                            value =
                                    "Its narrowest shape, width over height; 1 over it is the widest.",
                            byDefault = "0.75",
                            in = "(0, 1]")
                    double shape) {}

    @Doc("By how much each is changed at most: 0.4 is between 0.6 and 1.4 times.")
    public record Colour(
            @Doc(value = "How bright it is.", byDefault = "0.4", in = "[0, 1]") double brightness,
            @Doc(value = "How far apart light and dark are.", byDefault = "0.4", in = "[0, 1]")
                    double contrast,
            @Doc(value = "How colourful it is.", byDefault = "0.4", in = "[0, 1]")
                    double saturation,
            @Doc(
                            value = "How far hues are turned, of the whole circle.",
                            byDefault = "0",
                            in = "[0, 0.5]")
                    double hue) {}

    @Doc("Changes drawn from a list.")
    public record Rand(
            @Doc(value = "How many a picture.", byDefault = "2", in = "[1, 14]") int changes,
            @Doc(value = "How strong they are.", byDefault = "9", in = "[0, 10]")
                    double magnitude) {}

    /// How every second picture is mirrored.
    public enum Flip {
        NONE,
        HORIZONTAL,
        VERTICAL,
        BOTH
    }
}
