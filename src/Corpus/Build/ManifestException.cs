using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>A manifest of a corpus build is wrong.</summary>
/// <param name="problems">A sentence about each thing.</param>
public sealed class ManifestException(IReadOnlyList<string> problems) : ElasticException(string.Join('\n', problems))
{
    /// <summary>A sentence about each thing.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}
