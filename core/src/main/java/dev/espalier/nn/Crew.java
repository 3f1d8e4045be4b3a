package dev.espalier.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// Threads that help with loops so short that they are over before one that sleeps has woken: after
/// each, a helper stays awake for a millisecond, and only then falls asleep. Whoever waits offers
/// the processor to others meanwhile, since libtorch's own threads want it in between.
///
/// Each thread takes parts of its own share, one by one, and then of what others have left of
/// theirs, so that one that is interrupted delays a single part.
public final class Crew implements AutoCloseable {
    /// Nanoseconds that a helper stays awake, which is longer than what lies between two products
    /// of a model, and than most pauses between its tokens.
    private static final long AWAKE = 1_000_000;

    private final List<Helper> helpers = new ArrayList<>();
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile @Nullable Work work;
    private volatile boolean closed;

    /// @param size threads that take part, the caller's among them
    public Crew(int size) {
        for (var i = 1; i < size; i++) {
            helpers.add(new Helper(i));
        }
        helpers.forEach(helper -> helper.thread.start());
    }

    public int size() {
        return 1 + helpers.size();
    }

    /// Runs `body`, which throws nothing, for 0 to `parts` - 1, and returns when all have ended.
    /// While the helpers are at another thread's loop, the caller does all by itself.
    public void run(int parts, IntConsumer body) {
        if (parts == 1 || helpers.isEmpty() || !busy.compareAndSet(false, true)) {
            for (var part = 0; part < parts; part++) {
                body.accept(part);
            }
            return;
        }
        try {
            var own = new Work(parts, size(), body);
            work = own;
            helpers.forEach(Helper::wake);
            own.take(0);
            own.await();
        } finally {
            busy.set(false);
        }
    }

    /// Ends the helpers. A loop after that is the caller's alone.
    @Override
    public void close() {
        closed = true;
        helpers.forEach(Helper::wake);
    }

    private static final class Work {
        private final int parts;
        private final IntConsumer body;
        private final AtomicIntegerArray taken; // of each share
        private final AtomicInteger done = new AtomicInteger();

        Work(int parts, int shares, IntConsumer body) {
            this.parts = parts;
            this.body = body;
            taken = new AtomicIntegerArray(shares);
        }

        void take(int own) {
            for (var i = 0; i < taken.length(); i++) {
                var share = (own + i) % taken.length();
                var from = begin(share);
                var size = begin(share + 1) - from;
                for (int next; (next = taken.getAndIncrement(share)) < size; ) {
                    body.accept(from + next);
                    done.getAndIncrement();
                }
            }
        }

        private int begin(int share) {
            return (int) ((long) parts * share / taken.length());
        }

        void await() {
            while (done.get() < parts) {
                Thread.yield();
            }
        }
    }

    private final class Helper {
        private final int share;
        private final Thread thread;
        private volatile boolean asleep;

        Helper(int share) {
            this.share = share;
            thread = Thread.ofPlatform().daemon().name("crew-" + share).unstarted(this::help);
        }

        void wake() {
            if (asleep) {
                LockSupport.unpark(thread);
            }
        }

        private void help() {
            for (var next = after(null); next != null; next = after(next)) {
                next.take(share);
            }
        }

        /// The work that comes after `last`, or null where none will.
        private @Nullable Work after(@Nullable Work last) {
            var since = System.nanoTime();
            while (!closed) {
                var next = work;
                if (next != last) {
                    return next;
                }
                if (System.nanoTime() - since < AWAKE) {
                    Thread.yield();
                } else {
                    asleep = true;
                    // What came before that was seen would wake nobody.
                    if (work == last && !closed) {
                        LockSupport.park(this);
                    }
                    asleep = false;
                    since = System.nanoTime();
                }
            }
            return null;
        }
    }
}
