package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CharacterTokenizerTest {
    @Test
    void oneTokenACharacter(@TempDir Path folder) {
        var tokenizer = CharacterTokenizer.train(List.of("ba🌳", "a\n"), List.of("<|endoftext|>"));
        assertThat(tokenizer.vocabularySize()).isEqualTo(5);
        assertThat(tokenizer.encode("\nab🌳<|endoftext|>")).containsExactly(1, 2, 3, 4, 0);
        assertThat(tokenizer.plain().encode("ab")).containsExactly(2, 3);
        var encoding = tokenizer.encodeWithOffsets("a🌳b");
        assertThat(encoding.starts()).containsExactly(0, 1, 3);
        assertThat(encoding.ends()).containsExactly(1, 3, 4);
        assertThat(tokenizer.decode(new int[] {4, 2, 0})).isEqualTo("🌳a<|endoftext|>");
        tokenizer.save(folder);
        var again = Tokenizers.read(folder);
        assertThat(again).isInstanceOf(CharacterTokenizer.class);
        assertThat(again.encode("\nab🌳<|endoftext|>")).containsExactly(1, 2, 3, 4, 0);
        assertThat(again.specials()).isEqualTo(tokenizer.specials());
        assertThat(tokenizer.specials().endOfText()).hasValue(0);
    }

    @Test
    void anUnknownCharacterIsTheUnknownTokenOrNamed() {
        var without = CharacterTokenizer.train(List.of("ab"), List.of());
        assertThatThrownBy(() -> without.encode("ab木"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("character 3 of the text, 木 (U+6728)");
        var with = CharacterTokenizer.train(List.of("ab"), List.of("<unk>"));
        assertThat(with.encode("ab木\ud800")).containsExactly(1, 2, 0, 0);
    }

    @Test
    void noTextIsRefused() {
        assertThatThrownBy(() -> CharacterTokenizer.train(List.of(), List.of()))
                .hasMessageContaining("no text");
        assertThatThrownBy(() -> CharacterTokenizer.train(List.of("a"), List.of("b")))
                .hasMessageContaining("single character");
    }
}
