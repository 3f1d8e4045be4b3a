package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.nn.Stack;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// How far below a model's head its weights lie, in blocks.
final class Depths {
    private Depths() {}

    /// @param blocks from the head: 1 of the last block, n of the first, n + 1 of what was declared
    ///   before the blocks
    /// @param of n
    record Depth(long blocks, long of) {
        Depth before() {
            return new Depth(of + 1, of);
        }
    }

    /// Of each weight of `model` by its path; what comes after all blocks has none. Stacks of one
    /// name and a number each are stages, through which blocks are counted on; what is declared
    /// between two lies as deep as the block behind it. Of several stacks, an encoder's and a
    /// decoder's, each has its own depths, and what is declared between them lies before the
    /// second.
    static Map<String, Depth> of(Module model) {
        var stages = new LinkedHashMap<String, Map<String, Stack<?>>>();
        model.modules()
                .forEach((path, part) -> {
                    if (part instanceof Stack<?> stack) {
                        var name = path.replaceFirst("\\.\\d+$", "");
                        stages.computeIfAbsent(name, _ -> new LinkedHashMap<>()).put(path, stack);
                    }
                });
        var depths = new HashMap<String, Depth>();
        var deepest = 0L;
        for (var stacks : stages.values()) {
            long n = stacks.values().stream().mapToInt(s -> s.blocks().size()).sum();
            deepest = Math.max(deepest, n);
            var above = n;
            for (var stack : stacks.entrySet()) {
                for (var name : stack.getValue().parameters().keySet()) {
                    var block = Long.parseLong(name.substring(0, name.indexOf('.')));
                    depths.put(stack.getKey() + "." + name, new Depth(above - block, n));
                }
                above -= stack.getValue().blocks().size();
            }
        }
        var names = List.copyOf(model.parameters().keySet());
        var first = names.stream().filter(depths::containsKey).findFirst().orElse("");
        var embeddings = new ArrayList<String>(); // behind the last blocks, as BART's norm of them
        var isBelow = false;
        Depth next = null;
        for (var name : names.reversed()) {
            var depth = depths.get(name);
            if (depth != null) {
                var before = depth.before();
                embeddings.forEach(each -> depths.put(each, before));
                embeddings.clear();
                next = depth;
                isBelow = name.equals(first);
            } else if (next != null) {
                depths.put(
                        name,
                        isBelow
                                ? new Depth(deepest + 1, deepest)
                                : next.blocks() == next.of() ? next.before() : next);
            } else if (name.contains("embed")) {
                embeddings.add(name);
            }
        }
        return depths;
    }
}
