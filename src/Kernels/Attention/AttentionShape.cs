namespace Elastic.Kernels.Attention;

/// <summary>
/// What attention is computed for, and which keys a query sees. B sequences, Tq queries and Tk keys in each, H heads of queries in groups
/// of H / Hkv that share a head of keys and values, D channels a head.
/// </summary>
internal readonly unsafe struct AttentionShape
{
    /// <summary>B.</summary>
    public required int Sequences { get; init; }

    /// <summary>Tq.</summary>
    public required int Queries { get; init; }

    /// <summary>Tk.</summary>
    public required int Keys { get; init; }

    /// <summary>H.</summary>
    public required int Heads { get; init; }

    /// <summary>Hkv, a divisor of H.</summary>
    public required int KeyHeads { get; init; }

    /// <summary>D: at most 256; fast where it is a multiple of 8.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Query i sees key j only if j &lt;= i + <see cref="CausalOffset"/>.</summary>
    public bool IsCausal { get; init; }

    /// <summary>Keys before the first query's own, e.g. those of a key cache.</summary>
    public int CausalOffset { get; init; }

    /// <summary>
    /// Where it is above 0, query i sees key j only if j &gt; i + <see cref="CausalOffset"/> - Window: its own and those shortly before it.
    /// </summary>
    public int Window { get; init; }

    /// <summary>(B, Tq): a query sees only keys of its own segment. Null, as <see cref="KeySegments"/>, for no segments.</summary>
    public int* QuerySegments { get; init; }

    /// <summary>(B, Tk).</summary>
    public int* KeySegments { get; init; }

    /// <summary>How many of the weights are dropped; the default is none.</summary>
    public DropoutRate Dropout { get; init; }

    /// <summary>The keys of the random words, one for each micro-batch.</summary>
    public ulong* DropoutKeys { get; init; }

    /// <summary>Sequences of a micro-batch: sequence b draws with key b / SequencesPerDropoutKey.</summary>
    public int SequencesPerDropoutKey { get; init; }

    /// <summary>Which of all heads the first is, where devices share them: each draws the words of its own.</summary>
    public int FirstHead { get; init; }

    /// <summary>Heads of all devices together; 0 where these are all.</summary>
    public int AllHeads { get; init; }

    /// <summary>Heads of queries that share a head of keys.</summary>
    internal int GroupSize => Heads / KeyHeads;

    /// <summary>1 / sqrt(D), rounded to fp32 once.</summary>
    internal float Scale => (float)(1 / Math.Sqrt(HeadSize));

    internal int QueryBlocks => (Queries + Panel.Rows - 1) / Panel.Rows;

    internal int KeyBlocks => (Keys + Panel.Rows - 1) / Panel.Rows;

    internal int Panels => Panel.CountOf(HeadSize);

    /// <summary>Pairs of a query and a key that it sees, times channels, of all heads; as if there were no segments.</summary>
    internal double ChannelsOfPairs
    {
        get
        {
            // Query i sees keys 0 to i, the last Window of them where there is a window.
            var (queries, most) = ((double)Queries, Window > 0 ? Math.Min(Window, Queries) : Queries);
            var pairs = IsCausal ? most * (most + 1.0) / 2 + (queries - most) * most + queries * CausalOffset : queries * Keys;
            return pairs * Sequences * Heads * HeadSize;
        }
    }

    /// <exception cref="ArgumentException">The sizes are not those of an attention.</exception>
    internal void Check()
    {
        if (Sequences < 0 || Queries < 0 || Keys < 0 || Heads < 1 || KeyHeads < 1 || Heads % KeyHeads != 0)
            throw new ArgumentException($"{Heads} heads of queries cannot share {KeyHeads} heads of keys");
        if (HeadSize is < 1 or > 256)
            throw new ArgumentException($"a head has {HeadSize} channels: use 1 to 256");
        if ((QuerySegments is null) != (KeySegments is null))
            throw new ArgumentException("segments belong to queries and keys, or to none");
        if (Window < 0)
            throw new ArgumentException($"a window of {Window} keys: use 1 or more, or 0 for none");
        if (Dropout.Threshold > 0 && (DropoutKeys is null || SequencesPerDropoutKey < 1))
            throw new ArgumentException("dropout needs the keys of the micro-batches");
    }

    /// <summary>
    /// The keys that query i of a block of queries sees, as key j of a block of keys &lt;= i + shift. At least 64 where all are seen, and
    /// -64 or less where none is.
    /// </summary>
    internal int Shift(int firstQuery, int firstKey)
        => IsCausal ? (int)Math.Clamp((long)firstQuery + CausalOffset - firstKey, -Panel.Rows, Panel.Rows) : Panel.Rows;

    /// <summary>
    /// The keys that lie before the window of query i of a block of queries, as key j of a block of keys &lt;= i + past. -64 or less where
    /// none does, and 64 where all do.
    /// </summary>
    internal int Past(int firstQuery, int firstKey) => Window > 0
        ? (int)Math.Clamp((long)firstQuery + CausalOffset - firstKey - Window, -Panel.Rows, Panel.Rows) : -Panel.Rows;

    /// <summary>True if a block of keys holds nothing that a query of the block sees; false does not promise that one is seen.</summary>
    internal bool IsHidden(int sequence, int firstQuery, int queries, int firstKey, int keys)
    {
        if (Shift(firstQuery, firstKey) + queries - 1 < 0 || Past(firstQuery, firstKey) >= keys - 1)
            return true;
        if (QuerySegments is null)
            return false;
        var (leastQuery, mostQuery) = Range(QuerySegments + (long)sequence * Queries + firstQuery, queries);
        var (leastKey, mostKey) = Range(KeySegments + (long)sequence * Keys + firstKey, keys);
        return mostQuery < leastKey || mostKey < leastQuery;
    }

    private static (int Least, int Most) Range(int* values, int count)
    {
        var (least, most) = (values[0], values[0]);
        for (var i = 1; i < count; i++)
            (least, most) = (Math.Min(least, values[i]), Math.Max(most, values[i]));
        return (least, most);
    }
}
