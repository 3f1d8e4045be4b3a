package dev.espalier.torch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.VoidTensorHook;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/// An n-dimensional array in native memory, with libtorch's operators under libtorch's names.
///
/// A tensor belongs to the innermost [Scope] of the thread that made it, and must not be used after
/// that has closed. Dimensions may be counted from the end by negative numbers. Operators do not
/// change their operands, but for those whose names end in `InPlace`. Not safe for writing from
/// several threads.
public final class Tensor implements AutoCloseable {
    /// A label that cross-entropy passes over.
    public static final int IGNORE = -100;

    final org.bytedeco.pytorch.Tensor raw;

    Tensor(org.bytedeco.pytorch.Tensor raw) {
        this.raw = raw;
    }

    private static Tensor op(Supplier<org.bytedeco.pytorch.Tensor> call) {
        try {
            return new Tensor(call.get());
        } catch (RuntimeException e) {
            throw TorchException.of(e);
        }
    }

    private static TensorOptions options(DType type) {
        return new TensorOptions().dtype(new ScalarTypeOptional(type.scalarType));
    }

    private static TensorOptional optional(@Nullable Tensor t) {
        return t == null ? new TensorOptional() : new TensorOptional(t.raw);
    }

    // Making tensors

    public static Tensor zeros(DType type, long... shape) {
        Torch.load();
        return op(() -> torch.zeros(shape, options(type)));
    }

    public static Tensor full(double value, long... shape) {
        Torch.load();
        return op(() -> torch.full(shape, new Scalar(value), options(DType.FLOAT)));
    }

    private static Tensor empty(DType type, long... shape) {
        Torch.load();
        return op(() -> torch.empty(shape, options(type), new MemoryFormatOptional()));
    }

    /// The whole numbers from `start` to `end`, without it, as LONG.
    public static Tensor arange(long start, long end) {
        Torch.load();
        return op(() -> torch.arange(new Scalar(start), new Scalar(end), options(DType.LONG)));
    }

    public static Tensor of(float[] values, long... shape) {
        return of(DType.FLOAT, MemorySegment.ofArray(values), shape);
    }

    public static Tensor of(long[] values, long... shape) {
        return of(DType.LONG, MemorySegment.ofArray(values), shape);
    }

    /// A LONG tensor, as ids and labels are.
    public static Tensor of(int[] values, long... shape) {
        return of(Arrays.stream(values).asLongStream().toArray(), shape);
    }

    /// A tensor with a copy of `bytes`, in row-major order and the machine's byte order.
    public static Tensor of(DType type, MemorySegment bytes, long... shape) {
        var t = empty(type, shape);
        if (t.bytes() != bytes.byteSize()) {
            throw new IllegalArgumentException(
                    bytes.byteSize() + " bytes for " + Arrays.toString(shape) + " of " + type);
        }
        t.segment().copyFrom(bytes);
        return t;
    }

    // Reading tensors

    public long[] shape() {
        var sizes = raw.sizes();
        var shape = new long[(int) sizes.size()];
        for (var i = 0; i < shape.length; i++) {
            shape[i] = sizes.get(i);
        }
        return shape;
    }

    public long size(int dimension) {
        return raw.size(dimension);
    }

    public int dimensions() {
        return (int) raw.dim();
    }

    /// The number of elements.
    public long count() {
        return raw.numel();
    }

    public long bytes() {
        return count() * dtype().bytes();
    }

    public DType dtype() {
        return DType.of(raw.scalar_type().intern());
    }

    /// The elements' memory, in row-major order; valid as long as the tensor is. The tensor must be
    /// contiguous.
    public MemorySegment segment() {
        if (!raw.is_contiguous()) {
            throw new IllegalArgumentException("not contiguous: " + this);
        }
        Pointer data = raw.data_ptr();
        return count() == 0
                ? MemorySegment.ofArray(new long[0]) // aligned for any type
                : MemorySegment.ofAddress(data.address()).reinterpret(bytes());
    }

    /// The only element.
    public double item() {
        try {
            return raw.item_double();
        } catch (RuntimeException e) {
            throw TorchException.of(e);
        }
    }

    /// All elements in row-major order, as floats.
    public float[] floats() {
        return Torch.noGrad(() ->
                detach().to(DType.FLOAT).contiguous().segment().toArray(ValueLayout.JAVA_FLOAT));
    }

    /// All elements in row-major order, as longs.
    public long[] longs() {
        return Torch.noGrad(
                () -> to(DType.LONG).contiguous().segment().toArray(ValueLayout.JAVA_LONG));
    }

    // Gradients

    public boolean requiresGrad() {
        return raw.requires_grad();
    }

    public Tensor requiresGrad(boolean requires) {
        raw.set_requires_grad(requires);
        return this;
    }

    /// The gradient that backward has added up in this leaf, or null.
    public @Nullable Tensor grad() {
        var grad = raw.grad();
        return grad.defined() ? new Tensor(grad) : null;
    }

    /// Makes `buffer`, of this tensor's shape, the place where backward adds up this leaf's
    /// gradient.
    public void grad(Tensor buffer) {
        raw.mutable_grad().put(buffer.raw);
    }

    /// Backpropagates from this scalar.
    public void backward() {
        backward(raw::backward);
    }

    /// Backpropagates `gradient`, of this tensor's shape.
    public void backward(Tensor gradient) {
        backward(() ->
                raw.backward(
                        gradient.raw, new BoolOptional(), false, new TensorArrayRefOptional()));
    }

    private static void backward(Runnable body) {
        try {
            body.run();
        } catch (RuntimeException e) {
            // Where it ended within an attention.
            Torch.withBlasThreads();
            throw TorchException.of(e);
        }
    }

    /// The same values, cut off from the graph.
    public Tensor detach() {
        return op(raw::detach);
    }

    // Shapes

    public Tensor view(long... shape) {
        return op(() -> raw.view(shape));
    }

    public Tensor reshape(long... shape) {
        return op(() -> raw.reshape(shape));
    }

    public Tensor transpose(int a, int b) {
        return op(() -> raw.transpose(a, b));
    }

    public Tensor permute(long... order) {
        return op(() -> raw.permute(order));
    }

    public Tensor contiguous() {
        return op(raw::contiguous);
    }

    public Tensor unsqueeze(int dimension) {
        return op(() -> raw.unsqueeze(dimension));
    }

    public Tensor expand(long... shape) {
        return op(() -> raw.expand(shape));
    }

    public Tensor select(int dimension, long index) {
        return op(() -> raw.select(dimension, index));
    }

    public Tensor narrow(int dimension, long start, long length) {
        return op(() -> raw.narrow(dimension, start, length));
    }

    /// The tensors behind one another along `dimension`.
    public static Tensor concat(int dimension, Tensor... parts) {
        return op(() -> {
            try (var list = new TensorVector()) {
                for (var part : parts) {
                    list.push_back(part.raw);
                }
                return torch.cat(list, dimension);
            }
        });
    }

    public Tensor indexSelect(int dimension, Tensor indices) {
        return op(() -> raw.index_select(dimension, indices.raw));
    }

    /// For each row the element that `indices`, of as many dimensions, names along `dimension`.
    public Tensor gather(int dimension, Tensor indices) {
        return op(() -> raw.gather(dimension, indices.raw));
    }

    public Tensor to(DType type) {
        return type == dtype() ? this : op(() -> raw.to(type.scalarType));
    }

    /// A copy with memory of its own.
    public Tensor copy() {
        return op(raw::clone);
    }

    // Arithmetic

    public Tensor add(Tensor other) {
        return op(() -> raw.add(other.raw));
    }

    public Tensor add(double value) {
        return op(() -> raw.add(new Scalar(value)));
    }

    public Tensor sub(Tensor other) {
        return op(() -> raw.sub(other.raw));
    }

    public Tensor mul(Tensor other) {
        return op(() -> raw.mul(other.raw));
    }

    public Tensor mul(double value) {
        return op(() -> raw.mul(new Scalar(value)));
    }

    public Tensor div(Tensor other) {
        return op(() -> raw.div(other.raw));
    }

    public Tensor matmul(Tensor other) {
        return op(() -> raw.matmul(other.raw));
    }

    public Tensor sqrt() {
        return op(raw::sqrt);
    }

    public Tensor cos() {
        return op(raw::cos);
    }

    public Tensor sin() {
        return op(raw::sin);
    }

    public Tensor exp() {
        return op(raw::exp);
    }

    public Tensor log() {
        return op(raw::log);
    }

    public Tensor abs() {
        return op(raw::abs);
    }

    /// The larger of the elements of this and `other`, at each place.
    public Tensor maximum(Tensor other) {
        return op(() -> raw.maximum(other.raw));
    }

    /// The smaller of the elements of this and `other`, at each place.
    public Tensor minimum(Tensor other) {
        return op(() -> raw.minimum(other.raw));
    }

    public Tensor sum() {
        return op(raw::sum);
    }

    /// The sums along a dimension, which stays with a size of 1.
    public Tensor sum(int dimension) {
        return op(() -> raw.sum(new long[] {dimension}, true, new ScalarTypeOptional()));
    }

    /// -1, 0 or 1 for each element.
    public Tensor sign() {
        return op(raw::sign);
    }

    /// The Euclidean norm of all elements, as a scalar tensor.
    public Tensor norm() {
        return op(raw::norm);
    }

    /// The Euclidean norms along a dimension, which goes.
    public Tensor norm(int dimension) {
        return op(() -> raw.norm(new ScalarOptional(new Scalar(2)), new long[] {dimension}, false));
    }

    public Tensor cumsum(int dimension) {
        return op(() -> raw.cumsum(dimension));
    }

    public Tensor clampMin(double least) {
        return op(() -> raw.clamp_min(new Scalar(least)));
    }

    /// Where each row's largest element is, as LONG.
    public Tensor argmax(int dimension) {
        return op(() -> raw.argmax(new LongOptional(dimension), false));
    }

    /// True where an element equals `value`.
    public Tensor eq(double value) {
        return op(() -> raw.eq(new Scalar(value)));
    }

    /// True where an element is greater than that of `other`, which is expanded to this shape.
    public Tensor gt(Tensor other) {
        return op(() -> raw.gt(other.raw));
    }

    public boolean allFinite() {
        return Torch.noGrad(() -> op(() -> raw.isfinite().all()).item() != 0);
    }

    /// `value` wherever `mask` is true.
    public Tensor maskedFill(Tensor mask, double value) {
        return op(() -> raw.masked_fill(mask.raw, new Scalar(value)));
    }

    /// The triangle above the `diagonal`-th diagonal, zeros elsewhere.
    public Tensor triu(long diagonal) {
        return op(() -> raw.triu(diagonal));
    }

    // In place

    public Tensor zeroInPlace() {
        return op(raw::zero_);
    }

    public Tensor copyInPlace(Tensor other) {
        return op(() -> raw.copy_(other.raw));
    }

    public Tensor addInPlace(Tensor other) {
        return op(() -> raw.add_(other.raw));
    }

    public Tensor addInPlace(double value) {
        return op(() -> raw.add_(new Scalar(value)));
    }

    public Tensor mulInPlace(double value) {
        return op(() -> raw.mul_(new Scalar(value)));
    }

    public Tensor mulInPlace(Tensor other) {
        return op(() -> raw.mul_(other.raw));
    }

    public Tensor expInPlace() {
        return op(raw::exp_);
    }

    /// Adds `values` at the places that `indices`, of as many dimensions, names along `dimension`.
    public Tensor scatterAddInPlace(int dimension, Tensor indices, Tensor values) {
        return op(() -> raw.scatter_add_(dimension, indices.raw, values.raw));
    }

    /// this + a b, for matrices a and b.
    public Tensor addmmInPlace(Tensor a, Tensor b) {
        return op(() -> raw.addmm_(a.raw, b.raw));
    }

    /// this + weight (other - this)
    public Tensor lerpInPlace(Tensor other, double weight) {
        return op(() -> raw.lerp_(other.raw, new Scalar(weight)));
    }

    /// this + value a b
    public Tensor addcmulInPlace(Tensor a, Tensor b, double value) {
        return op(() -> raw.addcmul_(a.raw, b.raw, new Scalar(value)));
    }

    /// this + value a / b
    public Tensor addcdivInPlace(Tensor a, Tensor b, double value) {
        return op(() -> raw.addcdiv_(a.raw, b.raw, new Scalar(value)));
    }

    /// One step of AdamW on these weights, in one pass over memory by libtorch's fused kernel; `m`
    /// and `v` are updated too. All are FLOAT and of one size. `step` counts from 1.
    ///
    ///     w ← w - η λ w;  m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²
    ///     w ← w - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
    ///
    /// @param largest holds the largest v so far, which then takes v's place in the last line
    /// @param decoupled or else g ← g + λ w comes first, and w is not shrunk
    public void adamwInPlace(
            Tensor gradient,
            Tensor m,
            Tensor v,
            @Nullable Tensor largest,
            long step,
            double rate,
            double beta1,
            double beta2,
            double epsilon,
            double decay,
            boolean decoupled) {
        try (var scope = new Scope()) {
            Operators.call(
                    decoupled ? "aten::_fused_adamw_" : "aten::_fused_adam_",
                    Operators.list(this),
                    Operators.list(gradient),
                    Operators.list(m),
                    Operators.list(v),
                    largest == null ? Operators.list() : Operators.list(largest),
                    Operators.list(full(step)),
                    new IValue(rate),
                    new IValue(beta1),
                    new IValue(beta2),
                    new IValue(decay),
                    new IValue(epsilon),
                    new IValue(largest != null),
                    new IValue(false),
                    new IValue(),
                    new IValue());
        }
    }

    /// Fills with draws from N(0, deviation²), of this thread's stream (see [Torch#seed]).
    public Tensor normalInPlace(double deviation) {
        return op(() -> raw.normal_(0, deviation, Torch.stream()));
    }

    /// Fills with draws from U(low, high), of this thread's stream.
    public Tensor uniformInPlace(double low, double high) {
        return op(() -> raw.uniform_(low, high, Torch.stream()));
    }

    // Neural networks

    /// x Wᵀ + b for `weight` (out, in) and `bias` (out).
    public Tensor linear(Tensor weight, @Nullable Tensor bias) {
        if (isOneRow(weight)) {
            var shape = shape();
            shape[shape.length - 1] = weight.size(0);
            return timesVector(weight.raw, bias).view(shape);
        }
        return op(() -> torch.linear(raw, weight.raw, optional(bias)));
    }

    /// bias + this matrix times `weight`.
    public Tensor addmm(Tensor bias, Tensor weight) {
        if (isOneRow(weight)) {
            return op(() -> torch.addmv(bias.raw, weight.raw.t(), raw.reshape(-1)))
                    .view(1, weight.size(1));
        }
        return op(() -> torch.addmm(bias.raw, raw, weight.raw));
    }

    /// As when a model writes a single text: libtorch hands that to OpenBLAS as a product of
    /// matrices, which is several times slower than that of a matrix and a vector.
    private boolean isOneRow(Tensor weight) {
        return isOneRow() && weight.dtype() == DType.FLOAT;
    }

    /// Whether this is one row in fp32, no gradient is wanted, and products are in fp32.
    public boolean isOneRow() {
        return count() == raw.size(-1)
                && !GradMode.is_enabled()
                && dtype() == DType.FLOAT
                && !Torch.inBf16();
    }

    private Tensor timesVector(org.bytedeco.pytorch.Tensor matrix, @Nullable Tensor bias) {
        return op(() ->
                bias == null
                        ? torch.mv(matrix, raw.reshape(-1))
                        : torch.addmv(bias.raw, matrix, raw.reshape(-1)));
    }

    /// The rows of this table (vocabulary, width) that `ids` names. The row `padding` gets no
    /// gradient from it; -1 stands for none.
    ///
    /// Where this table has a gradient already, those of the rows are added to it in place: a fresh
    /// one of the table's size would be written, nearly all zeros, and read again.
    public Tensor embedding(Tensor ids, long padding) {
        var sparse = requiresGrad() && raw.grad().defined();
        return op(() -> torch.embedding(raw, ids.raw, padding, false, sparse));
    }

    /// Over the last dimension, of the size of `weight` and `bias`.
    public Tensor layerNorm(Tensor weight, Tensor bias, double epsilon) {
        var width = new long[] {weight.count()};
        return op(() ->
                torch.layer_norm(raw, width, optional(weight), optional(bias), epsilon, true));
    }

    /// g x / √(mean(x²) + epsilon) over the last dimension, of the size of the gain `weight`.
    public Tensor rmsNorm(Tensor weight, double epsilon) {
        var width = new long[] {weight.count()};
        return op(() -> torch.rms_norm(raw, width, optional(weight), new DoubleOptional(epsilon)));
    }

    public Tensor relu() {
        return op(raw::relu);
    }

    /// x σ(x), with the logistic function.
    public Tensor silu() {
        return op(() -> torch.silu(raw));
    }

    public Tensor tanh() {
        return op(raw::tanh);
    }

    /// The logistic function 1 / (1 + exp -x).
    public Tensor sigmoid() {
        return op(raw::sigmoid);
    }

    // Pictures: (B, C, H, W)

    /// The cross-correlation with `weight` (out, C / groups, kernel, kernel), `padding` zeros
    /// around the picture: (B, out, (H + 2 padding - kernel) / stride + 1, likewise).
    public Tensor conv2d(
            Tensor weight, @Nullable Tensor bias, long stride, long padding, long groups) {
        return op(() ->
                torch.conv2d(
                        raw,
                        weight.raw,
                        optional(bias),
                        new long[] {stride, stride},
                        new long[] {padding, padding},
                        new long[] {1, 1},
                        groups));
    }

    /// Each channel standardised, times `weight`, plus `bias`. In training by the batch's own mean
    /// and variance, which `mean` and `variance`, the running ones, are moved towards by the share
    /// `momentum`; else by these.
    public Tensor batchNorm(
            Tensor weight,
            Tensor bias,
            Tensor mean,
            Tensor variance,
            boolean training,
            double momentum,
            double epsilon) {
        return op(() ->
                torch.batch_norm(
                        raw,
                        optional(weight),
                        optional(bias),
                        optional(mean),
                        optional(variance),
                        training,
                        momentum,
                        epsilon,
                        false));
    }

    /// Each of `groups` groups of channels of each picture standardised, times `weight` (C), plus
    /// `bias` (C).
    public Tensor groupNorm(long groups, Tensor weight, Tensor bias, double epsilon) {
        return op(() ->
                torch.group_norm(raw, groups, optional(weight), optional(bias), epsilon, false));
    }

    /// The largest of each `size` x `size` pixels.
    public Tensor maxPool2d(long size) {
        return op(() -> torch.max_pool2d(raw, size, size));
    }

    /// Stretched to `height` x `width` pixels, each the mean of the four nearest, weighted by
    /// nearness; pixels are areas, so that corners are not aligned.
    public Tensor bilinear(long height, long width) {
        return op(() -> torch.upsample_bilinear2d(raw, new long[] {height, width}, false));
    }

    /// As [#bilinear] of the sixteen nearest, by the cubic convolution with A = -0.75.
    public Tensor bicubic(long height, long width) {
        return op(() -> torch.upsample_bicubic2d(raw, new long[] {height, width}, false));
    }

    /// x Φ(x), with the error function.
    public Tensor gelu() {
        return op(() -> torch.gelu(raw, "none"));
    }

    /// x Φ(x), with the approximation by tanh that GPT-2 and BERT's first code use.
    public Tensor geluTanh() {
        return op(() -> torch.gelu(raw, "tanh"));
    }

    /// In the precision of this tensor, whatever that of the products around it; bf16 is added up
    /// in fp32.
    public Tensor softmax(int dimension) {
        return Torch.fullPrecision(() -> op(() -> raw.softmax(dimension)));
    }

    /// In fp32, whatever the precision around it.
    public Tensor logSoftmax(int dimension) {
        return Torch.fullPrecision(() ->
                op(() -> raw.log_softmax(dimension, new ScalarTypeOptional(ScalarType.Float))));
    }

    /// Dropout (Srivastava et al. 2014): each element is 0 with `probability`, met to 1 / 65 536,
    /// else divided by 1 - `probability`; by draws from this thread's stream (see [Torch#seed]).
    public Tensor dropout(double probability, boolean training) {
        if (probability == 0 || !training) {
            return this;
        }
        if (probability == 1) {
            return mul(0);
        }
        var bf16 = dtype() == DType.BFLOAT16;
        var mask = empty(bf16 ? DType.BFLOAT16 : DType.FLOAT, shape());
        DropoutMask.fill(mask.segment(), count(), bf16, 1 - probability, Torch.nextMask());
        return mul(mask);
    }

    /// softmax(Q Kᵀ / √d + mask) V for this Q, all (B, H, T, d), by libtorch's fused kernel.
    public Tensor attention(Tensor keys, Tensor values, @Nullable Tensor mask, boolean causal) {
        var given = List.of(this, keys, values);
        // Only where there is a gradient: one trains at a time, and many may predict.
        if (!GradMode.is_enabled()
                || given.stream().noneMatch(Tensor::requiresGrad)
                || !Torch.hasBlasThreads()) {
            return fusedAttention(keys, values, mask, causal);
        }
        Torch.withoutBlasThreads();
        try {
            var attended = fusedAttention(keys, values, mask, causal);
            attended.raw.register_hook(BlasHook.WITHOUT_THREADS);
            given.stream()
                    .filter(Tensor::requiresGrad)
                    .forEach(x -> x.raw.register_hook(BlasHook.WITH_THREADS));
            return attended;
        } finally {
            Torch.withBlasThreads();
        }
    }

    private Tensor fusedAttention(
            Tensor keys, Tensor values, @Nullable Tensor mask, boolean causal) {
        return op(() ->
                torch.scaled_dot_product_attention(
                        raw,
                        keys.raw,
                        values.raw,
                        optional(mask),
                        0,
                        causal,
                        new DoubleOptional(),
                        false));
    }

    /// The sum of -w\[label\] log softmax(logits)\[label\] over the rows (N, classes) whose label
    /// is not [#IGNORE].
    public Tensor crossEntropySum(Tensor labels, @Nullable Tensor classWeights) {
        return Torch.fullPrecision(() ->
                op(() ->
                        torch.cross_entropy_loss(
                                to(DType.FLOAT).raw,
                                labels.raw,
                                optional(classWeights),
                                2,
                                IGNORE,
                                0)));
    }

    /// Frees the memory now, rather than with its scope.
    @Override
    public void close() {
        raw.close();
    }

    @Override
    public String toString() {
        return dtype() + Arrays.toString(shape());
    }

    /// Backward computes the gradients of an operation between the hooks of what it gave and those
    /// of what it was given.
    private static final class BlasHook extends VoidTensorHook {
        static final BlasHook WITHOUT_THREADS = new BlasHook(Torch::withoutBlasThreads);
        static final BlasHook WITH_THREADS = new BlasHook(Torch::withBlasThreads);

        private final transient Runnable body;

        BlasHook(Runnable body) {
            this.body = body;
            retainReference(); // for good, whatever scope it was made in
        }

        @Override
        public void call(TensorBase gradient) {
            body.run();
        }
    }
}
