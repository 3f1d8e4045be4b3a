package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AddedTokensTest {
    private static List<String> pieces(List<AddedToken> tokens, String text) {
        var pieces = new ArrayList<String>();
        new AddedTokens(tokens)
                .split(
                        text,
                        false,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                pieces.add(piece.text().substring(from, to));
                            }

                            @Override
                            public void token(int id, int from, int to) {
                                pieces.add(id + "@" + from + "-" + to);
                            }
                        });
        return pieces;
    }

    /// Where all begin with one character it is looked for in another way than where they do not.
    @Test
    void aTokenThatIsNowhereChangesNothing() {
        var raw = List.of(AddedToken.special(0, "|"), AddedToken.special(1, "||b"));
        var normalized = List.of(AddedToken.word(2, "<a"), AddedToken.word(3, "<<b>"));
        var tokens = new ArrayList<>(raw);
        tokens.addAll(normalized);
        var more = new ArrayList<>(tokens);
        more.add(AddedToken.special(4, "?"));
        more.add(AddedToken.word(5, "!"));
        for (var i = 0; i < 20_000; i++) {
            var rng = Rng.at(5, i);
            var text = new StringBuilder();
            for (var length = rng.nextInt(24); text.length() < length; ) {
                text.append("||<<ab>".charAt(rng.nextInt(7)));
            }
            assertThat(pieces(tokens, text.toString()))
                    .as(text.toString())
                    .isEqualTo(pieces(more, text.toString()));
        }
        assertThat(pieces(tokens, "a<|a<<b>|<ab<"))
                .containsExactly("a<", "0@2-3", "a", "3@4-8", "0@8-9", "2@9-11", "b<");
    }
}
