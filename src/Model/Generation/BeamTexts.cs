using Elastic.Model.Training;

namespace Elastic.Model.Generation;

/// <summary>
/// The logits that a <see cref="BeamSearch"/> asks for, of the answers to one source. The encoder reads the source once; each beam keeps
/// the keys and values of its tokens, a text that goes on from another beam gets a copy of them, and all beams go through the decoder
/// together. The bits are those of <see cref="TrainingDevice.Logits(ReadOnlySpan{int}, ReadOnlySpan{int})"/>.
/// </summary>
/// <param name="device">With an encoder-decoder attached. The texts belong to its thread.</param>
/// <param name="most">The most tokens of a text, its start included.</param>
public sealed class BeamTexts(TrainingDevice device, ReadOnlySpan<int> source, int most) : IDisposable
{
    private readonly EncodedSource _source = device.Encode(source);
    private readonly List<DecoderState> _states = [];

    /// <summary>The logits of each text's next token, (V).</summary>
    /// <param name="texts">Each is one that was asked for the last time and one token more, or the first token of all.</param>
    public IReadOnlyList<float[]> Logits(IReadOnlyList<int[]> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var beginnings = texts.Select(t => _states.Find(s => s.Tokens.SequenceEqual(t.AsSpan(..^1).ToArray()))).ToList();
        var (free, used) = (new Queue<DecoderState>(_states.Except(beginnings.OfType<DecoderState>())), new HashSet<DecoderState>());
        // The copies first: they are of beginnings that have not gone on yet.
        var states = beginnings.Select(beginning => beginning is not null && used.Add(beginning) ? beginning : Copy(beginning)).ToList();
        device.Decode([.. states.Zip(texts, (state, text) => new DecoderInput(state, text.AsMemory(state.Tokens.Count)))]);
        return [.. states.Select(s => s.Logits.ToArray())];

        DecoderState Copy(DecoderState? beginning)
        {
            if (!free.TryDequeue(out var state))
                _states.Add(state = device.NewState(most, _source));
            if (beginning is null)
                state.Clear();
            else
                state.CopyFrom(beginning);
            return state;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _states.ForEach(s => s.Dispose());
        _source.Dispose();
    }
}
