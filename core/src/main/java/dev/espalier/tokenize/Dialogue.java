package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.jinja.Jinja;
import dev.espalier.tokenize.jinja.Text;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A conversation as tokens, and which of them are the assistant's own: each answer from where the
/// model is asked for it to the token that ends it.
///
/// Where an answer lies is not searched for. The model is asked with the conversation before the
/// answer, rendered with its generation prompt; the text with the answer must begin with just that,
/// and what follows is the answer, as far as the template's `generation` blocks reach where it has
/// any. So what is trained stands behind exactly the tokens that generation will see, and a
/// template that does otherwise is refused. The text on both sides of where an answer begins is
/// encoded apart, as it is when the model is asked, but for that none of it begins anew: no space
/// is put where text only goes on.
///
/// @param ids all tokens
/// @param answers the answers, in their order
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Dialogue(int[] ids, List<Answer> answers) {
    /// Whose answers are wanted.
    public enum Which {
        EVERY,
        LAST
    }

    /// An answer.
    ///
    /// @param message its number in the conversation
    /// @param from its first token
    /// @param to behind its last, which ends it
    public record Answer(int message, int from, int to) {}

    /// Characters of a text that a message quotes.
    private static final int QUOTED = 40;

    public Dialogue {
        answers = List.copyOf(answers);
    }

    /// The token that ends the answers: the same for all.
    public int stop() {
        return ids[answers.getFirst().to() - 1];
    }

    /// @throws EspalierException (DATA) if the template fails or refuses the conversation, or what
    ///   it makes of an answer could not be learnt: another text before it than generation sees, no
    ///   token that ends it, or one that is not trained, or a part that is cut away
    public static Dialogue of(
            ChatTemplate template, Tokenizer tokenizer, List<Message> conversation, Which which) {
        var rendering = template.render(tokenizer, conversation, false);
        var places = new ArrayList<Integer>();
        for (var i = 0; i < conversation.size(); i++) {
            if (conversation.get(i).role().equals(ChatTemplate.ASSISTANT)) {
                places.add(i);
            }
        }
        if (places.isEmpty()) {
            throw EspalierException.data("the assistant says nothing, so that nothing is trained");
        }
        if (which == Which.LAST) {
            if (places.getLast() != conversation.size() - 1) {
                throw EspalierException.data("the assistant does not have the last word");
            }
            places.subList(0, places.size() - 1).clear();
        }
        var maker = new Maker(template, tokenizer, conversation, rendering);
        var stretches = places.stream().map(maker::answer).toList();
        var cuts = which == Which.LAST ? maker.asked() : new TreeSet<Integer>();
        return maker.encoded(stretches, cuts);
    }

    static int[] prompt(ChatTemplate template, Tokenizer tokenizer, List<Message> conversation) {
        var rendering = template.render(tokenizer, conversation, true);
        var maker = new Maker(template, tokenizer, conversation, rendering);
        return maker.encoded(maker.asked()).ids();
    }

    /// The special token behind an answer to a question of one letter.
    static OptionalInt stop(ChatTemplate template, Tokenizer tokenizer) {
        var probe =
                List.of(
                        new Message(ChatTemplate.USER, "q"),
                        new Message(ChatTemplate.ASSISTANT, "a"));
        var rendering = template.render(tokenizer, probe, false);
        var maker = new Maker(template, tokenizer, probe, rendering);
        var end = maker.lastOf(1, 0, rendering.text().length()) + 1;
        return maker.specials(new TreeSet<>()).stream()
                .filter(special -> special.from() >= end)
                .mapToInt(Special::id)
                .findFirst();
    }

    /// A special token in the text.
    private record Special(int from, int to, int id) {}

    /// The ids of a text, and at which of them it was cut.
    private record Encoded(int[] ids, int[] cuts) {}

    /// A conversation while it becomes tokens.
    private record Maker(
            ChatTemplate template,
            Tokenizer tokenizer,
            List<Message> conversation,
            Jinja.Rendering rendering) {
        private Text text() {
            return rendering.text();
        }

        private EspalierException broken(int message, String what) {
            return EspalierException.data(
                    "message %d (%s): %s"
                            .formatted(
                                    message + 1,
                                    quoted(conversation.get(message).content()),
                                    what));
        }

        /// Where the model was asked for an answer. Those of before are encoded as they were when
        /// they were given, unless the template tells them in another way by now.
        TreeSet<Integer> asked() {
            var cuts = new TreeSet<Integer>();
            for (var i = 0; i < conversation.size(); i++) {
                if (conversation.get(i).role().equals(ChatTemplate.ASSISTANT)) {
                    var asked = asked(i);
                    if (asked != null && text().toString().startsWith(asked)) {
                        cuts.add(asked.length());
                    }
                }
            }
            return cuts;
        }

        /// What the model was asked with before message `i`; null where the template refuses that.
        private @Nullable String asked(int i) {
            try {
                return template.render(tokenizer, conversation.subList(0, i), true)
                        .text()
                        .toString();
            } catch (EspalierException e) {
                return null;
            }
        }

        /// The stretch of the text that is the answer in message `i`.
        Jinja.Stretch answer(int i) {
            if (conversation.get(i).content().isBlank()) {
                throw broken(i, "the answer is empty, so that only its end would be trained");
            }
            var whole = text().toString();
            var asked =
                    template.render(tokenizer, conversation.subList(0, i), true).text().toString();
            if (!whole.startsWith(asked)) {
                throw broken(
                        i,
                        differs(
                                "training shows another text before the answer than generation"
                                        + " will see",
                                whole,
                                asked));
            }
            var told =
                    i == conversation.size() - 1
                            ? whole
                            : template.render(tokenizer, conversation.subList(0, i + 1), false)
                                    .text()
                                    .toString();
            if (!whole.startsWith(told)) {
                throw broken(
                        i,
                        differs(
                                "the template tells the answer in another way once the conversation"
                                        + " goes on",
                                whole,
                                told));
            }
            int from = asked.length(), to = told.length();
            var first = firstOf(i, from, to);
            var last = lastOf(i, from, to);
            requireWhole(i, from, to);
            requireHeaderAsked(i, from, first);
            var stop =
                    specials(new TreeSet<>(List.of(from))).stream()
                            .filter(s -> s.from() > last && s.to() <= to)
                            .findFirst()
                            .orElseThrow(() ->
                                    broken(
                                            i,
                                            "no special token of the tokenizer ends the answer, so that"
                                                    + " the model could not learn to stop: behind it"
                                                    + " stands "
                                                    + quoted(whole.substring(last + 1, to))));
            if (!rendering.generated().isEmpty()) {
                requireMarked(i, from, stop);
            }
            return new Jinja.Stretch(from, stop.to());
        }

        private static String differs(String what, String whole, String prefix) {
            var at = Arrays.mismatch(whole.toCharArray(), prefix.toCharArray());
            return "%s: %s is not %s; a template that tells the past in another way than the last turn can be trained on its last answers alone"
                    .formatted(what, quoted(whole.substring(at)), quoted(prefix.substring(at)));
        }

        private int firstOf(int message, int from, int to) {
            return IntStream.range(from, to)
                    .filter(at -> text().origin(at) == message)
                    .findFirst()
                    .orElse(from);
        }

        int lastOf(int message, int from, int to) {
            for (var at = to - 1; at >= from; at--) {
                if (text().origin(at) == message) {
                    return at;
                }
            }
            return from - 1;
        }

        /// But for white space on its sides, all of the answer is to be there.
        private void requireWhole(int message, int from, int to) {
            var content = conversation.get(message).content().strip();
            var there = new StringBuilder();
            for (var at = from; at < to; at++) {
                if (text().origin(at) == message) {
                    there.append(text().toString().charAt(at));
                }
            }
            if (!there.toString().contains(content)
                    && !text().toString().substring(from, to).contains(content)) {
                throw broken(
                        message,
                        "the template cuts the answer: of %d characters it shows %d, %s"
                                .formatted(
                                        content.length(),
                                        there.toString().strip().length(),
                                        quoted(there.toString().strip())));
            }
        }

        /// What the template writes before an answer is to be in its generation prompt.
        private void requireHeaderAsked(int message, int from, int first) {
            for (var special : specials(new TreeSet<>(List.of(from)))) {
                if (special.from() >= from && special.from() < first) {
                    throw broken(
                            message,
                            "training shows %s before the answer, which the template's generation prompt (add_generation_prompt) does not write, so that generation will not see it"
                                    .formatted(quoted(text().toString().substring(from, first))));
                }
            }
        }

        /// The template's own marks are to hold all of the answer and the token that ends it.
        private void requireMarked(int message, int from, Special stop) {
            for (var mark : rendering.generated()) {
                if (mark.from() < stop.to() && mark.to() > from) {
                    if (mark.from() > from) {
                        throw broken(
                                message,
                                "generation has to write %s, which the template's generation block leaves out"
                                        .formatted(
                                                quoted(
                                                        text().toString()
                                                                .substring(from, mark.from()))));
                    }
                    if (mark.to() < stop.to()) {
                        throw broken(
                                message,
                                "the token that ends the answer, '%s', is masked out: the template's generation block ends before it"
                                        .formatted(tokenizer.token(stop.id())));
                    }
                    return;
                }
            }
            throw broken(
                    message,
                    "the template's generation blocks leave the answer out, so that nothing of it is trained");
        }

        /// The special tokens that the template itself writes. None reaches across one of `cuts`.
        List<Special> specials(TreeSet<Integer> cuts) {
            var all = new ArrayList<Special>();
            var string = text().toString();
            for (var from = 0; from < string.length(); ) {
                var own = text().origin(from) == Text.TEMPLATE;
                var to = from + 1;
                while (to < string.length()
                        && !cuts.contains(to)
                        && (text().origin(to) == Text.TEMPLATE) == own) {
                    to++;
                }
                if (own) {
                    var tokens = tokenizer.encodeWithOffsets(string.substring(from, to));
                    for (var t = 0; t < tokens.ids().length; t++) {
                        if (tokenizer.isSpecial(tokens.ids()[t])) {
                            all.add(
                                    new Special(
                                            from + tokens.starts()[t],
                                            from + tokens.ends()[t],
                                            tokens.ids()[t]));
                        }
                    }
                }
                from = to;
            }
            return all;
        }

        Dialogue encoded(List<Jinja.Stretch> stretches, TreeSet<Integer> cuts) {
            stretches.forEach(s -> {
                cuts.add(s.from());
                cuts.add(s.to());
            });
            var order = List.copyOf(cuts);
            var encoded = encoded(cuts);
            var answers = new ArrayList<Answer>();
            for (var s : stretches) {
                answers.add(
                        new Answer(
                                answerAt(s),
                                encoded.cuts()[order.indexOf(s.from())],
                                encoded.cuts()[order.indexOf(s.to())]));
            }
            return new Dialogue(encoded.ids(), answers);
        }

        private int answerAt(Jinja.Stretch stretch) {
            return IntStream.range(stretch.from(), stretch.to())
                    .map(at -> text().origin(at))
                    .filter(origin -> origin != Text.TEMPLATE)
                    .findFirst()
                    .orElseThrow();
        }

        /// The tokens of the text. Text between two special tokens is encoded as a whole, since
        /// tokens may reach across its parts, but for `cuts`.
        ///
        /// @param cuts are used up
        Encoded encoded(TreeSet<Integer> cuts) {
            var plain = tokenizer.plain();
            var string = text().toString();
            var ids = IntStream.builder();
            var count = 0;
            var places = new ArrayList<Integer>();
            var done = 0;
            var from = 0; // done, or white space before it that was lost
            var before = Tokenizer.Before.NOTHING;
            var bounds = new ArrayList<@Nullable Special>(specials(cuts));
            bounds.add(null);
            for (var bound : bounds) {
                var end = bound == null ? string.length() : bound.from();
                while (true) {
                    var cut = cuts.ceiling(done);
                    var inside = cut != null && cut <= end;
                    var text = string.substring(from, inside ? cut : end);
                    var part = plain.encode(text, before);
                    Arrays.stream(part).forEach(ids::add);
                    count += part.length;
                    if (!inside) {
                        break;
                    }
                    places.add(count);
                    cuts.remove(cut);
                    if (done < cut) {
                        // Behind a full text it would stand before what comes next, so there it
                        // goes.
                        var kept = text.stripTrailing();
                        var lost =
                                kept.length() < text.length()
                                        && Arrays.equals(plain.encode(kept, before), part);
                        from = lost ? cut - (text.length() - kept.length()) : cut;
                        before = Tokenizer.Before.TEXT;
                    }
                    done = cut;
                }
                if (bound != null) {
                    ids.add(bound.id());
                    count++;
                    done = bound.to();
                    from = done;
                    before = Tokenizer.Before.TOKEN;
                }
            }
            return new Encoded(
                    ids.build().toArray(), places.stream().mapToInt(Integer::intValue).toArray());
        }
    }

    private static String quoted(String text) {
        var shown = text.length() > QUOTED ? text.substring(0, QUOTED) + "…" : text;
        return "'" + shown.replace("\n", "\\n") + "'";
    }
}
