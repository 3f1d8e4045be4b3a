package dev.espalier.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.Layout;
import ch.qos.logback.core.LayoutBase;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import ch.qos.logback.core.spi.ContextAwareBase;
import dev.espalier.io.Json;
import java.util.LinkedHashMap;
import java.util.Locale;

/// The log: warnings, and with `--debug` everything of ours, on standard error, with `--json` as
/// lines of JSON. In code and not in XML, which takes a tenth of a second to read.
public final class Logging extends ContextAwareBase implements Configurator {
    private static final String LEVEL = "espalier.log";
    private static final String JSON = "espalier.log.json";

    /// Before the first line is logged.
    static void configure(boolean debug, boolean quiet, boolean json) {
        System.setProperty(LEVEL, debug ? "DEBUG" : quiet ? "ERROR" : "WARN");
        System.setProperty(JSON, String.valueOf(json));
    }

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        var level = Level.toLevel(System.getProperty(LEVEL), Level.WARN);
        var layout = Boolean.getBoolean(JSON) ? new JsonLines() : lines(level);
        layout.setContext(context);
        layout.start();
        var encoder = new LayoutWrappingEncoder<ILoggingEvent>();
        encoder.setContext(context);
        encoder.setLayout(layout);
        encoder.start();
        var appender = new ConsoleAppender<ILoggingEvent>();
        appender.setContext(context);
        appender.setTarget("System.err");
        appender.setEncoder(encoder);
        appender.start();
        context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
        context.getLogger("dev.espalier").setLevel(level);
        context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).addAppender(appender);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    private static Layout<ILoggingEvent> lines(Level level) {
        var layout = new PatternLayout();
        layout.setPattern(
                level == Level.DEBUG
                        ? "%d{HH:mm:ss.SSS} %-5level %logger{20}: %msg%n"
                        : "%level: %msg%n%nopex");
        return layout;
    }

    private static final class JsonLines extends LayoutBase<ILoggingEvent> {
        @Override
        public String doLayout(ILoggingEvent logged) {
            var event = new LinkedHashMap<String, Object>();
            event.put("event", "log");
            event.put("level", logged.getLevel().toString().toLowerCase(Locale.ROOT));
            event.put("message", logged.getFormattedMessage());
            return Json.line(event) + "\n";
        }
    }
}
