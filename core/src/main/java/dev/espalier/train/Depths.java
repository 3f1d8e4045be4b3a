package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.nn.Stack;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/// How far below a model's head its weights lie, in blocks.
final class Depths {
    private static final Pattern BLOCK = Pattern.compile("\\d+");

    private Depths() {}

    /// @param blocks from the head: 1 of the last block, n of the first, n + 1 of what was declared
    ///   before the blocks
    /// @param of n
    record Depth(long blocks, long of) {}

    /// Of each weight of `model` by its path; what comes after the blocks has none.
    static Map<String, Depth> of(Module model) {
        var depths = new HashMap<String, Depth>();
        var deepest = 0L;
        for (var module : model.modules().entrySet()) {
            if (!(module.getValue() instanceof Stack<?> stack)) {
                continue;
            }
            var n = stack.modules().keySet().stream().filter(BLOCK.asMatchPredicate()).count();
            deepest = Math.max(deepest, n);
            for (var name : stack.parameters().keySet()) {
                var block = Long.parseLong(name.substring(0, name.indexOf('.')));
                depths.put(module.getKey() + "." + name, new Depth(n - block, n));
            }
        }
        for (var name : model.parameters().keySet()) {
            if (depths.containsKey(name)) {
                break;
            }
            depths.put(name, new Depth(deepest + 1, deepest));
        }
        return depths;
    }
}
