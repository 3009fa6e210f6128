using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;

namespace Elastic.Model.Vectors;

/// <summary>One parameter tensor inside the flat vector.</summary>
/// <param name="Name">Its name in a Hugging Face GPT-2, e.g. "transformer.h.0.attn.c_attn.weight".</param>
/// <param name="Shape">Row-major. Weights of linear layers are (in, out), as Hugging Face's Conv1D stores them: y = x W + b.</param>
/// <param name="Offset">First element; a multiple of <see cref="FlatLayout.Alignment"/>.</param>
public sealed record Segment(string Name, IReadOnlyList<long> Shape, long Offset)
{
    /// <summary>Elements of the tensor.</summary>
    public long Count { get; } = Shape.Aggregate(1L, (product, n) => product * n);

    /// <summary>The element after its last.</summary>
    public long End => Offset + Count;
}

/// <summary>
/// Where each parameter of a model lies in its one flat vector; the same for gradients and moments.
///
///   [ decayed segments, each aligned | zeros to a whole tile | the other segments, each aligned | zeros to a whole tile ]
///
/// So weight decay applies to one range of whole tiles, and a slice of whole tiles meets one kind only at each end.
/// </summary>
public sealed class FlatLayout
{
    /// <summary>Elements that every segment starts at a multiple of: 64 bytes, a cache line and the widest vector register.</summary>
    public const int Alignment = 16;

    /// <summary>Elements of the smallest piece that one device updates, and of one partial sum of the gradient's norm.</summary>
    public const int Tile = 65_536;

    private readonly Dictionary<string, Segment> _byName;

    /// <summary>Lays out <paramref name="model"/>.</summary>
    public FlatLayout(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        var shapes = Gpt2Shapes(model).ToList();
        var segments = new List<Segment>();
        // Matrices and embeddings decay; biases and LayerNorm gains do not.
        DecayedLength = Place(shapes.Where(s => s.Shape.Length > 1), 0, segments);
        Length = Place(shapes.Where(s => s.Shape.Length == 1), DecayedLength, segments);
        Segments = segments;
        _byName = segments.ToDictionary(s => s.Name);
    }

    /// <summary>The model that this lays out.</summary>
    public ModelSettings Model { get; }

    /// <summary>All segments, by offset.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <summary>Elements of the vector, a multiple of <see cref="Tile"/>.</summary>
    public long Length { get; }

    /// <summary>Elements before the first that weight decay spares, a multiple of <see cref="Tile"/>.</summary>
    public long DecayedLength { get; }

    /// <summary>Tiles of the vector.</summary>
    public int Tiles => (int)(Length / Tile);

    /// <summary>Chunks of the vector; the last may be shorter.</summary>
    public int Chunks => VectorManifest.ChunkCount(Length);

    /// <summary>The segment called <paramref name="name"/>.</summary>
    public Segment this[string name] => _byName[name];

    /// <summary>First element and number of elements of chunk <paramref name="index"/>.</summary>
    public (long First, int Count) Chunk(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Chunks);
        return ((long)index * VectorManifest.ChunkElements, VectorManifest.ElementsOf(Length, index));
    }

    private static long Place(IEnumerable<(string Name, long[] Shape)> shapes, long offset, List<Segment> into)
    {
        foreach (var (name, shape) in shapes)
        {
            into.Add(new Segment(name, shape, offset));
            offset = RoundUp(into[^1].End, Alignment);
        }
        return RoundUp(offset, Tile);
    }

    private static long RoundUp(long n, long multiple) => (n + multiple - 1) / multiple * multiple;

    // Radford et al. 2019, with the head tied to the token embedding (Press and Wolf 2017). C channels, T tokens.
    private static IEnumerable<(string Name, long[] Shape)> Gpt2Shapes(ModelSettings model)
    {
        long C = model.Width;
        yield return (ParameterNames.TokenEmbedding, [model.PaddedVocabulary, C]);
        yield return (ParameterNames.PositionEmbedding, [model.Context, C]);
        for (var layer = 0; layer < model.Layers; layer++)
        {
            var at = ParameterNames.Layer(layer);
            yield return (at + "ln_1.weight", [C]);
            yield return (at + "ln_1.bias", [C]);
            yield return (at + "attn.c_attn.weight", [C, 3 * C]);
            yield return (at + "attn.c_attn.bias", [3 * C]);
            yield return (at + "attn.c_proj.weight", [C, C]);
            yield return (at + "attn.c_proj.bias", [C]);
            yield return (at + "ln_2.weight", [C]);
            yield return (at + "ln_2.bias", [C]);
            yield return (at + "mlp.c_fc.weight", [C, 4 * C]);
            yield return (at + "mlp.c_fc.bias", [4 * C]);
            yield return (at + "mlp.c_proj.weight", [4 * C, C]);
            yield return (at + "mlp.c_proj.bias", [C]);
        }
        yield return (ParameterNames.FinalNorm + "weight", [C]);
        yield return (ParameterNames.FinalNorm + "bias", [C]);
    }
}

/// <summary>Names of GPT-2's parameters, as Hugging Face gives them.</summary>
public static class ParameterNames
{
    /// <summary>(padded vocabulary, C); also the head's weight.</summary>
    public const string TokenEmbedding = "transformer.wte.weight";

    /// <summary>(context, C).</summary>
    public const string PositionEmbedding = "transformer.wpe.weight";

    /// <summary>Prefix of the last LayerNorm.</summary>
    public const string FinalNorm = "transformer.ln_f.";

    /// <summary>Prefix of layer <paramref name="index"/>.</summary>
    public static string Layer(int index) => $"transformer.h.{index}.";
}
