package dev.espalier.model;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// What the files of a family call things.
///
/// @param architecture what the names of its classes begin with, as `architectures` has them
/// @param body the first name in the path of every weight but a head's; files of the bare body
///   leave it out; empty where there is none
/// @param table the path of the token table
/// @param buffers what older files store beside the weights
/// @param attention the linear maps of attention, by the suffixes of their paths
/// @param mlp those of the MLP
/// @param adapted those that PEFT adapts where it is told none
/// @param copies tensors that files may hold as copies of another, with the other's path
/// @param aliases ends of paths, with the ends that older files have in their place
public record Family(
        String architecture,
        String body,
        String table,
        Pattern buffers,
        List<String> attention,
        List<String> mlp,
        List<String> adapted,
        Map<String, String> copies,
        Map<String, String> aliases) {
    public Family {
        attention = List.copyOf(attention);
        mlp = List.copyOf(mlp);
        adapted = List.copyOf(adapted);
        copies = Map.copyOf(copies);
        aliases = Map.copyOf(aliases);
    }

    /// Whether the weight at `path` belongs to the body, and not to a head.
    public boolean isBody(String path) {
        return body.isEmpty() ? !path.equals(Decoder.HEAD) : path.startsWith(body + ".");
    }
}
