package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What a model's training records are told as most often: labels, a class, or a caption. A model
/// is judged beside who always tells that, and since the records of a test must not choose it, it
/// stands in `config.json`.
public final class Commonest {
    private static final String KEY = "commonest";

    private Commonest() {}

    /// Has `config` say it.
    public static void tell(ObjectNode config, List<String> commonest) {
        commonest.forEach(HuggingFace.own(config).putArray(KEY)::add);
    }

    /// What the `config` of `folder` says; null where it does not, or names other labels, as of
    /// models that were trained elsewhere.
    ///
    /// @param labels those that it may name, or none where it may be any text
    /// @throws EspalierException (DATA) if it is no list
    static @Nullable List<String> of(Path folder, JsonNode config, List<String> labels) {
        var said = config.path(HuggingFace.OWN).path(KEY);
        if (said.isMissingNode()) {
            return null;
        }
        if (!said.isArray()) {
            throw EspalierException.data(
                    "%s: %s.%s of config.json is %s; allowed: a list"
                            .formatted(folder, HuggingFace.OWN, KEY, said));
        }
        var commonest = said.valueStream().map(each -> each.asString("")).toList();
        // Who gave the model another head elsewhere may have kept it.
        if (!labels.isEmpty() && !labels.containsAll(commonest)) {
            return null;
        }
        return commonest;
    }

    /// The first that [#of] tells; null where there is none.
    static @Nullable String first(Path folder, JsonNode config, List<String> labels) {
        var commonest = of(folder, config, labels);
        return commonest == null || commonest.isEmpty() ? null : commonest.getFirst();
    }

    /// The name of the figures beside the model's: those of the data's own commonest say so, since
    /// who knows the answers sets the measure higher.
    static String name(String name, @Nullable Object known) {
        return known == null ? "data-" + name : name;
    }
}
