using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Torch.Cuda.Passes;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// Runs a tape with tensors, operation by operation; autograd remembers what the backward pass needs. Plain rather than fast: in double
/// precision it is what tests compare Elastic's own kernels with. N rows, C channels, V tokens of the vocabulary.
///
/// One range in one call, forwards and then backwards. What another stage made is a leaf, read through an identity: so what later stages
/// add to its gradient comes first in the sum, as on one device.
/// It disposes of what it reads, but for the parameters.
/// </summary>
/// <param name="parameters">A parameter by its name.</param>
/// <param name="dtype">What it computes in; the parameters' type.</param>
internal sealed class TorchPass(
    Tape tape, Func<string, Tensor> parameters, Tensor inputs, Tensor? targets, torch.Device device, ScalarType dtype) : ITapePass
{
    private readonly Dictionary<Value, Tensor> _values = [], _leaves = [], _gradients = [];
    private Tensor? _head, _losses;
    private (int First, int End) _range;

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

    /// <summary>
    /// Makes what dropout multiplies attention's weights by, (sequences, heads, queries, keys), on the device; null where the host does.
    /// </summary>
    public Func<DropoutMask, long[], Tensor>? AttentionFactors { get; init; }

    /// <summary>What the sum of the losses is multiplied by before its gradient is taken.</summary>
    public double LossFactor { get; init; } = 1;

    /// <summary>What <see cref="Counted"/> is for a micro-batch.</summary>
    public static Tensor CountedOf(MicroBatch batch, ScalarType dtype) =>
        tensor([.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0f : 1f)], dtype);

    /// <summary>A table of embeddings whose rows' gradient is summed apart, by its name; null where it is as of other parameters.</summary>
    public Func<string, Tensor>? Tables { get; init; }

    /// <inheritdoc/>
    public Tensor Losses => _losses ?? throw new InvalidOperationException("the pass has not come to the head");

    /// <inheritdoc/>
    public void Put(Value value, Tensor x)
    {
        using var scope = NewDisposeScope();
        var leaf = _leaves[value] = x.to(dtype).DetachFromDisposeScope();
        leaf.requires_grad = tape.Purpose == TapePurpose.Training && tape.NeedsGradient(value);
        _values[value] = leaf.alias().DetachFromDisposeScope();
        x.Dispose();
    }

    /// <inheritdoc/>
    public void Forward(int first, int end)
    {
        using var scope = NewDisposeScope();
        _range = (first, end);
        var before = _values.Keys.ToHashSet();
        for (var i = first; i < end; i++)
        {
            var operation = tape.Operations[i];
            var result = Compute(operation);
            if (operation.Output is { } output)
                _values[output] = tape.IsNarrow(output) ? Rounded(result) : result;
            else
                _head = result.DetachFromDisposeScope();
        }
        if (_head is { } head)
            _losses = (tape.Purpose == TapePurpose.Generation ? head.detach() : head.detach().to(float64)).DetachFromDisposeScope();
        // Autograd holds what the backward pass needs of the rest.
        var later = tape.Operations.Skip(end).SelectMany(o => o.Inputs).ToHashSet();
        foreach (var value in _values.Keys.Where(v => !before.Contains(v)).ToList())
        {
            if (later.Contains(value))
                _values[value].DetachFromDisposeScope();
            else
                _values.Remove(value);
        }
    }

    /// <inheritdoc/>
    public Tensor Take(Value value)
    {
        using var scope = NewDisposeScope();
        return _values[value].detach().to(float32).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void PutGradient(Value value, Tensor dy) => _gradients[value] = dy.DetachFromDisposeScope();

    /// <inheritdoc/>
    public void Backward(int first, int end)
    {
        Invariant.Holds((first, end) == _range, "a pass goes back over the range that it went over forwards");
        using (NewDisposeScope())
        {
            if (_head is { } losses)
                losses.sum().Times(LossFactor).backward();
            else if (_gradients.Count > 0)
                autograd.backward([.. _gradients.Keys.Select(v => _values[v])], [.. _gradients.Values.Select(g => g.to(dtype))]);
        }
    }

    /// <inheritdoc/>
    public Tensor? TakeGradient(Value value)
    {
        using var scope = NewDisposeScope();
        return _leaves[value].grad?.to(float32).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tensor?[] others =
        [
            _head, _losses, inputs, targets, Counted, Segments, Types, Sources, SourceSegments,
        ];
        foreach (var tensor in _values.Values.Concat(_leaves.Values).Concat(_gradients.Values).Concat(others))
            tensor?.Dispose();
    }

    private Tensor Compute(Operation operation) => operation switch
    {
        EmbedOperation o => Embed(o),
        LayerNormOperation o => nn.functional.layer_norm(
            Input(o), [Input(o).shape[1]], parameters(o.Gain), parameters(o.Bias), o.Epsilon),
        RmsNormOperation o => RmsNorm(o),
        LinearOperation o => Linear(o),
        RotaryOperation o => Rotate(o),
        GeluOperation o => Gelu(Input(o)),
        ActivationOperation { Function: Activation.Relu } o => nn.functional.relu(Input(o)),
        ActivationOperation o => nn.functional.gelu(Input(o)),
        DropoutOperation o => Dropped(Input(o), o.Mask),
        AddRowOperation o => Input(o).Plus(
            Types is null ? parameters(o.Table).narrow(0, 0, 1) : parameters(o.Table).index_select(0, Types)),
        EmbedPairsOperation o => EmbedPairs(o),
        PartOperation o => Input(o).view(tape.Shape.MicroBatches, -1, Input(o).shape[1]).narrow(1, o.First, o.Count)
            .reshape(-1, Input(o).shape[1]),
        AttentionOperation o => Attend(o),
        SwiGluOperation o => nn.functional.silu(_values[o.Gate]) * _values[o.Up],
        ScaledSumOperation o => _values[o.X].Plus(_values[o.Branch].Times(o.Scale)),
        ResidualOperation o => _values[o.X].Plus(Dropped(_values[o.Branch], o.Mask)),
        CausalAttentionOperation o => Attend(o),
        CrossEntropyOperation o => Loss(o),
        _ => throw new UnreachableException($"operation {operation.GetType().Name}"),
    };

    private ScalarType? Storage => GpuParameters.TypeOf(tape.Precision);

    private Tensor Input(Operation operation) => _values[operation.Inputs[0]];

    // Backwards the same: the gradient is rounded when all readers of the value have added to it.
    private Tensor Rounded(Tensor x) => x.to(Storage!.Value).to(dtype);

    // As products read it. Its gradient is not rounded, but that of the master.
    private Tensor Weight(string name)
    {
        var weight = parameters(name);
        return Storage is null ? weight : weight.Plus((Rounded(weight) - weight).detach());
    }

    private Tensor Table(string name) => Tables is { } apart ? apart(name) : parameters(name);

    private Tensor Embed(EmbedOperation o)
    {
        var x = Table(o.Table).index_select(0, inputs);                                                           // (N, C)
        if (o.Positions is { } positions)
        {
            var T = tape.Shape.Tokens;
            x = x.view(-1, T, x.shape[1]).Plus(parameters(positions).narrow(0, 0, T)).view(x.shape);
        }
        return Dropped(x, o.Mask);
    }

    // One micro-batch: the rows of its sources, then those of its sequences, whose places count from 0.
    private Tensor EmbedPairs(EmbedPairsOperation o)
    {
        var (shape, C) = (tape.Shape, o.Positions.Width);
        var x = Table(o.Table).index_select(0, cat([Sources!, inputs])).Times(o.Scale);                          // (M + N, C)
        var all = tensor(o.Positions.Values, dtype, device).view(-1, C);
        Tensor Places(int length) => all.narrow(0, 0, length).repeat([shape.Sequences, 1]);
        return Dropped(x.Plus(cat([Places(shape.Sources), Places(shape.Tokens)])), o.Mask);
    }

    // By tanh (Hendrycks and Gimpel 2016, section 2).
    private static Tensor Gelu(Tensor x) =>
        x.Times(0.5) * tanh(x.Plus(x.Power(3).Times(0.044715)).Times(Math.Sqrt(2 / Math.PI))).Plus(1);

    private Tensor RmsNorm(RmsNormOperation o)
    {
        var x = Input(o).view(-1, o.Channels);
        return (x / x.Power(2).mean([1], keepdim: true).Plus(o.Epsilon).sqrt() * parameters(o.Gain)).view(Input(o).shape);
    }

    private Tensor Linear(LinearOperation o)
    {
        var isNarrow = MultipliesNarrow && Storage is not null;
        var stored = isNarrow ? parameters(o.Weight) : Weight(o.Weight);
        var weight = o.Order == WeightOrder.InOut ? stored : stored.t();                                          // (in, out)
        if (!isNarrow)
            return Affine(Input(o), weight, o.Bias);
        var y = Input(o).to(Storage!.Value).matmul(weight.to(Storage.Value)).to(dtype);
        return o.Bias is null ? y : y.Plus(parameters(o.Bias));
    }

    // (N, K) (K, M) (M) -> (N, M)
    private Tensor Affine(Tensor x, Tensor weight, string? bias) => bias is null
        ? x.matmul(weight)
        : addmm(parameters(bias), x, weight, 1, 1);

    // (N, H D): a complex number of channels j and j + D/2 times one of the angle.
    private Tensor Rotate(RotaryOperation o)
    {
        var (x, T, P) = (Input(o), tape.Shape.Tokens, o.Angles.Frequencies.Count);
        var positions = NumberOperators.CountTo(T, float64, device).unsqueeze(1);
        var angles = positions * tensor(o.Angles.Frequencies.ToArray(), float64, device);                         // (T, P)
        var (cos, sin) = (angles.cos().Times(o.Angles.Magnitude).to(dtype), angles.sin().Times(o.Angles.Magnitude).to(dtype));
        var heads = x.view(-1, T, x.shape[1] / (2 * P), 2, P);                                                    // (B, T, H, 2, P)
        var (a, b) = (heads.select(3, 0), heads.select(3, 1));
        (cos, sin) = (cos.unsqueeze(1), sin.unsqueeze(1));                                                        // (T, 1, P)
        return stack([a * cos - b * sin, (b * cos).Plus(a * sin)], 3).view(x.shape);
    }

    // -> (N, H D). B sequences of all micro-batches, H heads in groups that share one of K heads of keys and values.
    private Tensor Attend(CausalAttentionOperation o)
    {
        var (B, T, H, K) = (tape.Shape.MicroBatches * tape.Shape.Sequences, tape.Shape.Tokens, o.Heads, o.KeyHeads);
        var all = o.Inputs.Count == 1 ? Input(o) : cat([.. o.Inputs.Select(v => _values[v])], 1);                 // (N, (H + 2 K) D)
        Tensor[] Parts(Tensor x) => x.view(B, T, H + 2 * K, -1).transpose(1, 2).split([H, K, K], 1);              // (B, H or K, T, D)
        var parts = Parts(all);
        Tensor Grouped(Tensor ofKeys) => H == K ? ofKeys : ofKeys.repeat_interleave(H / K, 1);
        var hidden = PlainAttention.Future(T, device);
        if (o.Window > 0 && o.Window < T)
            hidden = hidden | ones_like(hidden).tril(-o.Window);
        if (Segments?.view(B, 1, T, 1) is { } segments)
            hidden = hidden | (segments != segments.transpose(2, 3));
        return Joined(PlainAttention.Attend(
            parts[0], Grouped(parts[1]), Grouped(parts[2]), hidden, Factors(o.Mask, B, H, T, T)));
    }

    // -> (N, H D): no future to hide, and as many keys as the scope has.
    private Tensor Attend(AttentionOperation o)
    {
        var (B, H) = (tape.Shape.MicroBatches * tape.Shape.Sequences, o.Heads);
        Tensor Heads(int i) => _values[o.Inputs[i]].view(B, o.Inputs[i].Rows / B, H, -1).transpose(1, 2);         // (B, H, Tq or Tk, D)
        var (q, k, v) = (Heads(0), Heads(1), Heads(2));
        var ofKeys = (o.Scope == AttentionScope.Tokens ? Segments : SourceSegments)?.view(B, 1, 1, -1);
        Tensor? hidden = null;
        if (ofKeys is not null)
        {
            var ofQueries = o.Scope == AttentionScope.TokensToSources ? zeros_like(ofKeys).narrow(3, 0, 1) : ofKeys.transpose(2, 3);
            hidden = ofQueries != ofKeys;
        }
        return Joined(PlainAttention.Attend(
            q, k, v, hidden, Factors(o.Mask, B, H, (int)q.shape[2], (int)k.shape[2])));
    }

    // (B, H, T, D) -> (B T, H D)
    private static Tensor Joined(Tensor y) => y.transpose(1, 2).reshape(y.shape[0] * y.shape[2], -1);

    private Tensor Loss(CrossEntropyOperation o)
    {
        var (h, weight) = (Input(o), Weight(o.Weight));
        if (tape.Purpose == TapePurpose.Generation)
            h = h.narrow(0, h.shape[0] - 1, 1);
        var z = Affine(h, weight.t(), o.Bias);
        if (tape.Purpose == TapePurpose.Generation)
            return z.view(-1);                                                                                    // (V)
        var loss = z.logsumexp(1) - z.gather(1, targets!.unsqueeze(1)).squeeze(1).Times(1 - Smoothing);
        loss = Smoothing > 0 ? loss - z.mean([1]).Times(Smoothing) : loss;
        return Counted is { } counted ? loss * counted : loss;
    }

    private double Smoothing => tape.Purpose == TapePurpose.Training ? tape.LabelSmoothing : 0;

    private Tensor Dropped(Tensor x, DropoutMask? mask)
    {
        if (mask is null)
            return x;
        return x * Masks.Of(mask, x.shape[0], x.shape[1]).view(x.shape);
    }

    private Tensor? Factors(DropoutMask? mask, int sequences, int heads, int queries, int keys) => mask is null ? null
        : AttentionFactors is { } onDevice ? onDevice(mask, [sequences, heads, queries, keys])
        : Masks.OfAttention(mask, sequences, heads, queries, keys);

    private TorchMasks Masks => new(tape.Shape, Seed, FirstMicroBatch, device, dtype);
}
