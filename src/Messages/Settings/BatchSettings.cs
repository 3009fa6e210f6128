namespace Elastic.Messages.Settings;

/// <summary>Block <c>batch</c>: what one inner step of one replica reads.</summary>
public sealed record BatchSettings : SettingsGroup
{
    // A hundred times the largest batches that anybody trains with; two of the largest numbers still multiply.
    private const int MostSequences = 1 << 20;

    public static BatchSettings Defaults { get; } = SettingsRecord.DefaultsOf<BatchSettings>();

    [Setting("batch.sequences", 16, "B: blocks per inner step and replica.")]
    [Between(1, MostSequences)]
    public required int Sequences { get; init; }

    [Setting("batch.micro", 8, """
        Blocks per forward pass, the unit of compute; divides sequences. It decides how much memory a step takes and among how many
        devices a step can be spread (sequences / micro), and it is part of the answer: another micro gives other last bits.
        """)]
    [Between(1, MostSequences)]
    public required int Micro { get; init; }

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
