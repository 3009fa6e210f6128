namespace Elastic.Corpus;

/// <summary>How often each n-gram occurs, of one order.</summary>
internal sealed class NGrams
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>All n-grams, repeated ones included.</summary>
    public long Total { get; private set; }

    /// <summary>Counts one more.</summary>
    public void Add(string gram)
    {
        _counts[gram] = _counts.GetValueOrDefault(gram) + 1;
        Total++;
    }

    /// <summary>N-grams that both have; one that occurs several times counts as often as it does in the side that has fewer.</summary>
    public long Common(NGrams other) => _counts.Sum(c => Math.Min(c.Value, other._counts.GetValueOrDefault(c.Key)));

    /// <summary>Raises each count to that of <paramref name="other"/>, where that is larger.</summary>
    public void RaiseTo(NGrams other)
    {
        foreach (var (gram, count) in other._counts)
        {
            var raised = Math.Max(count, _counts.GetValueOrDefault(gram));
            Total += raised - _counts.GetValueOrDefault(gram);
            _counts[gram] = raised;
        }
    }
}
