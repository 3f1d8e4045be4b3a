package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.tokenize.Boundaries;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SentenceBlocksTest {
    private static final int STOP = 1;
    private static final int SEPARATOR = 2;

    @TempDir Path folder;

    /// A sentence begins behind each stop.
    private static int[] sentences(int[] ids) {
        var behind = IntStream.range(1, ids.length).filter(i -> ids[i - 1] == STOP);
        return IntStream.concat(IntStream.of(0), behind).toArray();
    }

    private TokenShard shard(int[]... documents) {
        var file = folder.resolve("shard");
        try (var writer = new TokenShardWriter(file, 300, TokenShardTest.HASH)) {
            for (var document : documents) {
                writer.add(document, document.length);
            }
            writer.finish();
        }
        return TokenShard.open(file);
    }

    private SentenceBlocks blocks(TokenShard shard, int length, boolean across) {
        return new SentenceBlocks(shard, SentenceBlocksTest::sentences, SEPARATOR, length, across);
    }

    private static List<int[]> all(SentenceBlocks blocks) {
        return IntStream.range(0, (int) blocks.perEpoch())
                .mapToObj(b -> blocks.block(b).tokens())
                .toList();
    }

    @Test
    void blocksHoldWholeSentencesAcrossDocumentsOrNot() {
        int[] first = {10, 11, STOP, 12, STOP, SEPARATOR};
        int[] second = {13, 14, STOP, 15, 16, 17, STOP, SEPARATOR};
        try (var shard = shard(first, second)) {
            assertThat(all(blocks(shard, 9, true)))
                    .containsExactly(
                            new int[] {10, 11, STOP, 12, STOP, SEPARATOR, 13, 14, STOP},
                            new int[] {15, 16, 17, STOP});
            assertThat(all(blocks(shard, 9, false)))
                    .containsExactly(
                            new int[] {10, 11, STOP, 12, STOP},
                            new int[] {13, 14, STOP, 15, 16, 17, STOP});
            // A separator takes no room at a block's end.
            assertThat(all(blocks(shard, 5, true)))
                    .containsExactly(
                            new int[] {10, 11, STOP, 12, STOP},
                            new int[] {13, 14, STOP},
                            new int[] {15, 16, 17, STOP});
        }
    }

    /// Numbers stay whole in what a masked model reads, whatever its tokens.
    @Test
    void aBlockDoesNotEndWithinANumber() {
        var text = "pi is 3.14 and more. e is 2.72 and less. ".repeat(3).strip();
        for (var tokenizer :
                List.<Tokenizer>of(
                        WordPieceTrainer.train(List.of(text), 60, 1, true, true),
                        BytePairTrainer.train(List.of(text), 262, 1, List.of("</s>")))) {
            var ids = tokenizer.encode(text);
            try (var shard = shard(ids)) {
                var boundaries = new Boundaries(tokenizer);
                var starts = boundaries.sentences(ids);
                assertThat(starts).hasSize(6);
                var longest = starts[3] - starts[2];
                // Room for each sentence, but not for the one behind it to its end.
                for (var length = longest; length < 2 * longest - 3; length++) {
                    var blocks = new SentenceBlocks(shard, boundaries::sentences, -1, length, true);
                    assertThat(all(blocks))
                            .allSatisfy(block ->
                                    assertThat(tokenizer.decode(block).strip())
                                            .matches("(pi|e) is .* (more|less) ?\\."));
                }
            }
        }
    }

    @Test
    void aSentenceThatIsTooLongIsCut() {
        try (var shard = shard(new int[] {3, 4, 5, 6, 7, 8, STOP, 9, STOP})) {
            assertThat(all(blocks(shard, 3, true)))
                    .containsExactly(
                            new int[] {3, 4, 5}, new int[] {6, 7, 8}, new int[] {STOP, 9, STOP});
        }
    }

    /// Whatever the text: no token is lost or doubled but separators, none is too long, and each
    /// block ends where a sentence does unless the next sentence is longer than a block.
    @ParameterizedTest
    @CsvSource({"1, true", "2, false", "7, true", "7, false", "40, true", "64, false"})
    void everyTokenIsInOneBlock(int length, boolean across) {
        for (var seed = 0; seed < 40; seed++) {
            var rng = Rng.at(seed);
            var documents = new ArrayList<int[]>();
            var tokens = new ArrayList<Integer>();
            for (var d = 0; d < 20; d++) {
                var ids =
                        IntStream.generate(() -> rng.nextInt(6) == 0 ? STOP : 3 + rng.nextInt(90))
                                .limit(rng.nextInt(30))
                                .boxed()
                                .toList();
                tokens.addAll(ids);
                documents.add(
                        java.util.stream.Stream.concat(
                                        ids.stream(), java.util.stream.Stream.of(SEPARATOR))
                                .mapToInt(i -> i)
                                .toArray());
            }
            try (var shard = shard(documents.toArray(int[][]::new))) {
                var blocks = all(blocks(shard, length, across));
                assertThat(
                                blocks.stream()
                                        .flatMapToInt(IntStream::of)
                                        .filter(id -> id != SEPARATOR)
                                        .boxed())
                        .isEqualTo(tokens);
                for (var block : blocks) {
                    assertThat(block.length).isBetween(1, length);
                    assertThat(block[0]).isNotEqualTo(SEPARATOR);
                    assertThat(block[block.length - 1]).isNotEqualTo(SEPARATOR);
                    if (!across) {
                        assertThat(block).doesNotContain(SEPARATOR);
                    }
                }
            }
        }
    }

    @Test
    void eachEpochShowsEveryBlockInAnotherOrder() {
        var text = IntStream.range(0, 300).map(i -> i % 3 == 2 ? STOP : 3 + i % 90).toArray();
        try (var shard = shard(text)) {
            var blocks = blocks(shard, 3, true);
            var orders = new HashSet<String>();
            for (var epoch = 0; epoch < 3; epoch++) {
                var shown = new ArrayList<String>();
                for (var i = 0; i < 100; i++) {
                    shown.add(java.util.Arrays.toString(blocks.at(5, epoch * 100L + i)));
                }
                assertThat(shown)
                        .containsExactlyInAnyOrderElementsOf(
                                all(blocks).stream().map(java.util.Arrays::toString).toList());
                orders.add(String.join("", shown));
            }
            assertThat(orders).hasSize(3);
        }
    }

    @Test
    void noTextHasNoBlocks() {
        try (var shard = shard(new int[] {SEPARATOR})) {
            assertThat(blocks(shard, 8, true).perEpoch()).isZero();
        }
    }
}
