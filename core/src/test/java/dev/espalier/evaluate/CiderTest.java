package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/// Cases whose values follow from the definition.
class CiderTest {
    @Test
    void theReferenceItselfIsTen() {
        var cider =
                new Cider(
                        List.of(
                                List.of("a red circle above a blue square"),
                                List.of("three black triangles in a row")));
        assertThat(cider.score(0, "A red circle, above a blue square."))
                .isCloseTo(10, within(1e-9));
        assertThat(cider.score(1, "a red circle above a blue square")).isLessThan(1);
    }

    /// All four lengths of runs: of one word `x` and `y` weigh log 2 each, of two `x y` does; there
    /// are no longer ones. The caption `x` has one run of the two: ½ · ... as below.
    @Test
    void runsAreWeighedByHowRareTheyAre() {
        var cider = new Cider(List.of(List.of("x y"), List.of("z")));
        // One word: log 2 · log 2 / (log 2 · log 2 · √2). A pair apart: exp(-1 / 72).
        var expected = 10.0 / 4 * Math.exp(-1 / 72.0) / Math.sqrt(2);
        assertThat(cider.score(0, "x")).isCloseTo(expected, within(1e-9));
        // Said twice it counts once in the product, and twice in the norm; the pairs are as many.
        assertThat(cider.score(0, "x x")).isCloseTo(10.0 / 4 / 2 / Math.sqrt(2), within(1e-9));
    }

    @Test
    void whatEveryPictureHasWeighsNothing() {
        var cider = new Cider(List.of(List.of("the x"), List.of("the y")));
        assertThat(cider.score(0, "the")).isZero();
        assertThat(cider.score(0, "")).isZero();
    }

    @Test
    void theMeanOverReferences() {
        var one = new Cider(List.of(List.of("x y"), List.of("z")));
        var two = new Cider(List.of(List.of("x y", "v w"), List.of("z")));
        assertThat(two.score(0, "x y")).isCloseTo(one.score(0, "x y") / 2, within(1e-9));
    }

    @Test
    void overManyTextsItIsTheMean() {
        var references = List.of(List.of("x y"), List.of("z v"));
        var texts = new WrittenTexts(List.of("x y", "x y"), references);
        var score = texts.captionScores("test", "", 1).getLast();
        assertThat(score.metric()).isEqualTo("cider");
        assertThat(score.value()).isCloseTo(2.5, within(1e-9));
    }
}
