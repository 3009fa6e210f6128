using System.Diagnostics;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// Runs a tape with tensors, operation by operation; autograd remembers what the backward pass needs. Plain rather than fast: in double
/// precision it is what tests compare Elastic's own kernels with. N rows, C channels, V tokens of the vocabulary.
/// </summary>
/// <param name="parameters">A parameter by its name.</param>
/// <param name="dtype">What it computes in; the parameters' type.</param>
internal sealed class TorchPass(
    Tape tape, Func<string, Tensor> parameters, Tensor inputs, Tensor? targets, torch.Device device, ScalarType dtype)
{
    private readonly Dictionary<Value, Tensor> _values = [];

    /// <summary>(N): 1 where a target is counted, else 0; null where all are.</summary>
    public Tensor? Counted { get; init; }

    /// <summary>(N): rows of a sequence see each other only where this is the same; null where all do.</summary>
    public Tensor? Segments { get; init; }

    /// <summary>(N): the type of each token; null where all are of the first.</summary>
    public Tensor? Types { get; init; }

    /// <summary>(M): the tokens of the sources; null where the network reads none.</summary>
    public Tensor? Sources { get; init; }

    /// <summary>(M): 0 inside of a source, 1 behind its end; null where each is as long as there are places.</summary>
    public Tensor? SourceSegments { get; init; }

    /// <summary>Seeds the masks of a training pass.</summary>
    public DropoutSeed Seed { get; init; }

    /// <summary>The index of the first micro-batch within its step.</summary>
    public int FirstMicroBatch { get; init; }

    /// <summary>
    /// True where products of linear layers take and return the precision's type, as tensor cores do, rather than that of the rest.
    /// </summary>
    public bool MultipliesNarrow { get; init; }

    /// <summary>Our kernels of the device, which compute in place of libtorch's operators what they can; null for none.</summary>
    public DeviceKernels? Kernels { get; init; }

    /// <summary>Attention that holds no matrix of tokens by tokens, where <see cref="Rules"/> say so; null for none.</summary>
    public FlashAttention? Flash { get; init; }

    /// <summary>What <see cref="Flash"/> computes; null where there is none.</summary>
    public AttentionRules? Rules { get; init; }

    /// <summary>Products by cublasLt; null where libtorch computes them.</summary>
    public DeviceProducts? Products { get; init; }

    /// <summary>Which rows each token stands in, where there are kernels.</summary>
    public TokenRows? TokenRows { get; init; }

    /// <summary>What the sum of the losses is multiplied by before its gradient is taken.</summary>
    public double LossFactor { get; init; } = 1;

    /// <summary>What <see cref="Counted"/> is for a micro-batch.</summary>
    public static Tensor CountedOf(MicroBatch batch, ScalarType dtype) =>
        tensor([.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0f : 1f)], dtype);

    /// <summary>(N): each row's loss in nats, smoothed in training; or (V): the logits of the last row.</summary>
    public Tensor Run()
    {
        for (var i = 0; i < tape.Operations.Count; i++)
        {
            var operation = tape.Operations[i];
            if (operation.Output is { } sum && tape.Operations.ElementAtOrDefault(i + 1) is { Output: { } norm } next
                && SumAndNorm(operation, next) is { } both)
            {
                (_values[sum], _values[norm]) = (both.Sum, tape.IsNarrow(norm) ? Rounded(both.Norm) : both.Norm);
                i++;
                continue;
            }
            var result = Compute(operation);
            if (operation.Output is null)
                return result;
            _values[operation.Output] = tape.IsNarrow(operation.Output) ? Rounded(result) : result;
        }
        throw new UnreachableException("the tape ends without a loss");
    }

    /// <summary>The backward pass of <see cref="LossFactor"/> times the sum of what a training's <see cref="Run"/> returned.</summary>
    public void Backward(Tensor losses) => (Kernels is null ? losses.sum() * LossFactor : losses.sum()).backward();

    // One kernel for both, where nothing is dropped or rounded between them.
    private (Tensor Sum, Tensor Norm)? SumAndNorm(Operation operation, Operation next) =>
        Kernels is { } kernels && operation is ResidualOperation { Mask: null } r && next is LayerNormOperation n
            && n.Inputs[0] == r.Output && !tape.IsNarrow(r.Output!)
            ? KernelOperators.ResidualAndNorm(
                kernels, _values[r.X], _values[r.Branch], parameters(n.Gain), parameters(n.Bias), n.Epsilon)
            : null;

    private Tensor Compute(Operation operation) => operation switch
    {
        EmbedOperation o => Embed(o),
        LayerNormOperation o when Kernels is { } kernels => KernelOperators.LayerNorm(
            kernels, Input(o), parameters(o.Gain), parameters(o.Bias), o.Epsilon),
        LayerNormOperation o => nn.functional.layer_norm(
            Input(o), [Input(o).shape[1]], parameters(o.Gain), parameters(o.Bias), o.Epsilon),
        RmsNormOperation o => RmsNorm(o),
        LinearOperation o => Linear(o),
        RotaryOperation o => Rotate(o),
        GeluOperation o => Kernels is { } kernels ? KernelOperators.Gelu(kernels, Input(o), true) : Gelu(Input(o)),
        ActivationOperation { Function: Activation.Relu } o => nn.functional.relu(Input(o)),
        ActivationOperation o when Kernels is { } kernels => KernelOperators.Gelu(kernels, Input(o), false),
        ActivationOperation o => nn.functional.gelu(Input(o)),
        DropoutOperation o => Dropped(Input(o), o.Mask),
        AddRowOperation o => Input(o) + (Types is null ? parameters(o.Table).narrow(0, 0, 1) : parameters(o.Table).index_select(0, Types)),
        EmbedPairsOperation o => EmbedPairs(o),
        PartOperation o => Input(o).view(tape.Shape.MicroBatches, -1, Input(o).shape[1]).narrow(1, o.First, o.Count)
            .reshape(-1, Input(o).shape[1]),
        AttentionOperation o => Attend(o),
        SwiGluOperation o => nn.functional.silu(_values[o.Gate]) * _values[o.Up],
        ScaledSumOperation o => _values[o.X] + _values[o.Branch] * o.Scale,
        ResidualOperation o => _values[o.X] + Dropped(_values[o.Branch], o.Mask),
        CausalAttentionOperation o => Attend(o),
        CrossEntropyOperation o => Loss(o),
        _ => throw new UnreachableException($"operation {operation.GetType().Name}"),
    };

    private ScalarType? Storage => tape.Precision.Storage switch
    {
        Elastic.Kernels.NarrowType.BFloat16 => bfloat16,
        Elastic.Kernels.NarrowType.Float16 => float16,
        _ => null,
    };

    private Tensor Input(Operation operation) => _values[operation.Inputs[0]];

    // Backwards the same: the gradient is rounded when all readers of the value have added to it.
    private Tensor Rounded(Tensor x) => x.to(Storage!.Value).to(dtype);

    // As products read it. Its gradient is not rounded, but that of the master.
    private Tensor Weight(string name)
    {
        var weight = parameters(name);
        return Storage is null ? weight : weight + (Rounded(weight) - weight).detach();
    }

    private Tensor Embed(EmbedOperation o)
    {
        var x = Kernels is { } kernels && TokenRows is { } rows                                                   // (N, C)
            ? KernelOperators.Embed(kernels, parameters(o.Table), inputs, rows)
            : parameters(o.Table).index_select(0, inputs);
        if (o.Positions is { } positions)
        {
            var T = tape.Shape.Tokens;
            x = (x.view(-1, T, x.shape[1]) + parameters(positions).narrow(0, 0, T)).view(x.shape);
        }
        return Dropped(x, o.Mask);
    }

    // One micro-batch: the rows of its sources, then those of its sequences, whose places count from 0.
    private Tensor EmbedPairs(EmbedPairsOperation o)
    {
        var (shape, C) = (tape.Shape, o.Positions.Width);
        var x = parameters(o.Table).index_select(0, cat([Sources!, inputs])) * o.Scale;                           // (M + N, C)
        var all = tensor(o.Positions.Values, dtype, device).view(-1, C);
        Tensor Places(int length) => all.narrow(0, 0, length).repeat([shape.Sequences, 1]);
        return Dropped(x + cat([Places(shape.Sources), Places(shape.Tokens)]), o.Mask);
    }

    // By tanh (Hendrycks and Gimpel 2016, section 2).
    private static Tensor Gelu(Tensor x) => x * 0.5 * (1 + tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x.pow(3))));

    private Tensor RmsNorm(RmsNormOperation o)
    {
        var x = Input(o).view(-1, o.Channels);
        return (x / (x.pow(2).mean([1], keepdim: true) + o.Epsilon).sqrt() * parameters(o.Gain)).view(Input(o).shape);
    }

    private Tensor Linear(LinearOperation o)
    {
        var isNarrow = MultipliesNarrow && Storage is not null;
        var stored = isNarrow ? parameters(o.Weight) : Weight(o.Weight);
        var weight = o.Order == WeightOrder.InOut ? stored : stored.t();                                          // (in, out)
        if (Kernels is { } kernels && o.Bias is not null)
            return Products is { } products
                ? ProductOperators.MultiplyAndAdd(
                    products, kernels, Input(o), weight, parameters(o.Bias), isNarrow ? Storage!.Value : dtype)
                : KernelOperators.AddBias(kernels, Product(Input(o), weight, isNarrow), parameters(o.Bias));
        if (!isNarrow)
            return Affine(Input(o), weight, o.Bias);
        var y = Product(Input(o), weight, true);
        return o.Bias is null ? y : y + parameters(o.Bias);
    }

    // (N, K) (K, M) -> (N, M), of what the precision stores where it is narrow.
    private Tensor Product(Tensor x, Tensor weight, bool isNarrow)
    {
        if (Products is { } products)
            return ProductOperators.Multiply(products, x, weight, isNarrow ? Storage!.Value : dtype, dtype);
        return isNarrow ? x.to(Storage!.Value).matmul(weight.to(Storage!.Value)).to(dtype) : x.matmul(weight);
    }

    // (N, K) (K, M) (M) -> (N, M)
    private Tensor Affine(Tensor x, Tensor weight, string? bias) => bias is null
        ? Product(x, weight, false)
        : Products is null ? addmm(parameters(bias), x, weight, 1, 1) : Product(x, weight, false) + parameters(bias);

    // (N, H D): a complex number of channels j and j + D/2 times one of the angle.
    private Tensor Rotate(RotaryOperation o)
    {
        var (x, T, P) = (Input(o), tape.Shape.Tokens, o.Angles.Frequencies.Count);
        var positions = arange(T, float64, device).unsqueeze(1);
        var angles = positions * tensor(o.Angles.Frequencies.ToArray(), float64, device);                         // (T, P)
        var (cos, sin) = ((angles.cos() * o.Angles.Magnitude).to(dtype), (angles.sin() * o.Angles.Magnitude).to(dtype));
        var heads = x.view(-1, T, x.shape[1] / (2 * P), 2, P);                                                    // (B, T, H, 2, P)
        var (a, b) = (heads.select(3, 0), heads.select(3, 1));
        (cos, sin) = (cos.unsqueeze(1), sin.unsqueeze(1));                                                        // (T, 1, P)
        return stack([a * cos - b * sin, b * cos + a * sin], 3).view(x.shape);
    }

    // -> (N, H D). B sequences of all micro-batches, H heads in groups that share one of K heads of keys and values.
    private Tensor Attend(CausalAttentionOperation o)
    {
        var (B, T, H, K) = (tape.Shape.MicroBatches * tape.Shape.Sequences, tape.Shape.Tokens, o.Heads, o.KeyHeads);
        var all = o.Inputs.Count == 1 ? Input(o) : cat([.. o.Inputs.Select(v => _values[v])], 1);                 // (N, (H + 2 K) D)
        Tensor[] Parts(Tensor x) => x.view(B, T, H + 2 * K, -1).transpose(1, 2).split([H, K, K], 1);              // (B, H or K, T, D)
        if (Rules?.Of(o) is { } rule)
        {
            var narrow = Parts(all.to(Storage!.Value));
            return Joined(Flash!.Attend(narrow[0], narrow[1], narrow[2], rule).to(dtype));
        }
        var parts = Parts(all);
        Tensor Grouped(Tensor ofKeys) => H == K ? ofKeys : ofKeys.repeat_interleave(H / K, 1);
        var hidden = PlainAttention.Future(T, device);
        if (o.Window > 0 && o.Window < T)
            hidden = hidden | ones_like(hidden).tril(-o.Window);
        if (Segments?.view(B, 1, T, 1) is { } segments)
            hidden = hidden | (segments != segments.transpose(2, 3));
        return Joined(PlainAttention.Attend(
            parts[0], Grouped(parts[1]), Grouped(parts[2]), hidden, o.Mask is { } mask ? AttentionMask(mask, B, H, T, T) : null));
    }

    // -> (N, H D): no future to hide, and as many keys as the scope has.
    private Tensor Attend(AttentionOperation o)
    {
        var (B, H) = (tape.Shape.MicroBatches * tape.Shape.Sequences, o.Heads);
        Tensor Heads(int i) => _values[o.Inputs[i]].view(B, o.Inputs[i].Rows / B, H, -1).transpose(1, 2);         // (B, H, Tq or Tk, D)
        var (q, k, v) = (Heads(0), Heads(1), Heads(2));
        var ofKeys = (o.Scope == AttentionScope.Tokens ? Segments : SourceSegments)?.view(B, 1, 1, -1);
        if (Rules?.Of(o) is { } rule)
        {
            var type = Storage!.Value;
            return Joined(Flash!.Attend(q.to(type), k.to(type), v.to(type), rule).to(dtype));
        }
        Tensor? hidden = null;
        if (ofKeys is not null)
        {
            var ofQueries = o.Scope == AttentionScope.TokensToSources ? zeros_like(ofKeys).narrow(3, 0, 1) : ofKeys.transpose(2, 3);
            hidden = ofQueries != ofKeys;
        }
        return Joined(PlainAttention.Attend(
            q, k, v, hidden, o.Mask is { } mask ? AttentionMask(mask, B, H, (int)q.shape[2], (int)k.shape[2]) : null));
    }

    // (B, H, T, D) -> (B T, H D)
    private static Tensor Joined(Tensor y) => y.transpose(1, 2).reshape(y.shape[0] * y.shape[2], -1);

    private Tensor Loss(CrossEntropyOperation o)
    {
        if (Kernels is { } kernels && tape.Purpose != TapePurpose.Generation)
            return KernelOperators.CrossEntropy(
                kernels, Logits(o), targets!.to(int32), Counted, Smoothing, LossFactor);
        var (h, weight) = (Input(o), Weight(o.Weight));
        if (tape.Purpose == TapePurpose.Generation)
            h = h.narrow(0, h.shape[0] - 1, 1);
        var z = Affine(h, weight.t(), o.Bias);
        if (tape.Purpose == TapePurpose.Generation)
            return z.view(-1);                                                                                    // (V)
        var loss = z.logsumexp(1) - z.gather(1, targets!.unsqueeze(1)).squeeze(1) * (1 - Smoothing);
        loss = Smoothing > 0 ? loss - z.mean([1]) * Smoothing : loss;
        return Counted is { } counted ? loss * counted : loss;
    }

    // (N, V), in bf16 where products are: a large vocabulary's logits are most of a pass's memory.
    private Tensor Logits(CrossEntropyOperation o)
    {
        var isNarrow = MultipliesNarrow && Storage == bfloat16;
        var weight = (isNarrow ? parameters(o.Weight) : Weight(o.Weight)).t();                                    // (C, V)
        var z = Products is { } products ? ProductOperators.Logits(products, Input(o), weight, isNarrow ? bfloat16 : dtype)
            : isNarrow ? Input(o).to(bfloat16).matmul(weight.to(bfloat16))
            : Input(o).matmul(weight);
        return o.Bias is { } bias ? z + parameters(bias).to(z.dtype) : z;
    }

    private double Smoothing => tape.Purpose == TapePurpose.Training ? tape.LabelSmoothing : 0;

    private Tensor Dropped(Tensor x, DropoutMask? mask)
    {
        if (mask is null)
            return x;
        if (Kernels is not { } kernels)
            return x * Mask(mask, x.shape[0], x.shape[1]).view(x.shape);
        return KernelOperators.Dropout(
            kernels, x, [.. Enumerable.Range(FirstMicroBatch, tape.Shape.MicroBatches).Select(i => mask.Key(Seed, i))], mask.Rate);
    }

    // 0 and 1 / (1 - p), for the same elements as on any device: (N C).
    private unsafe Tensor Mask(DropoutMask mask, long rows, long columns)
        => Factors(mask, rows / tape.Shape.MicroBatches * columns, (key, into) =>
        {
            into.Fill(1);
            fixed (float* ones = into)
                Elastic.Kernels.Dropout.Apply(ones, ones, null, key, 0, into.Length, mask.Rate);
        });

    // (B, H, Tq, Tk)
    private unsafe Tensor AttentionMask(DropoutMask mask, int sequences, int heads, int queries, int keys)
        => Factors(mask, (long)tape.Shape.Sequences * heads * queries * keys, (key, into) =>
        {
            fixed (float* factors = into)
                Elastic.Kernels.Attention.AttentionMask.Fill(factors, tape.Shape.Sequences, heads, queries, keys, key, mask.Rate);
        }).view(sequences, heads, queries, keys);

    private Tensor Factors(DropoutMask mask, long elements, Fill fill)
    {
        var all = new float[tape.Shape.MicroBatches * elements];
        for (var i = 0; i < tape.Shape.MicroBatches; i++)
            fill(mask.Key(Seed, FirstMicroBatch + i), all.AsSpan((int)(i * elements), (int)elements));
        return tensor(all, dtype, device);
    }

    private delegate void Fill(ulong key, Span<float> into);
}
