package dev.espalier.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.spi.ContextAwareBase;

/// The log: warnings, and with `--debug` everything of ours, on standard error. In code and not in
/// XML, which takes a tenth of a second to read.
public final class Logging extends ContextAwareBase implements Configurator {
    private static final String LEVEL = "espalier.log";

    /// Before the first line is logged.
    static void configure(boolean debug, boolean quiet) {
        System.setProperty(LEVEL, debug ? "DEBUG" : quiet ? "ERROR" : "WARN");
    }

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        var level = Level.toLevel(System.getProperty(LEVEL), Level.WARN);
        var encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern(
                level == Level.DEBUG
                        ? "%d{HH:mm:ss.SSS} %-5level %logger{20}: %msg%n"
                        : "%level: %msg%n%nopex");
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
}
