using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

/// <summary>One document through one stage.</summary>
internal static class StageRun
{
    /// <summary>What the stage leaves of the text, and why it drops it, if it does.</summary>
    public static (string Text, string? Why, IReadOnlyDictionary<string, double> Signals) Of(Stage stage, string text)
    {
        var draft = new Draft(new DocumentFacts("source", "name", DocumentFormat.Text), text);
        var signals = stage.Read(draft);
        return (draft.Text, stage.Refusal(signals), stage.Signals.Zip(signals).ToDictionary(s => s.First, s => s.Second));
    }
}
