package dev.espalier.parity;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.model.Decoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// Compares forward and backward passes over a reference's cases.
final class CaseCheck {
    private static final Set<String> INPUTS =
            Set.of("input_ids", "attention_mask", "token_type_ids", "labels");
    private static final String SMOOTHED = "label_smoothing_";

    /// Of rows in which several documents stand one behind the other.
    private static final Set<String> PACKED =
            Set.of("input_ids", "segment_ids", "position_ids", "labels");

    private final JsonNode json;
    private final Golden golden;
    private final Tolerances tolerances;
    private final Findings findings;

    CaseCheck(JsonNode json, Golden golden, Tolerances tolerances, Findings findings) {
        this.json = json;
        this.golden = golden;
        this.tolerances = tolerances;
        this.findings = findings;
    }

    /// Compares all that the cases say of `model`: with an adapter of the model that has it, and
    /// nothing of the base.
    void check(Module model, String gradientPrefix) {
        try (var parameters = new FlatParameters(model)) {
            for (var entry : json.path("cases").properties()) {
                var name = entry.getKey();
                if (isChecked(model, name, entry.getValue())) {
                    var batch = batch(model, name, entry.getValue());
                    forward(name, batch, "");
                    backward(name, entry.getValue(), batch, parameters, gradientPrefix);
                }
            }
        }
    }

    /// Compares logits and loss alone, which the reference has under names that begin with
    /// `prefix`.
    void checkForward(Module model, String prefix) {
        for (var entry : json.path("cases").properties()) {
            var name = entry.getKey();
            if (entry.getValue().has(prefix + "loss")
                    && unknownInputs(model, entry.getValue()).isEmpty()) {
                var batch = batch(model, name, entry.getValue());
                forward(name, batch, prefix);
                var loss = Torch.noGrad(() -> loss(batch));
                compareLoss(name, entry.getValue(), prefix + "loss", loss);
            }
        }
    }

    private boolean isChecked(Module model, String name, JsonNode reference) {
        var unknown = unknownInputs(model, reference);
        if (!unknown.isEmpty()) {
            findings.unchecked("case", name, "the model does not take the inputs " + unknown);
        } else if (reference.path("train_mode").asBoolean(false)) {
            findings.unchecked("case", name, "dropout cannot be compared");
        } else {
            return true;
        }
        return false;
    }

    private static List<String> unknownInputs(Module model, JsonNode reference) {
        var inputs = reference.path("inputs").propertyNames();
        var known = inputs.contains("segment_ids") && model instanceof Decoder ? PACKED : INPUTS;
        return inputs.stream()
                .filter(i ->
                        !known.contains(i)
                                || i.equals("token_type_ids")
                                        && (model instanceof Decoder
                                                || model instanceof EncoderDecoder))
                .toList();
    }

    private GoldenBatch batch(Module model, String name, JsonNode reference) {
        try (var scope = new Scope()) {
            var ids = input(name, reference, "input_ids");
            if (ids == null || ids.dimensions() != 2) {
                throw EspalierException.data(
                        "case '" + name + "': input_ids must have two dimensions");
            }
            var mask = input(name, reference, "attention_mask");
            var segments =
                    input(
                            name,
                            reference,
                            model instanceof Decoder ? "segment_ids" : "token_type_ids");
            var labels = input(name, reference, "labels");
            var pooled = json.path("pooled_position").path(name);
            return new GoldenBatch(
                    model,
                    (int) ids.size(1),
                    ids.longs(),
                    mask == null ? null : mask.longs(),
                    segments == null ? null : segments.longs(),
                    labels == null ? new long[0] : labels.longs(),
                    pooled.isArray()
                            ? pooled.valueStream().mapToLong(JsonNode::longValue).toArray()
                            : null,
                    smoothing(name));
        }
    }

    /// Inputs of cases that keep no tensors stand beside the case.
    private static Tensor rows(JsonNode values) {
        var rows = values.size();
        var flat =
                values.valueStream()
                        .flatMap(JsonNode::valueStream)
                        .mapToLong(JsonNode::longValue)
                        .toArray();
        return Tensor.of(flat, rows, flat.length / rows);
    }

    /// References of the label-smoothed loss say so by the case's name, such as
    /// `label_smoothing_0.1`.
    private static double smoothing(String name) {
        try {
            return name.startsWith(SMOOTHED)
                    ? Double.parseDouble(name.substring(SMOOTHED.length()))
                    : 0;
        } catch (NumberFormatException e) {
            throw EspalierException.data("case '" + name + "': no share of smoothing", e);
        }
    }

    private @Nullable Tensor input(String name, JsonNode reference, String input) {
        var described = reference.path("inputs").path(input);
        if (described.isMissingNode()) {
            return null;
        }
        var tensor = described.path("same_as").asString(name + "." + input);
        return golden.has(tensor) || !described.path("values").path(0).isArray()
                ? golden.tensor(tensor)
                : rows(described.path("values"));
    }

    /// Compares every tensor of scores and states that the reference has for the case.
    private void forward(String name, GoldenBatch batch, String prefix) {
        Torch.noGrad(() -> {
            try (var scope = new Scope()) {
                var states = batch.states();
                for (var tensor : golden.names(name + ".")) {
                    var ours = prefix.isEmpty() ? ours(batch, states, tensor) : null;
                    if (tensor.equals(prefix + "logits")) {
                        ours = batch.scores(states.last());
                    }
                    if (ours != null) {
                        compareRows(tensor, name, batch, ours, golden.tensor(name + "." + tensor));
                    } else if (prefix.isEmpty() && !isCheckedElsewhere(tensor)) {
                        findings.unchecked(tensor, name, "there is no check for this tensor");
                    }
                }
            }
        });
    }

    private static @Nullable Tensor ours(
            GoldenBatch batch, GoldenBatch.States states, String tensor) {
        if (tensor.equals("scores_all_positions")
                && batch.model() instanceof SequenceClassifier c) {
            return c.head().forward(states.last());
        }
        return switch (tensor) {
            case "position_ids" -> batch.positions();
            case "allowed" -> batch.allowed();
            default -> states.named().get(tensor);
        };
    }

    private static boolean isCheckedElsewhere(String tensor) {
        return INPUTS.contains(tensor)
                || tensor.equals("segment_ids")
                || tensor.equals("base_logits")
                || tensor.equals("logits")
                || tensor.startsWith("grad.");
    }

    /// Rows of padding hold nothing that anything looks at, and are passed over.
    private void compareRows(
            String part, String name, GoldenBatch batch, Tensor ours, Tensor theirs) {
        if (!java.util.Arrays.equals(ours.shape(), theirs.shape())) {
            findings.unchecked(part, name, "the reference's is a " + theirs + ", ours a " + ours);
            return;
        }
        var a = ours.floats();
        var b = theirs.floats();
        var mask = batch.mask();
        // What a decoder has written has a length of its own, and no padding that is masked.
        var masked =
                !(batch.body() instanceof EncoderDecoder) || part.startsWith(GoldenBatch.ENCODER);
        if (mask != null && masked && ours.dimensions() == 3) {
            var width = a.length / mask.length;
            for (var i = 0; i < a.length; i++) {
                if (mask[i / width] == 0) {
                    a[i] = b[i];
                }
            }
        }
        var reference = json.path("cases").path(name);
        findings.add(
                part,
                name,
                Findings.largest(a, b),
                Golden.tolerance(tolerances.logits(), reference, "fp64_logits_max_abs_diff"));
    }

    /// The mean over the batch.
    static double loss(GoldenBatch batch) {
        try (var scope = new Scope()) {
            return batch.loss();
        }
    }

    void compareLoss(String name, JsonNode reference, String key, double ours) {
        findings.add(
                key, name, Math.abs(ours - Golden.number(reference, key)), tolerances.logits());
    }

    private void backward(
            String name,
            JsonNode reference,
            GoldenBatch batch,
            FlatParameters parameters,
            String prefix) {
        if (batch.labels().length == 0) {
            if (reference.has("loss") || reference.has("grads")) {
                findings.unchecked("loss", name, "the case has no labels");
            }
            return;
        }
        parameters.zeroGradients();
        try (var scope = new Scope()) {
            var sum = batch.forward().backward(1.0 / batch.count()).item();
            if (reference.has("loss")) {
                compareLoss(name, reference, "loss", sum / batch.count());
            }
        }
        gradients(name, reference, parameters, prefix);
    }

    /// Compares the gradients that a backward pass has left in `parameters`.
    void gradients(String name, JsonNode reference, FlatParameters parameters, String prefix) {
        if (reference.has("total_grad_norm")) {
            var theirs = reference.path("total_grad_norm").asDouble(Double.NaN);
            findings.add(
                    "gradient-norm",
                    name,
                    Math.abs(parameters.gradientNorm() - theirs) / Math.max(1, theirs),
                    tolerances.gradients());
        }
        if (reference.has("grads")) {
            var allowed =
                    Golden.tolerance(tolerances.gradients(), reference, "fp64_grad_max_abs_diff");
            gradients(name, reference.path("grads"), parameters, prefix, allowed);
        }
    }

    private void gradients(
            String name,
            JsonNode references,
            FlatParameters parameters,
            String prefix,
            double tolerance) {
        var ours = new HashSet<String>();
        for (var slot : parameters.slots()) {
            var parameter = prefix + slot.name();
            ours.add(parameter);
            var reference = references.path(parameter);
            if (reference.isMissingNode()) {
                findings.unchecked(
                        "gradient", name + " " + parameter, "the reference has no such gradient");
                continue;
            }
            try (var scope = new Scope()) {
                var count = count(slot.shape());
                var gradient = parameters.gradients().narrow(0, slot.offset(), count).floats();
                var whole = name + ".grad." + parameter;
                var difference =
                        Statistics.of(gradient)
                                .differencePerElement(Statistics.of(reference), count);
                if (golden.has(whole)) {
                    difference =
                            Math.max(
                                    difference,
                                    Findings.largest(gradient, golden.tensor(whole).floats()));
                }
                findings.add(
                        "gradient",
                        name + " " + parameter,
                        difference,
                        tolerance * Math.max(1, reference.path("absmax").asDouble(Double.NaN)));
            }
        }
        for (var missing : references.propertyNames()) {
            if (!ours.contains(missing) && !references.path(missing).isNull()) {
                findings.unchecked(
                        "gradient", name + " " + missing, "the model trains no such parameter");
            }
        }
    }

    private static long count(long[] shape) {
        var count = 1L;
        for (var size : shape) {
            count *= size;
        }
        return count;
    }

    /// Merges the adapter of `model` and compares its weights with those of `merged`, and its
    /// scores with the adapter's.
    void checkMerged(Module model, @Nullable Golden merged) {
        Lora.merge(model);
        Torch.noGrad(() -> {
            for (var entry : json.path("cases").properties()) {
                var name = entry.getKey();
                if (!unknownInputs(model, entry.getValue()).isEmpty()) {
                    continue;
                }
                try (var scope = new Scope()) {
                    var batch = batch(model, name, entry.getValue());
                    compareRows(
                            "merged-logits",
                            name,
                            batch,
                            batch.scores(batch.hidden()),
                            golden.tensor(name + ".logits"));
                    compareLoss(name, entry.getValue(), "merged_loss", loss(batch));
                }
            }
            if (merged != null) {
                weights(
                        "merged-weights",
                        model,
                        merged,
                        JsonNodeFactory.instance.objectNode(),
                        tolerances,
                        findings);
            }
        });
    }

    /// Compares all weights of `model` with a file's.
    ///
    /// @param distances what the reference says of its own weights' distances from 64-bit numbers,
    ///   by name
    static void weights(
            String part,
            Module model,
            Golden file,
            JsonNode distances,
            Tolerances tolerances,
            Findings findings) {
        var names = new ArrayList<>(file.names(""));
        model.parameters()
                .forEach((name, parameter) -> {
                    try (var scope = new Scope()) {
                        if (names.remove(name)) {
                            var theirs = file.tensor(name).to(DType.FLOAT).floats();
                            var ours = parameter.value().floats();
                            findings.add(
                                    part,
                                    name,
                                    Findings.largest(ours, theirs),
                                    Golden.tolerance(tolerances.weights(), distances, name));
                        } else {
                            findings.unchecked(part, name, "the reference has no such weight");
                        }
                    }
                });
        names.forEach(name -> findings.unchecked(part, name, "the model has no such weight"));
    }
}
