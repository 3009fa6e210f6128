namespace Elastic.Corpus.Build.Stages;

/// <summary>What stages look at of a long text.</summary>
public static class Beginning
{
    /// <summary>The first characters of a text; never half of one.</summary>
    /// <param name="most">UTF-16 units, at least 1.</param>
    public static string Of(string text, int most)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        return text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
    }
}
