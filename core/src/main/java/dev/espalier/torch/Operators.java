package dev.espalier.torch;

import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/// Operators of libtorch that the binding has no method for, called by their name with their
/// arguments in a stack.
final class Operators {
    private static final ConcurrentHashMap<String, OperatorHandle> HANDLES =
            new ConcurrentHashMap<>();

    private Operators() {}

    /// Calls an operator. What it makes is freed with the innermost scope; those called here work
    /// in place.
    static void call(String name, IValue... arguments) {
        try {
            var stack = new IValueVector();
            for (var argument : arguments) {
                stack.push_back(argument);
            }
            handle(name).callBoxed(stack);
        } catch (RuntimeException e) {
            throw TorchException.of(e);
        }
    }

    private static OperatorHandle handle(String name) {
        return HANDLES.computeIfAbsent(
                name,
                n -> {
                    Torch.load();
                    var found = Dispatcher.singleton().findSchemaOrThrow(n, "");
                    // It outlives the scope that it is found in.
                    found.retainReference();
                    return found;
                });
    }

    /// A list of tensors. The constructor of IValue that takes a vector of them yields garbage.
    static IValue list(Tensor... tensors) {
        var list = new GenericList(new Type.TypePtr(TensorType.get()));
        for (var tensor : tensors) {
            list.push_back(new IValue(tensor.raw));
        }
        return new IValue(list);
    }
}
