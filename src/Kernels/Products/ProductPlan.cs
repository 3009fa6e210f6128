using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>How much of a product is taken at a time. Only speed depends on it.</summary>
/// <param name="Depth">Most k of a block.</param>
/// <param name="StripFloats">Floats of packed A that stay in the second-level cache.</param>
/// <param name="SumFloats">Floats of unfinished sums that do.</param>
/// <param name="PiecesPerThread">Pieces that a product is cut into for each thread, so that a thread that is held up costs little.</param>
/// <param name="Rows">Most rows of a piece.</param>
internal sealed record ProductBlocks(int Depth, int StripFloats, int SumFloats, int PiecesPerThread, int Rows)
{
    /// <summary>For a second-level cache of 1 MB; one of 512 KB loses little.</summary>
    public static ProductBlocks Default { get; } = new(1024, 384 * 1024, 64 * 1024, 4, 1024);
}

/// <summary>The pieces of a product, a grid over the rows and the panels of C, and the memory of a thread. M rows, N columns, K depth.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct ProductPlan
{
    /// <summary>Most segments of a block of K.</summary>
    public const int MostSegments = 32;

    private const int CacheLine = 16;

    public ProductPlan(ProductBlocks blocks, int threads, int m, int n, int k, DepthParts parts, bool packsA, int tileRows, int tileColumns)
    {
        // A multiple of sixteen, because packing transposes blocks of sixteen.
        var depthBlocks = CeilingOf(k, blocks.Depth);
        Threads = threads;
        DepthBlock = Math.Min(k, CeilingOf(CeilingOf(k, depthBlocks), 16) * 16);
        var cursor = new DepthCursor(parts, k);
        var slots = cursor.Slots;
        cursor.Block(stackalloc DepthSegment[MostSegments], DepthBlock);
        IsOneBlock = cursor.IsAtEnd;

        int strips = CeilingOf(m, tileRows), panels = CeilingOf(n, tileColumns), wanted = threads == 1 ? 1 : threads * blocks.PiecesPerThread;
        var mostStrips = Math.Clamp((packsA ? Math.Min(blocks.StripFloats / DepthBlock, blocks.Rows) : blocks.Rows) / tileRows, 1, strips);
        var (rowPieces, columnPieces) = Grid(strips, panels, wanted, CeilingOf(strips, mostStrips), packsA);
        StripsOfPiece = CeilingOf(strips, rowPieces);
        PanelsOfPiece = CeilingOf(panels, columnPieces);
        RowPieces = CeilingOf(strips, StripsOfPiece);
        ColumnPieces = CeilingOf(panels, PanelsOfPiece);

        TileFloats = tileRows * tileColumns;
        SlotFloats = TileFloats * slots;
        GroupPanels = IsOneBlock ? PanelsOfPiece : Math.Clamp(blocks.SumFloats / (StripsOfPiece * SlotFloats), 1, PanelsOfPiece);
        StripStride = tileRows * DepthBlock + CacheLine;
        StripFloats = packsA ? (long)StripsOfPiece * StripStride : 0;
        PanelFloats = (long)tileColumns * DepthBlock;
        SumFloats = (long)SlotFloats * (IsOneBlock ? 1 : StripsOfPiece * GroupPanels);
    }

    /// <summary>Threads that take pieces.</summary>
    public int Threads { get; }

    /// <summary>Most k of a block.</summary>
    public int DepthBlock { get; }

    /// <summary>One block holds all of K: then no sums are kept from block to block.</summary>
    public bool IsOneBlock { get; }

    /// <summary>Strips (tiles' rows) of a piece; the last may have fewer.</summary>
    public int StripsOfPiece { get; }

    /// <summary>Panels (tiles' columns) of a piece; the last may have fewer.</summary>
    public int PanelsOfPiece { get; }

    /// <summary>Pieces from top to bottom.</summary>
    public int RowPieces { get; }

    /// <summary>Pieces from left to right.</summary>
    public int ColumnPieces { get; }

    /// <summary>Panels that go through all of K together; their unfinished sums are kept.</summary>
    public int GroupPanels { get; }

    /// <summary>Floats of a tile.</summary>
    public int TileFloats { get; }

    /// <summary>Floats of all sums of a tile that are kept at one time.</summary>
    public int SlotFloats { get; }

    /// <summary>Floats from a strip of packed A to the next: not a power of two, or all strips fall into the same lines of a cache.</summary>
    public int StripStride { get; }

    /// <summary>Floats of a thread's packed A.</summary>
    public long StripFloats { get; }

    /// <summary>Floats of its packed panel of B.</summary>
    public long PanelFloats { get; }

    /// <summary>Floats of its unfinished sums.</summary>
    public long SumFloats { get; }

    /// <summary>Floats of a thread: those above and a tile at the edge. Whole cache lines.</summary>
    public long ThreadFloats => (StripFloats + PanelFloats + SumFloats + TileFloats + 31) / 32 * 32;

    // The grid of enough pieces that packs least: A again for each piece of columns, B for each of rows. To pack an element of A costs about
    // three times as much, because its strips are narrow.
    private static (int RowPieces, int ColumnPieces) Grid(int strips, int panels, int wanted, int fewestRowPieces, bool packsA)
    {
        var (best, least) = ((fewestRowPieces, 1), double.PositiveInfinity);
        for (var columnPieces = 1; columnPieces <= Math.Min(panels, wanted); columnPieces++)
        {
            var rowPieces = Math.Clamp(CeilingOf(wanted, columnPieces), fewestRowPieces, Math.Max(fewestRowPieces, CeilingOf(strips, 4)));
            // A tile has about four times as many columns as rows.
            var cost = (packsA ? 0.75 * columnPieces / panels : 0) + (double)rowPieces / strips
                + (double)Math.Max(0, wanted - rowPieces * columnPieces) / wanted;
            if (cost < least)
                (best, least) = ((rowPieces, columnPieces), cost);
        }
        return best;
    }

    private static int CeilingOf(int a, int b) => (a - 1) / b + 1;
}
