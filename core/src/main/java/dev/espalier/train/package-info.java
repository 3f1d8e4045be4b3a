/// The loop: [dev.espalier.train.Trainer] makes one step after another, [dev.espalier.train.Run]
/// does what a recipe says and leaves a run's folder behind.
@org.jspecify.annotations.NullMarked
package dev.espalier.train;
