package dev.espalier.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HardwareTest {
    @TempDir Path folder;

    @Test
    void theTableThatIsBuiltInCanBeEdited() throws IOException {
        var file = folder.resolve("table.json");
        Files.writeString(file, Hardware.builtInText());
        assertThat(Hardware.read(file)).isEqualTo(Hardware.builtIn());
        assertThat(Hardware.builtIn().machines().getFirst().name()).isEqualTo(Hardware.HERE);
        var card = Hardware.builtIn().named("A100");
        assertThat(card.attainable(true)).isBetween(0.9e14, 2e14);
        assertThat(card.attainable(false)).isLessThan(card.attainable(true));
        assertThatThrownBy(() -> Hardware.builtIn().named("abacus"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("a100");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]|machines",
                "{\"machines\": [], \"dated\": \"2026\"}|currency",
                "{\"machines\": [{}], \"dated\": \"2026\", \"currency\": \"EUR\"}|name",
                "{\"machines\": [{\"name\": \"a\", \"watts\": -1}], \"dated\": \"2026\", \"currency\": \"EUR\"}|a.watts: -1",
                "{\"machines\": [{\"name\": \"a\"}, {\"name\": \"a\"}], \"dated\": \"2026\", \"currency\": \"EUR\"}|twice",
                "{\"machines\": [], \"dated\": \"2026\", \"currency\": \"EUR\", \"price-per-kwh\": \"much\"}|price-per-kwh",
                "{\"machines\": [], \"dated\": \"2026\", \"currency\": \"EUR\", \"price-per-kWh\": 1}|price-per-kWh: no such key; allowed: dated",
                "{\"machines\": [{\"name\": \"a\", \"wats\": 1}], \"dated\": \"2026\", \"currency\": \"EUR\"}|a.wats: no such key; allowed: name",
                "{\"machines\": [{\"name\": \"a\", \"attained\": 40}], \"dated\": \"2026\", \"currency\": \"EUR\"}|a.attained: 40; allowed: a share in (0, 1]",
                "{\"machines\": [{\"name\": \"a\", \"attained\": 0}], \"dated\": \"2026\", \"currency\": \"EUR\"}|a.attained: 0",
                "{\"machines\": [|table.json",
            })
    void aBrokenTableIsRefusedByItsKey(String text, String named) throws IOException {
        var file = folder.resolve("table.json");
        Files.writeString(file, text);
        assertThatThrownBy(() -> Hardware.read(file))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("table.json")
                .hasMessageContaining(named);
    }
}
