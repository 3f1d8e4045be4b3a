/// Comparing a model, its gradients, its training and its generations with reference numbers that
/// other software dumped into a folder.
@org.jspecify.annotations.NullMarked
package dev.espalier.parity;
