package dev.espalier.parity;

import dev.espalier.model.Segformer;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.model.VitMae;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MaskedPatchesBatch;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.Pixels;
import dev.espalier.optim.FlatParameters;
import dev.espalier.task.MaskBatch;
import dev.espalier.task.PictureLabelBatch;
import dev.espalier.task.SegmentationLoss;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/// Compares forward and backward passes of models of pictures over a reference's cases.
final class VisionCheck {
    private static final String PIXELS = "pixel_values";
    private static final String LABELS = "labels";
    private static final String NOISE = "noise";
    private static final Set<String> INPUTS = Set.of(PIXELS, LABELS, NOISE);

    private final JsonNode json;
    private final Golden golden;
    private final Tolerances tolerances;
    private final Findings findings;

    VisionCheck(JsonNode json, Golden golden, Tolerances tolerances, Findings findings) {
        this.json = json;
        this.golden = golden;
        this.tolerances = tolerances;
        this.findings = findings;
    }

    /// A case as the model takes it.
    ///
    /// @param named what the model makes of the case on the way, by the reference's names
    /// @param batch what it learns from
    private record Case(Map<String, Tensor> named, MicroBatch batch) {}

    void check(VisionModel model) {
        var cases = new CaseCheck(json, golden, tolerances, findings);
        try (var parameters = new FlatParameters(model)) {
            for (var entry : json.path("cases").properties()) {
                var name = entry.getKey();
                var reference = entry.getValue();
                parameters.zeroGradients();
                model.training(reference.path("train_mode").asBoolean(false));
                try (var scope = new Scope()) {
                    var before = running(model);
                    var batch = Torch.noGrad(() -> forward(model, name, reference));
                    restore(model, before);
                    var sum = batch.forward().backward(1.0 / batch.count()).item();
                    cases.compareLoss(name, reference, "loss", sum / batch.count());
                    gathered(model, name, reference.path("buffers_after"));
                    restore(model, before);
                }
                model.training(false);
                cases.gradients(name, reference, parameters, "");
            }
        }
        if (model instanceof VitMae mae) {
            Torch.noGrad(() -> patches(mae));
        }
    }

    /// What the model gathers while training, as it is now.
    private static Map<String, Tensor> running(VisionModel model) {
        var running = new TreeMap<String, Tensor>();
        model.parameters()
                .forEach((name, parameter) -> {
                    if (parameter.isRunning()) {
                        running.put(name, parameter.value().copy());
                    }
                });
        return running;
    }

    private static void restore(VisionModel model, Map<String, Tensor> running) {
        var parameters = model.parameters();
        running.forEach((name, value) ->
                Objects.requireNonNull(parameters.get(name)).value().copyInPlace(value));
    }

    private void gathered(VisionModel model, String name, JsonNode reference) {
        for (var buffer : reference.properties()) {
            var ours = model.parameters().get(buffer.getKey());
            if (ours == null) {
                findings.unchecked("buffer", name, "the model has no " + buffer.getKey());
            } else {
                var theirs = numbers(buffer.getValue());
                findings.add(
                        "buffer",
                        name + " " + buffer.getKey(),
                        Findings.largest(ours.value().floats(), theirs),
                        tolerances.logits());
            }
        }
    }

    /// A list of numbers, or of lists of them.
    private static float[] numbers(JsonNode list) {
        var rows =
                list.path(0).isArray()
                        ? list.valueStream().flatMap(JsonNode::valueStream).toList()
                        : list.valueStream().toList();
        var numbers = new float[rows.size()];
        for (var i = 0; i < numbers.length; i++) {
            numbers[i] = (float) rows.get(i).asDouble(Double.NaN);
        }
        return numbers;
    }

    private MicroBatch forward(VisionModel model, String name, JsonNode reference) {
        var made =
                switch (model) {
                    case Vit vit -> classification(vit, name, reference);
                    case VitMae mae -> masked(mae, name, reference);
                    case Segformer segformer -> segmentation(segformer, name, reference);
                    default -> throw new IllegalArgumentException(model.task());
                };
        for (var tensor : golden.names(name + ".")) {
            if (INPUTS.contains(tensor)) {
                continue;
            }
            var ours = made.named().get(tensor);
            if (ours == null) {
                findings.unchecked(tensor, name, "there is no check for this tensor");
            } else {
                compare(tensor, name, reference, ours, golden.tensor(name + "." + tensor));
            }
        }
        return made.batch();
    }

    private void compare(String part, String name, JsonNode reference, Tensor ours, Tensor theirs) {
        if (!Arrays.equals(ours.shape(), theirs.shape())) {
            findings.unchecked(part, name, "the reference's is a " + theirs + ", ours a " + ours);
            return;
        }
        findings.add(
                part,
                name,
                Findings.largest(ours.floats(), theirs.floats()),
                Golden.tolerance(tolerances.logits(), reference, "fp64_logits_max_abs_diff"));
    }

    private Tensor input(String name, JsonNode reference, String input) {
        return golden.tensor(
                reference.path("inputs").path(input).path("same_as").asString(name + "." + input));
    }

    private List<Pixels> pictures(String name, JsonNode reference) {
        var pixels = input(name, reference, PIXELS);
        var pictures = new ArrayList<Pixels>();
        for (var i = 0; i < pixels.size(0); i++) {
            pictures.add(
                    new Pixels(
                            pixels.select(0, i).floats(),
                            (int) pixels.size(1),
                            (int) pixels.size(2),
                            (int) pixels.size(3),
                            name + ", picture " + (i + 1)));
        }
        return pictures;
    }

    private Case classification(Vit model, String name, JsonNode reference) {
        var pictures = pictures(name, reference);
        var seen = model.seen(Pixels.stacked(pictures));
        var named = GoldenBatch.numbered("hidden_states.", seen.states());
        named.put("logits", seen.scores());
        var truth =
                Arrays.stream(input(name, reference, LABELS).longs())
                        .mapToObj(label ->
                                List.of(new PictureLabelBatch.Told(new double[] {label}, 1)))
                        .toList();
        return new Case(
                named, new PictureLabelBatch(model, pictures, truth, null, CrossEntropy.PLAIN));
    }

    private Case masked(VitMae model, String name, JsonNode reference) {
        var asked = reference.path("config_override");
        model.hide(
                asked.path("mask_ratio").asDouble(model.config().maskRatio()),
                asked.path("norm_pix_loss").asBoolean(model.config().normalised()));
        var pictures = pictures(name, reference);
        var noise = input(name, reference, NOISE);
        var orders =
                IntStream.range(0, pictures.size())
                        .mapToObj(i -> MaskedPatchesBatch.order(noise.select(0, i).floats()))
                        .toList();
        var batch = new MaskedPatchesBatch(model, pictures, orders);
        var pixels = Pixels.stacked(pictures);
        var told = batch.told(pixels);
        var named = GoldenBatch.numbered("hidden_states.", told.states());
        named.put("logits", told.pixels());
        named.put("ids_restore", Tensor.of(batch.places(), noise.shape()));
        named.put("mask", Tensor.of(batch.hidden(), noise.shape()));
        if (reference.has("loss_per_patch")) {
            findings.add(
                    "loss_per_patch",
                    name,
                    Findings.largest(
                            model.errors(told.pixels(), pixels).floats(),
                            numbers(reference.path("loss_per_patch"))),
                    tolerances.logits());
        }
        return new Case(named, batch);
    }

    /// How pictures are cut into patches, which the reference has beside its cases, and how many of
    /// them are seen.
    private void patches(VitMae model) {
        try (var scope = new Scope()) {
            var cases = json.path("cases");
            var name = cases.propertyNames().iterator().next();
            var pixels = Pixels.stacked(pictures(name, cases.path(name)));
            var patches = model.patches(pixels);
            model.hide(model.config().maskRatio(), true);
            beside("patchify", patches);
            beside("patchify_normalised", model.target(patches));
            beside(
                    "unpatchify_of_logits",
                    model.pictures(
                            golden.tensor(name + ".logits"), pixels.size(2), pixels.size(3)));
        }
        for (var count : json.path("len_keep")) {
            model.hide(count.path("mask_ratio").asDouble(Double.NaN), false);
            var seq = count.path("seq").asInt(0);
            findings.add(
                    "len_keep",
                    count.toString(),
                    Math.abs(model.config().seen(seq) - count.path("len_keep").asInt(-1)),
                    0);
        }
    }

    private void beside(String tensor, Tensor ours) {
        if (golden.has(tensor)) {
            compare(tensor, "all", json.path("cases"), ours, golden.tensor(tensor));
        }
    }

    private Case segmentation(Segformer model, String name, JsonNode reference) {
        var pictures = pictures(name, reference);
        var stages = model.stages(Pixels.stacked(pictures));
        var named = GoldenBatch.numbered("hidden_states.", stages);
        named.put("logits", model.scores(stages));
        var labels = input(name, reference, LABELS);
        var masks = new ArrayList<byte[]>();
        for (var i = 0; i < pictures.size(); i++) {
            var classes = labels.select(0, i).longs();
            var mask = new byte[classes.length];
            for (var at = 0; at < mask.length; at++) {
                mask[at] = (byte) classes[at];
            }
            masks.add(mask);
        }
        return new Case(named, new MaskBatch(model, pictures, masks, SegmentationLoss.PLAIN));
    }
}
