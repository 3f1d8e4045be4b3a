package dev.espalier.tokenize;

import java.util.OptionalInt;

/// A tokenizer whose names stand in a [Vocabulary], and whose roles in a [Frame].
interface FramedTokenizer extends Tokenizer {
    Vocabulary vocabulary();

    Frame frame();

    @Override
    default int vocabularySize() {
        return vocabulary().size();
    }

    @Override
    default String token(int id) {
        return vocabulary().token(id);
    }

    @Override
    default OptionalInt id(String token) {
        return vocabulary().id(token);
    }

    @Override
    default boolean isSpecial(int id) {
        return frame().isSpecial(id) || vocabulary().isHole(id);
    }

    @Override
    default SpecialTokens specials() {
        return frame().specials();
    }

    @Override
    default Template template() {
        return frame().template();
    }
}
