namespace Elastic.Kernels.Attention;

/// <summary>delta (B, H, Tq) = Σ over d of dy y: lane l sums channels l, l + 16 ... by fused multiply-adds, then the fold.</summary>
internal readonly unsafe struct DeltaPiece<T>(in AttentionShape shape, HeadRows outputs, HeadRows gradients, float* deltas) : IParallelWork
    where T : struct, ILanes<T>
{
    private readonly AttentionShape _shape = shape;
    private readonly HeadRows _y = outputs, _dy = gradients;
    private readonly float* _deltas = deltas;

    public int Pieces => _shape.Sequences * _shape.QueryBlocks;

    public void Run(int piece)
    {
        var (sequence, first) = (piece / _shape.QueryBlocks, piece % _shape.QueryBlocks * Panel.Rows);
        for (var i = first; i < Math.Min(first + Panel.Rows, _shape.Queries); i++)
        {
            for (var head = 0; head < _shape.Heads; head++)
            {
                float* y = _y.At(sequence, i, head * _shape.HeadSize), dy = _dy.At(sequence, i, head * _shape.HeadSize);
                var sum = T.Broadcast(0);
                var d = 0;
                for (; d + 16 <= _shape.HeadSize; d += 16)
                    sum = T.Fma(T.Load(dy + d), T.Load(y + d), sum);
                if (d < _shape.HeadSize)
                    sum = T.Fma(T.LoadFirst(dy + d, _shape.HeadSize - d), T.LoadFirst(y + d, _shape.HeadSize - d), sum);
                _deltas[((long)sequence * _shape.Heads + head) * _shape.Queries + i] = T.Fold(sum);
            }
        }
    }
}
