/// Optimizers over one flat buffer of weights, schedules of their rate, clipping.
@org.jspecify.annotations.NullMarked
package dev.espalier.optim;
