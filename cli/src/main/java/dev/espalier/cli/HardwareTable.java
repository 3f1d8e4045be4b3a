package dev.espalier.cli;

import dev.espalier.plan.Hardware;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The table of machines and prices: the one that is built in, or the user's. A `@Mixin`.
final class HardwareTable {
    @Option(
            names = "--hardware",
            paramLabel = "FILE",
            description =
                    "A table of machines and prices, as plan --table prints it; its row `here` tells what this machine draws and costs.")
    private @Nullable Path file;

    Hardware read() {
        return file == null ? Hardware.builtIn() : Hardware.read(Given.file(file));
    }
}
