using System.Runtime.InteropServices;

namespace Elastic.Model.Tapes;

/// <summary>
/// What goes through a network at once: consecutive micro-batches of one shape. Their number never shows in the bits: rows are computed
/// one by one, and sums over rows go along the tree of micro-batches.
/// </summary>
/// <param name="MicroBatches">A power of two, so that they are one full subtree.</param>
/// <param name="Sequences">B: sequences of a micro-batch.</param>
/// <param name="Tokens">T: tokens of a sequence.</param>
/// <param name="Sources">S: tokens of the source that belongs to each sequence; 0 where the network reads none.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct BatchShape(int MicroBatches, int Sequences, int Tokens, int Sources = 0)
{
    /// <summary>Rows of one micro-batch, B T.</summary>
    public int RowsOfMicroBatch => Sequences * Tokens;

    /// <summary>N: all rows, in the order of micro-batches, sequences and tokens.</summary>
    public int Rows => MicroBatches * RowsOfMicroBatch;

    /// <summary>Rows of all sources, in the same order.</summary>
    public int SourceRows => MicroBatches * Sequences * Sources;
}
