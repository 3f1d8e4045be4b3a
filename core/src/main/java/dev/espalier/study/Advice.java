package dev.espalier.study;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which way to go, by rules that each have a measurement or a paper behind them; `docs/advice.md`
/// has one section for each, under the rule's name.
///
/// @param way to go
/// @param reasons the rules that hold, those that decided first
public record Advice(Way way, List<Reason> reasons) {
    /// The fewest labels of a kind from which fine-tuning was seen to learn it.
    static final int FEW = 16;

    /// Tokens below which a model of one's own learns little but the text itself.
    public static final long LITTLE_TEXT = 20_000_000;

    /// Tokens from which pre-training further was seen to pay.
    static final long ENOUGH_TO_GO_ON = 100_000;

    /// How many times the tokens a word general text takes are too many.
    static final double TORN = 1.5;

    /// Pictures from which a model without a base was seen to learn what they show.
    static final int ENOUGH_PICTURES = 10_000;

    /// By how much the domain's text is harder to foresee, byte for byte, than the base's own.
    static final double FAR = 1.2;

    /// The share of labels that a bag of words must tell as they are given, for those that it does
    /// not to look wrong and not only hard.
    public static final double EASY = 0.8;

    /// The share of labels that look wrong from which on they are worth looking at first.
    static final double MANY_ERRORS = 0.05;

    public Advice {
        reasons = List.copyOf(reasons);
    }

    /// A way to go.
    public enum Way {
        GATHER,
        BAG_OF_WORDS,
        ADAPTER,
        FINE_TUNE,
        PRETRAIN_FURTHER,
        PRETRAIN;

        public String title() {
            return name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
        }
    }

    /// A rule that holds, and why here.
    public record Reason(Rule rule, String because) {}

    /// The rules; their names head the sections of `docs/advice.md`.
    public enum Rule {
        FEW_LABELS,
        ONE_LABEL,
        NOISY_LABELS,
        LIKELY_ERRORS,
        RARE_LABELS,
        SEEN_BEFORE,
        NO_BASE_LITTLE_TEXT,
        NO_BASE_ENOUGH_TEXT,
        FAR_DOMAIN,
        NEAR_DOMAIN,
        MUST_NOT_FORGET,
        NO_ROOM,
        TOO_SLOW,
        OVER_TIME,
        OVER_MONEY,
        UNKNOWN_WORDS,
        NEAR_COPIES,
        FEW_PICTURES,
        PRIVATE_TEXT;

        public String title() {
            return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
        }
    }

    /// What is known; null where nothing is.
    ///
    /// @param textTokens of unlabelled text of the domain
    /// @param rarest records of the rarest label
    /// @param mostFrequent records of the most frequent one
    /// @param labels how many different ones there are
    /// @param conflicts the share of records whose text stands with another label too
    /// @param leaked the share of test records whose text is among the training records
    /// @param hasBase whether there is a pre-trained model
    /// @param distance the loss a byte of the domain's text over that of text like the base's own
    /// @param keepGeneral whether the model must go on with general text as before
    /// @param room bytes of memory that training may take
    /// @param needed bytes that training all weights takes
    /// @param neededByAdapter bytes that training an adapter takes
    /// @param seconds that telling one text takes here, by itself
    /// @param latency seconds that it may take
    /// @param fertility tokens a word of the domain's text over those of general text
    /// @param nearCopies the share of test records whose text is nearly that of a training record
    /// @param pictures labelled ones, where the records are pictures; the labels' counts are theirs
    /// @param training seconds that training all weights takes here
    /// @param trainingAdapter seconds that training an adapter takes here
    /// @param time seconds that it may take
    /// @param price of training all weights here
    /// @param priceOfAdapter of training an adapter here
    /// @param money that it may cost
    /// @param errors the share of labels that a bag of words which has not seen them takes for
    ///   wrong ([dev.espalier.evaluate.ConfidentLearning]), where it tells others well enough
    /// @param isPrivate whether the text must not get out
    public record Situation(
            @Nullable Long textTokens,
            @Nullable Integer rarest,
            @Nullable Integer mostFrequent,
            @Nullable Integer labels,
            @Nullable Double conflicts,
            @Nullable Double leaked,
            boolean hasBase,
            @Nullable Double distance,
            boolean keepGeneral,
            @Nullable Long room,
            @Nullable Long needed,
            @Nullable Long neededByAdapter,
            @Nullable Double seconds,
            @Nullable Double latency,
            @Nullable Double fertility,
            @Nullable Double nearCopies,
            @Nullable Integer pictures,
            @Nullable Double training,
            @Nullable Double trainingAdapter,
            @Nullable Double time,
            @Nullable Double price,
            @Nullable Double priceOfAdapter,
            @Nullable Double money,
            @Nullable Double errors,
            boolean isPrivate) {
        /// What is to be done where training all weights takes too much: an adapter, if that takes
        /// no more than it may of anything. Where nobody knows, it takes less memory and no less
        /// time.
        private Way smaller() {
            var time = trainingAdapter == null ? training : trainingAdapter;
            var cost = priceOfAdapter == null ? price : priceOfAdapter;
            return exceeds(neededByAdapter, room)
                            || exceeds(time, this.time)
                            || exceeds(cost, money)
                    ? Way.BAG_OF_WORDS
                    : Way.ADAPTER;
        }
    }

    private static boolean exceeds(@Nullable Number takes, @Nullable Number may) {
        return takes != null && may != null && takes.doubleValue() > may.doubleValue();
    }

    /// What to do in `s`.
    public static Advice of(Situation s) {
        var reasons = new ArrayList<Reason>();
        Way way = null;
        if (s.seconds() != null && s.latency() != null && s.seconds() > s.latency()) {
            way = Way.BAG_OF_WORDS;
            reasons.add(
                    new Reason(
                            Rule.TOO_SLOW,
                            "a text takes %.0f ms here and may take %.0f"
                                    .formatted(1000 * s.seconds(), 1000 * s.latency())));
        }
        if (way == null && s.rarest() != null && s.rarest() < FEW) {
            way = Way.GATHER;
            reasons.add(
                    new Reason(
                            Rule.FEW_LABELS,
                            "the rarest label has %d records; from fewer than %d fine-tuning was no better than a bag of words"
                                    .formatted(s.rarest(), FEW)));
        }
        if (s.labels() != null && s.labels() < 2) {
            way = way == null ? Way.GATHER : way;
            reasons.add(
                    new Reason(
                            Rule.ONE_LABEL,
                            "all records bear the same label, from which no other can be told"));
        }
        if (s.pictures() != null) {
            if (way == null && !s.hasBase() && s.pictures() < ENOUGH_PICTURES) {
                reasons.add(
                        new Reason(
                                Rule.FEW_PICTURES,
                                "there is no base model, and %,d pictures; begin with a published ViT"
                                        .formatted(s.pictures())));
            }
            way = way == null ? Way.FINE_TUNE : way;
        }
        if (way == null && !s.hasBase()) {
            var enough = s.textTokens() != null && s.textTokens() >= LITTLE_TEXT;
            way = enough ? Way.PRETRAIN : Way.BAG_OF_WORDS;
            reasons.add(
                    new Reason(
                            enough ? Rule.NO_BASE_ENOUGH_TEXT : Rule.NO_BASE_LITTLE_TEXT,
                            "there is no base model, and %s tokens of text"
                                    .formatted(
                                            s.textTokens() == null
                                                    ? "an unknown number of"
                                                    : "%,d".formatted(s.textTokens()))));
        }
        if (s.room() != null && s.needed() != null && s.needed() > s.room()) {
            way = way == null ? s.smaller() : way;
            reasons.add(
                    new Reason(
                            Rule.NO_ROOM,
                            "training all weights takes %.1f GiB%s and %.1f are there"
                                    .formatted(
                                            s.needed() / 0x1p30,
                                            s.neededByAdapter() == null
                                                    ? ""
                                                    : ", an adapter %.1f,"
                                                            .formatted(
                                                                    s.neededByAdapter() / 0x1p30),
                                            s.room() / 0x1p30)));
        }
        if (s.training() != null && s.time() != null && s.training() > s.time()) {
            way = way == null ? s.smaller() : way;
            reasons.add(
                    new Reason(
                            Rule.OVER_TIME,
                            "training takes %.1f h here%s and may take %.1f"
                                    .formatted(
                                            s.training() / 3600,
                                            s.trainingAdapter() == null
                                                    ? ""
                                                    : ", an adapter %.1f,"
                                                            .formatted(s.trainingAdapter() / 3600),
                                            s.time() / 3600)));
        }
        if (s.price() != null && s.money() != null && s.price() > s.money()) {
            way = way == null ? s.smaller() : way;
            reasons.add(
                    new Reason(
                            Rule.OVER_MONEY,
                            "training costs %.2f here%s and may cost %.2f"
                                    .formatted(
                                            s.price(),
                                            s.priceOfAdapter() == null
                                                    ? ""
                                                    : ", an adapter %.2f,"
                                                            .formatted(s.priceOfAdapter()),
                                            s.money())));
        }
        if (s.keepGeneral()) {
            way = way == null ? Way.ADAPTER : way;
            reasons.add(
                    new Reason(
                            Rule.MUST_NOT_FORGET,
                            "the model must go on with general text as before"));
        }
        if (s.distance() != null && s.hasBase()) {
            var far =
                    s.distance() >= FAR
                            && s.textTokens() != null
                            && s.textTokens() >= ENOUGH_TO_GO_ON;
            if (far || way == null) {
                reasons.add(
                        new Reason(
                                far ? Rule.FAR_DOMAIN : Rule.NEAR_DOMAIN,
                                "the domain's text costs the base %.2f times the bits a byte of general text"
                                        .formatted(s.distance())));
            }
            way = far && way == null ? Way.PRETRAIN_FURTHER : way;
        }
        if (s.conflicts() != null && s.conflicts() > 0.01) {
            reasons.add(
                    new Reason(
                            Rule.NOISY_LABELS,
                            "%.1f %% of the records have a text that stands with another label too"
                                    .formatted(100 * s.conflicts())));
        }
        if (s.errors() != null && s.errors() > MANY_ERRORS) {
            reasons.add(
                    new Reason(
                            Rule.LIKELY_ERRORS,
                            "%.1f %% of the labels look wrong to a bag of words that has not seen them"
                                    .formatted(100 * s.errors())));
        }
        if (s.rarest() != null && s.mostFrequent() != null && s.mostFrequent() >= 10 * s.rarest()) {
            reasons.add(
                    new Reason(
                            Rule.RARE_LABELS,
                            "the rarest label has %d records, the most frequent %d"
                                    .formatted(s.rarest(), s.mostFrequent())));
        }
        if (s.fertility() != null && s.fertility() >= TORN) {
            reasons.add(
                    new Reason(
                            Rule.UNKNOWN_WORDS,
                            "a word of the domain takes %.2f times the tokens of one of general text"
                                    .formatted(s.fertility())));
        }
        if (s.isPrivate()) {
            reasons.add(
                    new Reason(
                            Rule.PRIVATE_TEXT,
                            "the text must not get out, and models may repeat what they were trained on"));
        }
        if (s.nearCopies() != null && s.nearCopies() > 0.01) {
            reasons.add(
                    new Reason(
                            Rule.NEAR_COPIES,
                            "%.1f %% of the test records are nearly texts of training records"
                                    .formatted(100 * s.nearCopies())));
        }
        if (s.leaked() != null && s.leaked() > 0) {
            reasons.add(
                    new Reason(
                            Rule.SEEN_BEFORE,
                            "%.1f %% of the test records' texts are among the training records"
                                    .formatted(100 * s.leaked())));
        }
        return new Advice(way == null ? Way.FINE_TUNE : way, reasons);
    }
}
