package dev.espalier.task;

import dev.espalier.image.Box;
import dev.espalier.image.Region;
import dev.espalier.model.Yolos;
import dev.espalier.nn.Stack;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Pictures of one size whose things are to be told, by the loss of DETR (Carion et al. 2020,
/// arXiv:2005.12872, section 3.1): each thing is matched to a token of its own, at the least cost in
/// all of
///
///     -c p[class] + b |box - box'|₁ - g GIoU(box, box')
///
/// The tokens then learn the classes of their things, or that they have none, by a cross-entropy in
/// which the latter weigh less, over the sum of the weights; and where those are, by b |box - box'|₁
/// + g (1 - GIoU), over the number of things.
///
/// @param things of each picture, whose boxes are in the pixels of what the model reads
/// @param whole what the step's losses are divided by, of which this may be a part
public record BoxBatch(Yolos model, List<Pixels> pictures, List<List<Region>> things, Whole whole)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "object-detection";

    /// What belongs to a step: pictures, things (at least 1), and the sum of the weights of the
    /// tokens' classes.
    public record Whole(long pictures, double things, double weights) {
        /// Of all these.
        public static Whole of(List<BoxBatch> parts) {
            var pictures = 0L;
            var things = 0.0;
            var weights = 0.0;
            for (var part : parts) {
                var config = part.model.config();
                for (var each : part.things) {
                    var matched = Math.min(each.size(), config.detections());
                    pictures++;
                    things += each.size();
                    weights += matched + config.none() * (config.detections() - matched);
                }
            }
            return new Whole(pictures, Math.max(1, things), weights);
        }
    }

    public BoxBatch {
        pictures = List.copyOf(pictures);
        things = things.stream().map(List::copyOf).toList();
    }

    /// A step of its own.
    public BoxBatch(Yolos model, List<Pixels> pictures, List<List<Region>> things) {
        this(model, pictures, things, new Whole(1, 1, 1));
    }

    /// These as the parts of one step.
    public static List<BoxBatch> together(List<BoxBatch> parts) {
        var whole = Whole.of(parts);
        return parts.stream().map(p -> new BoxBatch(p.model, p.pictures, p.things, whole)).toList();
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return pictures.size();
    }

    /// Pictures.
    @Override
    public long tokens() {
        return pictures.size();
    }

    @Override
    public List<String> where() {
        return pictures.stream().map(Pixels::where).toList();
    }

    /// What was matched, and what it costs.
    ///
    /// @param costs of each picture, (tokens, things)
    /// @param matching of each picture, the token of each thing, or -1
    /// @param classes the loss of the classes
    /// @param distance |box - box'|₁
    /// @param overlap 1 - GIoU; all three divided as the step's are
    public record Parts(
            List<double[][]> costs,
            List<int[]> matching,
            Tensor classes,
            Tensor distance,
            Tensor overlap) {}

    @Override
    public Loss forward() {
        var parts = parts(model.tellOnly(Pixels.stacked(pictures)));
        var weights = model.config().loss();
        var sum =
                parts.classes()
                        .add(parts.distance().mul(weights.box()))
                        .add(parts.overlap().mul(weights.overlap()))
                        // The loop divides by the step's pictures.
                        .mul((double) whole.pictures());
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    /// The losses of what was `told` of these pictures.
    public Parts parts(Yolos.Told told) {
        int b = pictures.size(), q = model.config().detections(), k = model.labels().size();
        var scores = told.scores().to(DType.FLOAT).reshape(-1, k + 1L); // (B Q, K + 1)
        var boxes = told.boxes().to(DType.FLOAT).reshape(-1, 4); // (B Q, 4)
        var probabilities = Torch.noGrad(() -> scores.detach().softmax(-1).floats());
        var places = boxes.detach().floats();
        var costs = new ArrayList<double[][]>();
        var matching = new ArrayList<int[]>();
        var labels = new long[b * q];
        Arrays.fill(labels, k);
        var count = things.stream().mapToInt(each -> Math.min(each.size(), q)).sum();
        var rows = new long[count];
        var wanted = new float[4 * count];
        var n = 0;
        for (var i = 0; i < b; i++) {
            var targets = targets(i);
            var cost = costs(i * q, q, k, targets, probabilities, places);
            costs.add(cost);
            var things = this.things.get(i);
            var tokens = new int[things.size()];
            Arrays.fill(tokens, -1);
            var of = Assignment.of(finite(cost, things.size()));
            for (var token = 0; token < q; token++) {
                var thing = of[token];
                if (thing < 0) {
                    continue;
                }
                tokens[thing] = token;
                labels[i * q + token] = model.labels().indexOf(things.get(thing).label());
                rows[n] = (long) i * q + token;
                System.arraycopy(targets[thing], 0, wanted, 4 * n++, 4);
            }
            matching.add(tokens);
        }
        var weights = new float[k + 1];
        Arrays.fill(weights, 1);
        weights[k] = (float) model.config().none();
        var classes =
                scores.crossEntropySum(Tensor.of(labels, labels.length), Tensor.of(weights, k + 1))
                        .mul(1 / whole.weights());
        if (count == 0) {
            // Zero, and a gradient of zero.
            var none = boxes.sum().mul(0);
            return new Parts(costs, matching, classes, none, none);
        }
        var ours = boxes.indexSelect(0, Tensor.of(rows, count)); // (N, 4)
        var theirs = Tensor.of(wanted, count, 4);
        return new Parts(
                costs,
                matching,
                classes,
                ours.sub(theirs).abs().sum().mul(1 / whole.things()),
                missed(ours, theirs).sum().mul(1 / whole.things()));
    }

    /// The boxes of a picture's things as the model tells them.
    private float[][] targets(int picture) {
        var pixels = pictures.get(picture);
        return things.get(picture).stream()
                .map(thing -> {
                    var box = thing.box().moved(1.0 / pixels.width(), 0, 1.0 / pixels.height(), 0);
                    return new float[] {
                        (float) ((box.left() + box.right()) / 2),
                        (float) ((box.top() + box.bottom()) / 2),
                        (float) box.width(),
                        (float) box.height()
                    };
                })
                .toArray(float[][]::new);
    }

    private double[][] costs(
            int first, int q, int k, float[][] targets, float[] probabilities, float[] places) {
        var weights = model.config().cost();
        var labels =
                things.get(first / q).stream()
                        .mapToInt(t -> model.labels().indexOf(t.label()))
                        .toArray();
        var costs = new double[q][targets.length];
        for (var token = 0; token < q; token++) {
            var at = 4 * (first + token);
            for (var t = 0; t < targets.length; t++) {
                var distance = 0.0;
                for (var c = 0; c < 4; c++) {
                    distance += Math.abs(places[at + c] - targets[t][c]);
                }
                var p = probabilities[(first + token) * (k + 1) + labels[t]];
                costs[token][t] =
                        weights.box() * distance
                                - weights.label() * p
                                - weights.overlap()
                                        * generalized(box(places, at), box(targets[t], 0));
            }
        }
        return costs;
    }

    /// A model gone astray must not stop the matching; its loss tells what is wrong.
    private static double[][] finite(double[][] costs, int things) {
        for (var row : costs) {
            for (var t = 0; t < things; t++) {
                row[t] = Double.isFinite(row[t]) ? row[t] : 1e9;
            }
        }
        return costs;
    }

    private static Box box(float[] middle, int at) {
        double x = middle[at], y = middle[at + 1], w = middle[at + 2], h = middle[at + 3];
        return new Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2);
    }

    /// Generalized intersection over union (Rezatofighi et al. 2019, arXiv:1902.09630): less by the
    /// share of the smallest box around both that neither fills.
    static double generalized(Box a, Box b) {
        var around =
                new Box(
                                Math.min(a.left(), b.left()),
                                Math.min(a.top(), b.top()),
                                Math.max(a.right(), b.right()),
                                Math.max(a.bottom(), b.bottom()))
                        .area();
        var union = a.area() + b.area() - a.in(b).area();
        return a.overlap(b) - (around - union) / around;
    }

    /// 1 - GIoU (N, 1) of boxes by their middles (N, 4).
    private static Tensor missed(Tensor a, Tensor b) {
        var common = length(a, b, 0, true).mul(length(a, b, 1, true));
        var union = area(a).add(area(b)).sub(common);
        var around = length(a, b, 0, false).mul(length(a, b, 1, false));
        var overlap = common.div(union).sub(around.sub(union).div(around));
        return overlap.mul(-1).add(1);
    }

    /// How long what both have along x (0) or y (1) is, or what reaches around both: (N, 1).
    private static Tensor length(Tensor a, Tensor b, int along, boolean common) {
        var from =
                common
                        ? edge(a, along, -0.5).maximum(edge(b, along, -0.5))
                        : edge(a, along, -0.5).minimum(edge(b, along, -0.5));
        var to =
                common
                        ? edge(a, along, 0.5).minimum(edge(b, along, 0.5))
                        : edge(a, along, 0.5).maximum(edge(b, along, 0.5));
        return to.sub(from).clampMin(0);
    }

    private static Tensor edge(Tensor box, int along, double half) {
        return box.narrow(1, along, 1).add(box.narrow(1, along + 2, 1).mul(half));
    }

    private static Tensor area(Tensor box) {
        return box.narrow(1, 2, 1).mul(box.narrow(1, 3, 1));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return pictures.hashCode();
    }
}
