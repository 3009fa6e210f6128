using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Messages.Vectors;

/// <summary>
/// A flat vector as blobs: its length, its elements' type and the SHA-256 of each chunk of <see cref="ChunkElements"/> elements.
/// </summary>
/// <param name="Elements">Elements in the vector; the last chunk holds what remains.</param>
/// <param name="Chunks">One digest per chunk, in order.</param>
public sealed record VectorManifest(long Elements, IReadOnlyList<Digest> Chunks, ElementType Type = ElementType.Float32)
{
    /// <summary>4 Mi elements, 16 MiB of fp32: the unit of transfer and averaging.</summary>
    public const int ChunkElements = 4 << 20;

    /// <summary>Bytes of a chunk of the widest type.</summary>
    public const int MostChunkBytes = ChunkElements * sizeof(float);

    /// <summary>Chunks in a vector of <paramref name="elements"/> elements.</summary>
    public static int ChunkCount(long elements) => checked((int)((elements + ChunkElements - 1) / ChunkElements));

    /// <summary>Elements of chunk <paramref name="chunk"/> of a vector of <paramref name="elements"/> elements.</summary>
    public static int ElementsOf(long elements, int chunk) =>
        (int)Math.Min(ChunkElements, elements - (long)chunk * ChunkElements);

    /// <summary>One SHA-256 for the whole vector: over its chunks' digests.</summary>
    public Digest Fingerprint
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var chunk in Chunks)
                hash.AppendData(Convert.FromHexString(chunk.Hex));
            return Digest.Of(hash);
        }
    }
}

/// <summary>
/// Named vectors that belong together, itself a blob whose digest stands for all of them: a model version, a contribution,
/// a replica's inner state. Its bytes are canonical: the same vectors always have the same digest.
/// </summary>
/// <param name="Vectors">By name, see the constants.</param>
/// <param name="Frozen">
/// The set of the parameters that no step changes, which all versions of a run share; null where all are trained. Whoever has this set has
/// that one, too.
/// </param>
public sealed record VectorSet(IReadOnlyDictionary<string, VectorManifest> Vectors, Digest? Frozen = null)
{
    public const string Parameters = "parameters";
    public const string FirstMoment = "first-moment";
    public const string SecondMoment = "second-moment";
    public const string OuterMomentum = "outer-momentum";

    /// <summary>The only vector of a set of frozen parameters.</summary>
    public const string FrozenParameters = "frozen-parameters";

    /// <summary>The state of a loss scale: a few numbers, whatever the model's size.</summary>
    public const string LossScale = "loss-scale";

    /// <summary>Elements of <see cref="LossScale"/>.</summary>
    public const int LossScaleElements = 4;

    /// <summary>Bytes of the longest set: four vectors of the largest model that settings allow, 65 bytes a chunk.</summary>
    public const int MostBytes = 128 << 20;

    private const string Header = "elastic vector set 1";
    private const string FrozenWord = "frozen";

    /// <summary>The vector of that name; an error where the set has none.</summary>
    public VectorManifest this[string name] => Vectors.TryGetValue(name, out var vector)
        ? vector
        : throw new InvalidDataException($"the vector set {Digest.Short} has no vector \"{name}\"");

    /// <summary>Elements that a vector of that name has.</summary>
    /// <param name="elements">Elements of the model's flat vector.</param>
    public static long ElementsOf(string name, long elements) => name == LossScale ? LossScaleElements : elements;

    /// <summary>The digest of <see cref="ToBytes"/>.</summary>
    public Digest Digest => Digest.Of(ToBytes());

    /// <summary>
    /// One SHA-256 for a version's parameters: that of the trained ones, over which that of the frozen ones is taken where there are any.
    /// </summary>
    public Digest Fingerprint => Frozen is { } frozen
        ? Digest.Of(Convert.FromHexString(this[Parameters].Fingerprint.Hex + frozen.Hex))
        : this[Parameters].Fingerprint;

    /// <summary>
    /// The canonical form: a header line, then "name elements digest digest …", one line a vector, in ordinal order. A type other than
    /// fp32 comes before the digests; fp32 is not written, so that sets from before types existed keep their bytes. Frozen parameters are a
    /// line "frozen digest" before the vectors.
    /// </summary>
    public byte[] ToBytes()
    {
        var text = new StringBuilder(Header).Append('\n');
        if (Frozen is { } frozen)
            text.Append(FrozenWord).Append(' ').Append(frozen.Hex).Append('\n');
        foreach (var (name, vector) in Vectors.OrderBy(v => v.Key, StringComparer.Ordinal))
            text.Append(name).Append(' ').Append(vector.Elements.ToString(CultureInfo.InvariantCulture)).Append(' ')
                .Append(vector.Type == ElementType.Float32 ? "" : vector.Type.Word() + " ").AppendJoin(' ', vector.Chunks).Append('\n');
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>The model version that consists of these chunks.</summary>
    /// <param name="elements">Elements of a vector.</param>
    /// <param name="chunks">All of them, in order, all with an outer momentum or all without.</param>
    /// <param name="frozen">The set of the frozen parameters, if any.</param>
    public static VectorSet Version(long elements, IReadOnlyList<AveragedChunk> chunks, Digest? frozen)
    {
        var vectors = new Dictionary<string, VectorManifest> { [Parameters] = new(elements, [.. chunks.Select(c => c.Parameters)]) };
        if (chunks[0].OuterMomentum is not null)
            vectors[OuterMomentum] = new(elements, [.. chunks.Select(c => c.OuterMomentum!.Value)]);
        return new VectorSet(vectors, frozen);
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are something else.</exception>
    public static VectorSet Parse(ReadOnlySpan<byte> bytes)
    {
        var lines = Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0 || lines[0] != Header)
            throw new InvalidDataException("these bytes are no vector set");
        var vectors = new Dictionary<string, VectorManifest>(StringComparer.Ordinal);
        // A vector's line has a number in this place, which no digest is.
        Digest? frozen = lines.Length > 1 && lines[1].Split(' ') is [FrozenWord, var set] && Digest.IsDigest(set) ? new Digest(set) : null;
        foreach (var line in lines.Skip(frozen is null ? 1 : 2))
        {
            if (line.Split(' ') is not [var name, var count, .. var rest]
                || !long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var elements))
                throw new InvalidDataException($"a vector set has the line \"{line}\": no name and number of elements");
            var (type, chunks) = TypeAndChunks(rest);
            if (elements > (long)int.MaxValue * VectorManifest.ChunkElements || chunks.Length != VectorManifest.ChunkCount(elements))
                throw new InvalidDataException($"the vector \"{name}\" of {elements} elements lists {chunks.Length} chunks");
            if (chunks.FirstOrDefault(hex => !Digest.IsDigest(hex)) is { } wrong)
                throw new InvalidDataException($"the vector \"{name}\" lists \"{wrong}\", which is no SHA-256");
            vectors[name] = new VectorManifest(elements, [.. chunks.Select(hex => new Digest(hex))], type);
        }

        return new VectorSet(vectors, frozen);
    }

    /// <summary>Every chunk of every vector; those of frozen parameters belong to their own set.</summary>
    public IEnumerable<Digest> Chunks() => Vectors.Values.SelectMany(vector => vector.Chunks);

    // "fp32" is no word of the canonical form.
    private static (ElementType Type, string[] Chunks) TypeAndChunks(string[] words) =>
        words is [var word, .. var chunks] && ElementTypes.Find(word) is { } type and not ElementType.Float32
            ? (type, chunks)
            : (ElementType.Float32, words);
}
