package dev.espalier.train;

import dev.espalier.torch.Torch;

/// The most memory that the process takes from some moment on: several runs may follow each other
/// in one process, and what an earlier one took is not a later one's.
///
/// @param before the most that it had, where the system cannot forget it; else 0
record PeakMemory(long before) {
    static PeakMemory fromNow() {
        return new PeakMemory(Torch.forgetPeak() ? 0 : Torch.peakResidentBytes());
    }

    /// Bytes; 0 where the system does not say, or where it had as many before, which would only
    /// bound them.
    long bytes() {
        var most = Torch.peakResidentBytes();
        return most > before ? most : 0;
    }
}
