namespace Elastic.Kernels.Attention;

/// <summary>
/// The forward pass of some blocks of 64 queries of one head. Weights lie with keys as rows and queries as lanes, so that maxima and sums
/// over keys are operations between registers.
/// </summary>
/// <param name="blocksAtOnce">Blocks of queries that pass together over the keys, which are copied once for all of them.</param>
internal readonly unsafe struct ForwardPiece<T>(
    in AttentionShape shape, in AttentionTensors tensors, float* workspace, int blocksAtOnce) : IParallelWork
    where T : struct, ILanes<T>
{
    private readonly AttentionShape _shape = shape;
    private readonly AttentionTensors _x = tensors;
    private readonly float* _workspace = workspace;
    private readonly int _blocksAtOnce = blocksAtOnce;

    public int Pieces => (_shape.QueryBlocks + _blocksAtOnce - 1) / _blocksAtOnce * _shape.Sequences * _shape.Heads;

    /// <summary>Floats of a thread's workspace.</summary>
    public static long WorkspaceOf(in AttentionShape shape, int blocksAtOnce)
        => (2L * blocksAtOnce * shape.Panels + 2 * shape.Panels + 1) * Panel.Size + blocksAtOnce * 2 * Panel.Rows + Panel.Rows;

    public void Run(int piece)
    {
        var heads = _shape.Sequences * _shape.Heads;
        // The last queries see most keys: they come first.
        var first = (Pieces / heads - 1 - piece / heads) * _blocksAtOnce;
        int sequence = piece % heads / _shape.Heads, head = piece % _shape.Heads;
        var blocks = Math.Min(_blocksAtOnce, _shape.QueryBlocks - first);
        var size = _shape.Panels * Panel.Size;
        var k = _workspace + ThreadTeam.ThreadIndex * WorkspaceOf(_shape, _blocksAtOnce);
        float* v = k + size, s = v + size, rows = s + Panel.Size;
        var dropout = new AttentionDropout(_shape, sequence, head);
        for (var n = 0; n < blocks; n++)
        {
            var block = new Block(this, rows, n, sequence, first + n);
            Panel.LoadTransposed<T>(
                block.Q, _x.Q.At(sequence, block.First, head * _shape.HeadSize), _x.Q.RowStride, block.Count, _shape.HeadSize);
            Panel.Clear(block.O, block.Count, _shape.HeadSize);
            new Span<float>(block.Maxima, Panel.Rows).Fill(OnlineSoftmax.Least);
            new Span<float>(block.Sums, Panel.Rows).Clear();
        }
        for (var key = 0; key < _shape.Keys; key += Panel.Rows)
        {
            var keys = Math.Min(Panel.Rows, _shape.Keys - key);
            var isLoaded = false;
            for (var n = 0; n < blocks; n++)
            {
                var block = new Block(this, rows, n, sequence, first + n);
                if (_shape.IsHidden(sequence, block.First, block.Count, key, keys))
                    continue;
                if (!isLoaded)
                {
                    var channel = head / _shape.GroupSize * _shape.HeadSize;
                    Panel.Load<T>(k, _x.K.At(sequence, key, channel), _x.K.RowStride, keys, _shape.HeadSize);
                    Panel.Load<T>(v, _x.V.At(sequence, key, channel), _x.V.RowStride, keys, _shape.HeadSize);
                    isLoaded = true;
                }
                Scores(s, k, block, key, keys);
                for (var lane = 0; lane < block.Count; lane += 16)
                    Weights(s + lane, block, lane, key, keys, dropout);
                Values(v, s, block, key, keys);
            }
        }
        for (var n = 0; n < blocks; n++)
            Finish(new Block(this, rows, n, sequence, first + n), sequence, head);
    }

    // s (keys, queries) = k q'
    private void Scores(float* s, float* k, in Block block, int key, int keys)
    {
        var shift = _shape.Shift(block.First, key);
        int rows;
        for (var row = 0; row < keys; row += rows)
        {
            rows = PanelProduct.RowsOf<T>(row);
            var column = Math.Max(row - shift, 0) / 16 * 16;
            for (var panel = 0; panel < _shape.Panels; panel++)
            {
                PanelProduct.Strip<T, ByRows>(
                    rows, s + row * Panel.Stride, k + panel * Panel.Size + row * Panel.Stride, block.Q + panel * Panel.Size,
                    Panel.ColumnsOf(panel, _shape.HeadSize), column, block.Count, panel == 0);
            }
        }
    }

    // Scores of 16 queries become weights, against the maximum so far.
    private void Weights(float* s, in Block block, int lane, int key, int keys, in AttentionDropout dropout)
    {
        var shift = _shape.Shift(block.First, key) + lane;
        if (shift < keys - 1)
            OnlineSoftmax.HideFuture<T>(s, keys, shift);
        if (_shape.Past(block.First, key) + lane + 15 >= 0)
            OnlineSoftmax.HidePast<T>(s, keys, _shape.Past(block.First, key) + lane);
        if (_shape.QuerySegments is not null)
        {
            var segments = (float*)(_shape.QuerySegments + (long)block.Sequence * _shape.Queries + block.First + lane);
            OnlineSoftmax.HideOtherSegments(
                s, keys, T.LoadFirst(segments, Math.Min(16, block.Count - lane)),
                _shape.KeySegments + (long)block.Sequence * _shape.Keys + key);
        }
        T before = T.Load(block.Maxima + lane), scale = T.Broadcast(_shape.Scale);
        var after = T.Max(before, OnlineSoftmax.Largest<T>(s, keys) * scale);
        T.Store(after, block.Maxima + lane);
        // Where no key was seen yet, exponentials are taken against 0, and are 0.
        var shifts = T.Select(T.GreaterThan(after, T.Broadcast(OnlineSoftmax.Least / 32)), after, T.Bits(0));
        var sum = OnlineSoftmax.Exponentials(s, keys, _shape.Scale, shifts);
        var fade = ElementaryLanes.ExpOrZero(before - shifts);
        T.Store(fade, block.Fades + lane);
        T.Store(T.Fma(T.Load(block.Sums + lane), fade, sum), block.Sums + lane);
        if (dropout.IsActive)
            dropout.ApplyToColumns<T>(s, block.First + lane, key, keys);
    }

    // o (queries, channels) = o fades + s' v
    private void Values(float* v, float* s, in Block block, int key, int keys)
    {
        var shift = _shape.Shift(block.First, key);
        int rows;
        for (var row = 0; row < block.Count; row += rows)
        {
            rows = PanelProduct.RowsOf<T>(row);
            var depth = Math.Min(keys, row + rows + shift);
            for (var panel = 0; panel < _shape.Panels && depth > 0; panel++)
            {
                PanelProduct.Strip<T, ByColumns>(
                    rows, block.O + panel * Panel.Size + row * Panel.Stride, s + row, v + panel * Panel.Size, depth,
                    0, Panel.ColumnsOf(panel, _shape.HeadSize), false, block.Fades + row);
            }
        }
    }

    private void Finish(in Block block, int sequence, int head)
    {
        T zero = T.Broadcast(0), one = T.Broadcast(1);
        for (var lane = 0; lane < Panel.Rows; lane += 16)
        {
            var sum = T.Load(block.Sums + lane);
            var seesAny = T.GreaterThan(sum, zero);
            T.Store(T.Select(seesAny, T.Load(block.Maxima + lane), zero) + zero, block.Maxima + lane);
            T.Store(T.Select(seesAny, one / sum, zero), block.Sums + lane);
        }
        var row = ((long)sequence * _shape.Heads + head) * _shape.Queries + block.First;
        new Span<float>(block.Maxima, block.Count).CopyTo(new Span<float>(_x.Maxima + row, block.Count));
        new Span<float>(block.Sums, block.Count).CopyTo(new Span<float>(_x.InverseSums + row, block.Count));
        Panel.Store<T>(
            block.O, _x.Y.At(sequence, block.First, head * _shape.HeadSize), _x.Y.RowStride, block.Count, _shape.HeadSize, block.Sums);
    }

    // 64 queries and what is known of them: q (channels, 64), o (64, channels), maxima and sums of their weights so far.
    private readonly ref struct Block
    {
        public readonly float* Q, O, Maxima, Sums, Fades;
        public readonly int Sequence, First, Count;

        public Block(in ForwardPiece<T> piece, float* memory, int n, int sequence, int block)
        {
            var size = piece._shape.Panels * Panel.Size;
            Q = memory + 2 * n * size;
            O = Q + size;
            Maxima = memory + 2 * piece._blocksAtOnce * size + n * 2 * Panel.Rows;
            Sums = Maxima + Panel.Rows;
            Fades = memory + piece._blocksAtOnce * 2 * (size + Panel.Rows);
            (Sequence, First) = (sequence, block * Panel.Rows);
            Count = Math.Min(Panel.Rows, piece._shape.Queries - First);
        }
    }
}
