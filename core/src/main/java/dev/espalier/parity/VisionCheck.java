package dev.espalier.parity;

import dev.espalier.image.Box;
import dev.espalier.image.Region;
import dev.espalier.model.Segformer;
import dev.espalier.model.VisionEncoderDecoder;
import dev.espalier.model.Vit;
import dev.espalier.model.VitMae;
import dev.espalier.model.Yolos;
import dev.espalier.nn.Module;
import dev.espalier.objective.CaptionBatch;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MaskedPatchesBatch;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.Pixels;
import dev.espalier.optim.FlatParameters;
import dev.espalier.task.BoxBatch;
import dev.espalier.task.MaskBatch;
import dev.espalier.task.ObjectDetector;
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

    void check(Module model) {
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
    private static Map<String, Tensor> running(Module model) {
        var running = new TreeMap<String, Tensor>();
        model.parameters()
                .forEach((name, parameter) -> {
                    if (parameter.isRunning()) {
                        running.put(name, parameter.value().copy());
                    }
                });
        return running;
    }

    private static void restore(Module model, Map<String, Tensor> running) {
        var parameters = model.parameters();
        running.forEach((name, value) ->
                Objects.requireNonNull(parameters.get(name)).value().copyInPlace(value));
    }

    private void gathered(Module model, String name, JsonNode reference) {
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

    private MicroBatch forward(Module model, String name, JsonNode reference) {
        var made =
                switch (model) {
                    case Vit vit -> classification(vit, name, reference);
                    case VitMae mae -> masked(mae, name, reference);
                    case Segformer segformer -> segmentation(segformer, name, reference);
                    case Yolos yolos -> detection(yolos, name, reference);
                    case VisionEncoderDecoder both -> captioning(both, name, reference);
                    default -> throw new IllegalArgumentException(model.getClass().getName());
                };
        for (var tensor : golden.names(name + ".")) {
            if (INPUTS.contains(tensor) || tensor.startsWith(LABELS + ".")) {
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
                                List.of(new PictureLabelBatch.Share(new double[] {label}, 1)))
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

    private Case detection(Yolos model, String name, JsonNode reference) {
        var pictures = pictures(name, reference);
        var pixels = Pixels.stacked(pictures);
        var told = model.tell(pixels);
        var things =
                reference
                        .path("targets")
                        .valueStream()
                        .map(t -> things(t, pictures, model))
                        .toList();
        var batch = BoxBatch.together(List.of(new BoxBatch(model, pictures, things))).getFirst();
        var parts = batch.parts(told);
        var named = GoldenBatch.numbered("hidden_states.", told.states());
        named.put("logits", told.scores());
        named.put("pred_boxes", told.boxes());
        for (var between : new boolean[] {false, true}) {
            model.positions(pixels.size(2), pixels.size(3), between)
                    .forEach(placed ->
                            named.put(
                                    (between ? "mid_" : "") + "position_embeddings_interpolated",
                                    placed));
        }
        for (var i = 0; i < pictures.size(); i++) {
            var costs = parts.costs().get(i);
            var flat = Arrays.stream(costs).flatMapToDouble(Arrays::stream).toArray();
            var floats = new float[flat.length];
            for (var c = 0; c < flat.length; c++) {
                floats[c] = (float) flat[c];
            }
            if (floats.length > 0) {
                named.put(
                        "cost_matrix." + i,
                        Tensor.of(floats, costs.length, floats.length / costs.length));
            }
            matched(name, i, parts.matching().get(i), reference.path("matching").path(i));
        }
        lossPart(name, reference, "loss_ce", parts.classes());
        lossPart(name, reference, "loss_bbox", parts.distance());
        lossPart(name, reference, "loss_giou", parts.overlap());
        seen(model, name, told, reference.path("post_process"));
        return new Case(named, batch);
    }

    /// The things of a picture, whose boxes the reference has as the model tells them.
    private static List<Region> things(JsonNode target, List<Pixels> pictures, Yolos model) {
        var pixels = pictures.getFirst();
        var things = new ArrayList<Region>();
        for (var i = 0; i < target.path("boxes").size(); i++) {
            var box = target.path("boxes").path(i);
            var x = box.path(0).asDouble(Double.NaN);
            var y = box.path(1).asDouble(Double.NaN);
            var w = box.path(2).asDouble(Double.NaN);
            var h = box.path(3).asDouble(Double.NaN);
            things.add(
                    new Region(
                            new Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                                    .moved(pixels.width(), 0, pixels.height(), 0),
                            model.labels().get(target.path("class_labels").path(i).asInt(-1))));
        }
        return things;
    }

    private void matched(String name, int picture, int[] ours, JsonNode reference) {
        var theirs = new int[ours.length];
        Arrays.fill(theirs, -1);
        for (var i = 0; i < reference.path("target").size(); i++) {
            theirs[reference.path("target").path(i).asInt(0)] =
                    reference.path("query").path(i).asInt(-1);
        }
        findings.add(
                "matching",
                name + ", picture " + (picture + 1),
                Arrays.equals(ours, theirs) ? 0 : 1,
                0);
    }

    private void lossPart(String name, JsonNode reference, String part, Tensor ours) {
        findings.add(
                part,
                name,
                Math.abs(
                        ours.item()
                                - Golden.number(
                                        reference.has("fp64_loss_dict")
                                                ? reference.path("fp64_loss_dict")
                                                : reference.path("loss_dict"),
                                        part)),
                tolerances.logits());
    }

    /// What is told as seen, in the pixels of the pictures as they were.
    private void seen(Yolos model, String name, Yolos.Told told, JsonNode reference) {
        var threshold = reference.path("threshold").asDouble(1);
        for (var i = 0; i < reference.path("result").size(); i++) {
            var size = reference.path("target_sizes_hw").path(i);
            var ours =
                    ObjectDetector.seen(
                                    model,
                                    told.scores().select(0, i).floats(),
                                    told.boxes().select(0, i).floats(),
                                    size.path(1).asInt(0),
                                    size.path(0).asInt(0),
                                    false)
                            .stream()
                            .filter(d -> d.score() > threshold)
                            .toList();
            var theirs = reference.path("result").path(i);
            var difference = ours.size() == theirs.path("scores").size() ? 0.0 : Double.MAX_VALUE;
            for (var d = 0; d < ours.size() && difference < Double.MAX_VALUE; d++) {
                var box = ours.get(d).box();
                var corners = theirs.path("boxes").path(d);
                var numbers = new double[] {box.left(), box.top(), box.right(), box.bottom()};
                for (var c = 0; c < 4; c++) {
                    // In shares of the picture, as the model tells them.
                    var side = size.path(c % 2 == 0 ? 1 : 0).asDouble(1);
                    var apart = Math.abs(numbers[c] - corners.path(c).asDouble(0)) / side;
                    difference = Math.max(difference, apart);
                }
                var score = theirs.path("scores").path(d).asDouble(0);
                difference = Math.max(difference, Math.abs(ours.get(d).score() - score));
                var label = theirs.path("labels").path(d).asInt(-1);
                if (model.labels().indexOf(ours.get(d).label()) != label) {
                    difference = Double.MAX_VALUE;
                }
            }
            findings.add("post_process", name, difference, tolerances.logits());
        }
    }

    /// What the encoder gives of the first case's pictures, of which references write.
    Tensor memory(VisionEncoderDecoder model) {
        var first = json.path("cases").properties().iterator().next();
        return model.encode(Pixels.stacked(pictures(first.getKey(), first.getValue())), null);
    }

    private Case captioning(VisionEncoderDecoder model, String name, JsonNode reference) {
        var pictures = pictures(name, reference);
        var labels = input(name, reference, LABELS); // (B, T)
        var read = model.encoderStates(Pixels.stacked(pictures), null);
        var written = model.decoderStates(model.shiftedRight(labels), read.getLast(), null);
        var named = GoldenBatch.numbered(GoldenBatch.ENCODER + "hidden_states.", read);
        named.putAll(GoldenBatch.numbered("decoder_hidden_states.", written));
        named.put(GoldenBatch.ENCODER + "last_hidden_state", read.getLast());
        named.put("logits", model.logits(written.getLast()));
        var captions = new ArrayList<int[]>();
        for (var i = 0; i < pictures.size(); i++) {
            captions.add(
                    Arrays.stream(labels.select(0, i).longs())
                            .filter(label -> label != Tensor.IGNORE)
                            .mapToInt(label -> (int) label)
                            .toArray());
        }
        return new Case(named, new CaptionBatch(model, pictures, captions, CrossEntropy.PLAIN));
    }
}
