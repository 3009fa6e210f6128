using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>
/// The pieces of one product, each by one thread. The loops are those of Goto and van de Geijn (2008, section 4) with one panel of B at a
/// time: it is packed, stays near, and meets all strips of A. Meanwhile the next panel is fetched, a little at each strip, so that weights
/// come from memory while the processor multiplies. A is read where it lies when its k are side by side, else it is packed, too.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct ProductWork<TKernel> : IParallelWork
    where TKernel : struct, ITileKernel
{
    // Floats.
    private const int CacheLine = 16;

    private readonly MatrixView _c, _a, _b, _start;
    private readonly bool _accumulates;
    private readonly float* _bias, _workspace;
    private readonly DepthParts _parts;
    private readonly ProductPlan _plan;

    public ProductWork(MatrixView c, MatrixView a, MatrixView b, bool accumulates, float* bias, MatrixView start, DepthParts parts,
        in ProductPlan plan, float* workspace)
    {
        (_c, _a, _b, _start, _accumulates, _parts, _plan) = (c, a, b, start, accumulates, parts, plan);
        _bias = bias;
        _workspace = workspace;
    }

    private bool PacksA => _plan.StripFloats > 0;

    public void Run(int piece)
    {
        var (row, column) = (piece / _plan.ColumnPieces * _plan.StripsOfPiece, piece % _plan.ColumnPieces * _plan.PanelsOfPiece);
        var strips = Math.Min(_plan.StripsOfPiece, (_c.Rows - 1) / TKernel.Rows + 1 - row);
        var endColumn = Math.Min(column + _plan.PanelsOfPiece, (_c.Columns - 1) / TKernel.Columns + 1);
        Span<DepthSegment> segments = stackalloc DepthSegment[ProductPlan.MostSegments];
        Span<DepthSegment> next = stackalloc DepthSegment[ProductPlan.MostSegments];
        var memory = new Memory(_workspace + ThreadTeam.ThreadIndex * _plan.ThreadFloats, _plan);
        var isPacked = false;
        for (var first = column; first < endColumn; first += _plan.GroupPanels)
        {
            var end = Math.Min(first + _plan.GroupPanels, endColumn);
            var cursor = new DepthCursor(_parts, _a.Columns);
            var nextCount = cursor.Block(next, _plan.DepthBlock);
            while (nextCount > 0)
            {
                var spent = segments;
                segments = next;
                next = spent;
                ReadOnlySpan<DepthSegment> current = segments[..nextCount];
                nextCount = cursor.Block(next, _plan.DepthBlock);
                if (PacksA && !(isPacked && _plan.IsOneBlock))
                    PackA(memory, current, row, strips);
                isPacked = true;
                for (var panel = first; panel < end; panel++)
                {
                    PackB(memory, current, panel);
                    // What is packed next: the next panel, the group's first one in the next block, or the next group's or piece's first.
                    var fetched = panel + 1 < end ? new Fetch(current, panel + 1)
                        : nextCount > 0 ? new Fetch(next[..nextCount], first)
                        : new Fetch(current, end < endColumn ? end : NextColumn(piece));
                    var sums = memory.Sums + (_plan.IsOneBlock ? 0 : (nint)(panel - first) * _plan.StripsOfPiece * _plan.SlotFloats);
                    for (var strip = 0; strip < strips; strip++)
                    {
                        FetchB(fetched, strip, strips);
                        MultiplyTile(memory, current, row, strip, panel, sums);
                        sums += _plan.IsOneBlock ? 0 : _plan.SlotFloats;
                    }
                }
            }
        }
    }

    private void PackA(in Memory memory, ReadOnlySpan<DepthSegment> segments, int row, int strips)
    {
        var into = memory.Strips;
        var lines = Math.Min(strips * TKernel.Rows, _c.Rows - row * TKernel.Rows);
        foreach (var s in segments)
        {
            PanelPacking.Strips(_a.At((long)row * TKernel.Rows, s.First), (nint)_a.ColumnStride, lines, s.Count, TKernel.Rows, into,
                _plan.StripStride);
            into += (nint)TKernel.Rows * s.Count;
        }
    }

    private void PackB(in Memory memory, ReadOnlySpan<DepthSegment> segments, int panel)
    {
        var into = memory.Panel;
        var column = panel * TKernel.Columns;
        var lines = Math.Min(TKernel.Columns, _c.Columns - column);
        foreach (var s in segments)
        {
            if (_b.Type is { } type)
                NarrowPacking.Pack<TKernel>(type, _b, s.First, column, lines, s.Count, into);
            else if (_b.ColumnStride == 1)
                PanelPacking.Side(_b.At(s.First, column), (nint)_b.RowStride, lines, s.Count, TKernel.Columns, into);
            else
                TKernel.Transpose(_b.At(s.First, column), (nint)_b.ColumnStride, lines, s.Count, into);
            into += (nint)TKernel.Columns * s.Count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyTile(in Memory memory, ReadOnlySpan<DepthSegment> segments, int row, int strip, int panel, float* sums)
    {
        var (i, j) = ((row + strip) * TKernel.Rows, panel * TKernel.Columns);
        int rows = Math.Min(TKernel.Rows, _c.Rows - i), columns = Math.Min(TKernel.Columns, _c.Columns - j);
        var isWhole = rows == TKernel.Rows && columns == TKernel.Columns;
        var target = _c.At(i, j);
        var packedA = memory.Strips + (nint)strip * _plan.StripStride;
        Tile tile = default;
        tile.B = memory.Panel;
        tile.Rows = rows;
        (tile.RowStride, tile.Step) = PacksA ? (1, TKernel.Rows) : ((nint)_a.RowStride, (nint)_a.ColumnStride);
        foreach (ref readonly var s in segments)
        {
            tile.A = PacksA ? packedA : _a.At(i, s.First);
            tile.Depth = s.Count;
            tile.Start = !s.Starts ? sums + s.Running * _plan.TileFloats : _start.Data is null ? null : LoadStart(memory.Edge, i, j);
            tile.Folds = sums + (s.Running - 1) * _plan.TileFloats;
            tile.FoldCount = s.Folds;
            if (s.Slot >= 0)
            {
                tile.Into = sums + s.Slot * _plan.TileFloats;
                tile.IntoStride = TKernel.Columns;
            }
            else if (isWhole)
            {
                tile.Into = target;
                tile.IntoStride = (nint)_c.RowStride;
                tile.Accumulates = _accumulates;
                tile.Bias = _bias is null ? null : _bias + j;
                FetchC(target);
            }
            else
            {
                tile.Into = memory.Edge;
                tile.IntoStride = TKernel.Columns;
            }
            TKernel.Run(tile);
            packedA += (nint)TKernel.Rows * s.Count;
            tile.B += (nint)TKernel.Columns * s.Count;
            if (s.Slot < 0 && !isWhole)
                StoreEdge(memory.Edge, target, rows, columns, _bias is null ? null : _bias + j);
        }
    }

    // The micro-kernel reads it before it writes: the memory of a tile at the edge serves both.
    private float* LoadStart(float* into, int i, int j)
    {
        int rows = Math.Min(TKernel.Rows, _c.Rows - i), columns = Math.Min(TKernel.Columns, _c.Columns - j);
        for (var x = 0; x < rows; x++)
            Ranges.Copy(into + x * TKernel.Columns, _start.At(i + x, j), columns);
        return into;
    }

    private void StoreEdge(float* edge, float* target, int rows, int columns, float* bias)
    {
        for (var x = 0; x < rows; x++, edge += TKernel.Columns, target += _c.RowStride)
        {
            for (var y = 0; y < columns; y++)
            {
                var sum = _accumulates ? target[y] + edge[y] : edge[y];
                target[y] = bias is null ? sum : sum + bias[y];
            }
        }
    }

    // C is needed when the tile is done: time enough to come from memory.
    private void FetchC(float* target)
    {
        if (!Sse.IsSupported)
            return;
        for (var x = 0; x < TKernel.Rows; x++, target += _c.RowStride)
        {
            for (var y = 0; y < TKernel.Columns; y += 16)
                Sse.Prefetch0(target + y);
            Sse.Prefetch0(target + TKernel.Columns - 1);
        }
    }

    // The first panel of the piece that this thread takes next, when all go on equally fast.
    private int NextColumn(int piece)
    {
        piece += _plan.Threads;
        return piece < _plan.Pieces ? piece % _plan.ColumnPieces * _plan.PanelsOfPiece : int.MaxValue / TKernel.Columns;
    }

    // A strip's share of the panel that is packed next.
    private void FetchB(in Fetch fetch, int strip, int strips)
    {
        var column = fetch.Panel * TKernel.Columns;
        var columns = Math.Min(TKernel.Columns, _c.Columns - column);
        // Elements of half the size are half as far apart.
        var (ofLine, size) = _b.Type is null ? (CacheLine, sizeof(float)) : (2 * CacheLine, sizeof(ushort));
        if (!Sse.IsSupported || columns <= 0)
            return;
        foreach (ref readonly var s in fetch.Segments)
        {
            if (_b.ColumnStride == 1)
            {
                int from = (int)((long)strip * s.Count / strips), to = (int)((strip + 1L) * s.Count / strips);
                for (var k = from; k < to; k++)
                {
                    var source = (byte*)_b.Data + ((s.First + k) * _b.RowStride + column) * size;
                    for (var y = 0; y < columns; y += ofLine)
                        Sse.Prefetch1(source + y * size);
                }
            }
            else
            {
                int from = (int)((long)strip * columns / strips), to = (int)((strip + 1L) * columns / strips);
                for (var y = from; y < to; y++)
                {
                    var source = (byte*)_b.Data + (s.First + (column + y) * _b.ColumnStride) * size;
                    for (var k = 0; k < s.Count; k += ofLine)
                        Sse.Prefetch1(source + k * size);
                }
            }
        }
    }

    private readonly struct Memory
    {
        public Memory(float* start, in ProductPlan plan)
        {
            Strips = start;
            Panel = Strips + plan.StripFloats;
            Sums = Panel + plan.PanelFloats;
            Edge = Sums + plan.SumFloats;
        }

        public float* Strips { get; }

        public float* Panel { get; }

        public float* Sums { get; }

        public float* Edge { get; }
    }

    private readonly ref struct Fetch(ReadOnlySpan<DepthSegment> segments, int panel)
    {
        public ReadOnlySpan<DepthSegment> Segments { get; } = segments;

        public int Panel { get; } = panel;
    }
}
