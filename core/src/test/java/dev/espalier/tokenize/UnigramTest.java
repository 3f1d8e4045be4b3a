package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class UnigramTest {
    private static Unigram of(List<String> names, double[] scores, int @Nullable [] byteIds) {
        var model = new BitSet();
        model.set(0, names.size());
        return new Unigram(new Vocabulary(names.toArray(String[]::new), model), scores, 0, byteIds);
    }

    private static int[] spell(Spelling unigram, String word) {
        var bytes = word.getBytes(StandardCharsets.UTF_8);
        return unigram.spell(bytes, 0, bytes.length, null);
    }

    /// The greatest sum of scores over all spellings of `word`.
    private static double best(List<String> names, double[] scores, String word) {
        double best = word.isEmpty() ? 0 : Double.NEGATIVE_INFINITY;
        for (int id = 1; id < names.size(); id++) {
            if (word.startsWith(names.get(id))) {
                var rest = word.substring(names.get(id).length());
                best = Math.max(best, scores[id] + best(names, scores, rest));
            }
        }
        return best;
    }

    @Test
    void theMostLikelySpellingIsFound() {
        var names = List.of("<unk>", "a", "b", "ab", "ba", "aab", "abba", "bb");
        for (int i = 0; i < 300; i++) {
            var random = Rng.at(1, i);
            var scores = IntStream.range(0, 8).mapToDouble(k -> -5 * random.nextDouble()).toArray();
            var word = new StringBuilder();
            for (int n = 1 + random.nextInt(11); n > 0; n--) {
                word.append(random.nextInt(2) == 0 ? 'a' : 'b');
            }
            var ids = spell(of(names, scores, null), word.toString());
            assertThat(IntStream.of(ids).mapToObj(names::get).reduce("", String::concat))
                    .isEqualTo(word.toString());
            assertThat(IntStream.of(ids).mapToDouble(id -> scores[id]).sum())
                    .isEqualTo(
                            best(names, scores, word.toString()),
                            org.assertj.core.data.Offset.offset(1e-9));
        }
    }

    @Test
    void neighboursThatAreUnknownAreOne() {
        var unigram = of(List.of("<unk>", "a", "木"), new double[] {0, -1, -2}, null);
        assertThat(spell(unigram, "axya木zé")).containsExactly(1, 0, 1, 2, 0);
        var places = new Ids(2);
        var bytes = "xéa".getBytes(StandardCharsets.UTF_8);
        assertThat(unigram.spell(bytes, 0, bytes.length, places)).containsExactly(0, 1);
        assertThat(places.toArray()).containsExactly(0, 3, 3, 4);
    }

    @Test
    void bytesStandForWhatIsUnknown() {
        var names = new ArrayList<>(List.of("<unk>", "a"));
        var byteIds = new int[256];
        for (int b = 0; b < 256; b++) {
            byteIds[b] = names.size();
            names.add(Spelling.byteName(b));
        }
        var unigram = of(names, new double[names.size()], byteIds);
        assertThat(spell(unigram, "aé")).containsExactly(1, byteIds[0xc3], byteIds[0xa9]);
        // The name of a byte that stands in a text is that byte, unless the text is a stranger's.
        assertThat(spell(unigram, "<0x0A>")).containsExactly(byteIds[10]);
        assertThat(spell(unigram.without(new BitSet()), "<0x0A>")).hasSize(6);
    }

    @Test
    void hiddenTokensSpellNothing() {
        var hidden = new BitSet();
        hidden.set(1);
        var unigram = of(List.of("<unk>", "ab", "a", "b"), new double[] {0, -1, -3, -3}, null);
        assertThat(spell(unigram, "ab")).containsExactly(1);
        assertThat(spell(unigram.without(hidden), "ab")).containsExactly(2, 3);
    }
}
