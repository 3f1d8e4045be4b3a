package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.parity.Comparison;
import dev.espalier.parity.Parity;
import dev.espalier.parity.Tolerances;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "verify",
        description = {
            "Compares a model with reference numbers dumped elsewhere: scores, losses, gradients,"
                    + " written sequences, trainings.",
            "A part that cannot be checked counts as failed. Exits with 5 beyond the tolerance."
        },
        footerHeading = "%nExample:%n",
        footer = "  espalier verify models/gpt2 --against goldens/gpt2")
final class Verify implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(paramLabel = "MODEL", description = "The folder of a model.")
    private Path model = Path.of("");

    @Option(
            names = "--against",
            required = true,
            paramLabel = "GOLDEN",
            description = "A folder with golden.json and golden.safetensors.")
    private Path golden = Path.of("");

    @Option(
            names = "--tolerance",
            defaultValue = "1e-5",
            paramLabel = "T",
            description =
                    "How far a score may lie from the reference; the tolerances of gradients, losses"
                            + " and weights grow with it. Default: ${DEFAULT-VALUE}.")
    private double tolerance;

    Verify(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        if (!(tolerance >= 0 && tolerance < Double.POSITIVE_INFINITY)) {
            throw EspalierException.usage("--tolerance must be a number of at least 0");
        }
        Given.folder(model, "a model");
        Given.folder(golden, "reference numbers");
        if (!Files.isRegularFile(golden.resolve("golden.json"))) {
            throw EspalierException.data(golden + ": no reference, it has no golden.json");
        }
        var fp32 = Tolerances.FP32;
        var scale = tolerance / fp32.logits();
        var report =
                Parity.check(
                        model,
                        golden,
                        new Tolerances(
                                fp32.logits() * scale,
                                fp32.gradients() * scale,
                                fp32.losses() * scale,
                                fp32.weights() * scale));
        var console = context.console();
        if (console.json()) {
            report.comparisons().forEach(comparison -> console.result("", json(comparison)));
        } else {
            report.comparisons().stream()
                    .collect(
                            Collectors.groupingBy(
                                    Comparison::part, LinkedHashMap::new, Collectors.toList()))
                    .forEach((part, all) -> console.result(line(part, all), all));
        }
        if (!report.ok()) {
            var failures = report.failures();
            throw EspalierException.check(
                    golden
                            + (failures.isEmpty()
                                    ? ": holds nothing to compare with"
                                    : ": %d of %d parts failed; the first: %s"
                                            .formatted(
                                                    failures.size(),
                                                    report.comparisons().size(),
                                                    text(failures.getFirst()))));
        }
        return 0;
    }

    private static String line(String part, List<Comparison> all) {
        var failed = all.stream().filter(c -> !c.ok()).count();
        var largest =
                all.stream()
                        .map(Comparison::difference)
                        .filter(Objects::nonNull)
                        .mapToDouble(d -> d)
                        .max();
        return String.format(
                Locale.ROOT,
                "%-16s %5d compared, largest difference %s, allowed %.2g: %s",
                part,
                all.size(),
                largest.isPresent() ? "%.2e".formatted(largest.getAsDouble()) : "unknown",
                all.stream().mapToDouble(Comparison::tolerance).max().orElse(0),
                failed == 0 ? "ok" : failed + " FAILED");
    }

    private static String text(Comparison failure) {
        var difference = failure.difference();
        return failure.part()
                + " "
                + failure.name()
                + (difference == null
                        ? " could not be checked (" + failure.reason() + ")"
                        : String.format(
                                Locale.ROOT,
                                " differs by %.3g, %.3g is allowed",
                                difference,
                                failure.tolerance()));
    }

    private static Object json(Comparison comparison) {
        var json = new LinkedHashMap<String, Object>();
        json.put("part", comparison.part());
        json.put("name", comparison.name());
        var difference = comparison.difference();
        if (difference == null) {
            json.put("unchecked", comparison.reason());
        } else {
            json.put("difference", difference);
            json.put("tolerance", comparison.tolerance());
        }
        json.put("ok", comparison.ok());
        return json;
    }
}
