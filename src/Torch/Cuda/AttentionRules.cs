using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Torch.Cuda.Passes;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Which attention of a tape <see cref="FlashAttention"/> computes, and who sees whom there: whole sequences, windows, segments that
/// follow one another, and sources up to their ends. Made once for a micro-batch.
/// </summary>
internal sealed class AttentionRules : IDisposable
{
    private readonly Tape _tape;
    private readonly ScalarType? _type;
    private readonly bool _areMixed;
    private readonly SequenceEnds? _tokens, _sources, _tokensToSources;

    /// <param name="device">Where the pass computes.</param>
    public AttentionRules(Tape tape, MicroBatch batch, Device device)
    {
        (_tape, var shape) = (tape, tape.Shape);
        _type = GpuParameters.TypeOf(tape.Precision);
        if (_type is null)
            return;
        try
        {
            _tokens = batch.Segments is { } segments ? SequenceEnds.Of(segments, shape.Tokens, device) : null;
            _areMixed = batch.Segments is not null && _tokens is null;
            if (batch.Sources is null)
                return;
            _sources = SequenceEnds.OfPlaces(batch.SourceLengths, batch.SourceColumns, device);
            _tokensToSources = SequenceEnds.OfSources(shape.Tokens, batch.SourceLengths, batch.SourceColumns, device);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        SequenceEnds?[] all = [_tokens, _sources, _tokensToSources];
        foreach (var ends in all)
            ends?.Dispose();
    }

    /// <summary>Null where plain operators compute it.</summary>
    public AttentionRule? Of(CausalAttentionOperation o)
    {
        var headSize = o.Inputs.Sum(v => v.Columns) / (o.Heads + 2 * o.KeyHeads);
        return Takes(o, o.Mask, headSize) && !_areMixed
            ? new AttentionRule(true, o.Window < _tape.Shape.Tokens ? o.Window : 0, _tokens)
            : null;
    }

    /// <summary>Null where plain operators compute it.</summary>
    public AttentionRule? Of(AttentionOperation o) => !Takes(o, o.Mask, o.Inputs[0].Columns / o.Heads) ? null : o.Scope switch
    {
        AttentionScope.Tokens => _areMixed ? null : new AttentionRule(false, 0, _tokens),
        AttentionScope.Sources => new AttentionRule(false, 0, _sources),
        _ => new AttentionRule(false, 0, _tokensToSources),
    };

    // Where it gives what the plain operators give but for rounding: nothing is dropped, and what it reads is of its type already.
    private bool Takes(Operation o, DropoutMask? mask, long headSize) =>
        _type is { } type && mask is null && o.Inputs.All(_tape.IsNarrow) && FlashAttention.Takes(type, headSize);
}
