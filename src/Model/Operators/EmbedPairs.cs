using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The embeddings of sources and sequences, which share one table: √C table[token] + positions[place], with dropout (Vaswani et al. 2017,
/// sections 3.4 and 3.5). Of each micro-batch the rows of its sources, then those of its sequences, -> (M + N, C);
/// <see cref="PartOperator.Part"/> takes them apart. The gradient of the table is kept apart (<see cref="TokenSums"/>), those of sources
/// before those of sequences. A rank of a tensor group has a range of all these rows, so that an element's dropout has the same index.
/// </summary>
public sealed class EmbedPairsOperation : Operation
{
    private readonly bool _isTied;
    private readonly TensorShare? _share;

    internal EmbedPairsOperation(Tape tape, string table, SinusoidalPositions positions, DropoutMask? mask)
    {
        (Table, Positions, Mask, Parameters, _share) = (table, positions, mask, [table], tape.Share);
        Output = Value.RowsOf(this, _share, tape.Shape.SourceRows + tape.Shape.Rows, (int)tape.Layout[table].Shape[1]);
        _isTied = tape.Layout.IsTied(table);
    }

    /// <summary>(V, C).</summary>
    public string Table { get; }

    /// <summary>(places, C), not trained.</summary>
    public SinusoidalPositions Positions { get; }

    /// <summary>What is dropped; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    /// <summary>√C, rounded once.</summary>
    internal float Scale => (float)Math.Sqrt(Output!.Columns);

    internal override IEnumerable<string> ParametersWritten => _isTied ? Parameters.Where(p => p != Table) : Parameters;

    internal override bool StaysWide => true;

    internal override bool SumsRowsApart => true;

    internal override bool ReadsRanksBackward => _share is not null;

    internal override long ElementsOfRanks(PassKind kind)
        => kind == PassKind.Backward ? (long)(Output!.AllRows - Output.Rows) * Output.Columns : 0;

    // A rank of a tensor group sums over all ranks' rows.
    internal override long ScratchFloats(BatchShape batch, int threads)
        => EmbeddingPlan.WorkspaceInts(Output!.AllRows) + (_share is null ? 0 : (long)Output.AllRows * Output.Columns);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, rate, scale) = (Output!.Columns, Mask?.Rate ?? DropoutRate.None, Scale);
        var (tokens, places) = (Tokens(pass), pass.Tape.Purpose == TapePurpose.Decoding ? pass.Positions : Places(pass.Shape));
        float* x = pass[Output!], table = pass.Parameter(Table);
        var (positions, firstRow) = (Positions.Values, Output!.FirstRow);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            fixed (float* at = positions)
            {
                for (var row = (int)first; row < first + count; row++)
                {
                    var (place, token) = (places[firstRow + row], tokens[firstRow + row]);
                    Ranges.AddScaled(x + (long)row * C, at + (long)place * C, table + (long)token * C, scale, C);
                }
            }
        });
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(x + at, x + at, null, key, first, count, rate));
    }

    // Other ranks read it.
    internal override unsafe void PrepareBackward(CpuPass pass)
    {
        var (rate, scale) = (Mask?.Rate ?? DropoutRate.None, Scale);
        var dx = pass.Gradient(Output!);
        if (dx is null)
            return;
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(dx + at, dx + at, null, key, first, count, rate));
        pass.ForElements(Output!.Count, (first, count) => Ranges.Scale(dx + first, dx + first, scale, count));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dx = pass.Gradient(Output!), work = pass.Scratch;
        if (pass.ParameterGradient(Table) is null)
            return;
        if (_share is not null)
        {
            RankRows.OfGradient(pass, work, 0, Output!.Columns);
            dx = work;
            work += (long)Output.AllRows * Output.Columns;
        }
        TokenSums.Write(pass, Table, _isTied, Tokens(pass), dx, (int*)work);
    }

    private static int[] Tokens(CpuPass pass)
    {
        var (shape, all) = (pass.Shape, new List<int>(pass.Shape.SourceRows + pass.Shape.Rows));
        var sources = shape.Sequences * shape.Sources;
        for (var i = 0; i < shape.MicroBatches; i++)
        {
            all.AddRange(pass.Sources.AsSpan(i * sources, sources));
            all.AddRange(pass.Inputs.AsSpan(i * shape.RowsOfMicroBatch, shape.RowsOfMicroBatch));
        }
        return [.. all];
    }

    private static int[] Places(BatchShape shape) =>
    [
        .. from microBatch in Enumerable.Range(0, shape.MicroBatches)
           from length in new[] { shape.Sources, shape.Tokens }
           from sequence in Enumerable.Range(0, shape.Sequences)
           from place in Enumerable.Range(0, length)
           select place,
    ];
}

/// <summary>Records the embeddings of pairs.</summary>
public static class EmbedPairsOperator
{
    /// <inheritdoc cref="EmbedPairsOperation"/>
    public static Value EmbedPairs(this Tape tape, string table, SinusoidalPositions positions, DropoutMask? mask)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new EmbedPairsOperation(tape, table, positions, mask));
    }
}
