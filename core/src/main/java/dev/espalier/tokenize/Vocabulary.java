package dev.espalier.tokenize;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// Names and ids of all tokens: the model's own and the added ones.
final class Vocabulary {
    private final String[] tokens;
    private final Map<String, Integer> ids;

    /// The ids that belong to the model; the others are added tokens only.
    private final BitSet model;

    /// The ids that are no tokens, though greater ones are.
    private final BitSet holes;

    /// @throws IllegalArgumentException if two tokens have the same name
    Vocabulary(String[] tokens, BitSet model) {
        this(tokens, model, new BitSet());
    }

    /// @param holes ids whose names mean nothing
    Vocabulary(String[] tokens, BitSet model, BitSet holes) {
        this.tokens = tokens;
        this.model = model;
        this.holes = holes;
        ids = HashMap.newHashMap(tokens.length);
        for (int id = 0; id < tokens.length; id++) {
            if (holes.get(id)) {
                tokens[id] = "";
                continue;
            }
            var other = ids.put(tokens[id], id);
            if (other != null) {
                throw new IllegalArgumentException(
                        "ids %d and %d are both \"%s\"".formatted(other, id, tokens[id]));
            }
        }
    }

    /// The greatest id and one.
    int size() {
        return tokens.length;
    }

    /// The name of `id`, empty of a hole.
    String token(int id) {
        return tokens[id];
    }

    OptionalInt id(String token) {
        var id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    boolean isModel(int id) {
        return model.get(id);
    }

    boolean isHole(int id) {
        return holes.get(id);
    }

    /// `given` but for holes.
    int[] withoutHoles(int[] given) {
        return holes.isEmpty()
                ? given
                : Arrays.stream(given).filter(id -> !holes.get(id)).toArray();
    }

    /// This vocabulary with the names that it lacks added at its end.
    Vocabulary with(List<String> names) {
        var fresh = names.stream().distinct().filter(name -> !ids.containsKey(name)).toList();
        var all = Arrays.copyOf(tokens, tokens.length + fresh.size());
        for (int i = 0; i < fresh.size(); i++) {
            all[tokens.length + i] = fresh.get(i);
        }
        return new Vocabulary(all, model, holes);
    }
}
