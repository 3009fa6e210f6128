using System.Collections.ObjectModel;

namespace Elastic.Storage;

/// <summary>
/// The first sentences of an audit about what does not fit: where the order of samples is another one, each of millions of blocks gives
/// one.
/// </summary>
internal sealed class AuditProblems : Collection<string>
{
    /// <summary>Sentences that are kept, as many as of a text's audit. Where there are that many, there may be more.</summary>
    public const int Most = 100;

    /// <inheritdoc/>
    protected override void InsertItem(int index, string item)
    {
        if (Count < Most)
            base.InsertItem(index, item);
    }
}
