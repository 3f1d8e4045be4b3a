package dev.espalier.task;

/// How a preference between two answers becomes a loss. With the log-ratios of the trained model π
/// and the reference ρ for the chosen answer w and the rejected answer l to a prompt x,
///
/// r_w = log π(w | x) - log ρ(w | x), r_l likewise, Δ = r_w - r_l,
///
/// where the log-probability of an answer is the sum over its tokens, the one that ends it
/// included. A pair's gradient goes through log π(w | x) and log π(l | x) alone.
public sealed interface PreferenceLoss {
    /// How strongly the model is held to the reference; β times a log-ratio is an answer's reward.
    double beta();

    /// Log-probabilities of an answer and its tokens.
    ///
    /// @param policy by the model that is trained
    /// @param reference by the model from which it started
    record Answer(double policy, double reference, long tokens) {
        double ratio() {
            return policy - reference;
        }
    }

    /// A pair's loss, and its derivatives by the log-probabilities that the trained model gives the
    /// chosen and the rejected answer.
    record Value(double loss, double byChosen, double byRejected) {}

    /// @param divergence the estimate of KL(π ‖ ρ); only [Kto] asks for it
    Value of(Answer chosen, Answer rejected, double divergence);

    /// Direct preference optimization (Rafailov et al. 2023, arXiv:2305.18290, eq. 7), with the
    /// share ε of pairs that may be labelled the wrong way round (Mitchell 2023, "A note on DPO
    /// with noisy preferences"):
    ///
    /// -(1 - ε) log σ(β Δ) - ε log σ(-β Δ)
    record Dpo(double beta, double labelSmoothing) implements PreferenceLoss {
        @Override
        public Value of(Answer chosen, Answer rejected, double divergence) {
            var x = beta * (chosen.ratio() - rejected.ratio());
            var loss = (1 - labelSmoothing) * softplus(-x) + labelSmoothing * softplus(x);
            var slope = beta * (labelSmoothing * sigmoid(x) - (1 - labelSmoothing) * sigmoid(-x));
            return new Value(loss, slope, -slope);
        }
    }

    /// Identity preference optimization (Azar et al. 2023, arXiv:2310.12036, eq. 17):
    ///
    /// (Δ - 1 / (2 β))²
    ///
    /// with each log-ratio divided by its answer's tokens where they are averaged, so that long
    /// answers do not count for more.
    record Ipo(double beta, boolean average) implements PreferenceLoss {
        @Override
        public Value of(Answer chosen, Answer rejected, double divergence) {
            var w = average ? 1.0 / chosen.tokens() : 1;
            var l = average ? 1.0 / rejected.tokens() : 1;
            var x = w * chosen.ratio() - l * rejected.ratio() - 1 / (2 * beta);
            return new Value(x * x, 2 * x * w, -2 * x * l);
        }
    }

    /// Kahneman–Tversky optimization (Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8) of both
    /// answers, the chosen one as desirable, the mean of
    ///
    /// λ_D (1 - σ(β (r_w - z₀))) and λ_U (1 - σ(β (z₀ - r_l)))
    ///
    /// where z₀ = max(0, the mean of r over answers to other prompts) stands for KL(π ‖ ρ), through
    /// which no gradient goes.
    ///
    /// @param desirable λ_D
    /// @param undesirable λ_U
    record Kto(double beta, double desirable, double undesirable) implements PreferenceLoss {
        @Override
        public Value of(Answer chosen, Answer rejected, double divergence) {
            var w = sigmoid(beta * (chosen.ratio() - divergence));
            var l = sigmoid(beta * (divergence - rejected.ratio()));
            return new Value(
                    (desirable * (1 - w) + undesirable * (1 - l)) / 2,
                    -desirable * beta * w * (1 - w) / 2,
                    undesirable * beta * l * (1 - l) / 2);
        }
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /// log(1 + exp(x)), which is -log σ(-x).
    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }
}
