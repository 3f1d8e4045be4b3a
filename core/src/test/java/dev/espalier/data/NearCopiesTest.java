package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class NearCopiesTest {
    @Test
    void whatDiffersInAWordIsANearCopyAndAnotherTextIsNone() {
        var copies =
                new NearCopies(
                        List.of(
                                "The ferryman sold herring by the road on Monday, and nobody was surprised.",
                                "ab"),
                        0.8);
        assertThat(
                        copies.has(
                                "the  ferryman sold herring by the road on Monday, and nobody was surprised!"))
                .isTrue();
        assertThat(copies.has("The baker sold bread in the village, as she had always done."))
                .isFalse();
        assertThat(copies.has("AB")).isTrue();
        assertThat(copies.has("")).isFalse();
    }

    /// What is passed over by the index is what no comparison of all would find.
    @Test
    void theIndexFindsWhatComparingAllFinds() {
        var rng = Rng.at(5);
        var texts = new ArrayList<String>();
        for (var i = 0; i < 40; i++) {
            texts.add(text(rng));
        }
        var copies = new NearCopies(texts, 0.5);
        var found = 0;
        for (var i = 0; i < 60; i++) {
            var other = i % 2 == 0 ? text(rng) : changed(texts.get(i % 40), rng);
            var expected = texts.stream().anyMatch(t -> jaccard(t, other) >= 0.5);
            assertThat(copies.has(other)).isEqualTo(expected);
            found += expected ? 1 : 0;
        }
        assertThat(found).isBetween(5, 55);
    }

    private static String text(Rng rng) {
        var text = new StringBuilder();
        for (var i = 0; i < 30; i++) {
            text.append((char) ('a' + rng.nextInt(3)));
        }
        return text.toString();
    }

    private static String changed(String text, Rng rng) {
        var at = rng.nextInt(25);
        return text.substring(0, at) + "zz" + text.substring(at + 2);
    }

    private static double jaccard(String one, String other) {
        var a = stretches(one);
        var b = stretches(other);
        var both = new HashSet<>(a);
        both.retainAll(b);
        return both.size() / (double) (a.size() + b.size() - both.size());
    }

    private static HashSet<String> stretches(String text) {
        var all = new HashSet<String>();
        for (var i = 0; i + 5 <= text.length(); i++) {
            all.add(text.substring(i, i + 5));
        }
        return all;
    }
}
