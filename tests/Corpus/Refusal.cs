using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

/// <summary>Checks what a person is told when something is refused.</summary>
internal static class Refusal
{
    /// <summary>The act is refused, and the message holds <paramref name="words"/>.</summary>
    public static void Says(string words, Func<object?> act) =>
        Assert.Contains(words, Assert.ThrowsAny<ElasticException>(act).Message, StringComparison.Ordinal);
}
