package dev.espalier.optim;

import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// A run of neighbouring weights of a [FlatParameters], from `from` to before `to`, that are
/// updated alike.
///
/// @param rateFactor the factor of the learning rate
/// @param decay the weight decay
public record Segment(long from, long to, double rateFactor, double decay) {
    /// How one parameter is updated.
    public record Setting(double rateFactor, double decay) {}

    /// What is set for each parameter.
    @FunctionalInterface
    public interface Settings {
        Setting of(FlatParameters.Slot slot);

        /// The full rate for all; decay for matrices and tables, not for biases and norms.
        static Settings plain(double decay) {
            return slot -> new Setting(1, slot.isMatrix() ? decay : 0);
        }
    }

    /// The weights of the parameters that are `chosen`, in as few segments as there can be.
    public static List<Segment> of(
            FlatParameters parameters, Predicate<FlatParameters.Slot> chosen, Settings settings) {
        var segments = new ArrayList<Segment>();
        for (var slot : parameters.slots()) {
            if (!chosen.test(slot)) {
                continue;
            }
            var setting = settings.of(slot);
            var next =
                    new Segment(
                            slot.offset(),
                            slot.offset() + slot.count(),
                            setting.rateFactor(),
                            setting.decay());
            var last = segments.isEmpty() ? null : segments.getLast();
            if (last != null && last.isContinuedBy(next)) {
                segments.removeLast();
                next = new Segment(last.from, next.to, next.rateFactor, next.decay);
            }
            segments.add(next);
        }
        return segments;
    }

    private boolean isContinuedBy(Segment next) {
        return to == next.from && rateFactor == next.rateFactor && decay == next.decay;
    }

    long length() {
        return to - from;
    }

    /// The weights of all `segments`.
    static long length(List<Segment> segments) {
        return segments.stream().mapToLong(Segment::length).sum();
    }

    /// A part of a segment that is updated at once, small enough that what is computed on the way
    /// stays in the cache.
    ///
    /// @param at where its weights stand among those of all segments
    record Piece(Segment segment, long from, long length, long at) {
        private static final long MOST = 1 << 18;

        /// This part of a buffer of all parameters.
        Tensor of(Tensor buffer) {
            return buffer.narrow(0, from, length);
        }

        /// This part of the state of the segments' weights.
        Tensor state(Tensor buffer) {
            return buffer.narrow(0, at, length);
        }
    }

    static List<Piece> pieces(List<Segment> segments) {
        var pieces = new ArrayList<Piece>();
        var at = 0L;
        for (var segment : segments) {
            for (var from = segment.from; from < segment.to; from += Piece.MOST) {
                var length = Math.min(Piece.MOST, segment.to - from);
                pieces.add(new Piece(segment, from, length, at));
                at += length;
            }
        }
        return pieces;
    }
}
