namespace Elastic.Kernels.Tests.Attention;

/// <summary>One call of attention: shapes, what sees what, random contents. q, y (B, Tq, H, D); k, v (B, Tk, Hkv, D), contiguous.</summary>
internal sealed record AttentionCase(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int HeadSize)
{
    public bool Causal { get; init; }

    /// <summary>Query i sees the keys up to i + Offset.</summary>
    public int Offset { get; init; }

    /// <summary>Query i sees the keys behind i + Offset - Window; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>(B, Tq) and (B, Tk): only equal ones see each other.</summary>
    public int[]? QuerySegments { get; init; }

    public int[]? KeySegments { get; init; }

    public double Dropout { get; init; }

    /// <summary>One for each micro-batch of <see cref="SequencesPerKey"/> sequences.</summary>
    public ulong[] DropoutKeys { get; init; } = [];

    public int SequencesPerKey { get; init; } = 1;

    public float[] Q { get; init; } = Normals(1, Batch * Queries * Heads * HeadSize);

    public float[] K { get; init; } = Normals(2, Batch * Keys * KeyHeads * HeadSize);

    public float[] V { get; init; } = Normals(3, Batch * Keys * KeyHeads * HeadSize);

    public float[] Dy { get; init; } = Normals(4, Batch * Queries * Heads * HeadSize);

    public int QueryAt(int b, int i, int h) => ((b * Queries + i) * Heads + h) * HeadSize;

    public int KeyAt(int b, int j, int h) => ((b * Keys + j) * KeyHeads + h / (Heads / KeyHeads)) * HeadSize;

    public bool Sees(int b, int i, int j)
        => (!Causal || j <= i + Offset)
            && (Window == 0 || j > i + Offset - Window)
            && (QuerySegments is null || QuerySegments[b * Queries + i] == KeySegments![b * Keys + j]);

    /// <summary>Whether dropout leaves the weight of key j for query i.</summary>
    public bool Keeps(int b, int h, int i, int j)
    {
        if (Dropout == 0)
            return true;
        var row = (uint)(b % SequencesPerKey * Heads + h);
        var words = PlainPhilox.Words(((uint)j / 4, (uint)i, row, 0), DropoutKeys[b / SequencesPerKey]);
        return words[j % 4] >= (ulong)Math.Round(Dropout * 4294967296.0);
    }

    // About normal: the sum of four uniforms.
    private static float[] Normals(int seed, int count)
    {
        var random = new System.Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() + random.NextDouble()
            + random.NextDouble() + random.NextDouble() - 2) * 1.7))];
    }
}
