using Elastic.Model.Batches;
using Elastic.Model.Networks;

namespace Elastic.Model.Cpu;

/// <summary>Puts tokens where a pass reads them, and refuses those that the network cannot read.</summary>
internal sealed class PassInputs(IArchitecture architecture)
{
    /// <summary>Puts a micro-batch where the pass has its rows of this index.</summary>
    public void Take(MicroBatch batch, CpuPass pass, int index)
    {
        var (rows, at) = (batch.Inputs.Length, index * batch.Inputs.Length);
        Tokens(batch.Inputs, batch.Rows, pass.Inputs.AsSpan(at, rows));
        Span<int> targets = pass.Targets.AsSpan(at, rows), segments = pass.Segments.AsSpan(at, rows);
        batch.Targets.CopyTo(targets);
        for (var i = 0; i < rows; i++)
        {
            pass.TargetWeights[at + i] = targets[i] == MicroBatch.NotCounted ? 0 : 1;
            targets[i] = targets[i] == MicroBatch.NotCounted ? 0 : targets[i];
        }
        Tokens(targets, batch.Rows, targets);
        segments.Clear();
        batch.Segments?.CopyTo(segments);
        pass.HasSegments = batch.Segments is not null;
        pass.Types.AsSpan(at, rows).Clear();
        batch.Types?.CopyTo(pass.Types.AsSpan(at, rows));
        pass.HasTypes = batch.Types is not null;
        var sources = batch.Rows * batch.SourceColumns;
        TakeSources(batch.Sources, batch.Rows, pass.Sources.AsSpan(index * sources, sources));
        batch.SourceSegments().CopyTo(pass.SourceSegments.AsSpan(index * sources, sources));
    }

    /// <summary>Takes the tokens of sources; a network that reads none gets none.</summary>
    public void TakeSources(ReadOnlySpan<int> tokens, int rows, Span<int> into)
    {
        if (tokens.IsEmpty != (architecture.SourceContext == 0))
            throw new ArgumentException(tokens.IsEmpty ? "the network needs a source" : "the network reads no source", nameof(tokens));
        if (!tokens.IsEmpty)
            Tokens(tokens, rows, into);
    }

    /// <summary>Takes tokens of the vocabulary, in rows of equal length.</summary>
    public void Tokens(ReadOnlySpan<int> tokens, int rows, Span<int> into)
    {
        CheckRows(tokens.Length, rows);
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)architecture.Vocabulary)
                throw new ArgumentException($"token {token} is not in the vocabulary of {architecture.Vocabulary}", nameof(tokens));
        }
        tokens.CopyTo(into);
    }

    /// <summary>Refuses rows that are longer than the context.</summary>
    public void CheckRows(int tokens, int rows)
    {
        if (rows < 1 || tokens % rows != 0 || tokens / rows < 1 || tokens / rows > architecture.Context)
            throw new ArgumentException(
                $"{tokens} tokens in {rows} rows: use whole rows of 1 to the context's {architecture.Context}", nameof(tokens));
    }
}
