package dev.espalier.io;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/// The JSON that Espalier writes: kebab-case keys, in the order of a record's components, doubles
/// as Java prints them.
public final class Json {
    private static final Pattern PLACE =
            Pattern.compile("\\s*(\\(for \\w+ starting )?at \\[Source: [^]]*]\\)?");

    private static final JsonMapper MAPPER =
            JsonMapper.builder()
                    .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build();

    private Json() {}

    /// The mapper itself, for readers that need more than the methods below. Immutable, safe to
    /// share.
    public static JsonMapper mapper() {
        return MAPPER;
    }

    /// `value` on one line.
    public static String line(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /// `value` indented, ending in a newline.
    public static String pretty(Object value) {
        return MAPPER.writer().with(SerializationFeature.INDENT_OUTPUT).writeValueAsString(value)
                + "\n";
    }

    /// The JSON document in `file`, or an [EspalierException] of kind DATA that names the file and
    /// the place.
    public static JsonNode read(Path file) {
        try {
            var json = MAPPER.readTree(Files.readString(file));
            if (json.isMissingNode()) {
                throw EspalierException.data(file + ": is empty, and JSON is needed");
            }
            return json;
        } catch (JacksonException e) {
            throw broken(file, e);
        } catch (NoSuchFileException e) {
            throw EspalierException.data(file + ": there is no such file", e);
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    file + ": cannot be read as UTF-8 text, as JSON must be", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// The JSON document in `file` as a `type`.
    public static <T> T read(Path file, Class<T> type) {
        try {
            return MAPPER.treeToValue(read(file), type);
        } catch (JacksonException e) {
            throw broken(file, e);
        }
    }

    private static EspalierException broken(Path file, JacksonException e) {
        var place = e.getLocation();
        var at =
                place == null || place.getLineNr() < 1
                        ? ""
                        : ":" + place.getLineNr() + ":" + place.getColumnNr();
        return EspalierException.data(file + at + ": not the JSON expected (" + why(e) + ")", e);
    }

    /// What is wrong, without the places that the library tells in its own way.
    public static String why(JacksonException e) {
        return PLACE.matcher(String.valueOf(e.getOriginalMessage())).replaceAll("");
    }
}
