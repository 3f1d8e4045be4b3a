/// What a run costs: floating-point operations, memory, and this machine's rates to hold them
/// against.
@org.jspecify.annotations.NullMarked
package dev.espalier.plan;
