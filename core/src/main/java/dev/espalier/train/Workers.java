package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/// Threads that compute the micro-batches of one step at once, each on its share of the cores.
///
/// A small model's products are so short that splitting each over the cores costs more than it
/// gains, and comes to a crawl when another process wants a core: whoever waits for the half that
/// was interrupted waits for a whole time slice, a thousand times a step. Whole micro-batches meet
/// once a step.
final class Workers implements AutoCloseable {
    /// The most weights of a small model. Each worker has a buffer for all their gradients.
    private static final long SMALL = 16_000_000;

    /// The most workers, however many cores there are: as many as there are micro-batches in a step
    /// where the recipe leaves their size to us, and few enough that the order in which gradients
    /// are added up is the same on all machines but those with one core.
    static final int MOST = 2;

    private final List<ExecutorService> threads = new ArrayList<>();

    /// How many workers compute a step of `model` on this machine.
    static int count(Module model) {
        return small(model) ? Math.min(MOST, Torch.threads()) : 1;
    }

    /// Whether a step of `model` is computed by several workers.
    static boolean small(Module model) {
        return small(model.parameterCount());
    }

    static boolean small(long parameters) {
        return parameters <= SMALL;
    }

    Workers(int count) {
        for (var i = 0; i < count && count > 1; i++) {
            threads.add(
                    Executors.newSingleThreadExecutor(
                            Thread.ofPlatform().daemon().name("worker-" + i).factory()));
        }
    }

    /// Runs `body` for 0 to `tasks` - 1, each on the worker of its number modulo the workers, in
    /// order; rethrows the first failure when all have ended.
    void run(int tasks, IntConsumer body) {
        if (threads.isEmpty() || tasks < 2) {
            for (var i = 0; i < tasks; i++) {
                body.accept(i);
            }
            return;
        }
        var all = Torch.threads();
        var each = Math.max(1, all / threads.size());
        Torch.sharedBlasThreads(each);
        try {
            var running = new ArrayList<Future<?>>();
            for (var w = 0; w < threads.size(); w++) {
                var worker = w;
                running.add(
                        threads.get(w)
                                .submit(() -> {
                                    Torch.intraOpThreads(each);
                                    Parameter.asWorker(
                                            worker,
                                            () -> {
                                                for (var i = worker;
                                                        i < tasks;
                                                        i += threads.size()) {
                                                    body.accept(i);
                                                }
                                            });
                                }));
            }
            join(running);
        } finally {
            // The last of these settings is also that of threads to come.
            Torch.threads(all);
        }
    }

    private static void join(List<Future<?>> running) {
        Throwable failure = null;
        for (var worker : running) {
            try {
                get(worker);
            } catch (ExecutionException e) {
                failure = failure == null ? e.getCause() : failure;
            }
        }
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    /// Waits whatever interrupts it: what a worker uses must not be freed before it ends.
    static <T> T get(Future<T> worker) throws ExecutionException {
        var interrupted = false;
        try {
            while (true) {
                try {
                    return worker.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        threads.forEach(ExecutorService::shutdown);
    }
}
