package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.recipe.TrainingRecipe.BadLoss;
import org.junit.jupiter.api.Test;

class LossGuardTest {
    private static LossGuard after(int good, BadLoss recipe) {
        var guard = new LossGuard(recipe);
        for (var i = 0; i < good; i++) {
            guard.good(i % 2 == 0 ? 1.5 : 2.5);
        }
        return guard;
    }

    @Test
    void whatIsNoNumberIsBadFromTheFirstStepOn() {
        var guard = after(0, BadLoss.STOP);
        assertThat(guard.fault(Double.NaN, 1)).isEqualTo("the loss is NaN");
        assertThat(guard.fault(Double.POSITIVE_INFINITY, 1)).isEqualTo("the loss is Infinity");
        assertThat(guard.fault(1, Double.NaN)).isEqualTo("the gradient's norm is NaN");
        assertThat(guard.fault(1e30, 1e30)).isNull();
    }

    @Test
    void aSpikeIsJudgedByTheMeanOfTwentyGoodStepsOrMore() {
        var recipe = new BadLoss(BadLoss.Then.SKIP, 3.0, 10);
        assertThat(after(19, recipe).fault(1000, 1)).isNull();
        var guard = after(20, recipe);
        assertThat(guard.fault(5.99, 1)).isNull();
        assertThat(guard.fault(6.5, 1))
                .isEqualTo("the loss is 6.500, 3.3 times the mean of 2.000 before it");
        assertThat(after(20, BadLoss.STOP).fault(6.5, 1)).isNull();
    }

    @Test
    void theMeanFollowsTheLossAndLeavesSkippedStepsOut() {
        var guard = after(1000, new BadLoss(BadLoss.Then.SKIP, 3.0, 10));
        assertThat(guard.state().mean()).isCloseTo(2, within(0.02));
        for (var i = 0; i < 50; i++) {
            guard.good(1);
        }
        // (1 - 1/50)^50 of the way is left.
        assertThat(guard.state().mean()).isCloseTo(1 + Math.pow(0.98, 50), within(0.02));
        var mean = guard.state().mean();
        assertThat(guard.skip()).isTrue();
        assertThat(guard.state().mean()).isEqualTo(mean);
    }

    @Test
    void onlyBadStepsInARowCountTowardsTheEnd() {
        var guard = after(30, new BadLoss(BadLoss.Then.SKIP, null, 3));
        for (var i = 0; i < 5; i++) {
            assertThat(guard.skip()).isTrue();
            assertThat(guard.skip()).isTrue();
            guard.good(2);
        }
        assertThat(guard.state().skipped()).isEqualTo(10);
        assertThat(guard.skip()).isTrue();
        assertThat(guard.skip()).isTrue();
        assertThat(guard.skip()).isFalse();
        assertThat(after(1, BadLoss.STOP).skip()).isFalse();
    }
}
