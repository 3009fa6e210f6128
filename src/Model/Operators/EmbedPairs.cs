using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The embeddings of sources and sequences, which share one table: √C table[token] + positions[place], with dropout (Vaswani et al. 2017,
/// sections 3.4 and 3.5). Of each micro-batch the rows of its sources, then those of its sequences, -> (M + N, C);
/// <see cref="PartOperator.Part"/> takes them apart. The gradient of the table is kept apart, as <see cref="EmbedOperation"/>'s is: within
/// a micro-batch a token's rows are summed in their order, those of sources first, and micro-batches along the tree.
/// </summary>
public sealed class EmbedPairsOperation : Operation
{
    private readonly bool _isTied;

    internal EmbedPairsOperation(Tape tape, string table, SinusoidalPositions positions, DropoutMask? mask)
    {
        if (tape.Share is not null)
            throw new ElasticException("an encoder-decoder's sources and sequences are not shared by the devices of a tensor group");
        (Table, Positions, Mask, Parameters) = (table, positions, mask, [table]);
        Output = new Value(this, tape.Shape.SourceRows + tape.Shape.Rows, (int)tape.Layout[table].Shape[1]);
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

    internal override long ScratchFloats(BatchShape batch, int threads) => EmbeddingPlan.WorkspaceInts(Output!.Rows);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, rate, scale) = (Output!.Columns, Mask?.Rate ?? DropoutRate.None, Scale);
        var (tokens, places) = (Tokens(pass), pass.Tape.Purpose == TapePurpose.Decoding ? pass.Positions : Places(pass.Shape));
        float* x = pass[Output!], table = pass.Parameter(Table);
        var positions = Positions.Values;
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            fixed (float* at = positions)
            {
                for (var row = (int)first; row < first + count; row++)
                    Ranges.AddScaled(x + (long)row * C, at + (long)places[row] * C, table + (long)tokens[row] * C, scale, C);
            }
        });
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(x + at, x + at, null, key, first, count, rate));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, rate, scale, segment) = (Output!.Columns, Mask?.Rate ?? DropoutRate.None, Scale, pass.Tape.Layout[Table]);
        float* dx = pass.Gradient(Output!), dTable = pass.ParameterGradient(Table);
        if (dTable is null)
            return;
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(dx + at, dx + at, null, key, first, count, rate));
        pass.ForElements(Output!.Count, (first, count) => Ranges.Scale(dx + first, dx + first, scale, count));
        if (!_isTied && !pass.AddsToGradients)
            pass.ForElements(segment.Count, (first, count) => Ranges.Clear(dTable + first, count));
        var (scattered, shape, rows) = (pass.Scattered, pass.Shape, pass.RowsOfMicroBatch(Output!));
        var into = scattered.Prepare(segment.Offset, C, Output!.Rows);
        fixed (int* tokens = Tokens(pass))
        {
            var plan = EmbeddingPlan.Build((int*)pass.Scratch, tokens, Output!.Rows, (int)segment.Shape[0]);
            new ReadOnlySpan<int>(plan.Tokens, plan.Count).CopyTo(into);
            var sums = scattered.Rows;
            pass.For(plan.Count, 16, (first, count) => Embedding.WriteGradients(
                sums + first * C, plan, (int)first, count, dx, rows, shape.MicroBatches, C));
            scattered.Keep(plan.Count);
        }
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
