using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Elastic.Corpus.Build.Stages;

/// <summary>Keeps, of documents for which the same is said, the first one in key order.</summary>
public abstract class FirstOfAlike : CorpusStage
{
    // Half a SHA-256: two different texts share it with a probability below 10^-18 among 10^10 documents.
    private const int SketchBytes = 16;

    /// <summary>What says it; null for a document that has nothing to do with others.</summary>
    protected abstract string? SameOf(Draft draft);

    /// <inheritdoc/>
    public override byte[] Sketch(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return SameOf(draft) is { } same ? SHA256.HashData(Encoding.UTF8.GetBytes(same))[..SketchBytes] : [];
    }

    /// <inheritdoc/>
    public override bool IsSketch(ReadOnlySpan<byte> sketch, int characters) => sketch.Length == SketchBytes;

    /// <inheritdoc/>
    public override IEnumerable<Removal> Decide(IEnumerable<Candidate> candidates, DocumentTexts texts, StageWork work)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(work);
        using var sort = work.Sort<Entry>((a, b) => (a.Hash, a.Number).CompareTo((b.Hash, b.Number)));
        foreach (var candidate in candidates)
            sort.Add(new Entry(BinaryPrimitives.ReadUInt128BigEndian(candidate.Sketch), candidate.Number));
        Entry? first = null;
        foreach (var entry in sort.Sorted())
        {
            if (first?.Hash == entry.Hash)
                yield return new Removal(entry.Number, first.Value.Number, Similarity: 1);
            else
                first = entry;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Entry(UInt128 Hash, long Number);
}
