package dev.espalier.model;

import dev.espalier.nn.Linear;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ObjectNode;

/// ViT (Dosovitskiy et al. 2020, arXiv:2010.11929): a transformer's encoder over the patches of a
/// picture, and a linear map from what its class token has gathered to the scores of the labels.
public final class Vit extends VisionModel {
    /// How the path of a table of positions ends, of which a larger model has a part from this one.
    public static final String POSITIONS = VitBody.POSITIONS;

    static final List<String> ATTENTION =
            List.of(
                    "attention.query",
                    "attention.key",
                    "attention.value",
                    "attention.output.dense");
    static final List<String> MLP = List.of("intermediate.dense", "output.dense");
    private static final Family FAMILY =
            new Family(
                    "ViT",
                    "vit",
                    "",
                    Pattern.compile("(vit\\.)?pooler\\.dense\\.(weight|bias)"),
                    ATTENTION,
                    MLP,
                    List.of("query", "value"),
                    Map.of(),
                    Map.of());

    /// Of the 4 097 positions of 1 024 x 1 024 pixels in patches of 16 x 16, 12 heads' weights are
    /// 50 MB then, where those of all positions are 800 MB a block.
    private static final long ROLLED_AT_ONCE = 256;

    private final VitConfig config;
    private final VitBody vit;
    private final Linear classifier;
    private Problem problem;

    public Vit(VitConfig config, Problem problem) {
        this(config, new VitBody(config), problem);
    }

    private Vit(VitConfig config, VitBody body, Problem problem) {
        this.config = config;
        this.problem = problem;
        vit = child("vit", body);
        classifier = child("classifier", Linear.of(config.width(), problem.labels().size(), true));
    }

    /// A model that sees with the body of this one and tells something else, by a new head.
    public Vit telling(Problem other) {
        return new Vit(config, vit, other);
    }

    public VitConfig config() {
        return config;
    }

    /// The scores (B, labels) of pictures.
    public Tensor scores(Tensor pixels) { // (B, C, H, W)
        return scoresOf(vit.forward(pixels, state -> {}));
    }

    private Tensor scoresOf(Tensor hidden) { // (B, T, D)
        return classifier.forward(hidden.select(1, 0)); // (B, labels)
    }

    /// What a picture becomes on its way.
    ///
    /// @param states what each block reads, and what the last one gives: (B, T, D) each
    /// @param scores (B, labels)
    public record Seen(List<Tensor> states, Tensor scores) {
        public Seen {
            states = List.copyOf(states);
        }
    }

    /// As [#scores], with all states.
    public Seen seen(Tensor pixels) { // (B, C, H, W)
        var states = new ArrayList<Tensor>();
        var hidden = vit.forward(pixels, states::add);
        return new Seen(states, scoresOf(hidden));
    }

    /// How much of each patch of pictures the scores go by, (B, h, w): [VitBody#rollout].
    public Tensor rollout(Tensor pixels) { // (B, C, H, W)
        return vit.rollout(pixels, ROLLED_AT_ONCE);
    }

    /// New weights: N(0, 0.02²), biases 0, gains 1.
    @Override
    public Vit initialize(long seed) {
        InitialWeights.fill(this, seed, name -> config.initializerRange());
        return this;
    }

    @Override
    public void initializeHead(long seed) {
        InitialWeights.fill(classifier, seed, name -> config.initializerRange());
    }

    /// What the scores tell.
    public Problem problem() {
        return problem;
    }

    /// Has labels told from another probability on.
    public void threshold(double threshold) {
        problem = new Problem.MultiLabel(labels(), threshold);
    }

    @Override
    public List<String> labels() {
        return problem.labels();
    }

    @Override
    public String task() {
        return "ForImageClassification";
    }

    @Override
    public int imageHeight() {
        return config.imageHeight();
    }

    @Override
    public int imageWidth() {
        return config.imageWidth();
    }

    @Override
    public double multiplications(long height, long width) {
        return config.multiplications(height, width, (double) positions(height, width));
    }

    @Override
    public int leastSide() {
        return config.patch();
    }

    @Override
    public long positions(long height, long width) {
        return 1 + config.grid(height, width).count();
    }

    @Override
    public Family family() {
        return FAMILY;
    }

    @Override
    public ObjectNode configJson() {
        return config.json("vit");
    }
}
