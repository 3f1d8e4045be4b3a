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
        var own =
                config.path(HuggingFace.OWN) instanceof ObjectNode known
                        ? known
                        : config.putObject(HuggingFace.OWN);
        commonest.forEach(own.putArray(KEY)::add);
    }

    /// What the `config` of `folder` says; null where it does not, as of models that were trained
    /// elsewhere.
    ///
    /// @param labels those that it may name, or none where it may be any text
    /// @throws EspalierException (DATA) if it names another
    static @Nullable List<String> of(Path folder, JsonNode config, List<String> labels) {
        var said = config.path(HuggingFace.OWN).path(KEY);
        if (said.isMissingNode()) {
            return null;
        }
        var commonest = said.valueStream().map(each -> each.asString("")).toList();
        if (!said.isArray() || !(labels.isEmpty() || labels.containsAll(commonest))) {
            throw EspalierException.data(
                    "%s: %s.%s of config.json is %s; allowed: a list%s"
                            .formatted(
                                    folder,
                                    HuggingFace.OWN,
                                    KEY,
                                    said,
                                    labels.isEmpty() ? "" : " of " + labels));
        }
        return commonest;
    }

    /// The name of the figures beside the model's: those of the data's own commonest say so, since
    /// who knows the answers sets the measure higher.
    static String name(String name, @Nullable Object known) {
        return known == null ? "data-" + name : name;
    }
}
