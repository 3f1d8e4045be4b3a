package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StopStringsTest {
    @ParameterizedTest
    @CsvSource({
        "hello world, wor, hello_, true",
        "abcd, bc|abcd, a, true",
        "abcd, abc|bc, '', true",
        "aaab, aab, a, true",
        "abab, abc, abab, false",
        "ends with a start of st, stop, ends with a start of st, false",
    })
    void theTextIsCutBeforeTheFirstStringHoweverItArrives(
            String text, String stops, String expected, boolean stopped) {
        for (var seed = 0; seed < 50; seed++) {
            var strings = new StopStrings(List.of(stops.split("\\|")));
            var out = new StringBuilder();
            for (var piece : pieces(text, Rng.at(seed))) {
                out.append(strings.next(piece));
            }
            out.append(strings.finish());
            assertThat(out.toString()).isEqualTo(expected.replace('_', ' '));
            assertThat(strings.stopped()).isEqualTo(stopped);
        }
    }

    private static List<String> pieces(String text, Rng rng) {
        var pieces = new ArrayList<String>();
        for (var start = 0; start < text.length(); ) {
            var end = Math.min(text.length(), start + rng.nextInt(4));
            pieces.add(text.substring(start, end));
            start = end;
        }
        return pieces;
    }

    @Test
    void onlyWhatMayBecomeAStopStringIsHeldBack() {
        var strings = new StopStrings(List.of("\n\nUser:"));
        assertThat(strings.next("fine.\n")).isEqualTo("fine.");
        assertThat(strings.next("\nUs")).isEmpty();
        assertThat(strings.next("ually\n")).isEqualTo("\n\nUsually");
        assertThat(strings.finish()).isEqualTo("\n");
    }
}
