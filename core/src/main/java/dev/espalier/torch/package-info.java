/// The boundary to libtorch, and the only package that knows of the binding:
/// [dev.espalier.torch.Tensor] and its operators, [dev.espalier.torch.Scope] for native memory,
/// [dev.espalier.torch.Torch] for the process.
@org.jspecify.annotations.NullMarked
package dev.espalier.torch;
