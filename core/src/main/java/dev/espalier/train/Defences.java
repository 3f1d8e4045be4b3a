package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Defences against forgetting by their names, as changes of a recipe that has none, each at the
/// strength of its defaults.
public final class Defences {
    /// In the order of the operations that they cost: what trains fewer weights first.
    public static final List<String> NAMES =
            List.of(
                    "none",
                    "wise-ft",
                    "fewer-layers",
                    "lora",
                    "lower-rate",
                    "layer-decay",
                    "l2-sp",
                    "replay",
                    "ewc",
                    "lwf");

    private static final double LOWER_RATE = 0.3;
    private static final double LAYER_DECAY = 0.8;

    /// Of which nine tenths of what all blocks reach was to be had (Lee et al. 2019,
    /// arXiv:1911.03090, "What would Elsa do? Freezing layers during transformer fine-tuning").
    private static final double LAST_BLOCKS = 0.25;

    /// What trains fewer weights takes larger steps.
    private static final double LORA_RATE = 3;

    private Defences() {}

    /// Whether a defence reads general text of its own.
    public static boolean needsText(String name) {
        return name.equals("replay") || name.equals("ewc");
    }

    /// What the defence of that name changes of `recipe`, as `--set` has it.
    ///
    /// @param corpus for those that need text
    /// @throws EspalierException (USAGE) if there is none of that name, or no text for it
    public static List<String> overrides(
            String name, FinetuneRecipe recipe, @Nullable String corpus) {
        if (!NAMES.contains(name)) {
            throw EspalierException.usage(
                    "there is no defence `%s`; allowed: %s"
                            .formatted(name, String.join(", ", NAMES)));
        }
        if (needsText(name) && corpus == null) {
            throw EspalierException.usage(
                    "the defence `%s` needs general text of its own".formatted(name));
        }
        var rate = recipe.training().optimizer().rate();
        var all = new ArrayList<String>();
        switch (name) {
            case "fewer-layers" ->
                    all.add("adapter={type: frozen, last-blocks: " + LAST_BLOCKS + "}");
            case "lora" -> {
                all.add("adapter={type: lora, targets: all, merge: true}");
                all.add("training.optimizer.rate=" + LORA_RATE * rate);
            }
            case "lower-rate" -> all.add("training.optimizer.rate=" + LOWER_RATE * rate);
            case "layer-decay" -> all.add("training.layer-decay=" + LAYER_DECAY);
            case "none" -> {}
            default ->
                    all.add(
                            "forgetting.defence={type: %s%s}"
                                    .formatted(
                                            name,
                                            needsText(name)
                                                    ? ", corpus: "
                                                            + Json.line(String.valueOf(corpus))
                                                    : ""));
        }
        return all;
    }
}
