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
    private readonly MatrixView _c, _a, _b;
    private readonly bool _accumulates;
    private readonly float* _bias, _workspace;
    private readonly DepthParts _parts;
    private readonly ProductPlan _plan;

    public ProductWork(MatrixView c, MatrixView a, MatrixView b, bool accumulates, float* bias, DepthParts parts, in ProductPlan plan,
        float* workspace)
    {
        (_c, _a, _b, _accumulates, _parts, _plan) = (c, a, b, accumulates, parts, plan);
        _bias = bias;
        _workspace = workspace;
    }

    private bool PacksA => _a.ColumnStride != 1;

    public void Run(int piece)
    {
        var (row, column) = (piece / _plan.ColumnPieces * _plan.StripsOfPiece, piece % _plan.ColumnPieces * _plan.PanelsOfPiece);
        var strips = Math.Min(_plan.StripsOfPiece, (_c.Rows - 1) / TKernel.Rows + 1 - row);
        var endColumn = Math.Min(column + _plan.PanelsOfPiece, (_c.Columns - 1) / TKernel.Columns + 1);
        Span<DepthSegment> segments = stackalloc DepthSegment[ProductPlan.MostSegments], next = stackalloc DepthSegment[ProductPlan.MostSegments];
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
                    PackA(current, row, strips);
                isPacked = true;
                for (var panel = first; panel < end; panel++)
                {
                    PackB(current, panel);
                    // Then comes the next panel, or the group's first one with the next block.
                    var fetched = panel + 1 < end || nextCount == 0
                        ? new Fetch(current, panel + 1)
                        : new Fetch(next[..nextCount], first);
                    var sums = Sums + (_plan.IsOneBlock ? 0 : (nint)(panel - first) * _plan.StripsOfPiece * _plan.SlotFloats);
                    for (var strip = 0; strip < strips; strip++)
                    {
                        FetchB(fetched, strip, strips);
                        MultiplyTile(current, row, strip, panel, sums);
                        sums += _plan.IsOneBlock ? 0 : _plan.SlotFloats;
                    }
                }
            }
        }
    }

    private float* Strips => _workspace + ThreadTeam.ThreadIndex * _plan.ThreadFloats;

    private float* Panel => Strips + _plan.StripFloats;

    private float* Sums => Panel + _plan.PanelFloats;

    private float* Edge => Sums + _plan.SumFloats;

    private void PackA(ReadOnlySpan<DepthSegment> segments, int row, int strips)
    {
        var into = Strips;
        var lines = Math.Min(strips * TKernel.Rows, _c.Rows - row * TKernel.Rows);
        foreach (var s in segments)
        {
            PanelPacking.Strips(_a.At((long)row * TKernel.Rows, s.First), (nint)_a.ColumnStride, lines, s.Count, TKernel.Rows, into,
                _plan.StripStride);
            into += (nint)TKernel.Rows * s.Count;
        }
    }

    private void PackB(ReadOnlySpan<DepthSegment> segments, int panel)
    {
        var into = Panel;
        var column = panel * TKernel.Columns;
        var lines = Math.Min(TKernel.Columns, _c.Columns - column);
        foreach (var s in segments)
        {
            if (_b.ColumnStride == 1)
                PanelPacking.Side(_b.At(s.First, column), (nint)_b.RowStride, lines, s.Count, TKernel.Columns, into);
            else
                TKernel.Transpose(_b.At(s.First, column), (nint)_b.ColumnStride, lines, s.Count, into);
            into += (nint)TKernel.Columns * s.Count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyTile(ReadOnlySpan<DepthSegment> segments, int row, int strip, int panel, float* sums)
    {
        var (i, j) = ((row + strip) * TKernel.Rows, panel * TKernel.Columns);
        int rows = Math.Min(TKernel.Rows, _c.Rows - i), columns = Math.Min(TKernel.Columns, _c.Columns - j);
        var isWhole = rows == TKernel.Rows && columns == TKernel.Columns;
        var target = _c.At(i, j);
        var packedA = Strips + (nint)strip * _plan.StripStride;
        Tile tile = default;
        tile.B = Panel;
        tile.Rows = rows;
        (tile.RowStride, tile.Step) = PacksA ? (1, TKernel.Rows) : ((nint)_a.RowStride, 1);
        foreach (ref readonly var s in segments)
        {
            tile.A = PacksA ? packedA : _a.At(i, s.First);
            tile.Depth = s.Count;
            tile.Start = s.Starts ? null : sums + s.Running * _plan.TileFloats;
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
                tile.Into = Edge;
                tile.IntoStride = TKernel.Columns;
            }
            TKernel.Run(tile);
            packedA += (nint)TKernel.Rows * s.Count;
            tile.B += (nint)TKernel.Columns * s.Count;
            if (s.Slot < 0 && !isWhole)
                StoreEdge(target, rows, columns, _bias is null ? null : _bias + j);
        }
    }

    private void StoreEdge(float* target, int rows, int columns, float* bias)
    {
        var edge = Edge;
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

    // A strip's share of the panel that comes next.
    private void FetchB(in Fetch fetch, int strip, int strips)
    {
        var column = fetch.Panel * TKernel.Columns;
        if (!Sse.IsSupported || column + TKernel.Columns > _c.Columns)
            return;
        foreach (ref readonly var s in fetch.Segments)
        {
            if (_b.ColumnStride == 1)
            {
                int from = (int)((long)strip * s.Count / strips), to = (int)((strip + 1L) * s.Count / strips);
                for (var k = from; k < to; k++)
                {
                    var source = _b.At(s.First + k, column);
                    for (var y = 0; y < TKernel.Columns; y += 16)
                        Sse.Prefetch1(source + y);
                }
            }
            else
            {
                int from = (int)((long)strip * TKernel.Columns / strips), to = (int)((strip + 1L) * TKernel.Columns / strips);
                for (var y = from; y < to; y++)
                {
                    var source = _b.At(s.First, column + y);
                    for (var k = 0; k < s.Count; k += 16)
                        Sse.Prefetch1(source + k);
                }
            }
        }
    }

    private readonly ref struct Fetch(ReadOnlySpan<DepthSegment> segments, int panel)
    {
        public ReadOnlySpan<DepthSegment> Segments { get; } = segments;

        public int Panel { get; } = panel;
    }
}
