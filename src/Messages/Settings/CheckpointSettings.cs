namespace Elastic.Messages.Settings;

/// <summary>Block <c>checkpoint</c>: when a version is made durable, and how many are kept.</summary>
/// <param name="EveryRounds">Rounds between two checkpoints; the last round always makes one.</param>
/// <param name="Keep">Newest checkpoints that are kept.</param>
public sealed record CheckpointSettings(int EveryRounds, int Keep)
{
    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (EveryRounds < 1)
            yield return $"checkpoint.every-rounds = {EveryRounds}: use at least 1";
        if (Keep < 1)
            yield return $"checkpoint.keep = {Keep}: use at least 1";
    }
}
