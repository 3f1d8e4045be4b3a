package dev.espalier.tokenize;

import java.util.List;
import java.util.OptionalInt;
import java.util.function.Function;

/// The ids of the tokens that have a role, where a tokenizer has them.
///
/// @param beginOfText starts a text (`bos_token`)
/// @param endOfText ends a text or a document (`eos_token`)
/// @param unknown stands for what the vocabulary lacks (`unk_token`)
/// @param separator stands between two texts (`sep_token`)
/// @param padding fills short rows of a batch (`pad_token`)
/// @param classification its vector stands for the whole text (`cls_token`)
/// @param mask hides a token that is to be guessed (`mask_token`)
public record SpecialTokens(
        OptionalInt beginOfText,
        OptionalInt endOfText,
        OptionalInt unknown,
        OptionalInt separator,
        OptionalInt padding,
        OptionalInt classification,
        OptionalInt mask) {
    public static final SpecialTokens NONE = of(role -> OptionalInt.empty());

    /// A role under the name that Hugging Face's files give it, with the tokens that are customary
    /// for it.
    enum Role {
        BEGIN("bos_token", List.of("<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>")),
        END("eos_token", List.of("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>")),
        UNKNOWN("unk_token", List.of("<unk>", "[UNK]")),
        SEPARATOR("sep_token", List.of("[SEP]", "<sep>")),
        PADDING("pad_token", List.of("<pad>", "[PAD]", "<|pad|>")),
        CLASSIFICATION("cls_token", List.of("[CLS]", "<cls>")),
        MASK("mask_token", List.of("<mask>", "[MASK]"));

        final String key;
        final List<String> customary;

        Role(String key, List<String> customary) {
            this.key = key;
            this.customary = customary;
        }
    }

    static SpecialTokens of(Function<Role, OptionalInt> id) {
        return new SpecialTokens(
                id.apply(Role.BEGIN),
                id.apply(Role.END),
                id.apply(Role.UNKNOWN),
                id.apply(Role.SEPARATOR),
                id.apply(Role.PADDING),
                id.apply(Role.CLASSIFICATION),
                id.apply(Role.MASK));
    }

    OptionalInt id(Role role) {
        return switch (role) {
            case BEGIN -> beginOfText;
            case END -> endOfText;
            case UNKNOWN -> unknown;
            case SEPARATOR -> separator;
            case PADDING -> padding;
            case CLASSIFICATION -> classification;
            case MASK -> mask;
        };
    }

    /// These, and for roles without a token the first special token that is customary for it.
    SpecialTokens completedBy(Function<String, OptionalInt> specialId) {
        return of(role ->
                id(role).isPresent()
                        ? id(role)
                        : role.customary.stream()
                                .map(specialId)
                                .filter(OptionalInt::isPresent)
                                .findFirst()
                                .orElse(OptionalInt.empty()));
    }
}
