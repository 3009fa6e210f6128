namespace Elastic.Messages.Settings;

/// <summary>Block <c>batch</c>: what one inner step of one replica reads.</summary>
/// <param name="Sequences">B: blocks per inner step and replica.</param>
/// <param name="Micro">Blocks per forward pass, the unit of compute; divides <paramref name="Sequences"/>.</param>
public sealed record BatchSettings(int Sequences, int Micro)
{
    /// <summary>M: micro-batches per inner step, whose gradients are summed along the tree.</summary>
    public int MicroBatches => Sequences / Micro;

    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (Sequences < 1)
            yield return $"batch.sequences = {Sequences}: use at least 1";
        if (Micro < 1)
            yield return $"batch.micro = {Micro}: use at least 1";
        if (Sequences >= 1 && Micro >= 1 && Sequences % Micro != 0)
        {
            var nearest = Enumerable.Range(1, Sequences).Where(m => Sequences % m == 0).MinBy(m => Math.Abs(m - Micro));
            yield return $"batch.sequences = {Sequences} does not divide by batch.micro = {Micro}: every forward pass has the same size; " +
                         $"use batch.micro = {nearest}";
        }
    }
}
