package dev.espalier.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.evaluate.Interval;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextTableTest {
    @Test
    void numbersStandRight() {
        assertThat(
                        TextTable.render(
                                List.of("method", "64", "512"),
                                List.of(
                                        List.of("fine-tuned", "42.2 ± 2.6 %", "60.1 %"),
                                        List.of("majority", "9.1 %", "–"))))
                .isEqualTo(
                        """
                        method                64     512
                        ────────────────────────────────
                        fine-tuned  42.2 ± 2.6 %  60.1 %
                        majority           9.1 %       –
                        """);
    }

    @Test
    void wideAndCombiningCharactersStayAligned() {
        var lines =
                TextTable.render(
                                List.of("label", "n"),
                                List.of(
                                        List.of("感情", "1"),
                                        List.of("e\u0301te\u0301", "22"),
                                        List.of("🙂", "3")))
                        .lines()
                        .toList();
        assertThat(lines).extracting(TextTable::width).containsOnly(9);
        assertThat(TextTable.width("感情")).isEqualTo(4);
        assertThat(TextTable.width("e\u0301")).isEqualTo(1);
        assertThat(TextTable.width("🙂")).isEqualTo(2);
    }

    @Test
    void aCellCannotSteerTheTerminal() {
        assertThat(TextTable.render(List.of("a"), List.of(List.of("x\u001b[31m\ny\u2028z"))))
                .doesNotContain("\u001b")
                .hasLineCount(3);
    }

    @Test
    void numbersForPeople() {
        assertThat(Numbers.count(-1234567)).isEqualTo("−1\u202f234\u202f567");
        assertThat(Numbers.operations(1.25e12)).isEqualTo("1.3\u202fTFLOP");
        assertThat(Numbers.operations(999)).isEqualTo("999.0\u202fFLOP");
        assertThat(Numbers.compact(700_416)).isEqualTo("700\u202fk");
        assertThat(Numbers.compact(999_800)).isEqualTo("1.00\u202fM");
        assertThat(Numbers.compact(2_620_000)).isEqualTo("2.62\u202fM");
        assertThat(Numbers.duration(59.7)).isEqualTo("1\u202fmin 0\u202fs");
        assertThat(Numbers.duration(7500)).isEqualTo("2\u202fh 5\u202fmin");
        assertThat(Numbers.percent(new Interval(0.5, 0.4, 0.62))).isEqualTo("50.0 ± 12.0\u202f%");
        assertThat(Numbers.percent(Interval.mean(0.5))).isEqualTo("50.0\u202f%");
        assertThat(Numbers.bytes(1L << 30)).isEqualTo("1\u202fGiB");
        assertThat(Numbers.fixed(-0.0, 1)).isEqualTo("0.0");
        assertThat(Numbers.isNumeric("fine")).isFalse();
        assertThat(Numbers.isNumeric("+12.0 % (+11.0 % to +13.0 %)")).isTrue();
    }
}
