package dev.espalier.recipe;

import dev.espalier.Rng;
import dev.espalier.io.Json;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;
import java.util.TreeSet;

/// Writes the small texts under `recipes/data`: the chronicle of a village that never was, told by
/// a grammar, and sentences from it labelled by what they are about. Made here rather than copied,
/// so that nothing about them needs a licence.
final class ToyData {
    private static final List<String> PEOPLE =
            List.of(
                    "Old Maren",
                    "Tobias",
                    "the widow Hale",
                    "Ingrid",
                    "young Peter",
                    "the miller",
                    "Agnes",
                    "Uncle Bram",
                    "the schoolmaster",
                    "Lise",
                    "the ferryman",
                    "Cousin Otto",
                    "Hanna",
                    "the blacksmith's son",
                    "Greta",
                    "the postman");

    private static final List<String> TIMES =
            List.of(
                    "On Monday",
                    "Before sunrise",
                    "Late in the evening",
                    "After church",
                    "In the second week of March",
                    "At noon",
                    "When the bells had rung",
                    "The next morning",
                    "Towards the end of summer",
                    "On the day of the market",
                    "Shortly after supper",
                    "All through October");

    private static final List<String> ASIDES =
            List.of(
                    "Nobody in the village was surprised.", "It had always been done that way.",
                    "The neighbours talked about it for days.",
                            "There was no hurry, and nobody hurried.",
                    "Somebody laughed, and then everybody did.", "The dog slept through all of it.",
                    "In those years such things still mattered.", "That was how the day went by.",
                    "Afterwards they sat together and said little.",
                            "It was written down in the long book at the inn.");

    /// What can be said of each topic: `P` is a person, `X` and `Y` are things of the topic.
    private record Topic(List<String> things, List<String> sentences) {}

    private static final Map<String, Topic> TOPICS = topics();

    private ToyData() {}

    private static Map<String, Topic> topics() {
        var topics = new LinkedHashMap<String, Topic>();
        topics.put(
                "garden",
                new Topic(
                        List.of(
                                "the roses",
                                "the beans",
                                "the young cabbages",
                                "the apple trees",
                                "the lettuce",
                                "the hedge",
                                "the sunflowers",
                                "the carrots",
                                "the plum tree",
                                "the herbs by the wall",
                                "the tulips",
                                "the pumpkins"),
                        List.of(
                                "P watered X and pulled the weeds from between Y.",
                                "P planted X in straight rows beside Y.",
                                "The snails had eaten X again, but Y were spared.",
                                "P cut back X so that Y would have more light.",
                                "This year X grew taller than the fence, and P was proud.",
                                "P carried two baskets of compost to X.",
                                "There were bees in X from morning until dusk.",
                                "P dug the soil, sowed seeds, and tied up X with string.",
                                "Under X the earth was dark and full of worms.")));
        topics.put(
                "kitchen",
                new Topic(
                        List.of(
                                "the soup",
                                "the bread",
                                "the plum cake",
                                "the dumplings",
                                "the roast",
                                "the porridge",
                                "the onions",
                                "the butter",
                                "the gravy",
                                "the pancakes",
                                "the stew",
                                "the jam"),
                        List.of(
                                "P stirred X and put Y on the table.",
                                "P baked all day, first X and then Y.",
                                "There was too much salt in X, so P made Y instead.",
                                "The smell of X came out of the oven and filled the house.",
                                "P tasted X with a wooden spoon and asked for pepper.",
                                "P burned X, and the pan had to be scrubbed with sand.",
                                "For supper they had X, with Y for those who were still hungry.",
                                "P kneaded the dough while X boiled over on the stove.",
                                "Nobody cooked X as well as P did.")));
        topics.put(
                "weather",
                new Topic(
                        List.of(
                                "the rain",
                                "the fog",
                                "the north wind",
                                "the snow",
                                "the thunder",
                                "the frost",
                                "the hail",
                                "the storm",
                                "the clouds",
                                "the heat",
                                "the drizzle",
                                "the ice"),
                        List.of(
                                "P looked at the sky and saw X coming over the hills.",
                                "X lasted three days, and after that came Y.",
                                "In the night came X, and P ran to close the shutters.",
                                "Nobody had seen X like this since the great flood, said P.",
                                "By evening X had gone and the stars were out.",
                                "The river rose because of X, and the bridge was closed.",
                                "P said that X would turn into Y before nightfall.",
                                "It was a month in which X never stayed away for long.",
                                "First X darkened the valley, then Y swept across the fields.")));
        topics.put(
                "workshop",
                new Topic(
                        List.of(
                                "the saw",
                                "the old clock",
                                "the wheel",
                                "the hammer",
                                "the broken chair",
                                "the door hinge",
                                "the plane",
                                "the iron ring",
                                "the cart",
                                "the ladder",
                                "the pump",
                                "the barrel"),
                        List.of(
                                "P mended X with glue and four long nails.",
                                "P sharpened X and oiled Y.",
                                "The bench was covered with shavings, and X lay under them beside Y.",
                                "P measured twice, cut once, and fitted X to the frame.",
                                "There was rust on X, so P rubbed it with a file.",
                                "P took X apart and could not put it together again.",
                                "With a new bolt X would last another ten years.",
                                "P lent X to a neighbour and got Y in return.",
                                "Sparks flew when P hammered X on the anvil.")));
        return topics;
    }

    /// Running text of at least `characters` characters, in paragraphs that each keep to a topic.
    static String prose(long seed, int characters) {
        var text = new StringBuilder();
        for (var paragraph = 0; text.length() < characters; paragraph++) {
            var rng = Rng.at(seed, paragraph);
            var topic = pick(List.copyOf(TOPICS.values()), rng);
            var first = sentence(topic, rng);
            text.append(pick(TIMES, rng)).append(", ").append(lower(first));
            for (var more = 2 + rng.nextInt(4); more > 0; more--) {
                text.append(' ')
                        .append(rng.nextInt(5) == 0 ? pick(ASIDES, rng) : sentence(topic, rng));
            }
            text.append("\n\n");
        }
        return text.toString();
    }

    /// `perLabel` records of each label with a header line, none of which is in `before`.
    static String records(long seed, int perLabel, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < perLabel * TOPICS.size(); at++) {
            var rng = Rng.at(seed, at);
            var label = List.copyOf(TOPICS.keySet()).get(lines.size() % TOPICS.size());
            var topic = Objects.requireNonNull(TOPICS.get(label));
            var text = sentence(topic, rng);
            if (rng.nextBoolean()) {
                text =
                        rng.nextBoolean()
                                ? text + " " + pick(ASIDES, rng)
                                : pick(ASIDES, rng) + " " + text;
            }
            if (!before.contains(text)) {
                lines.add("\"" + text + "\"," + label);
            }
        }
        return "text,label\n" + String.join("\n", lines) + "\n";
    }

    /// `sentences` sentences in CoNLL, people and things tagged in IOB2, none of which is in
    /// `before`.
    static String tagged(long seed, int sentences, String before) {
        var found = new LinkedHashSet<String>();
        for (var at = 0; found.size() < sentences; at++) {
            var rng = Rng.at(seed, at);
            var topic = pick(List.copyOf(TOPICS.values()), rng);
            var x = rng.nextInt(topic.things().size());
            var y = (x + 1 + rng.nextInt(topic.things().size() - 1)) % topic.things().size();
            var lines = new StringBuilder();
            for (var part : pick(topic.sentences(), rng).split("(?<=[ .,])|(?=[ .,])")) {
                switch (part) {
                    case "P" -> tag(pick(PEOPLE, rng), "PERSON", lines);
                    case "X" -> tag(topic.things().get(x), "THING", lines);
                    case "Y" -> tag(topic.things().get(y), "THING", lines);
                    case " " -> {}
                    default -> lines.append(part).append(" O\n");
                }
            }
            if (!before.contains(lines)) {
                found.add(Character.toUpperCase(lines.charAt(0)) + lines.substring(1));
            }
        }
        return String.join("\n", found);
    }

    /// `count` sentences as JSON lines, in which people and things are spans of characters; none is
    /// in `before`.
    static String spans(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var topic = pick(List.copyOf(TOPICS.values()), rng);
            var x = rng.nextInt(topic.things().size());
            var y = (x + 1 + rng.nextInt(topic.things().size() - 1)) % topic.things().size();
            var text = new StringBuilder();
            var spans = new ArrayList<Map<String, Object>>();
            for (var part : pick(topic.sentences(), rng).split("(?<=[ .,])|(?=[ .,])")) {
                var name =
                        switch (part) {
                            case "P" -> pick(PEOPLE, rng);
                            case "X" -> topic.things().get(x);
                            case "Y" -> topic.things().get(y);
                            default -> part;
                        };
                if (!name.equals(part)) {
                    var span = new LinkedHashMap<String, Object>();
                    span.put("start", text.length());
                    span.put("end", text.length() + name.length());
                    span.put("label", part.equals("P") ? "PERSON" : "THING");
                    spans.add(span);
                }
                text.append(name);
            }
            text.setCharAt(0, Character.toUpperCase(text.charAt(0)));
            var line = new LinkedHashMap<String, Object>();
            line.put("text", text.toString());
            line.put("spans", spans);
            if (!before.contains(text)) {
                lines.add(Json.line(line));
            }
        }
        return String.join("\n", lines) + "\n";
    }

    /// `count` days with a header line, each told by a sentence of one to three topics, which are
    /// its labels; none is in `before`.
    static String days(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var topics = new ArrayList<>(TOPICS.keySet());
            var text = new ArrayList<String>();
            var labels = new TreeSet<String>();
            for (var more = 1 + rng.nextInt(3); more > 0; more--) {
                var label = topics.remove(rng.nextInt(topics.size()));
                labels.add(label);
                text.add(sentence(Objects.requireNonNull(TOPICS.get(label)), rng));
            }
            var line = "\"" + String.join(" ", text) + "\"," + String.join(";", labels);
            if (!before.contains(line)) {
                lines.add(line);
            }
        }
        return "text,topics\n" + String.join("\n", lines) + "\n";
    }

    static final int SHAPE_SIDE = 16;

    /// `count` grey pictures in IDX of a disc (0), a square (1) or a triangle (2), of several sizes
    /// and at several places, with noise.
    static byte[] shapes(long seed, int count) {
        var idx = ByteBuffer.allocate(16 + count * SHAPE_SIDE * SHAPE_SIDE);
        idx.putInt(0x0803).putInt(count).putInt(SHAPE_SIDE).putInt(SHAPE_SIDE);
        for (var at = 0; at < count; at++) {
            var rng = Rng.at(seed, at);
            var radius = 5 + 2.5 * rng.uniform();
            var x = radius + (SHAPE_SIDE - 2 * radius) * rng.uniform();
            var y = radius + (SHAPE_SIDE - 2 * radius) * rng.uniform();
            var dark = 20 + rng.nextInt(60);
            var bright = 150 + rng.nextInt(80);
            for (var i = 0; i < SHAPE_SIDE * SHAPE_SIDE; i++) {
                var dx = (i % SHAPE_SIDE + 0.5 - x) / radius;
                var dy = (i / SHAPE_SIDE + 0.5 - y) / radius;
                var within =
                        switch (at % 3) {
                            case 0 -> dx * dx + dy * dy <= 1;
                            case 1 -> Math.abs(dx) <= 0.85 && Math.abs(dy) <= 0.85;
                            default -> dy <= 0.9 && Math.abs(dx) <= (dy + 1) / 2;
                        };
                idx.put((byte) ((within ? bright : dark) + rng.nextInt(21) - 10));
            }
        }
        return idx.array();
    }

    /// What [#shapes] are.
    static byte[] shapeLabels(int count) {
        var idx = ByteBuffer.allocate(8 + count).putInt(0x0801).putInt(count);
        for (var at = 0; at < count; at++) {
            idx.put((byte) (at % 3));
        }
        return idx.array();
    }

    private static final int POND_SIDE = 32;

    /// A picture of 32 x 32 pixels as BMP: two ponds in a meadow, or, for a mask, white on black.
    static byte[] ponds(long seed, boolean mask) {
        var rng = Rng.at(seed);
        var ponds = new double[6]; // x, y, radius of each
        for (var i = 0; i < ponds.length; i++) {
            ponds[i] = i % 3 == 2 ? 4 + 4 * rng.uniform() : POND_SIDE * rng.uniform();
        }
        var rgb = new byte[3 * POND_SIDE * POND_SIDE];
        for (var i = 0; i < POND_SIDE * POND_SIDE; i++) {
            int x = i % POND_SIDE, y = i / POND_SIDE;
            var wet = false;
            for (var p = 0; p < ponds.length; p += 3) {
                wet |= Math.hypot(x - ponds[p], y - ponds[p + 1]) <= ponds[p + 2];
            }
            var light = rng.nextInt(60);
            var colour =
                    mask
                            ? (wet ? new int[] {255, 255, 255} : new int[3])
                            : wet
                                    ? new int[] {30 + light, 80 + light, 120 + light}
                                    : new int[] {60 + light, 120 + light, 40 + light};
            for (var c = 0; c < 3; c++) {
                rgb[3 * i + c] = (byte) colour[c];
            }
        }
        return bmp(POND_SIDE, rgb);
    }

    private static final int YARD_SIDE = 24;

    /// One or two toys in a yard: whether each is a ball, its left, top and side.
    private static int[][] toys(long seed) {
        var rng = Rng.at(seed);
        var toys = new int[1 + rng.nextInt(2)][];
        for (var i = 0; i < toys.length; i++) {
            var side = 6 + rng.nextInt(4);
            // The second keeps to the right half.
            var left = i * 12 + rng.nextInt(12 - side + 1);
            toys[i] = new int[] {rng.nextInt(2), left, rng.nextInt(YARD_SIDE - side), side};
        }
        return toys;
    }

    /// A picture of 24 x 24 pixels as BMP: red balls and blue boxes in a yard.
    static byte[] yard(long seed) {
        var rng = Rng.at(seed, 1);
        var rgb = new byte[3 * YARD_SIDE * YARD_SIDE];
        for (var i = 0; i < YARD_SIDE * YARD_SIDE; i++) {
            int x = i % YARD_SIDE, y = i / YARD_SIDE;
            var colour = new int[] {150, 150, 120};
            for (var toy : toys(seed)) {
                var radius = toy[3] / 2.0;
                var across = x + 0.5 - toy[1] - radius;
                var down = y + 0.5 - toy[2] - radius;
                if (toy[0] == 1
                        ? Math.hypot(across, down) <= radius
                        : Math.max(Math.abs(across), Math.abs(down)) <= radius) {
                    colour = toy[0] == 1 ? new int[] {200, 40, 40} : new int[] {40, 40, 200};
                }
            }
            var light = rng.nextInt(40);
            for (var c = 0; c < 3; c++) {
                rgb[3 * i + c] = (byte) (colour[c] + light);
            }
        }
        return bmp(YARD_SIDE, rgb);
    }

    /// What is where in the yards from `first` on, as COCO has it.
    static String yards(int first, int count) {
        var images = new StringJoiner(",\n  ");
        var annotations = new StringJoiner(",\n  ");
        var number = 1;
        for (var i = first; i < first + count; i++) {
            images.add(
                    "{\"id\": %d, \"file_name\": \"yard/%02d.bmp\", \"width\": 24, \"height\": 24}"
                            .formatted(i, i));
            for (var toy : toys(i)) {
                annotations.add(
                        "{\"id\": %d, \"image_id\": %d, \"category_id\": %d, \"bbox\": [%d, %d, %d, %d], \"area\": %d, \"iscrowd\": 0}"
                                .formatted(
                                        number++,
                                        i,
                                        toy[0],
                                        toy[1],
                                        toy[2],
                                        toy[3],
                                        toy[3],
                                        toy[3] * toy[3]));
            }
        }
        return """
        {"categories": [{"id": 0, "name": "box"}, {"id": 1, "name": "ball"}],
         "images": [
          %s],
         "annotations": [
          %s]}
        """
                .formatted(images, annotations);
    }

    /// What lies in the yards from `first` on, in words: a table with two captions of each.
    static String yardCaptions(int first, int count) {
        var rows = new StringBuilder("image,caption\n");
        for (var i = first; i < first + count; i++) {
            var toys =
                    Arrays.stream(toys(i))
                            .map(toy ->
                                    "a %s %s"
                                            .formatted(
                                                    toy[3] > 7 ? "large" : "small",
                                                    toy[0] == 1 ? "red ball" : "blue box"))
                            .toList();
            rows.append("yard/%02d.bmp,%s\n".formatted(i, String.join(" left of ", toys)));
            rows.append(
                    "yard/%02d.bmp,the yard with %s\n".formatted(i, String.join(" and ", toys)));
        }
        return rows.toString();
    }

    /// What the toy on the left is in each of the yards from `first` on: a table.
    static String yardToys(int first, int count) {
        var rows = new StringBuilder("image,toy\n");
        for (var i = first; i < first + count; i++) {
            rows.append("yard/%02d.bmp,%s\n".formatted(i, toys(i)[0][0] == 1 ? "ball" : "box"));
        }
        return rows.toString();
    }

    /// A square picture as uncompressed BMP, whose bytes no library's version changes; `side` is a
    /// multiple of 4.
    private static byte[] bmp(int side, byte[] rgb) {
        var bmp = ByteBuffer.allocate(54 + rgb.length).order(ByteOrder.LITTLE_ENDIAN);
        bmp.put((byte) 'B').put((byte) 'M').putInt(54 + rgb.length).putInt(0).putInt(54);
        bmp.putInt(40).putInt(side).putInt(side).putShort((short) 1).putShort((short) 24);
        bmp.putInt(0).putInt(rgb.length).putInt(2835).putInt(2835).putInt(0).putInt(0);
        for (var y = side - 1; y >= 0; y--) {
            for (var x = 0; x < side; x++) {
                for (var c = 2; c >= 0; c--) {
                    bmp.put(rgb[3 * (y * side + x) + c]);
                }
            }
        }
        return bmp.array();
    }

    /// What a degree feels like.
    private static final List<String> FEELINGS =
            List.of("bitterly cold", "freezing", "chilly", "mild", "warm", "hot", "sweltering");

    /// `count` records of the weather with a header line and the degrees that it told of, which its
    /// words and the time of day tell to within a degree; none is in `before`.
    static String weather(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var feeling = rng.nextInt(FEELINGS.size());
            var time = pick(TIMES, rng);
            var shift = time.equals("At noon") ? 4 : time.equals("Before sunrise") ? -4 : 0;
            var degrees = 7 * feeling - 10 + shift + rng.nextInt(3) - 1;
            var text =
                    "%s, it was %s where %s stood. %s"
                            .formatted(
                                    time,
                                    FEELINGS.get(feeling),
                                    pick(PEOPLE, rng),
                                    pick(ASIDES, rng));
            if (!before.contains(text)) {
                lines.add("\"" + text + "\"," + degrees);
            }
        }
        return "text,degrees\n" + String.join("\n", lines) + "\n";
    }

    /// `count` sentences with a header line, each beside a question after a topic and whether the
    /// sentence answers it; none is in `before`.
    static String pairs(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var topics = List.copyOf(TOPICS.keySet());
            var topic = rng.nextInt(topics.size());
            var answers = lines.size() % 2 == 0;
            var asked = answers ? topic : (topic + 1 + rng.nextInt(topics.size() - 1)) % 4;
            var text = sentence(Objects.requireNonNull(TOPICS.get(topics.get(topic))), rng);
            if (!before.contains(text)) {
                lines.add(
                        "What is new of the %s?\t%s\t%s"
                                .formatted(topics.get(asked), text, answers ? "yes" : "no"));
            }
        }
        return "question\tsentence\tanswers\n" + String.join("\n", lines) + "\n";
    }

    /// `perLabel` long records of each label as JSON lines: asides, and among them two sentences of
    /// the topic; none is in `before`.
    static String pages(long seed, int perLabel, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < perLabel * TOPICS.size(); at++) {
            var rng = Rng.at(seed, at);
            var label = List.copyOf(TOPICS.keySet()).get(lines.size() % TOPICS.size());
            var topic = Objects.requireNonNull(TOPICS.get(label));
            var text = new ArrayList<String>();
            for (var i = 0; i < 10; i++) {
                text.add(pick(ASIDES, rng));
            }
            text.add(rng.nextInt(11), sentence(topic, rng));
            text.add(rng.nextInt(12), sentence(topic, rng));
            var line =
                    "{\"text\": \"%s\", \"topic\": \"%s\"}"
                            .formatted(String.join(" ", text), label);
            if (!before.contains(line)) {
                lines.add(line);
            }
        }
        return String.join("\n", lines) + "\n";
    }

    private static void tag(String words, String type, StringBuilder lines) {
        var prefix = " B-";
        for (var word : words.split(" ")) {
            lines.append(word).append(prefix).append(type).append('\n');
            prefix = " I-";
        }
    }

    /// `count` conversations about where the things of the village are looked for, as JSON lines in
    /// each of the forms that are read, none of whose first questions is in `before`.
    static String questions(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        var asked = new HashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var first = exchange(rng);
            var second = exchange(rng);
            if (before.contains(first.question()) || !asked.add(first.question())) {
                continue;
            }
            lines.add(
                    switch (lines.size() % 3) {
                        case 0 ->
                                "{\"instruction\": \"%s\", \"output\": \"%s\"}"
                                        .formatted(first.question(), first.answer());
                        case 1 ->
                                "{\"prompt\": \"%s\", \"completion\": \"%s\"}"
                                        .formatted(first.question(), first.answer());
                        default ->
                                "{\"messages\": [%s, %s]}"
                                        .formatted(first.messages(), second.messages());
                    });
        }
        return String.join("\n", lines) + "\n";
    }

    /// `count` pairs of answers to such questions, of which the one that names the place alone is
    /// preferred, as JSON lines; none of the questions is in `before`.
    static String preferences(long seed, int count, String before) {
        var lines = new LinkedHashSet<String>();
        for (var at = 0; lines.size() < count; at++) {
            var exchange = exchange(Rng.at(seed, at));
            if (!before.contains(exchange.question())) {
                var place = exchange.answer().replaceFirst("^(Look|That is) ", "");
                var longer = exchange.answer().equals(place);
                lines.add(
                        "{\"prompt\": \"%s\", \"chosen\": \"%s\", \"rejected\": \"%s\"}"
                                .formatted(
                                        exchange.question(),
                                        Character.toUpperCase(place.charAt(0)) + place.substring(1),
                                        longer
                                                ? "Look "
                                                        + Character.toLowerCase(place.charAt(0))
                                                        + place.substring(1)
                                                : exchange.answer()));
            }
        }
        return String.join("\n", lines) + "\n";
    }

    private record Exchange(String question, String answer) {
        /// A sentence may begin with a person.
        Exchange with(String person, String thing, String place) {
            return new Exchange(
                    filled(question, person, thing, place), filled(answer, person, thing, place));
        }

        private static String filled(String text, String person, String thing, String place) {
            var full = text.replace("P ", person + " ").replace("X", thing).replace("Y", place);
            return Character.toUpperCase(full.charAt(0)) + full.substring(1);
        }

        String messages() {
            return "{\"role\": \"user\", \"content\": \"%s\"}, {\"role\": \"assistant\", \"content\": \"%s\"}"
                    .formatted(question, answer);
        }
    }

    private static Exchange exchange(Rng rng) {
        var name = pick(List.copyOf(TOPICS.keySet()), rng);
        var thing = pick(Objects.requireNonNull(TOPICS.get(name)).things(), rng);
        var place = name.equals("weather") ? "outside" : "in the " + name;
        var form =
                switch (rng.nextInt(3)) {
                    case 0 -> new Exchange("Where does P look for X?", "Look Y.");
                    case 1 -> new Exchange("P asks for X.", "That is Y.");
                    default -> new Exchange("Where can P find X?", "Y.");
                };
        return form.with(pick(PEOPLE, rng), thing, place);
    }

    private static String sentence(Topic topic, Rng rng) {
        var x = rng.nextInt(topic.things().size());
        var y = (x + 1 + rng.nextInt(topic.things().size() - 1)) % topic.things().size();
        var pattern = pick(topic.sentences(), rng);
        var text = new StringBuilder();
        for (var word : pattern.split("(?<=[ .,])|(?=[ .,])")) {
            text.append(
                    switch (word) {
                        case "P" -> pick(PEOPLE, rng);
                        case "X" -> topic.things().get(x);
                        case "Y" -> topic.things().get(y);
                        default -> word;
                    });
        }
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    /// `sentence` for the middle of another, where names keep their capital.
    private static String lower(String sentence) {
        var starts =
                List.of(
                        "The ", "There ", "This ", "It ", "By ", "For ", "With ", "Under ",
                        "First ", "Nobody ", "In ");
        return starts.stream().anyMatch(sentence::startsWith)
                ? Character.toLowerCase(sentence.charAt(0)) + sentence.substring(1)
                : sentence;
    }

    private static <T> T pick(List<T> from, Rng rng) {
        return from.get(rng.nextInt(from.size()));
    }

    private static final List<String> MONTHS =
            List.of(
                    "January",
                    "February",
                    "March",
                    "April",
                    "May",
                    "June",
                    "July",
                    "August",
                    "September",
                    "October",
                    "November",
                    "December");

    /// Days as people write them, each beside its ISO 8601 form; none is in `before`.
    static String dates(long seed, int count, String before) {
        var found = new LinkedHashSet<String>();
        for (var at = 0; found.size() < count; at++) {
            var rng = Rng.at(seed, at);
            var day = java.time.LocalDate.ofEpochDay(rng.nextInt(54_787)).minusYears(70);
            var month = MONTHS.get(day.getMonthValue() - 1);
            var of = day.getDayOfMonth();
            var line =
                    switch (rng.nextInt(4)) {
                                case 0 -> "%d %s %d".formatted(of, month, day.getYear());
                                case 1 -> "\"%s %d, %d\"".formatted(month, of, day.getYear());
                                case 2 ->
                                        "the %d%s of %s %d"
                                                .formatted(of, ordinal(of), month, day.getYear());
                                default ->
                                        "%d %s %d"
                                                .formatted(
                                                        of, month.substring(0, 3), day.getYear());
                            }
                            + ","
                            + day;
            if (!before.contains(line)) {
                found.add(line);
            }
        }
        return "written,date\n" + String.join("\n", found) + "\n";
    }

    private static String ordinal(int day) {
        return day / 10 == 1
                ? "th"
                : switch (day % 10) {
                    case 1 -> "st";
                    case 2 -> "nd";
                    case 3 -> "rd";
                    default -> "th";
                };
    }
}
