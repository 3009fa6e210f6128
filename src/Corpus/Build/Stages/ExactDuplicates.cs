using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>Keeps, of documents with the same text, case and white space aside, the first one in key order.</summary>
public sealed class ExactDuplicates : CorpusStage
{
    // Half a SHA-256: two different texts share it with a probability below 10^-18 among 10^10 documents.
    private const int SketchBytes = 16;

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<ExactDuplicatesSettings>("exact-duplicates", 1,
        "Keeps the first of documents with the same text, case and white space aside.",
        _ => new ExactDuplicates());

    /// <inheritdoc/>
    public override byte[] Sketch(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var lower = CodePoints.ToLower(draft.Text);
        draft.Cancel.ThrowIfCancellationRequested();
        var words = Lines.Words(lower);
        return SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', words)))[..SketchBytes];
    }

    /// <inheritdoc/>
    public override bool IsSketch(ReadOnlySpan<byte> sketch, int characters) => sketch.Length == SketchBytes;

    /// <inheritdoc/>
    public override IEnumerable<Removal> Decide(IEnumerable<Candidate> candidates, DocumentTexts texts, StageWork work)
    {
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

/// <summary>Block <c>exact-duplicates</c>: it has no settings of its own.</summary>
public sealed record ExactDuplicatesSettings : SettingsGroup;
