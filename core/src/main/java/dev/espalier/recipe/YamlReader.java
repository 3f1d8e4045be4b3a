package dev.espalier.recipe;

import dev.espalier.EspalierException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.DocumentStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/// YAML to [Node]s. A recipe needs no anchors, aliases or tags, so they are refused, and with them
/// whatever small files could do to memory; so are files and nestings beyond any recipe.
final class YamlReader {
    static final int MOST_CHARACTERS = 1 << 20;
    private static final int DEEPEST = 32;

    private final String source;
    private final Iterator<Event> events;

    private YamlReader(String source, Iterator<Event> events) {
        this.source = source;
        this.events = events;
    }

    /// The one document in `yaml`, whose places name `source`.
    static Node read(String yaml, String source) {
        if (yaml.length() > MOST_CHARACTERS) {
            throw EspalierException.usage(
                    source
                            + ": is longer than a recipe may be ("
                            + MOST_CHARACTERS
                            + " characters)");
        }
        var text = yaml.startsWith("\uFEFF") ? yaml.substring(1) : yaml;
        // All in one read: the library's buffer overflows where its end parts a surrogate pair.
        var settings =
                LoadSettings.builder()
                        .setLabel(source)
                        .setCodePointLimit(MOST_CHARACTERS)
                        .setBufferSize(text.length() + 2)
                        .build();
        try {
            var events = new ParserImpl(settings, new StreamReader(settings, text));
            return new YamlReader(source, events).document();
        } catch (MarkedYamlEngineException e) {
            var mark = e.getProblemMark().or(e::getContextMark);
            throw EspalierException.usage(
                    place(source, mark) + ": is not YAML: " + e.getProblem() + context(e));
        } catch (YamlEngineException e) {
            throw EspalierException.usage(source + ": is not YAML: " + e.getMessage());
        }
    }

    private static String context(MarkedYamlEngineException e) {
        return e.getContext() == null || e.getContext().isBlank()
                ? ""
                : " (" + e.getContext() + ")";
    }

    private Node document() {
        events.next(); // the stream's start
        if (!(events.next() instanceof DocumentStartEvent)) {
            throw EspalierException.usage(source + ": is empty");
        }
        var root = node(events.next(), 0);
        events.next(); // the document's end
        if (events.next() instanceof DocumentStartEvent second) {
            throw broken(second, "is a second document; a recipe is one");
        }
        return root;
    }

    private Node node(Event event, int depth) {
        if (event instanceof AliasEvent
                || event instanceof NodeEvent n && n.getAnchor().isPresent()) {
            throw broken(
                    event,
                    "anchors and aliases have no place in a recipe; quote text that starts with & or *");
        }
        if (depth > DEEPEST) {
            throw broken(event, "is nested deeper than a recipe may be (" + DEEPEST + " levels)");
        }
        var place = place(source, event.getStartMark());
        return switch (event) {
            case ScalarEvent scalar -> {
                refuseTag(scalar, scalar.getTag());
                yield new Node.Scalar(place, scalar.getValue(), scalar.isPlain());
            }
            case CollectionStartEvent start -> {
                refuseTag(start, start.getTag());
                yield start.getEventId() == Event.ID.SequenceStart
                        ? sequence(place, depth)
                        : mapping(place, depth);
            }
            default -> throw broken(event, "is not a value");
        };
    }

    private Node sequence(Node.Place place, int depth) {
        var items = new ArrayList<Node>();
        for (var e = events.next(); e.getEventId() != Event.ID.SequenceEnd; e = events.next()) {
            items.add(node(e, depth + 1));
        }
        return new Node.Sequence(place, items);
    }

    private Node mapping(Node.Place place, int depth) {
        var entries = new LinkedHashMap<String, Node.Entry>();
        for (var e = events.next(); e.getEventId() != Event.ID.MappingEnd; e = events.next()) {
            if (!(node(e, depth + 1) instanceof Node.Scalar key)) {
                throw broken(e, "is not a key; a key is a word");
            }
            var value = node(events.next(), depth + 1);
            var before = entries.putIfAbsent(key.text(), new Node.Entry(key.place(), value));
            if (before != null) {
                throw broken(
                        e, "the key `" + key.text() + "` stands twice; first at " + before.place());
            }
        }
        return new Node.Mapping(place, entries);
    }

    private void refuseTag(Event event, Optional<String> tag) {
        if (tag.isPresent()) {
            throw broken(
                    event,
                    "tags have no place in a recipe: `"
                            + tag.get()
                            + "`; quote text that starts with !");
        }
    }

    private EspalierException broken(Event event, String what) {
        return EspalierException.usage(place(source, event.getStartMark()) + ": " + what);
    }

    private static Node.Place place(String source, Optional<Mark> mark) {
        return mark.map(m -> new Node.Place(source, m.getLine() + 1, m.getColumn() + 1))
                .orElse(new Node.Place(source, 0, 0));
    }
}
