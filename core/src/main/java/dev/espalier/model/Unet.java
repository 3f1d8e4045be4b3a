package dev.espalier.model;

import dev.espalier.nn.Conv2d;
import dev.espalier.nn.GroupNorm;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ObjectNode;

/// U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597), to compare with: a picture is seen
/// at one level after another, each half as fine and twice as wide, and on the way back each level
/// sees what it saw on the way there. Unlike the paper's, convolutions keep the size of what they
/// read, are followed by norms over groups of eight channels, and coarser levels are stretched
/// bilinearly.
///
/// K classes; D channels of a level.
public final class Unet extends Segmenter {
    private static final int GROUP = 8;
    private static final Family FAMILY =
            new Family(
                    "EspalierUnet",
                    "unet",
                    "",
                    Pattern.compile("(?!)"),
                    List.of(),
                    List.of(),
                    List.of(),
                    Map.of(),
                    Map.of());

    private final UnetConfig config;
    private final List<Twice> down = new ArrayList<>();
    private final List<Twice> up = new ArrayList<>();
    private final Conv2d classifier;

    public Unet(UnetConfig config, List<String> labels) {
        super(labels);
        this.config = config;
        for (var level = 0; level < config.levels(); level++) {
            var inputs = level == 0 ? config.channels() : config.width(level - 1);
            down.add(child("unet.down." + level, new Twice(inputs, config.width(level))));
        }
        for (var level = config.levels() - 2; level >= 0; level--) {
            var inputs = config.width(level) + config.width(level + 1);
            up.add(child("unet.up." + level, new Twice(inputs, config.width(level))));
        }
        classifier =
                child(
                        "classifier",
                        new Conv2d(Conv2d.Shape.same(config.width(), labels.size(), 1, 1), true));
    }

    @Override
    public Tensor scores(Tensor pixels) { // (B, C, H, W)
        var seen = new ArrayList<Tensor>();
        var x = pixels;
        for (var level : down) {
            x = level.forward(seen.isEmpty() ? x : x.maxPool2d(2)); // (B, D, H / 2ˡ, W / 2ˡ)
            seen.add(x);
        }
        for (var i = 0; i < up.size(); i++) {
            var finer = seen.get(seen.size() - 2 - i);
            var stretched = x.bilinear(finer.size(2), finer.size(3));
            x = up.get(i).forward(Tensor.concat(1, finer, stretched));
        }
        return classifier.forward(x); // (B, K, H, W)
    }

    /// x ← relu(norm(conv(x))), twice.
    private static final class Twice extends Module {
        private final Conv2d first;
        private final GroupNorm firstNorm;
        private final Conv2d second;
        private final GroupNorm secondNorm;

        Twice(long inputs, long outputs) {
            first = child("conv1", new Conv2d(Conv2d.Shape.same(inputs, outputs, 3, 1), false));
            firstNorm = child("norm1", new GroupNorm(outputs / GROUP, outputs));
            second = child("conv2", new Conv2d(Conv2d.Shape.same(outputs, outputs, 3, 1), false));
            secondNorm = child("norm2", new GroupNorm(outputs / GROUP, outputs));
        }

        Tensor forward(Tensor x) { // (B, D, h, w)
            x = firstNorm.forward(first.forward(x)).relu();
            return secondNorm.forward(second.forward(x)).relu();
        }
    }

    /// New weights: those of convolutions N(0, 2 / fan-out), biases 0, gains 1.
    @Override
    public Unet initialize(long seed) {
        InitialWeights.fillWithConvolutions(this, seed, 0);
        return this;
    }

    @Override
    public void initializeHead(long seed) {
        InitialWeights.fillWithConvolutions(classifier, seed, 0);
    }

    @Override
    public int imageHeight() {
        return config.image();
    }

    @Override
    public int imageWidth() {
        return config.image();
    }

    @Override
    public int leastSide() {
        return config.leastSide();
    }

    @Override
    public long positions(long height, long width) {
        return height * width;
    }

    @Override
    public double multiplications(long height, long width) {
        double sum = 0, n = (double) height * width;
        for (var level = 0; level < config.levels(); level++, n /= 4) {
            double d = config.width(level);
            sum += 9 * n * d * (d + (level == 0 ? config.channels() : d / 2));
            // On the way back it reads its own channels and the coarser level's twice as many.
            sum += level == config.levels() - 1 ? 0 : 9 * n * d * (d + 3 * d);
        }
        return sum;
    }

    @Override
    public Family family() {
        return FAMILY;
    }

    @Override
    public ObjectNode configJson() {
        return config.json();
    }
}
