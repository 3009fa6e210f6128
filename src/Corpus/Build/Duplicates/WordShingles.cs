namespace Elastic.Corpus.Build.Duplicates;

/// <summary>The neighbouring words of a text as a set, by which texts are compared: see <see cref="WordRuns"/>.</summary>
internal static class WordShingles
{
    /// <summary>A hash of 64 bits of each run of <paramref name="length"/> words, each once; of a shorter text, of all its words.</summary>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static HashSet<ulong> Of(string text, int length, CancellationToken cancel = default)
    {
        var words = new WordRuns(text, cancel);
        return words.Count == 0 ? [] : [.. words.Of(Math.Min(length, words.Count)).Watched(cancel).Select(run => run.Hash)];
    }
}
