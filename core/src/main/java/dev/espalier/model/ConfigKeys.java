package dev.espalier.model;

import dev.espalier.EspalierException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Reads the keys of a `config.json`; null counts as absent.
final class ConfigKeys {
    /// The largest tables of published models have some 10⁶ rows; more is a broken or a hostile
    /// file.
    private static final long MOST = 100_000_000;

    private final JsonNode json;

    ConfigKeys(JsonNode json) {
        this.json = json;
    }

    private @Nullable JsonNode find(String key) {
        var node = json.path(key);
        return node.isMissingNode() || node.isNull() ? null : node;
    }

    boolean has(String key) {
        return find(key) != null;
    }

    int integer(String key, long otherwise) {
        var node = find(key);
        return node == null ? Math.toIntExact(otherwise) : integer(key, node);
    }

    private static int integer(String key, JsonNode node) {
        if (!node.isIntegralNumber()
                || !node.canConvertToLong()
                || node.longValue() < 1
                || node.longValue() > MOST) {
            throw EspalierException.data(
                    key + " is " + node + "; a whole number from 1 to " + MOST + " is needed");
        }
        return (int) node.longValue();
    }

    /// The channels of pictures.
    int channels() {
        var channels = integer("num_channels", 3);
        if (channels != 3) {
            throw EspalierException.data(
                    "num_channels is %d; allowed: 3, since pictures are read as red, green and blue"
                            .formatted(channels));
        }
        return channels;
    }

    /// A list of `count` whole numbers of at least 1.
    int[] integers(String key, int count, int... otherwise) {
        var node = find(key);
        if (node == null) {
            return otherwise;
        }
        if (!node.isArray() || node.size() != count) {
            throw EspalierException.data(
                    key + " is " + node + "; a list of " + count + " whole numbers is needed");
        }
        return node.valueStream().mapToInt(item -> integer(key, item)).toArray();
    }

    /// A height and a width, which one number says where they are equal.
    int[] size(String key, int... otherwise) {
        var node = find(key);
        if (node != null && !node.isArray()) {
            var both = integer(key, node);
            return new int[] {both, both};
        }
        return integers(key, 2, otherwise);
    }

    double number(String key, double otherwise) {
        var node = find(key);
        if (node == null) {
            return otherwise;
        }
        var value = node.isNumber() ? node.asDouble(Double.NaN) : Double.NaN;
        if (!Double.isFinite(value)) {
            throw EspalierException.data(key + " is " + node + "; a number is needed");
        }
        return value;
    }

    /// A number above 0.
    double positive(String key, double otherwise) {
        var value = number(key, otherwise);
        if (!(value > 0)) {
            throw EspalierException.data(key + " is " + value + ", but must be above 0");
        }
        return value;
    }

    boolean flag(String key, boolean otherwise) {
        var node = find(key);
        if (node == null) {
            return otherwise;
        }
        if (!node.isBoolean()) {
            throw EspalierException.data(key + " is " + node + "; true or false is needed");
        }
        return node.booleanValue();
    }

    /// Refuses a flag that is not as the family has it.
    void require(String key, boolean only, String family) {
        if (flag(key, only) != only) {
            throw EspalierException.data(key + ": " + !only + " is not supported for " + family);
        }
    }

    /// A token's id, at least 0.
    int id(String key, int otherwise) {
        var node = find(key);
        if (node == null) {
            return otherwise;
        }
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 0) {
            throw EspalierException.data(key + " is " + node + "; a token's id is needed");
        }
        return node.intValue();
    }

    /// @throws EspalierException if `id` is no id of a vocabulary of that size
    static void requireId(String key, int id, int vocabulary) {
        if (id < 0 || id >= vocabulary) {
            throw EspalierException.data(
                    key + " " + id + " is no id of a vocabulary of " + vocabulary);
        }
    }

    String text(String key, String otherwise) {
        var node = find(key);
        if (node == null) {
            return otherwise;
        }
        if (!node.isString()) {
            throw EspalierException.data(key + " is " + node + "; a name is needed");
        }
        return node.stringValue();
    }
}
