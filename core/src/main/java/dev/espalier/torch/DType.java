package dev.espalier.torch;

import org.bytedeco.pytorch.global.torch.ScalarType;

/// The element types that tensors are computed in.
public enum DType {
    FLOAT(ScalarType.Float, 4),
    DOUBLE(ScalarType.Double, 8),
    BFLOAT16(ScalarType.BFloat16, 2),
    HALF(ScalarType.Half, 2),
    LONG(ScalarType.Long, 8),
    INT(ScalarType.Int, 4),
    BYTE(ScalarType.Byte, 1),
    BOOL(ScalarType.Bool, 1);

    final ScalarType scalarType;
    private final int bytes;

    DType(ScalarType scalarType, int bytes) {
        this.scalarType = scalarType;
        this.bytes = bytes;
    }

    /// Bytes an element.
    public int bytes() {
        return bytes;
    }

    static DType of(ScalarType type) {
        for (var d : values()) {
            if (d.scalarType == type) {
                return d;
            }
        }
        throw new IllegalArgumentException("no tensors of " + type);
    }
}
