using Elastic.Messages;
using Elastic.Messages.Vectors;

namespace Elastic.Actors.Blobs;

/// <summary>The bytes of <paramref name="count"/> elements of a flat fp32 vector, from element <paramref name="first"/>.</summary>
public delegate Span<byte> VectorBytes(long first, int count);

/// <summary>Flat vectors as chunk blobs, and vector sets as the small blobs that name them.</summary>
public static class VectorStore
{
    /// <summary>Stores a vector chunk by chunk.</summary>
    public static VectorManifest PutVector(this BlobStore blobs, long elements, VectorBytes bytes)
    {
        var chunks = new Digest[VectorManifest.ChunkCount(elements)];
        for (var chunk = 0; chunk < chunks.Length; chunk++)
            chunks[chunk] = blobs.Put(bytes((long)chunk * VectorManifest.ChunkElements, VectorManifest.ElementsOf(elements, chunk)));
        return new VectorManifest(elements, chunks);
    }

    /// <summary>Reads a vector, every chunk verified.</summary>
    /// <exception cref="BlobLostException">A chunk is missing or damaged.</exception>
    public static void ReadVector(this BlobStore blobs, VectorManifest vector, VectorBytes into)
    {
        for (var chunk = 0; chunk < vector.Chunks.Count; chunk++)
            blobs.Read(vector.Chunks[chunk], into((long)chunk * VectorManifest.ChunkElements, VectorManifest.ElementsOf(vector.Elements, chunk)));
    }

    /// <summary>Stores the set itself; its vectors must be stored already.</summary>
    public static Digest PutSet(this BlobStore blobs, VectorSet set) => blobs.Put(set.ToBytes());

    public static VectorSet ReadSet(this BlobStore blobs, Digest digest) => VectorSet.Parse(blobs.Read(digest));

    /// <summary>True when the set and every chunk of it is there with its digest.</summary>
    public static bool IsWhole(this BlobStore blobs, Digest set) =>
        blobs.IsIntact(set) && blobs.ReadSet(set).Chunks().Distinct().All(blobs.IsIntact);

    /// <summary>Forces sets and all their chunks onto the disk.</summary>
    public static void FlushSets(this BlobStore blobs, IEnumerable<Digest> sets)
    {
        var all = sets.Distinct().ToList();
        blobs.Flush(all.SelectMany(set => blobs.ReadSet(set).Chunks()).Concat(all));
    }

    /// <summary>Deletes what these sets do not refer to.</summary>
    /// <returns>Bytes freed.</returns>
    public static long Retain(this BlobStore blobs, IEnumerable<Digest> sets)
    {
        var keep = new HashSet<Digest>();
        foreach (var set in sets.Where(blobs.Has))
        {
            keep.Add(set);
            keep.UnionWith(blobs.ReadSet(set).Chunks());
        }

        return blobs.Collect(keep);
    }
}
