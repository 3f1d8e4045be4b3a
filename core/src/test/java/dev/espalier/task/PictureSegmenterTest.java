package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PictureSegmenterTest {
    @Test
    void windowsCoverAPictureAndOverlap() {
        for (var length : new int[] {1, 32, 33, 63, 64, 65, 200, 1001}) {
            for (var overlap : new double[] {0, 0.25, 0.5, 0.9}) {
                var places = PictureSegmenter.places(length, 32, overlap);
                assertThat(places.getFirst()).isZero();
                assertThat(places.getLast()).isEqualTo(Math.max(0, length - 32));
                for (var i = 1; i < places.size(); i++) {
                    assertThat(places.get(i) - places.get(i - 1))
                            .isBetween(1, Math.max(1, (int) (32 * (1 - overlap))));
                }
            }
        }
    }
}
