namespace Elastic.Messages.Settings;

/// <summary>Block <c>evaluation</c>: how often the held-out text is scored, and how much of it.</summary>
/// <param name="EveryRounds">Rounds between two evaluations; the first version and the last are always scored.</param>
/// <param name="Sequences">Held-out blocks per evaluation, evenly spread; fewer where there are not so many.</param>
public sealed record EvaluationSettings(int EveryRounds, int Sequences)
{
    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (EveryRounds < 1)
            yield return $"evaluation.every-rounds = {EveryRounds}: use at least 1";
        if (Sequences < 1)
            yield return $"evaluation.sequences = {Sequences}: use at least 1";
    }
}
