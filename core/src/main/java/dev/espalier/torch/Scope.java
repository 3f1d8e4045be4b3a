package dev.espalier.torch;

import org.bytedeco.javacpp.PointerScope;

/// The owner of native memory: every tensor made on this thread while the scope is the innermost
/// one is freed when it closes, unless it was [kept][#keep]. Only loops open one.
public final class Scope implements AutoCloseable {
    private final PointerScope pointers;

    public Scope() {
        Torch.load();
        pointers = new PointerScope();
    }

    /// Moves `tensor` to the scope around this one, or, where there is none, to its Java object,
    /// which then frees it by [Tensor#close] or when it is collected.
    public Tensor keep(Tensor tensor) {
        // Leaving a scope gives up its hold, which would free what nothing else holds.
        tensor.raw.retainReference();
        pointers.detach(tensor.raw);
        for (var scopes = PointerScope.getScopeIterator(); scopes != null && scopes.hasNext(); ) {
            var scope = scopes.next();
            if (scope != pointers) {
                scope.attach(tensor.raw);
                tensor.raw.releaseReference();
                break;
            }
        }
        return tensor;
    }

    @Override
    public void close() {
        pointers.close();
    }
}
