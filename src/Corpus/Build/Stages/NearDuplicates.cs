using System.Collections;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Elastic.Corpus.Build.Duplicates;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Keeps, of documents that are nearly alike, the first one in key order: a document goes where the Jaccard similarity of its word n-grams
/// with those of an earlier document that was kept reaches the threshold. Candidates come from MinHash signatures in bands (Leskovec,
/// Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4): two documents of similarity s share a band with a probability of
/// 1 - (1 - s^rows)^bands. Each candidate's similarity is then computed from the texts, so that no document goes for a mere chance.
/// </summary>
public sealed class NearDuplicates(NearDuplicatesSettings settings) : CorpusStage
{
    private readonly MinHash _hash = MinHash.Of(settings.Bands * settings.Rows);

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<NearDuplicatesSettings>("near-duplicates", 1,
        "Keeps the first of documents that are nearly alike: MinHash finds candidates, and their similarity is verified.",
        settings => new NearDuplicates(settings));

    /// <inheritdoc/>
    public override byte[] Sketch(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var shingles = WordShingles.Of(draft.Text, settings.Words, draft.Cancel);
        return shingles.Count == 0 ? []
            : MemoryMarshal.AsBytes(_hash.Signature(shingles.Watched(draft.Cancel).Select(shingle => (uint)shingle)).AsSpan()).ToArray();
    }

    /// <inheritdoc/>
    public override bool IsSketch(ReadOnlySpan<byte> sketch, int characters) =>
        sketch.Length == settings.Bands * settings.Rows * sizeof(uint);

    /// <inheritdoc/>
    public override IEnumerable<Removal> Decide(IEnumerable<Candidate> candidates, DocumentTexts texts, StageWork work)
    {
        using var pairs = work.Sort<Pair>((a, b) => (a.Later, a.Earlier).CompareTo((b.Later, b.Earlier)));
        foreach (var pair in Pairs(candidates, work))
            pairs.Add(pair);
        var removals = settings.Rule == DuplicateRule.Components
            ? Connected(pairs.Sorted(), texts, work.Cancel) : Verified(pairs.Sorted(), texts, work.Cancel);
        foreach (var removal in removals)
            yield return removal;
    }

    // The members of each bucket with the first few of it: the rest of a large bucket are copies of one another, nearly always of these.
    private IEnumerable<Pair> Pairs(IEnumerable<Candidate> candidates, StageWork work)
    {
        using var buckets = work.Sort<Entry>((a, b) => (a.Band, a.Hash, a.Number).CompareTo((b.Band, b.Hash, b.Number)));
        var bandBytes = settings.Rows * sizeof(uint);
        foreach (var candidate in candidates)
        {
            for (var band = 0; band < settings.Bands; band++)
                buckets.Add(new Entry(
                    XxHash3.HashToUInt64(candidate.Sketch.AsSpan(band * bandBytes, bandBytes)), candidate.Number, band));
        }
        var (bucket, first) = ((Band: -1, Hash: 0UL), new List<long>());
        var (members, large, largest, left) = (0L, 0L, 0L, 0L);
        foreach (var entry in buckets.Sorted())
        {
            if (bucket != (entry.Band, entry.Hash))
            {
                bucket = (entry.Band, entry.Hash);
                members = 0;
                first.Clear();
            }
            foreach (var earlier in first)
                yield return new Pair(entry.Number, earlier);
            if (members > first.Count)
            {
                // Counted once, by the first of its documents that is not compared with all before it.
                large += members == first.Count + 1 ? 1 : 0;
                left += members - first.Count;
                largest = Math.Max(largest, members + 1);
            }
            members++;
            if (first.Count < settings.MostInBucket)
                first.Add(entry.Number);
        }
        work.LargeBuckets = new LargeBuckets(Kind.Name, settings.MostInBucket, large, largest, left);
    }

    // In the order of the later document, so that it is known of each earlier one whether it stays.
    private IEnumerable<Removal> Verified(IEnumerable<Pair> pairs, DocumentTexts texts, CancellationToken cancel)
    {
        var dropped = new BitArray(1024);
        var shingles = Shingles(texts, cancel);
        Pair? before = null;
        foreach (var pair in pairs)
        {
            if (dropped.Length <= pair.Later)
                dropped.Length = LengthFor(dropped.Length, pair.Later);
            var isKnown = pair == before || dropped[(int)pair.Later] || dropped[(int)pair.Earlier];
            before = pair;
            if (isKnown)
                continue;
            var similarity = Similarity(shingles[pair.Later], shingles[pair.Earlier]);
            if (similarity < settings.Threshold)
                continue;
            dropped[(int)pair.Later] = true;
            yield return new Removal(pair.Later, pair.Earlier, similarity);
        }
    }

    /// <summary>How long an array of bits grows that is to hold a number: twice as long, and no longer than one can be.</summary>
    internal static int LengthFor(long length, long number)
    {
        if (number >= int.MaxValue)
            throw new ElasticException($"near-duplicates compares at most {int.MaxValue} documents, and there are more: make two builds "
                + "of the sources");
        while (length <= number)
            length = Math.Min(int.MaxValue, 2 * length);
        return (int)length;
    }

    private IEnumerable<Removal> Connected(IEnumerable<Pair> pairs, DocumentTexts texts, CancellationToken cancel)
    {
        var (components, shingles) = (new Components(), Shingles(texts, cancel));
        foreach (var pair in pairs.Where(pair => !components.AreConnected(pair.Later, pair.Earlier)))
        {
            var similarity = Similarity(shingles[pair.Later], shingles[pair.Earlier]);
            if (similarity >= settings.Threshold)
                components.Connect(pair.Later, pair.Earlier, similarity);
        }
        return components.Removals(cancel);
    }

    private RecentShingles Shingles(DocumentTexts texts, CancellationToken cancel) =>
        new(number => WordShingles.Of(texts[number], settings.Words, cancel));

    /// <summary>Jaccard's: what both have, of what either has.</summary>
    internal static double Similarity(IReadOnlySet<ulong> a, IReadOnlySet<ulong> b)
    {
        var both = (a.Count < b.Count ? a : b).Count((a.Count < b.Count ? b : a).Contains);
        return (double)both / (a.Count + b.Count - both);
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Entry(ulong Hash, long Number, int Band);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Pair(long Later, long Earlier);
}

/// <summary>Which documents go that are nearly alike.</summary>
public enum DuplicateRule
{
    /// <summary>All documents go that are like an earlier one which was kept.</summary>
    FirstKept,

    /// <summary>All but the first of those that a chain of similar pairs connects.</summary>
    Components,
}

/// <summary>Block <c>near-duplicates</c>. The defaults are FineWeb's (Penedo et al. 2024, section 3.4 and its code).</summary>
public sealed record NearDuplicatesSettings : SettingsGroup
{
    [Setting("near-duplicates.threshold", 0.75, "The similarity, verified, from which on the later of two documents is dropped.")]
    [Between(0, 1)]
    public required double Threshold { get; init; }

    [Setting("near-duplicates.rule", DuplicateRule.FirstKept, """
        first-kept: a document goes where it is like an earlier one that was kept. components: of all documents that a chain of pairs
        connects, each alike enough, the first one stays, as most tools have it; the ends of a chain may have little in common.
        """)]
    public required DuplicateRule Rule { get; init; }

    [Setting("near-duplicates.words", 5, "Words of an n-gram.")]
    [Between(1, 100), ChangesReading]
    public required int Words { get; init; }

    [Setting("near-duplicates.bands", 14, """
        Bands of a signature: two documents become candidates where they agree in a whole one. 14 bands of 8 rows find 77 of 100 pairs
        of similarity 0.75, 92 of similarity 0.8, and 99 of similarity 0.85.
        """)]
    [Between(1, 256), ChangesReading]
    public required int Bands { get; init; }

    [Setting("near-duplicates.rows", 8, "Values of a band.")]
    [Between(1, 64), ChangesReading]
    public required int Rows { get; init; }

    [Setting("near-duplicates.most-in-bucket", 64, """
        Each document is compared with at most that many earlier ones of a bucket, the first ones: thousands of copies of one page would
        give millions of pairs. The datasheet says how many were not compared for that.
        """)]
    [Between(1, 1_000_000)]
    public required int MostInBucket { get; init; }
}
