using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;

namespace Elastic.Storage;

/// <summary>Flat vectors as chunk blobs, and vector sets as the small blobs that name them.</summary>
public static class VectorStore
{
    // Retentions come once a round: time for a file system to come back and for a scanner to let go. Where a sector cannot be read for
    // good, the disk has kept the versions of some rounds, no more.
    private const int MostUnread = 5;

    /// <summary>
    /// Stores the trained part of the vectors of these names chunk by chunk, all chunks beside one another, since hashing takes most of the
    /// time.
    /// </summary>
    public static IReadOnlyDictionary<string, VectorManifest> PutVectors(
        this BlobStore blobs, ReplicaVectors vectors, IReadOnlyList<string> names)
    {
        var layout = vectors.Layout;
        var chunks = names.ToDictionary(name => name, name => new Digest[VectorManifest.ChunkCount(layout.TrainedLengthOf(name))]);
        var all = chunks.SelectMany(c => Enumerable.Range(0, c.Value.Length).Select(chunk => (Name: c.Key, Chunk: chunk))).ToList();
        Parallels.For(all.Count, -1, i =>
        {
            var (name, chunk) = all[i];
            chunks[name][chunk] = blobs.PutElements(
                vectors, name, (long)chunk * VectorManifest.ChunkElements,
                VectorManifest.ElementsOf(layout.TrainedLengthOf(name), chunk));
        });
        return chunks.ToDictionary(c => c.Key, c => new VectorManifest(layout.TrainedLengthOf(c.Key), c.Value));
    }

    /// <summary>Stores one vector, likewise.</summary>
    public static VectorManifest PutVector(this BlobStore blobs, ReplicaVectors vectors, string name) =>
        blobs.PutVectors(vectors, [name])[name];

    /// <summary>Stores a vector that is made chunk by chunk: no more of it is in memory at a time.</summary>
    /// <param name="make">Fills elements from this one on.</param>
    public static VectorManifest PutMade(this BlobStore blobs, long start, long length, Action<long, Memory<float>> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        var buffer = new float[VectorManifest.ElementsOf(length, 0)];
        var chunks = new Digest[VectorManifest.ChunkCount(length)];
        for (var chunk = 0; chunk < chunks.Length; chunk++)
        {
            var elements = buffer.AsMemory(0, VectorManifest.ElementsOf(length, chunk));
            make(start + (long)chunk * VectorManifest.ChunkElements, elements);
            chunks[chunk] = blobs.Put(MemoryMarshal.AsBytes(elements.Span));
        }
        return new VectorManifest(length, chunks);
    }

    /// <summary>Stores the set of the frozen parameters, likewise; null where all are trained.</summary>
    /// <param name="make">Fills elements of the parameters from this one on.</param>
    public static Digest? PutFrozen(this BlobStore blobs, FlatLayout layout, Action<long, Memory<float>> make)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return layout.FrozenLength == 0 ? null : blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest>
        {
            [VectorSet.FrozenParameters] = blobs.PutMade(layout.TrainedLength, layout.FrozenLength, make),
        }));
    }

    /// <summary>The fingerprint that a version of these parameters has.</summary>
    public static Digest FingerprintOf(this ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        return FingerprintOf(vectors.Layout, (first, count) => Digest.Of(vectors.Bytes(VectorSet.Parameters, first, count)));
    }

    /// <summary>The fingerprint of a version whose parameters are elsewhere.</summary>
    /// <param name="chunk">The digest of so many elements from one on, as fp32; called by several threads.</param>
    public static Digest FingerprintOf(FlatLayout layout, Func<long, int, Digest> chunk)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(chunk);
        var trained = ManifestOf(0, layout.TrainedLength, chunk);
        return new VectorSet(
            new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = trained }, FrozenSet(layout, chunk)?.Digest).Fingerprint;
    }

    private static VectorSet? FrozenSet(FlatLayout layout, Func<long, int, Digest> chunk) => layout.FrozenLength == 0
        ? null
        : new VectorSet(new Dictionary<string, VectorManifest>
        {
            [VectorSet.FrozenParameters] = ManifestOf(layout.TrainedLength, layout.FrozenLength, chunk),
        });

    private static VectorManifest ManifestOf(long start, long length, Func<long, int, Digest> digest)
    {
        var chunks = new Digest[VectorManifest.ChunkCount(length)];
        // As many at once as there are cores: a chunk that is read from files takes 16 MiB.
        Parallels.For(chunks.Length, Environment.ProcessorCount, chunk => chunks[chunk] = digest(
            start + (long)chunk * VectorManifest.ChunkElements, VectorManifest.ElementsOf(length, chunk)));
        return new VectorManifest(length, chunks);
    }

    private static Digest PutElements(this BlobStore blobs, ReplicaVectors vectors, string name, long first, int count)
    {
        if (vectors.OnHost)
            return blobs.Put(vectors.Bytes(name, first, count));
        var staging = new float[count];
        vectors.CopyTo(name, first, staging);
        return blobs.Put(MemoryMarshal.AsBytes(staging.AsSpan()));
    }

    /// <summary>Reads a vector into the trained part of the one called <paramref name="name"/>, every chunk verified.</summary>
    /// <exception cref="BlobLostException">A chunk is missing or damaged.</exception>
    /// <exception cref="ElasticException">The vector is of another model, or of another type.</exception>
    public static void ReadVector(this BlobStore blobs, VectorManifest vector, ReplicaVectors into, string name) =>
        blobs.Read(vector, into, name, 0, into.Layout.TrainedLengthOf(name));

    /// <summary>Reads the set of the frozen parameters into the parameters, likewise.</summary>
    /// <exception cref="InvalidDataException">The set has no frozen parameters.</exception>
    /// <inheritdoc cref="ReadVector" path="/exception"/>
    public static void ReadFrozen(this BlobStore blobs, Digest set, ReplicaVectors into) => blobs.Read(
        blobs.ReadSet(set)[VectorSet.FrozenParameters], into, VectorSet.Parameters, into.Layout.TrainedLength, into.Layout.FrozenLength);

    /// <summary>Reads some elements of a vector, likewise, and writes nowhere else: only the chunks that hold them are read.</summary>
    /// <param name="ranges">First elements and numbers of them, by first element.</param>
    /// <inheritdoc cref="ReadVector" path="/exception"/>
    public static void ReadRanges(
        this BlobStore blobs, VectorManifest vector, ReplicaVectors into, string name, IReadOnlyList<(long First, long Count)> ranges)
    {
        ArgumentNullException.ThrowIfNull(into);
        blobs.ReadRanges(vector, into, name, ranges, 0, into.Layout.TrainedLengthOf(name));
    }

    /// <summary>Reads some elements of the set of the frozen parameters, likewise.</summary>
    /// <param name="ranges">By their places in the parameters.</param>
    /// <inheritdoc cref="ReadFrozen" path="/exception"/>
    public static void ReadFrozenRanges(
        this BlobStore blobs, Digest set, ReplicaVectors into, IReadOnlyList<(long First, long Count)> ranges)
    {
        ArgumentNullException.ThrowIfNull(into);
        blobs.ReadRanges(
            blobs.ReadSet(set)[VectorSet.FrozenParameters], into, VectorSet.Parameters, ranges, into.Layout.TrainedLength,
            into.Layout.FrozenLength);
    }

    // Of a vector that begins at this element of the one into which it is read.
    private static void ReadRanges(
        this BlobStore blobs, VectorManifest vector, ReplicaVectors into, string name, IReadOnlyList<(long First, long Count)> ranges,
        long origin, long length)
    {
        ArgumentNullException.ThrowIfNull(vector);
        Check(vector, name, length);
        var staging = new float[Math.Min(length, VectorManifest.ChunkElements)];
        foreach (var chunk in ChunksOf(ranges, origin))
        {
            var (start, count) = (origin + (long)chunk * VectorManifest.ChunkElements, VectorManifest.ElementsOf(length, chunk));
            blobs.Read(vector.Chunks[chunk], MemoryMarshal.AsBytes(staging.AsSpan(0, count)));
            foreach (var (first, elements) in ranges)
            {
                var (low, high) = (Math.Max(first, start), Math.Min(first + elements, start + count));
                if (low < high)
                    into.CopyFrom(name, low, staging.AsSpan((int)(low - start), (int)(high - low)));
            }
        }
    }

    /// <summary>The chunks that hold some of these elements, in order.</summary>
    /// <param name="ranges">First elements and numbers of them.</param>
    /// <param name="origin">The element with which the first chunk begins.</param>
    public static IEnumerable<int> ChunksOf(IEnumerable<(long First, long Count)> ranges, long origin = 0) =>
        ranges.Where(r => r.Count > 0).SelectMany(r =>
        {
            var first = (int)((r.First - origin) / VectorManifest.ChunkElements);
            return Enumerable.Range(first, (int)((r.First - origin + r.Count - 1) / VectorManifest.ChunkElements) - first + 1);
        }).Distinct().Order();

    /// <summary>Looks whether a stored vector is one of this model.</summary>
    /// <param name="length">Elements that it has to have.</param>
    /// <inheritdoc cref="ReadVector" path="/exception[@cref='ElasticException']"/>
    internal static void Check(VectorManifest vector, string name, long length)
    {
        if (vector.Elements != length)
            throw new ElasticException(
                $"the stored vector \"{name}\" has {vector.Elements} elements where this model has {length}: it is of another model");
        if (vector.Type != ElementType.Float32)
            throw new ElasticException($"the stored vector \"{name}\" is {vector.Type.Word()}, and this version of Elastic reads fp32");
    }

    private static void Read(this BlobStore blobs, VectorManifest vector, ReplicaVectors into, string name, long start, long length)
    {
        Check(vector, name, length);
        var staging = into.OnHost ? [] : new float[Math.Min(length, VectorManifest.ChunkElements)];
        for (var chunk = 0; chunk < vector.Chunks.Count; chunk++)
        {
            var (first, count) = (start + (long)chunk * VectorManifest.ChunkElements, VectorManifest.ElementsOf(length, chunk));
            if (into.OnHost)
            {
                blobs.Read(vector.Chunks[chunk], into.Bytes(name, first, count));
                continue;
            }

            blobs.Read(vector.Chunks[chunk], MemoryMarshal.AsBytes(staging.AsSpan(0, count)));
            into.CopyFrom(name, first, staging.AsSpan(0, count));
        }
    }

    /// <summary>Stores the set itself; its vectors must be stored already.</summary>
    public static Digest PutSet(this BlobStore blobs, VectorSet set) => blobs.Put(set.ToBytes());

    public static VectorSet ReadSet(this BlobStore blobs, Digest digest) => VectorSet.Parse(blobs.Read(digest));

    /// <summary>Reads a set of a model's vectors: it may come from another node, and its chunks are fetched next.</summary>
    /// <param name="elements">Elements that each of its vectors has: those of the model's trained part, or of its frozen one.</param>
    /// <param name="frozen">Elements of the model's frozen part.</param>
    /// <exception cref="InvalidDataException">Its vectors are of another model.</exception>
    public static VectorSet ReadSet(this BlobStore blobs, Digest digest, long elements, long frozen)
    {
        var set = blobs.ReadSet(digest);
        if (set.Frozen is not null && frozen == 0)
            throw new InvalidDataException($"the set {digest.Short} has frozen parameters, and this model has none");
        var different = set.Vectors.FirstOrDefault(v => v.Value.Elements != VectorSet.ElementsOf(v.Key, elements));
        return different is { Key: { } name, Value: var other }
            ? throw new InvalidDataException($"the vector \"{OneLine.Of(name, 40)}\" of the set {digest.Short} has {other.Elements} "
                + $"elements where this model has {VectorSet.ElementsOf(name, elements)}")
            : set;
    }

    /// <summary>True when the set and every chunk of it is there with its digest.</summary>
    /// <param name="thorough">Read all bytes again, even of blobs that this process has written or verified.</param>
    public static bool IsWhole(this BlobStore blobs, Digest set, bool thorough = true)
    {
        Func<Digest, bool> isWhole = thorough ? blobs.IsIntact : blobs.IsSound;
        return isWhole(set) && blobs.ReadSet(set) is var content && content.Chunks().Distinct().All(isWhole)
            && (content.Frozen is not { } frozen || (isWhole(frozen) && blobs.ReadSet(frozen).Chunks().Distinct().All(isWhole)));
    }

    /// <summary>All that a set stands for besides its own bytes.</summary>
    public static IEnumerable<Digest> BlobsOf(this BlobStore blobs, Digest digest)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        var set = blobs.ReadSet(digest);
        return set.Frozen is { } frozen ? [.. set.Chunks(), frozen, .. blobs.ReadSet(frozen).Chunks()] : set.Chunks();
    }

    /// <summary>True when the files of the set and of every chunk are there. Quick: reads the set, but no chunk.</summary>
    public static bool IsThere(this BlobStore blobs, Digest set)
    {
        try
        {
            return blobs.BlobsOf(set).All(blobs.Has);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return false;                                              // a set that the disk cannot read is not there
        }
    }

    /// <summary>Forces sets and all their chunks onto the disk.</summary>
    public static void FlushSets(this BlobStore blobs, IEnumerable<Digest> sets)
    {
        var all = sets.Distinct().ToList();
        blobs.Flush(all.SelectMany(blobs.BlobsOf).Distinct().Concat(all));
    }

    /// <summary>Deletes what these sets do not refer to and what was not written for <paramref name="round"/> or a later one.</summary>
    /// <remarks>
    /// A set whose blob is damaged keeps nothing: nobody can say which chunks it names. The set counts as lost here, as in a survey, and is
    /// fetched again with its chunks by whoever needs it. A set that only cannot be read (a network file system is away, a scanner holds
    /// the file) is as good as ever a moment later: nothing is deleted this time. Once it could not be read in several retentions in a row
    /// it counts as damaged, too, or the disk would fill up.
    /// </remarks>
    public static Retention Retain(this BlobStore blobs, IEnumerable<Digest> sets, int round)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(sets);
        var keep = new HashSet<Digest>();
        var problems = new List<string>();
        var isAllRead = true;
        foreach (var set in sets)
        {
            try
            {
                keep.UnionWith(blobs.BlobsOf(set));
                keep.Add(set);
                blobs.NoteRead(set);
            }
            catch (BlobLostException) when (!blobs.Has(set))
            {
                // Another node has it.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                if (e is BlobLostException or InvalidDataException || blobs.NoteUnread(set) > MostUnread)
                {
                    problems.Add($"the vector set {set.Short} is not kept: {e.Message}");
                    continue;
                }

                isAllRead = false;
                problems.Add($"nothing is deleted this time, since the vector set {set.Short} cannot be read: {e.Message}");
            }
        }

        if (!isAllRead)
            return new Retention(0, problems);
        var (freed, stuck) = blobs.Collect(keep, round);
        return new Retention(freed, [.. problems, .. stuck]);
    }
}
