package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.evaluate.Rouge.Overlap;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Texts and figures are those of the tests of Google's `rouge_score`, whose figures for the long
/// ones were made by ROUGE-1.5.5.
class RougeTest {
    private static final Offset<Double> CLOSE = within(5e-6);
    private static final Rouge PLAIN = new Rouge(false);
    private static final Rouge STEMMED = new Rouge(true);

    private static final String TARGET_1 =
            "ZfbCUIUuePaiLVUlCaUXxkpu XPeWing tUHfPMuZ',-Xd Y BrUgVJing M-HV.-DgdDaY.rFDJCRing Ht-LM"
                    + " EKBDXkME,yz'RBr q'wtion wIojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxer tKM L";
    private static final String TARGET_2 =
            "KsJdPByEtAor fE-Qg Dpdbring cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMtion psing sbKao"
                    + " Q m qiing LMmer HqqLFXe,XPY,J XsurkMer ,ed nB'wH'bWVHjWFEing"
                    + " tQ.saefZwJtKrTlixYpMMsJing UCAPwNHeYVjDing c T BUySKtion gMPfJpwGw p'NvxAoping"
                    + " eu pBwMBKV'I DNxqelhu,PHPxDEq,mtion SN";
    private static final String PREDICTION_1 =
            "rFDJCRtion Ht-LM EKtDXkME,yz'RBr q'wer wrojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxi";
    private static final String PREDICTION_2 =
            "n cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMer pstion sbKao Q m qier LMmed"
                    + " HqqLFXe,XPY,J XsurkMeo ,ed nB'wH'bWVHjWFEer tQ.saefZwJtKrTlixYpMMNJtion"
                    + " UCAPwNHeYVjD";

    private static void check(Overlap overlap, double recall, double precision, double f1) {
        assertThat(overlap.recall()).isCloseTo(recall, CLOSE);
        assertThat(overlap.precision()).isCloseTo(precision, CLOSE);
        assertThat(overlap.f1()).isCloseTo(f1, CLOSE);
    }

    @Test
    void runsOfWordsAreCountedAsRouge155Does() {
        check(PLAIN.ngrams("testing", "testing one two", 1), 1 / 3.0, 1, 0.5);
        check(PLAIN.ngrams("testing one", "testing one two", 2), 0.5, 1, 2 / 3.0);
        check(PLAIN.ngrams(PREDICTION_1, TARGET_1, 1), 0.40741, 0.68750, 0.51163);
        check(PLAIN.ngrams(PREDICTION_2, TARGET_2, 1), 0.40476, 0.65385, 0.50000);
        check(PLAIN.ngrams(PREDICTION_1, TARGET_1, 2), 0.30769, 0.53333, 0.39024);
        check(PLAIN.ngrams(PREDICTION_2, TARGET_2, 2), 0.29268, 0.48000, 0.36364);
    }

    @Test
    void stemsAreComparedWhereAskedFor() {
        check(STEMMED.ngrams(PREDICTION_1, TARGET_1, 1), 0.40741, 0.68750, 0.51163);
        check(STEMMED.ngrams(PREDICTION_2, TARGET_2, 1), 0.42857, 0.69231, 0.52941);
        check(STEMMED.ngrams(PREDICTION_1, TARGET_1, 2), 0.30769, 0.53333, 0.39024);
        check(STEMMED.ngrams(PREDICTION_2, TARGET_2, 2), 0.29268, 0.48000, 0.36364);
    }

    @Test
    void theLongestCommonSubsequenceMayHaveGaps() {
        check(PLAIN.longest("testing one", "testing one two"), 2 / 3.0, 1, 0.8);
        check(PLAIN.longest("testing two", "testing one two"), 2 / 3.0, 1, 0.8);
        check(PLAIN.longest(PREDICTION_1, TARGET_1), 0.40741, 0.68750, 0.51163);
        check(PLAIN.longest(PREDICTION_2, TARGET_2), 0.40476, 0.65385, 0.50000);
    }

    @Test
    void linesAreSentencesOfASummary() {
        // The example of the paper's section 3.2.
        check(
                PLAIN.longestByLine("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5"),
                0.8,
                0.4,
                0.8 / 1.5);
        var target =
                TARGET_1
                        + "\n"
                        + TARGET_2
                        + "\nNhETebUbBk'er WOvoHMTjSRizKgH'vHiing Xu,hWxfs VkNE QhgKiLHE"
                        + " -HidivzoM.dO anhtion jbLQiSGDTCsuhREebUaKM dv J dVN tmbOT\n"
                        + "vMR HDm,xOAetion D,tion HJtodT.mHl UIv-p VjWH'BdyWjnfGU-OjT"
                        + " aEMdFICyLWfQMtion wEMfdOKing AwkeKbO 'DxqNOHBH qKtVvm OYJl mM\n";
        var prediction =
                PREDICTION_1
                        + "\n"
                        + PREDICTION_2
                        + "\nxfs VkJE QhgKiLHE -HidivzoM.dO anhing jbLQiSGDTCsuhREebUaKM dv J\n"
                        + "VjWH'BdyWjnfGU-OjTNaEMdFICyLWfQMing wEMfdOKijg AwkeKbO 'DxqNO\n";
        check(STEMMED.longestByLine(prediction, target), 0.36538, 0.66667, 0.47205);
    }

    @Test
    void nothingInCommonIsZero() {
        for (var rouge : new Rouge[] {PLAIN, STEMMED}) {
            for (var text : new String[] {"", "/", "\n", "Ωmega?"}) {
                check(rouge.ngrams(text, "w1 w2 w3", 1), 0, 0, 0);
                check(rouge.ngrams("w1", text.isEmpty() ? text : "?", 2), 0, 0, 0);
                check(rouge.longest(text, "w1 w2 w3"), 0, 0, 0);
                check(rouge.longestByLine(text, "w1 w2 w3"), 0, 0, 0);
                check(rouge.longestByLine("w1", "?"), 0, 0, 0);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "caresses, caress",
        "ponies, poni",
        "ties, tie",
        "cats, cat",
        "agreed, agre",
        "feed, feed",
        "plastered, plaster",
        "bled, bled",
        "motoring, motor",
        "sing, sing",
        "conflated, conflat",
        "sized, size",
        "hopping, hop",
        "falling, fall",
        "hissing, hiss",
        "failing, fail",
        "filing, file",
        "happy, happi",
        "sky, sky",
        "enjoy, enjoy",
        "spied, spi",
        "died, die",
        "relational, relat",
        "conditional, condit",
        "digitizer, digit",
        "radically, radic",
        "vietnamization, vietnam",
        "operator, oper",
        "feudalism, feudal",
        "hopefulness, hope",
        "formality, formal",
        "sensibility, sensibl",
        "triplicate, triplic",
        "formative, form",
        "goodness, good",
        "revival, reviv",
        "adjustable, adjust",
        "adoption, adopt",
        "communism, commun",
        "effective, effect",
        "probate, probat",
        "rate, rate",
        "cease, ceas",
        "controlling, control",
        "roll, roll",
        "theology, theolog",
        "carefully, care",
        "innings, inning",
        "dying, die",
        "oed, o",
        "yyyyed, yyyi"
    })
    void wordsAreStemmedAsNltkDoes(String word, String stem) {
        assertThat(PorterStemmer.stem(word)).isEqualTo(stem);
    }

    @Test
    void aStemIsNeverLongerAndNothingIsTooLong() {
        assertThat(PorterStemmer.stem("y".repeat(100_000)).length()).isEqualTo(100_000);
        for (var word : TARGET_2.toLowerCase(java.util.Locale.ROOT).split("[^a-z]+")) {
            assertThat(PorterStemmer.stem(word).length()).isLessThanOrEqualTo(word.length());
        }
    }
}
