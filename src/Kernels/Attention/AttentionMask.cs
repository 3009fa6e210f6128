namespace Elastic.Kernels.Attention;

/// <summary>
/// The factors that dropout multiplies attention's weights by, written out: for devices that have no kernel of their own.
/// </summary>
internal static unsafe class AttentionMask
{
    /// <summary>
    /// 0 or 1 / (1 - p) for each weight of one micro-batch, (B, H, Tq, Tk), as <see cref="AttentionDropout"/> draws them.
    /// </summary>
    public static void Fill(float* mask, int sequences, int heads, int queries, int keys, ulong key, DropoutRate rate)
    {
        var shape = new AttentionShape
        {
            Sequences = sequences,
            Queries = queries,
            Keys = keys,
            Heads = heads,
            KeyHeads = heads,
            HeadSize = 1,
            Dropout = rate,
            DropoutKeys = &key,
            SequencesPerDropoutKey = sequences,
        };
        LaneDispatch.Run(new Kernel(mask, shape));
    }

    private readonly struct Kernel(float* mask, AttentionShape shape) : ILaneKernel
    {
        private readonly float* _mask = mask;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var factors = stackalloc float[Panel.Columns];
            var row = _mask;
            for (var head = 0; head < shape.Sequences * shape.Heads; head++)
            {
                var dropout = new AttentionDropout(shape, head / shape.Heads, head % shape.Heads);
                for (var query = 0; query < shape.Queries; query++, row += shape.Keys)
                {
                    for (var first = 0; first < shape.Keys; first += Panel.Columns)
                    {
                        dropout.FactorsOfRow<T>(factors, query, first);
                        Ranges.Copy(row + first, factors, Math.Min(Panel.Columns, shape.Keys - first));
                    }
                }
            }
        }
    }
}
