using Elastic.Foundation;
using Elastic.Messages.Vectors;

namespace Elastic.Storage;

/// <summary>
/// The blobs of a version's parameters, frozen ones included, without what else its set names: an outer momentum is of use to its run
/// alone.
/// </summary>
public static class ParameterBlobs
{
    /// <summary>The version's own blob and then what it names; read from the store as they are asked for.</summary>
    /// <exception cref="BlobLostException">A set is missing or damaged.</exception>
    /// <exception cref="InvalidDataException">A set is none, or has no parameters.</exception>
    public static IEnumerable<Digest> ParameterBlobsOf(this BlobStore blobs, Digest version)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        return All().Distinct();

        IEnumerable<Digest> All()
        {
            yield return version;
            var set = blobs.ReadSet(version);
            foreach (var chunk in set[VectorSet.Parameters].Chunks)
                yield return chunk;
            if (set.Frozen is not { } frozen)
                yield break;
            yield return frozen;
            foreach (var chunk in blobs.ReadSet(frozen)[VectorSet.FrozenParameters].Chunks)
                yield return chunk;
        }
    }

    /// <summary>Copies them, as far as they are not in the store yet.</summary>
    /// <param name="read">The bytes of a blob, from elsewhere on this machine; null where it is not there.</param>
    /// <returns>False where some of it was found nowhere.</returns>
    /// <exception cref="InvalidDataException">A set is none, or has no parameters.</exception>
    public static bool CopyParameters(this BlobStore blobs, Digest version, Func<Digest, byte[]?> read)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(read);
        // A set is read when it is there.
        return blobs.ParameterBlobsOf(version).All(
            blob => blobs.Claim(blob) || (read(blob) is { } bytes && Digest.Of(bytes) == blob && blobs.Put(bytes) == blob));
    }

    /// <summary>Moves them to another store on the same disk.</summary>
    /// <inheritdoc cref="ParameterBlobsOf" path="/exception"/>
    public static void MoveParameters(this BlobStore blobs, Digest version, BlobStore to)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(to);
        foreach (var blob in blobs.ParameterBlobsOf(version).ToList())
        {
            var temporary = to.TemporaryPath(blob);
            File.Move(blobs.PathOf(blob), temporary);
            to.Adopt(blob, temporary);
        }
    }
}
