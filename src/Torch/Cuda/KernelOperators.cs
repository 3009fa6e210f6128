using Elastic.Kernels;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Our kernels as operators that autograd knows. All tensors are fp32 and lie where the kernels run. N rows, C channels, V tokens of the
/// vocabulary.
/// </summary>
internal static unsafe class KernelOperators
{
    /// <summary>(N, C) -> (N, C)</summary>
    public static Tensor LayerNorm(DeviceKernels kernels, Tensor x, Tensor gain, Tensor bias, double epsilon)
        => LayerNormFunction.apply(kernels, x, gain, bias, (float)epsilon);

    /// <summary>x + branch, and its norm: (N, C) (N, C) -> (N, C) (N, C). One pass over memory for both.</summary>
    public static (Tensor Sum, Tensor Norm) ResidualAndNorm(
        DeviceKernels kernels, Tensor x, Tensor branch, Tensor gain, Tensor bias, double epsilon)
    {
        var both = ResidualNormFunction.apply(kernels, x, branch, gain, bias, (float)epsilon);
        return (both[0], both[1]);
    }

    /// <param name="isTanh">Whether it is the form with the hyperbolic tangent.</param>
    public static Tensor Gelu(DeviceKernels kernels, Tensor x, bool isTanh) => GeluFunction.apply(kernels, x, isTanh);

    /// <summary>The gradient of a bias, a sum in a fixed order: (N, C) -> (C).</summary>
    public static Tensor BiasGradient(DeviceKernels kernels, Tensor dy)
    {
        var (N, C) = (dy.shape[0], (int)dy.shape[1]);
        var partRows = DeviceKernels.PartRowsOf(N);
        var (bias, sums) = (zeros(C, float32, dy.device), empty(DeviceKernels.Parts(N, partRows), C, float32, dy.device));
        kernels.ColumnSums(At(bias), At(sums), At(dy), N, partRows, C);
        return bias;
    }

    /// <summary>(N, C) (C) -> (N, C). The bias's gradient is a sum in a fixed order.</summary>
    public static Tensor AddBias(DeviceKernels kernels, Tensor x, Tensor bias) => BiasFunction.apply(kernels, x, bias);

    /// <param name="keys">One for each micro-batch, whose elements follow one another.</param>
    public static Tensor Dropout(DeviceKernels kernels, Tensor x, ulong[] keys, DropoutRate rate)
        => DropoutFunction.apply(kernels, x, keys, rate);

    /// <summary>(V, C) -> (N, C). The table's gradient is a sum in a fixed order.</summary>
    public static Tensor Embed(DeviceKernels kernels, Tensor table, Tensor tokens, TokenRows rows)
        => EmbedFunction.apply(kernels, table, tokens, rows);

    /// <summary>
    /// (N, V) -> (N) losses in nats, fp64. Where gradients are wanted, the logits become those of <paramref name="scale"/> times the sum of
    /// the losses: what is called backward on is that sum, unscaled.
    /// </summary>
    /// <param name="z">fp32 or bf16, rows of neighbouring elements at any distance. Nothing else may read it.</param>
    /// <param name="targets">(N), int32.</param>
    /// <param name="weights">(N), fp32; null for ones.</param>
    public static Tensor CrossEntropy(
        DeviceKernels kernels, Tensor z, Tensor targets, Tensor? weights, double smoothing, double scale)
        => CrossEntropyFunction.apply(kernels, z, targets, new Loss(weights, smoothing, scale));

    // Which floats a tensor has, in the order of its elements.
    private static float* At(Tensor x) => Dispatcher.Floats(x);

    private static Tensor Like(Tensor x) => empty_like(x);

    /// <summary>Takes what a function has made out of its scope: for its result, or for its backward pass. Not for its arguments.</summary>
    public static List<Tensor> Kept(params Tensor?[] results) => [.. results.Select(r => r?.MoveToOuterDisposeScope()!)];

    private static void Begin(autograd.AutogradContext ctx, object kernels)
    {
        BackwardFailure.Begin(ctx);
        ctx.save_data("kernels", kernels);
    }

    private static List<Tensor> Guarded(
        autograd.AutogradContext ctx, int arguments, Func<DeviceKernels, List<Tensor>> backward, params IReadOnlyList<Tensor> gradients)
    {
        var kernels = (DeviceKernels)ctx.get_data("kernels");
        return kernels.Failure.Guard(arguments, () => backward(kernels), gradients);
    }

    private sealed record Loss(Tensor? Weights, double Smoothing, double Scale);

    private static (Tensor Gain, Tensor Bias) NormGradients(
        DeviceKernels kernels, Tensor dx, Tensor dy, Tensor x, Tensor gain, Tensor means, Tensor inverses, bool addsToDx)
    {
        var (N, C) = (x.shape[0], (int)x.shape[1]);
        var partRows = DeviceKernels.PartRowsOf(N);
        var sums = empty(2 * DeviceKernels.Parts(N, partRows), C, float32, x.device);
        var (dGain, dBias) = (zeros(C, float32, x.device), zeros(C, float32, x.device));
        kernels.NormBackward(new NormBackward
        {
            Dx = At(dx),
            Dy = At(dy),
            X = At(x),
            Gain = At(gain),
            Means = At(means),
            Inverses = At(inverses),
            Rows = N,
            Columns = C,
            AddsToDx = addsToDx,
            GainGradient = At(dGain),
            BiasGradient = At(dBias),
            Sums = At(sums),
            PartRows = partRows,
        });
        return (dGain, dBias);
    }

    private sealed class LayerNormFunction : autograd.SingleTensorFunction<LayerNormFunction>
    {
        public override string Name => "ElasticLayerNorm";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var (kernels, x, gain, bias) = ((DeviceKernels)vars[0], ((Tensor)vars[1]).contiguous(), (Tensor)vars[2], (Tensor)vars[3]);
            var (y, means, inverses) = (Like(x), empty(x.shape[0], float32, x.device), empty(x.shape[0], float32, x.device));
            kernels.LayerNormForward(
                At(y), null, At(x), DeviceMemory.None, At(gain), At(bias), At(means), At(inverses), x.shape[0], (int)x.shape[1],
                (float)vars[4]);
            Begin(ctx, kernels);
            ctx.save_for_backward([.. Kept(x, means, inverses), gain]);
            return y.MoveToOuterDisposeScope();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
            => Guarded(ctx, 5, kernels =>
            {
                using var scope = NewDisposeScope();
                var saved = ctx.get_saved_variables();
                var (dy, x, means, inverses, gain) = (gradient.contiguous(), saved[0], saved[1], saved[2], saved[3]);
                var dx = Like(x);
                var (dGain, dBias) = NormGradients(kernels, dx, dy, x, gain, means, inverses, false);
                return Kept(null, dx, dGain, dBias, null);
            }, gradient);
    }

    private sealed class ResidualNormFunction : autograd.MultiTensorFunction<ResidualNormFunction>
    {
        public override string Name => "ElasticResidualNorm";

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var (kernels, x, branch) = ((DeviceKernels)vars[0], ((Tensor)vars[1]).contiguous(), ((Tensor)vars[2]).contiguous());
            var (gain, bias, sum, y) = ((Tensor)vars[3], (Tensor)vars[4], Like(x), Like(x));
            var (means, inverses) = (empty(x.shape[0], float32, x.device), empty(x.shape[0], float32, x.device));
            kernels.LayerNormForward(
                At(y), At(sum), At(x), At(branch), At(gain), At(bias), At(means), At(inverses), x.shape[0], (int)x.shape[1],
                (float)vars[5]);
            Begin(ctx, kernels);
            ctx.save_for_backward([.. Kept(sum, means, inverses), gain]);
            return [sum, y.MoveToOuterDisposeScope()];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> gradients)
            => Guarded(ctx, 6, kernels =>
            {
                using var scope = NewDisposeScope();
                var saved = ctx.get_saved_variables();
                var (x, means, inverses, gain) = (saved[0], saved[1], saved[2], saved[3]);
                var dy = gradients[1].IsInvalid ? zeros_like(x) : gradients[1].contiguous();
                // The gradient of the sum itself, and that through the norm on top.
                var dx = gradients[0].IsInvalid ? zeros_like(x) : gradients[0].contiguous().clone();
                var (dGain, dBias) = NormGradients(kernels, dx, dy, x, gain, means, inverses, true);
                return Kept(null, dx, dx.alias(), dGain, dBias, null);
            }, gradients);
    }

    private sealed class GeluFunction : autograd.SingleTensorFunction<GeluFunction>
    {
        public override string Name => "ElasticGelu";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var (kernels, x, isTanh) = ((DeviceKernels)vars[0], ((Tensor)vars[1]).contiguous(), (bool)vars[2]);
            var y = Like(x);
            kernels.Activate(isTanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf, At(y), At(x), x.numel());
            Begin(ctx, kernels);
            ctx.save_data("isTanh", isTanh);
            ctx.save_for_backward(Kept(x));
            return y.MoveToOuterDisposeScope();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
            => Guarded(ctx, 3, kernels =>
            {
                using var scope = NewDisposeScope();
                var (dy, x) = (gradient.contiguous(), ctx.get_saved_variables()[0]);
                var dx = Like(x);
                kernels.ActivateBackward(
                    (bool)ctx.get_data("isTanh") ? ActivationKind.GeluTanh : ActivationKind.GeluErf, At(dx), At(dy), At(x), x.numel());
                return Kept(null, dx, null);
            }, gradient);
    }

    private sealed class BiasFunction : autograd.SingleTensorFunction<BiasFunction>
    {
        public override string Name => "ElasticBias";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            Begin(ctx, vars[0]);
            return (Tensor)vars[1] + (Tensor)vars[2];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
            => Guarded(ctx, 3, kernels =>
            {
                using var scope = NewDisposeScope();
                return Kept(null, gradient.alias(), BiasGradient(kernels, gradient.contiguous()));
            }, gradient);
    }

    private sealed class DropoutFunction : autograd.SingleTensorFunction<DropoutFunction>
    {
        public override string Name => "ElasticDropout";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            Begin(ctx, vars[0]);
            ctx.save_data("keys", vars[2]);
            ctx.save_data("rate", vars[3]);
            return Apply((DeviceKernels)vars[0], (Tensor)vars[1], (ulong[])vars[2], (DropoutRate)vars[3]);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => Guarded(ctx, 4, kernels =>
            [null!, Apply(kernels, gradient, (ulong[])ctx.get_data("keys"), (DropoutRate)ctx.get_data("rate")), null!, null!],
            gradient);

        private static Tensor Apply(DeviceKernels kernels, Tensor x, ulong[] keys, DropoutRate rate)
        {
            using var scope = NewDisposeScope();
            var from = x.contiguous();
            var (y, count) = (Like(from), from.numel() / keys.Length);
            for (var i = 0; i < keys.Length; i++)
                kernels.Dropout(At(y) + i * count, At(from) + i * count, DeviceMemory.None, keys[i], 0, count, rate);
            return y.MoveToOuterDisposeScope();
        }
    }

    private sealed class EmbedFunction : autograd.SingleTensorFunction<EmbedFunction>
    {
        public override string Name => "ElasticEmbed";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var table = (Tensor)vars[1];
            Begin(ctx, vars[0]);
            ctx.save_data("rows", vars[3]);
            ctx.save_data("shape", table.shape);
            return table.index_select(0, (Tensor)vars[2]);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
            => Guarded(ctx, 4, kernels =>
            {
                using var scope = NewDisposeScope();
                var (dy, rows) = (gradient.contiguous(), (TokenRows)ctx.get_data("rows"));
                var table = zeros((long[])ctx.get_data("shape"), float32, dy.device);
                kernels.EmbeddingGradient(
                    At(table), (int*)Dispatcher.Data(rows.Tokens), (int*)Dispatcher.Data(rows.Starts), (int*)Dispatcher.Data(rows.Rows),
                    rows.Count, At(dy), (int)dy.shape[0], (int)dy.shape[1]);
                return Kept(null, table, null, null);
            }, gradient);
    }

    private sealed class CrossEntropyFunction : autograd.SingleTensorFunction<CrossEntropyFunction>
    {
        public override string Name => "ElasticCrossEntropy";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var (kernels, z, targets, loss) = ((DeviceKernels)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Loss)vars[3]);
            var (N, V) = ((int)z.shape[0], (int)z.shape[1]);
            Begin(ctx, kernels);
            var losses = empty(N, float64, z.device);
            var hasGradients = z.requires_grad;
            kernels.CrossEntropyRows(
                new((nint)Dispatcher.Data(z), DeviceMemory.TypeOf(z.dtype)), z.stride(0), N, V, V, V, (int*)Dispatcher.Data(targets),
                loss.Weights is null ? null : At(loss.Weights), loss.Smoothing, loss.Scale, hasGradients, (double*)Dispatcher.Data(losses));
            // The logits are their gradient now.
            if (hasGradients)
                ctx.save_for_backward([z]);
            return losses.MoveToOuterDisposeScope();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
            => Guarded(ctx, 4, _ => [null!, ctx.get_saved_variables()[0], null!, null!], gradient);
    }
}
