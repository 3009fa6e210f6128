namespace Elastic.Kernels.Attention;

/// <summary>What a piece of the backward pass computes.</summary>
internal enum BackwardPart
{
    /// <summary>All three gradients of one head of keys, dq through memory.</summary>
    All,

    /// <summary>dk and dv of one block of keys.</summary>
    Keys,

    /// <summary>dq of one block of queries.</summary>
    Queries,
}

/// <summary>
/// The backward pass of a part of one head of keys and values. Weights are computed again from the saved maxima and sums, with queries as
/// rows and keys as lanes.
/// </summary>
/// <param name="deltas">(B, H, Tq), from <see cref="DeltaPiece{T}"/>.</param>
internal readonly unsafe struct BackwardPiece<T>(
    in AttentionShape shape, BackwardPart part, in AttentionTensors tensors, in AttentionGradients gradients, float* deltas,
    float* workspace) : IParallelWork
    where T : struct, ILanes<T>
{
    private readonly AttentionShape _shape = shape;
    private readonly BackwardPart _part = part;
    private readonly AttentionTensors _x = tensors;
    private readonly AttentionGradients _d = gradients;
    private readonly float* _deltas = deltas, _workspace = workspace;

    public int Pieces => _part switch
    {
        BackwardPart.All => _shape.Sequences * _shape.KeyHeads,
        BackwardPart.Keys => _shape.Sequences * _shape.KeyHeads * _shape.KeyBlocks,
        _ => _shape.Sequences * _shape.Heads * _shape.QueryBlocks,
    };

    /// <summary>Floats of a thread's workspace.</summary>
    public static long WorkspaceOf(in AttentionShape shape) => (8L * shape.Panels + 2) * Panel.Size;

    public void Run(int piece)
    {
        var memory = new Memory(_workspace + ThreadTeam.ThreadIndex * WorkspaceOf(_shape), _shape.Panels * Panel.Size);
        if (_part == BackwardPart.Queries)
        {
            // The last queries see most keys: they come first.
            var heads = _shape.Sequences * _shape.Heads;
            QueryGradients(memory, piece % heads / _shape.Heads, piece % _shape.Heads, _shape.QueryBlocks - 1 - piece / heads);
            return;
        }
        var all = _shape.Sequences * _shape.KeyHeads;
        int sequence = piece % all / _shape.KeyHeads, keyHead = piece % _shape.KeyHeads;
        if (_part == BackwardPart.Keys)
        {
            KeyGradients(memory, sequence, keyHead, piece / all, withQueries: false);
            return;
        }
        for (var i = 0; i < _shape.Queries; i++)
        {
            var row = _d.Q.At(sequence, i, keyHead * _shape.GroupSize * _shape.HeadSize);
            new Span<float>(row, _shape.GroupSize * _shape.HeadSize).Clear();
        }
        for (var block = 0; block < _shape.KeyBlocks; block++)
            KeyGradients(memory, sequence, keyHead, block, withQueries: true);
    }

    private void KeyGradients(in Memory memory, int sequence, int keyHead, int block, bool withQueries)
    {
        var (key, d, channel) = (block * Panel.Rows, _shape.HeadSize, keyHead * _shape.HeadSize);
        var keys = Math.Min(Panel.Rows, _shape.Keys - key);
        LoadKeys(memory, sequence, channel, key, keys);
        Panel.Clear(memory.Dk, Panel.Rows, d);
        Panel.Clear(memory.Dv, Panel.Rows, d);
        for (var head = keyHead * _shape.GroupSize; head < (keyHead + 1) * _shape.GroupSize; head++)
        {
            for (var query = 0; query < _shape.Queries; query += Panel.Rows)
            {
                var queries = Math.Min(Panel.Rows, _shape.Queries - query);
                if (_shape.IsHidden(sequence, query, queries, key, keys))
                    continue;
                Weights(memory, sequence, head, query, queries, key, keys);
                var shift = _shape.Shift(query, key);
                ToKeys(memory.Dv, memory.Weights, memory.Dy, queries, keys, shift);
                ToKeys(memory.Dk, memory.Scores, memory.Q, queries, keys, shift);
                if (!withQueries)
                    continue;
                var dq = _d.Q.At(sequence, query, head * d);
                Panel.Load<T>(memory.Dq, dq, _d.Q.RowStride, queries, d);
                ToQueries(memory, queries, keys, shift);
                Panel.Store<T>(memory.Dq, dq, _d.Q.RowStride, queries, d);
            }
        }
        Panel.Store<T>(memory.Dk, _d.K.At(sequence, key, channel), _d.K.RowStride, keys, d);
        Panel.Store<T>(memory.Dv, _d.V.At(sequence, key, channel), _d.V.RowStride, keys, d);
    }

    private void QueryGradients(in Memory memory, int sequence, int head, int block)
    {
        var (query, d) = (block * Panel.Rows, _shape.HeadSize);
        var queries = Math.Min(Panel.Rows, _shape.Queries - query);
        Panel.Clear(memory.Dq, queries, d);
        for (var key = 0; key < _shape.Keys; key += Panel.Rows)
        {
            var keys = Math.Min(Panel.Rows, _shape.Keys - key);
            if (_shape.IsHidden(sequence, query, queries, key, keys))
                continue;
            LoadKeys(memory, sequence, head / _shape.GroupSize * d, key, keys);
            Weights(memory, sequence, head, query, queries, key, keys);
            ToQueries(memory, queries, keys, _shape.Shift(query, key));
        }
        Panel.Store<T>(memory.Dq, _d.Q.At(sequence, query, head * d), _d.Q.RowStride, queries, d);
    }

    private void LoadKeys(in Memory memory, int sequence, int channel, int key, int keys)
    {
        Panel.Load<T>(memory.K, _x.K.At(sequence, key, channel), _x.K.RowStride, keys, _shape.HeadSize);
        Panel.LoadTransposed<T>(memory.KTransposed, _x.K.At(sequence, key, channel), _x.K.RowStride, keys, _shape.HeadSize);
        Panel.LoadTransposed<T>(memory.VTransposed, _x.V.At(sequence, key, channel), _x.V.RowStride, keys, _shape.HeadSize);
    }

    // Loads q and dy, and computes the weights and the scores' gradients of a block of queries and a block of keys.
    private void Weights(in Memory memory, int sequence, int head, int query, int queries, int key, int keys)
    {
        Panel.Load<T>(memory.Q, _x.Q.At(sequence, query, head * _shape.HeadSize), _x.Q.RowStride, queries, _shape.HeadSize);
        Panel.Load<T>(memory.Dy, _d.Y.At(sequence, query, head * _shape.HeadSize), _d.Y.RowStride, queries, _shape.HeadSize);
        var (shift, past) = (_shape.Shift(query, key), _shape.Past(query, key));
        ToWeights(memory.Weights, memory.Q, memory.KTransposed, queries, keys, shift);
        ToWeights(memory.Scores, memory.Dy, memory.VTransposed, queries, keys, shift);

        var dropout = new AttentionDropout(_shape, sequence, head);
        var factors = stackalloc float[Panel.Columns];
        var saved = ((long)sequence * _shape.Heads + head) * _shape.Queries + query;
        float* s = memory.Weights, ds = memory.Scores;
        for (var i = 0; i < queries; i++, saved++, s += Panel.Stride, ds += Panel.Stride)
        {
            if (i + shift + 1 < keys)
                SoftmaxGradients.HideFuture<T>(s, ds, keys, i + shift + 1);
            if (i + past >= 0)
                SoftmaxGradients.HidePast<T>(s, ds, keys, i + past + 1);
            if (_shape.QuerySegments is not null)
            {
                SoftmaxGradients.HideOtherSegments<T>(
                    s, ds, keys, _shape.QuerySegments[(long)sequence * _shape.Queries + query + i],
                    _shape.KeySegments + (long)sequence * _shape.Keys + key);
            }
            var (largest, inverse, delta) = (_x.Maxima[saved], _x.InverseSums[saved], _deltas[saved]);
            if (dropout.IsActive)
            {
                dropout.FactorsOfRow<T>(factors, query + i, key);
                SoftmaxGradients.Row<T>(s, ds, keys, _shape.Scale, largest, inverse, delta, factors);
            }
            else
            {
                SoftmaxGradients.Row<T>(s, ds, keys, _shape.Scale, largest, inverse, delta);
            }
        }
    }

    // s (queries, keys) = a b, a (queries, channels), b (channels, keys)
    private void ToWeights(float* s, float* a, float* b, int queries, int keys, int shift)
    {
        int rows;
        for (var row = 0; row < queries; row += rows)
        {
            rows = PanelProduct.RowsOf<T>(row);
            var columns = Math.Min(keys, row + rows + shift);
            for (var panel = 0; panel < _shape.Panels; panel++)
            {
                PanelProduct.Strip<T, ByRows>(
                    rows, s + row * Panel.Stride, a + panel * Panel.Size + row * Panel.Stride, b + panel * Panel.Size,
                    Panel.ColumnsOf(panel, _shape.HeadSize), 0, columns, panel == 0);
            }
        }
    }

    // c (keys, channels) += a' b, a (queries, keys), b (queries, channels)
    private void ToKeys(float* c, float* a, float* b, int queries, int keys, int shift)
    {
        int rows;
        for (var row = 0; row < keys; row += rows)
        {
            rows = PanelProduct.RowsOf<T>(row);
            var first = Math.Max(row - shift, 0);
            for (var panel = 0; panel < _shape.Panels && first < queries; panel++)
            {
                PanelProduct.Strip<T, ByColumns>(
                    rows, c + panel * Panel.Size + row * Panel.Stride, a + first * Panel.Stride + row,
                    b + panel * Panel.Size + first * Panel.Stride, queries - first, 0, Panel.ColumnsOf(panel, _shape.HeadSize), false);
            }
        }
    }

    // dq (queries, channels) += ds k
    private void ToQueries(in Memory memory, int queries, int keys, int shift)
    {
        int rows;
        for (var row = 0; row < queries; row += rows)
        {
            rows = PanelProduct.RowsOf<T>(row);
            var depth = Math.Min(keys, row + rows + shift);
            for (var panel = 0; panel < _shape.Panels && depth > 0; panel++)
            {
                PanelProduct.Strip<T, ByRows>(
                    rows, memory.Dq + panel * Panel.Size + row * Panel.Stride, memory.Scores + row * Panel.Stride,
                    memory.K + panel * Panel.Size, depth, 0, Panel.ColumnsOf(panel, _shape.HeadSize), false);
            }
        }
    }

    // Panels of a thread: blocks of 64 queries or keys.
    private readonly ref struct Memory(float* start, int size)
    {
        public readonly float* Weights = start, Scores = start + Panel.Size,
            K = start + 2 * Panel.Size, KTransposed = start + 2 * Panel.Size + size, VTransposed = start + 2 * Panel.Size + 2 * size,
            Q = start + 2 * Panel.Size + 3 * size, Dy = start + 2 * Panel.Size + 4 * size,
            Dq = start + 2 * Panel.Size + 5 * size, Dk = start + 2 * Panel.Size + 6 * size, Dv = start + 2 * Panel.Size + 7 * size;
    }
}
