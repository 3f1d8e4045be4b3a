package dev.espalier.plan;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// What machines can do, draw and cost: a table that its reader is to edit, since prices differ by
/// place and day. The one that is built in has its makers' figures and no prices.
///
/// @param dated when its figures were looked up
/// @param note what its reader should know
/// @param currency of all prices
/// @param pricePerKwh of electricity; null where it is not to be reckoned with
public record Hardware(
        String dated,
        @Nullable String note,
        String currency,
        @Nullable Double pricePerKwh,
        List<Kind> machines) {
    /// Where the machine that runs this program is given its watts and price.
    public static final String HERE = "here";

    /// A kind of machine.
    ///
    /// @param fp32Tflops peak of matrix products, 10¹² operations a second; null where measured
    /// @param bf16Tflops the same in bf16, without sparsity; null where it has none
    /// @param attained the share of the peak that training is reckoned to reach
    /// @param memoryGib of the device
    /// @param watts that it draws under load
    /// @param pricePerHour of renting one; null where it is owned, or not known
    /// @param source where the figures are from
    public record Kind(
            String name,
            @Nullable Double fp32Tflops,
            @Nullable Double bf16Tflops,
            @Nullable Double attained,
            @Nullable Double memoryGib,
            @Nullable Double watts,
            @Nullable Double pricePerHour,
            @Nullable String source) {
        /// Operations a second that training is reckoned to reach; 0 where that must be measured.
        public double attainable(boolean bf16) {
            var peak = bf16 && bf16Tflops != null ? bf16Tflops : fp32Tflops;
            return peak == null || attained == null ? 0 : 1e12 * peak * attained;
        }
    }

    public Hardware {
        machines = List.copyOf(machines);
    }

    /// The table that is built in, as text for an editor.
    public static String builtInText() {
        try (var in = Objects.requireNonNull(Hardware.class.getResourceAsStream("hardware.json"))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The machine that runs this program, as the table has it; null where it has none.
    public @Nullable Kind here() {
        return machines.stream().filter(m -> m.name().equals(HERE)).findFirst().orElse(null);
    }

    /// The machines, the one that runs this program first, whether or not the table has it.
    List<Kind> hereFirst() {
        var here = here();
        return Stream.concat(
                        Stream.of(
                                here == null
                                        ? new Kind(HERE, null, null, null, null, null, null, null)
                                        : here),
                        machines.stream().filter(m -> !m.name().equals(HERE)))
                .toList();
    }

    public static Hardware builtIn() {
        try {
            return Json.mapper().readValue(builtInText(), Hardware.class);
        } catch (JacksonException e) {
            throw new IllegalStateException("the table that is built in", e);
        }
    }

    /// The table in `file`.
    ///
    /// @throws EspalierException (DATA) if it is none
    public static Hardware read(Path file) {
        var read = Json.read(file);
        // A record's constructor would fault on what is missing, in words for us.
        require(file, read.path("machines").isArray(), "machines: a list is needed");
        require(file, read.path("currency").isString(), "currency: a word such as EUR is needed");
        require(file, read.path("dated").isString(), "dated: a day such as 2026-01-31 is needed");
        requireKeys(
                file, "", read, List.of("dated", "note", "currency", "price-per-kwh", "machines"));
        var names = new HashSet<String>();
        for (var machine : read.path("machines")) {
            var name = machine.path("name").asString("");
            require(file, !name.isEmpty(), "machines: each needs a name");
            require(file, names.add(name), "machines: '" + name + "' stands twice");
            requireKeys(
                    file,
                    name + ".",
                    machine,
                    Stream.of(List.of("name"), NUMBERS, List.of("source"))
                            .flatMap(List::stream)
                            .toList());
            for (var key : NUMBERS) {
                var value = machine.path(key);
                require(
                        file,
                        value.isMissingNode()
                                || value.isNull()
                                || value.isNumber() && value.asDouble() >= 0,
                        name + "." + key + ": " + value + "; allowed: a number from 0 on, or null");
            }
            var attained = machine.path("attained");
            require(
                    file,
                    !attained.isNumber() || attained.asDouble() > 0 && attained.asDouble() <= 1,
                    name + ".attained: " + attained + "; allowed: a share in (0, 1], or null");
        }
        var price = read.path("price-per-kwh");
        require(
                file,
                price.isMissingNode()
                        || price.isNull()
                        || price.isNumber() && price.asDouble() >= 0,
                "price-per-kwh: " + price + "; allowed: a number from 0 on, or null");
        return Json.read(file, Hardware.class);
    }

    /// What a machine may have beside its name and its source.
    private static final List<String> NUMBERS =
            List.of(
                    "fp32-tflops",
                    "bf16-tflops",
                    "attained",
                    "memory-gib",
                    "watts",
                    "price-per-hour");

    private static void requireKeys(
            Path file, String prefix, JsonNode object, List<String> allowed) {
        for (var key : object.propertyNames()) {
            require(
                    file,
                    allowed.contains(key),
                    "%s%s: no such key; allowed: %s"
                            .formatted(prefix, key, String.join(", ", allowed)));
        }
    }

    private static void require(Path file, boolean holds, String otherwise) {
        if (!holds) {
            throw EspalierException.data(file + ": " + otherwise);
        }
    }

    /// The machine of that name.
    ///
    /// @throws EspalierException (USAGE) if there is none
    public Kind named(String name) {
        return machines.stream()
                .filter(kind -> kind.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() ->
                        EspalierException.usage(
                                "there is no machine '%s'; allowed: %s"
                                        .formatted(
                                                name,
                                                String.join(
                                                        ", ",
                                                        machines.stream()
                                                                .map(Kind::name)
                                                                .toList()))));
    }
}
