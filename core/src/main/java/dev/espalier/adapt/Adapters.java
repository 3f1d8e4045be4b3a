package dev.espalier.adapt;

import dev.espalier.EspalierException;
import dev.espalier.nn.Adapter;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Several adapters on one base, by name: which of them act is chosen between two inputs, and the
/// base is read once.
///
///     var adapters = new Adapters(model);
///     HuggingFace.readAdapter(folder, model);
///     adapters.keep("reviews");
///     adapters.use("reviews");
///
/// Adapters that act at once add up what each changes on its own, as in PEFT. To be used by one
/// thread, while no other computes with the model.
public final class Adapters implements AutoCloseable {
    private final Module model;
    private final SequencedMap<String, Map<Linear, Lora>> kept = new LinkedHashMap<>();

    /// @param model the base, whose linear maps the adapters are for
    public Adapters(Module model) {
        this.model = model;
    }

    /// Takes the adapter that is on the model off it, and keeps it under a name of its own.
    ///
    /// @throws EspalierException if the name is taken, or there is no adapter on the model but one
    ///   that is kept already
    public void keep(String name) {
        if (kept.containsKey(name)) {
            throw EspalierException.usage("there is an adapter named '" + name + "' already");
        }
        var parts = new LinkedHashMap<Linear, Lora>();
        for (var module : model.modules().values()) {
            if (module instanceof Linear linear
                    && linear.adapter() instanceof Lora lora
                    && kept.values().stream().noneMatch(of -> of.get(linear) == lora)) {
                parts.put(linear, lora);
            }
        }
        if (parts.isEmpty()) {
            throw EspalierException.usage(
                    "there is no adapter on the model to keep as '"
                            + name
                            + "', beside those that are kept already");
        }
        parts.keySet().forEach(Linear::detach);
        kept.put(name, parts);
    }

    /// In the order in which they were kept.
    public List<String> names() {
        return List.copyOf(kept.keySet());
    }

    /// Has these adapters act, and no others: none gives the base's outputs.
    ///
    /// @throws EspalierException if there is none of such a name
    public void use(String... names) {
        var acting = new LinkedHashMap<Linear, SequencedMap<String, Lora>>();
        for (var name : names) {
            named(name)
                    .forEach((linear, lora) ->
                            acting.computeIfAbsent(linear, _ -> new LinkedHashMap<>())
                                    .put(name, lora));
        }
        takeOff();
        acting.forEach((linear, parts) -> {
            if (parts.size() == 1) {
                linear.attach(parts.firstEntry().getValue());
            } else {
                linear.attach(new Sum(parts));
            }
        });
    }

    private void takeOff() {
        kept.values().forEach(parts -> parts.keySet().forEach(Linear::detach));
    }

    /// Adds an adapter to the base's weights for good, and lets go of it. Of several, merged one
    /// after another, each changes the weights that the one before left. No adapter acts
    /// afterwards.
    public void merge(String name) {
        use(name);
        var merged = named(name).values().iterator().next();
        Lora.merge(model);
        kept.remove(name);
        // For those that are left the base stays as it is.
        kept.values().stream()
                .findFirst()
                .ifPresent(other -> other.values().iterator().next().follow(merged));
    }

    private Map<Linear, Lora> named(String name) {
        var parts = kept.get(name);
        if (parts == null) {
            throw EspalierException.usage(
                    "there is no adapter named '" + name + "'; there are " + kept.keySet());
        }
        return parts;
    }

    /// Frees all adapters; the model goes on without.
    @Override
    public void close() {
        takeOff();
        kept.values().forEach(parts -> parts.values().forEach(Lora::end));
        kept.clear();
    }

    /// Adapters of one map that act at once.
    private static final class Sum extends Module implements Adapter {
        private final List<Lora> parts;

        Sum(SequencedMap<String, Lora> named) {
            parts = new ArrayList<>();
            named.forEach((name, lora) -> parts.add(child(name, lora)));
        }

        @Override
        public Tensor delta(Tensor x, Tensor y) {
            return parts.stream().map(p -> p.delta(x, y)).reduce(Tensor::add).orElseThrow();
        }

        @Override
        public Tensor weightDelta() {
            return parts.stream().map(Lora::weightDelta).reduce(Tensor::add).orElseThrow();
        }
    }
}
