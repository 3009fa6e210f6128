namespace Elastic.Messages.Settings;

/// <summary>Block <c>corpus</c>: which text, and how it becomes tokens.</summary>
/// <param name="Sources">Files and folders; empty for the default corpus.</param>
/// <param name="Tokenizer">"byte" or "gpt2".</param>
/// <param name="HeldOut">Share of the documents kept from training, chosen by document hash.</param>
public sealed record CorpusSettings(IReadOnlyList<string> Sources, string Tokenizer, double HeldOut)
{
    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (Tokenizer is not ("byte" or "gpt2"))
            yield return $"corpus.tokenizer = \"{Tokenizer}\": use \"byte\" or \"gpt2\"";
        if (HeldOut is not (>= 0 and <= 0.5))
            yield return $"corpus.held-out = {HeldOut}: use 0 to 0.5";
    }
}
