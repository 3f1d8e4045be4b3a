package dev.espalier.cli;

import dev.espalier.EspalierException.Kind;
import dev.espalier.train.Watcher;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Whether the user or the system has asked the program to stop (Ctrl-C, SIGTERM). A job that looks
/// at [#asBoolean] between steps and saves first calls [#waitForJob]; then the process stays until
/// the job has come to its end, and exits with 130.
final class Stop implements BooleanSupplier {
    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stop, "stop");
    private volatile boolean asked;
    private volatile @Nullable Runnable waiting;

    /// Hooks into the process's shutdown.
    Stop() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    @Override
    public boolean getAsBoolean() {
        return asked;
    }

    /// From here on a request to stop is answered by `say`, which tells what is done about it, and
    /// waits for the end of the command.
    BooleanSupplier waitForJob(Runnable say) {
        waiting = say;
        return this;
    }

    /// Shows what a study says, and stops it between two steps when asked; see [#waitForJob].
    Watcher watcher(Console console) {
        var unused = waitForJob(() -> console.note("stopping after this step, and saving"));
        return new Watcher() {
            @Override
            public void said(String line) {
                console.note(line);
            }

            @Override
            public boolean stop() {
                return getAsBoolean();
            }
        };
    }

    /// The command has ended and printed all that it had to say.
    void finished() {
        finished.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is stopping already: the hook ends it.
        }
    }

    private void stop() {
        asked = true;
        var say = waiting;
        if (say != null) {
            say.run();
            try {
                finished.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        exit(Kind.INTERRUPTED.exitCode());
    }

    /// Ends the process without the C++ libraries' own clearing up, which crashes where another
    /// thread still computes with them.
    private static void exit(int code) {
        var linker = Linker.nativeLinker();
        var quick = linker.defaultLookup().find("_exit");
        if (quick.isPresent()) {
            try {
                linker.downcallHandle(quick.get(), FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT))
                        .invokeExact(code);
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
        Runtime.getRuntime().halt(code);
    }
}
