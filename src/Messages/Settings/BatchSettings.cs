namespace Elastic.Messages.Settings;

/// <summary>What of a forward pass is kept for the backward pass.</summary>
public enum RecomputeMode
{
    /// <summary>All that it needs.</summary>
    None,

    /// <summary>What goes from one block of the network to the next; the rest is computed again, block by block.</summary>
    Blocks,

    /// <summary>What goes from one group of blocks to the next; the rest is computed again, and inside of a block twice again.</summary>
    Full,
}

/// <summary>Block <c>batch</c>: what one inner step of one replica reads.</summary>
public sealed record BatchSettings : SettingsGroup
{
    // A hundred times the largest batches that anybody trains with; two of the largest numbers still multiply.
    private const int MostSequences = 1 << 20;

    public static BatchSettings Defaults { get; } = SettingsRecord.DefaultsOf<BatchSettings>();

    [Setting("batch.sequences", 16, "B: blocks per inner step and replica.")]
    [Between(1, MostSequences), MayChange]
    public required int Sequences { get; init; }

    [Setting("batch.micro", 8, """
        Blocks per forward pass, the unit of compute; divides sequences. It decides how much memory a step takes and among how many
        devices a step can be spread (sequences / micro), and it is part of the answer: another micro gives other last bits.
        """)]
    [Between(1, MostSequences), MayChange]
    public required int Micro { get; init; }

    [Setting("batch.recompute", RecomputeMode.None, """
        none: a step keeps all that its backward pass reads. blocks: it keeps what goes from one layer to the next, and computes the rest
        again, layer by layer, where the backward pass needs it: activations take a fraction of the memory, a step about a fifth more
        time, and no bit changes. full: of L layers it keeps what goes into every √L-th, and computes layers forwards three times in all:
        for deep models and long contexts. For what does not fit otherwise. Devices of libtorch's
        CPU, and GPUs without NVRTC, keep all.
        """, PartOfAnswer = false)]
    [Since(4, RecomputeMode.None)]
    public required RecomputeMode Recompute { get; init; }

    /// <summary>M: micro-batches per inner step, whose gradients are summed along the tree.</summary>
    public int MicroBatches => Sequences / Micro;

    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Sequences < 1 || Micro < 1 || Sequences % Micro == 0)
            yield break;
        // Divisors come in pairs, of which one is no larger than the root: a batch of a million takes a thousand divisions.
        var nearest = Enumerable.Range(1, (int)Math.Sqrt(Sequences)).Where(m => Sequences % m == 0)
            .SelectMany(m => new[] { m, Sequences / m }).Order().MinBy(m => Math.Abs((long)m - Micro));
        yield return $"batch.sequences = {Sequences} does not divide by batch.micro = {Micro}: every forward pass has the same size; " +
                     $"use batch.micro = {nearest}";
    }
}
