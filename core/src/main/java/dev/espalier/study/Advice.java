package dev.espalier.study;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Which way to go, by rules that each have a measurement or a paper behind them; `docs/advice.md`
/// has one section for each, under the rule's name.
///
/// @param way to go
/// @param reasons the rules that hold, those that decided first
public record Advice(Way way, List<Reason> reasons) {
    /// Records of a label below which it counts as rare, by custom.
    static final int FEW = 16;

    /// The share of the records whose labels may be slips of the pen.
    private static final double SLIPS = 0.01;

    /// Rare labels that are named.
    private static final int NAMED = 5;

    /// Tokens below which a model of one's own learns little but the text itself.
    public static final long LITTLE_TEXT = 20_000_000;

    /// Tokens from which pre-training further was seen to pay.
    static final long ENOUGH_TO_GO_ON = 100_000;

    /// How many times the tokens a word general text takes are too many.
    static final double TORN = 1.5;

    /// Pictures below which a published model is worth looking for first.
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
        /// Fine-tuning that is measured on general text and kept from forgetting it.
        FINE_TUNE_DEFENDED,
        PRETRAIN_FURTHER,
        PRETRAIN,
        /// All ways take more than they may.
        NONE;

        public String title() {
            return name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
        }

        /// What to do where this way takes more than it may.
        private Way smaller(Situation s) {
            if (s.isUnlabelled()) {
                return GATHER;
            }
            return switch (this) {
                case PRETRAIN_FURTHER -> FINE_TUNE;
                case FINE_TUNE, FINE_TUNE_DEFENDED -> s.hasBase() ? ADAPTER : last(s);
                default -> last(s);
            };
        }

        private static Way last(Situation s) {
            return s.pictures() == null ? BAG_OF_WORDS : NONE;
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
        BAG_FIRST,
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

    /// How many records the labels have.
    ///
    /// @param median of the middle one, without the rarest that together have 1 % of the records
    /// @param rare those of fewer records than [#FEW], with their numbers, the rarest first
    public record Labels(int count, int rarest, int median, int mostFrequent, List<String> rare) {
        public Labels {
            rare = List.copyOf(rare);
        }

        /// Of the records of each label; null where there is none.
        public static @Nullable Labels of(Map<String, Integer> records) {
            if (records.isEmpty()) {
                return null;
            }
            var sorted = records.values().stream().sorted().toList();
            var rare =
                    records.entrySet().stream()
                            .filter(e -> e.getValue() < FEW)
                            .sorted(
                                    Map.Entry.<String, Integer>comparingByValue()
                                            .thenComparing(Map.Entry.comparingByKey()))
                            .map(e -> "%s (%d)".formatted(e.getKey(), e.getValue()))
                            .toList();
            // Slips of the pen make labels too: those that together have few records are left out.
            var slips = 0;
            for (var left = SLIPS * sorted.stream().mapToInt(n -> n).sum();
                    slips < sorted.size() && sorted.get(slips) <= left;
                    slips++) {
                left -= sorted.get(slips);
            }
            return new Labels(
                    sorted.size(),
                    sorted.getFirst(),
                    sorted.get(slips + (sorted.size() - slips - 1) / 2),
                    sorted.getLast(),
                    rare);
        }

        /// Whether some labels are rare, and not the middle one, which is another rule's.
        private boolean hasRare() {
            return !rare.isEmpty() && median >= FEW;
        }

        private String named() {
            return rare.stream().limit(NAMED).collect(Collectors.joining(", "))
                    + (rare.size() > NAMED ? " and %d more".formatted(rare.size() - NAMED) : "");
        }
    }

    /// What a way takes, or what it may; null where nobody knows.
    ///
    /// @param memory bytes at the peak of training
    /// @param seconds of training here
    /// @param price of these
    public record Takes(@Nullable Long memory, @Nullable Double seconds, @Nullable Double price) {
        /// Nobody knows.
        public static final Takes UNKNOWN = new Takes(null, null, null);

        /// Why it is more than it may be; nothing where it is not, as far as is known.
        private List<Reason> beyond(Takes may, Way way) {
            var reasons = new ArrayList<Reason>();
            var what = way.title() + (way == Way.PRETRAIN_FURTHER ? ", and what follows it," : "");
            if (memory != null && may.memory != null && memory > may.memory) {
                reasons.add(
                        new Reason(
                                Rule.NO_ROOM,
                                "%s takes %.1f GiB and %.1f are there"
                                        .formatted(what, memory / 0x1p30, may.memory / 0x1p30)));
            }
            if (seconds != null && may.seconds != null && seconds > may.seconds) {
                reasons.add(
                        new Reason(
                                Rule.OVER_TIME,
                                "%s takes %s here and may take %s"
                                        .formatted(what, hours(seconds), hours(may.seconds))));
            }
            if (price != null && may.price != null && price > may.price) {
                reasons.add(
                        new Reason(
                                Rule.OVER_MONEY,
                                "%s costs %.2f here and may cost %.2f"
                                        .formatted(what, price, may.price)));
            }
            return reasons;
        }

        /// Both, one behind the other.
        public Takes and(Takes next) {
            return new Takes(
                    memory == null || next.memory == null
                            ? null
                            : Long.valueOf(Math.max(memory, next.memory)),
                    seconds == null || next.seconds == null
                            ? null
                            : Double.valueOf(seconds + next.seconds),
                    price == null || next.price == null
                            ? null
                            : Double.valueOf(price + next.price));
        }

        /// As many of it, one behind the other.
        public Takes times(int runs) {
            return new Takes(
                    memory,
                    seconds == null ? null : Double.valueOf(runs * seconds),
                    price == null ? null : Double.valueOf(runs * price));
        }

        /// How much of it is allowed, of what there is least; infinite where there is no limit.
        public double allowed(Takes may) {
            return Math.min(
                    share(memory, may.memory),
                    Math.min(share(seconds, may.seconds), share(price, may.price)));
        }

        private static double share(@Nullable Number takes, @Nullable Number may) {
            return takes == null || may == null
                    ? Double.POSITIVE_INFINITY
                    : may.doubleValue() / takes.doubleValue();
        }
    }

    /// What is told of records.
    ///
    /// @param right the share of `of` records whose labels are told
    /// @param of which may be a part that is enough to tell
    public record Told(double right, int of) {}

    /// What is known; null where nothing is.
    ///
    /// @param textTokens of unlabelled text of the domain
    /// @param labels of the records, or of the pictures
    /// @param conflicts the share of records whose text stands with another label too
    /// @param errors the share of labels that a bag of words which has not seen them takes for
    ///   wrong ([dev.espalier.evaluate.ConfidentLearning]), where it tells others well enough
    /// @param bagOfWords what one tells of records that it has not seen
    /// @param leaked the share of test records whose text is among the training records
    /// @param nearCopies the share of test records, or without a test of every fifth record, whose
    ///   text is nearly that of a training record
    /// @param pictures labelled ones, where the records are pictures
    /// @param hasBase whether there is a pre-trained model
    /// @param distance the loss a byte of the domain's text over that of text like the base's own
    /// @param fertility tokens a word of the domain's text over those of general text
    /// @param keepGeneral whether the model must go on with general text as before
    /// @param isPrivate whether the text must not get out
    /// @param seconds that telling one text takes here, by itself
    /// @param latency seconds that it may take
    /// @param takes what each way takes, with what has to follow it
    /// @param may what training may take
    public record Situation(
            @Nullable Long textTokens,
            @Nullable Labels labels,
            @Nullable Double conflicts,
            @Nullable Double errors,
            @Nullable Told bagOfWords,
            @Nullable Double leaked,
            @Nullable Double nearCopies,
            @Nullable Integer pictures,
            boolean hasBase,
            @Nullable Double distance,
            @Nullable Double fertility,
            boolean keepGeneral,
            boolean isPrivate,
            @Nullable Double seconds,
            @Nullable Double latency,
            Map<Way, Takes> takes,
            Takes may) {
        public Situation {
            takes = Map.copyOf(takes);
        }

        private boolean isUnlabelled() {
            return labels == null && pictures == null;
        }
    }

    /// What to do in `s`: what the rules say of the task, or, where that takes more than it may,
    /// the next way that does not.
    public static Advice of(Situation s) {
        var reasons = new ArrayList<Reason>();
        var way = wanted(s, reasons);
        var beyond = beyond(s, way);
        while (!beyond.isEmpty()) {
            reasons.addAll(beyond);
            way = way.smaller(s);
            beyond = beyond(s, way);
        }
        if (s.bagOfWords() != null && way != Way.BAG_OF_WORDS && way != Way.GATHER) {
            reasons.add(
                    new Reason(
                            Rule.BAG_FIRST,
                            "of %,d records that it has not seen a bag of words tells %.1f %%; of intents, and of pros and cons, and of film reviews from up to 1,024 records, fine-tuning told no more than one: compare with it first"
                                    .formatted(s.bagOfWords().of(), 100 * s.bagOfWords().right())));
        }
        others(s, reasons);
        return new Advice(way, reasons);
    }

    private static List<Reason> beyond(Situation s, Way way) {
        // A defence takes no less than training without one.
        var least = way == Way.FINE_TUNE_DEFENDED ? Way.FINE_TUNE : way;
        var known = s.takes().getOrDefault(least, Takes.UNKNOWN);
        return s.takes().getOrDefault(way, known).beyond(s.may(), way);
    }

    /// What the rules say, whatever it takes. Without a record there is nothing to fine-tune on,
    /// nor to fit a bag of words to.
    private static Way wanted(Situation s, List<Reason> reasons) {
        var way = ofLabelled(s, reasons);
        if (!s.isUnlabelled()) {
            return way;
        }
        reasons.addFirst(
                new Reason(
                        Rule.FEW_LABELS,
                        "there are no records with labels; gather %d of each and more"
                                .formatted(FEW)));
        return way == Way.PRETRAIN || way == Way.PRETRAIN_FURTHER ? way : Way.GATHER;
    }

    private static Way ofLabelled(Situation s, List<Reason> reasons) {
        Way way = null;
        if (s.seconds() != null && s.latency() != null && s.seconds() > s.latency()) {
            way = Way.BAG_OF_WORDS;
            reasons.add(
                    new Reason(
                            Rule.TOO_SLOW,
                            "a text takes %.0f ms here and may take %.0f"
                                    .formatted(1000 * s.seconds(), 1000 * s.latency())));
        }
        var labels = s.labels();
        if (way == null && labels != null && labels.median() < FEW) {
            way = Way.GATHER;
            reasons.add(
                    new Reason(
                            Rule.FEW_LABELS,
                            "the middle label has %d records; from 4 of each fine-tuning could not be told from a bag of words, from 10 of each it told less; fewer than %d have %s"
                                    .formatted(labels.median(), FEW, labels.named())));
        }
        if (labels != null && labels.count() < 2) {
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
                                "there is no base model, and %,d pictures; look for a published ViT first, and give it as --model"
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
        if (s.keepGeneral()) {
            way = way == null ? Way.FINE_TUNE_DEFENDED : way;
            reasons.add(
                    new Reason(
                            Rule.MUST_NOT_FORGET,
                            "the model must go on with general text as before; on the toy perplexity rose by 340 % with LoRA, by 12 to 35 % under lwf, ewc and replay"));
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
        return way == null ? Way.FINE_TUNE : way;
    }

    /// Reasons to look at the data, which decide no way.
    private static void others(Situation s, List<Reason> reasons) {
        var labels = s.labels();
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
        if (labels != null && (labels.hasRare() || labels.mostFrequent() >= 10 * labels.rarest())) {
            reasons.add(
                    new Reason(
                            Rule.RARE_LABELS,
                            "the rarest label has %d records, the most frequent %d%s"
                                    .formatted(
                                            labels.rarest(),
                                            labels.mostFrequent(),
                                            labels.hasRare()
                                                    ? "; fewer than %d have %s"
                                                            .formatted(FEW, labels.named())
                                                    : "")));
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
                            "%.1f %% of the records held back are nearly texts of training records"
                                    .formatted(100 * s.nearCopies())));
        }
        if (s.leaked() != null && s.leaked() > 0) {
            reasons.add(
                    new Reason(
                            Rule.SEEN_BEFORE,
                            "%.1f %% of the test records' texts are among the training records"
                                    .formatted(100 * s.leaked())));
        }
    }

    private static String hours(double seconds) {
        return seconds < 360 ? "%.0f s".formatted(seconds) : "%.1f h".formatted(seconds / 3600);
    }
}
