package dev.espalier.parity;

/// How far our numbers may lie from the reference's. In fp32 the last bits depend on the order of
/// additions, so equality is no aim.
///
/// @param logits of each score and hidden state, and of a batch's loss
/// @param gradients of each element of a gradient
/// @param losses of a loss on the way of a training
/// @param weights of each weight after a training, or after merging an adapter
public record Tolerances(double logits, double gradients, double losses, double weights) {
    /// What two sound implementations in fp32 keep on small models.
    public static final Tolerances FP32 = new Tolerances(1e-5, 1.5e-6, 6e-7, 5e-6);
}
