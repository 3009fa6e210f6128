using System.Text.Json;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Reference;

/// <summary>The saved numbers of make_llama_reference.py for one kind of model, and the same parameters and tokens as there.</summary>
internal sealed class LlamaReference : IDisposable
{
    private readonly JsonDocument _document;

    public LlamaReference(string kind)
    {
        using var stream = typeof(LlamaReference).Assembly.GetManifestResourceStream($"{kind}_reference.json")!;
        _document = JsonDocument.Parse(stream);
        Model = Samples.Llama(
            Shape("layers"), Kind("heads").GetInt32(), Kind("key_heads").GetInt32(), Shape("width"), Shape("context"), Shape("vocabulary"),
            llama => llama with
            {
                HeadSize = Kind("head_size").GetInt32(),
                FeedForward = Kind("feed_forward").GetInt32(),
                NormEpsilon = Kind("epsilon").GetDouble(),
                TiedEmbeddings = Has("tied"),
                AttentionBiases = Has("biases"),
                HeadNorms = Has("norms"),
                AttentionWindow = Has("window") ? Kind("window").GetInt32() : 0,
                Rotary = Rotary(llama.Rotary with { Theta = Kind("theta").GetDouble() }),
            });
    }

    public ModelSettings Model { get; }

    public int Batch => Shape("batch");

    public double Loss => Root.GetProperty("loss").GetDouble();

    /// <summary>(batch, T, V).</summary>
    public float[] Logits => ReferenceNumbers.Floats(Root.GetProperty("logits"));

    public IEnumerable<(string Name, float[] Values)> Gradients
        => Root.GetProperty("gradients").EnumerateObject().Select(g => (g.Name, ReferenceNumbers.Floats(g.Value)));

    /// <summary>(batch, T + 1).</summary>
    public int[] Tokens
        => [.. ReferenceNumbers.Noise(1000, Batch * (Model.Context + 1)).Select(v => (int)((v + 0.5) * Model.Vocabulary))];

    public IReadOnlyList<MicroBatch> MicroBatches => new CausalBatching().MicroBatches(Sample.Cut(Tokens, Batch), Batch);

    private JsonElement Root => _document.RootElement;

    public ReplicaVectors Parameters()
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(Model));
        foreach (var (stream, name) in Gradients.Select(g => g.Name).Index())
        {
            var segment = vectors.Layout[name];
            var values = ReferenceNumbers.Noise(stream, (int)segment.Count);
            if (segment.Shape.Count == 1 && name.EndsWith("weight", StringComparison.Ordinal))
                values = [.. values.Select(v => 1 + v / 2)];
            vectors.CopyFrom(VectorSet.Parameters, segment.Offset, values);
        }
        return vectors;
    }

    public void Dispose() => _document.Dispose();

    private RotarySettings Rotary(RotarySettings rotary) => Root.GetProperty("kind").TryGetProperty("rope", out var rope)
        ? rotary with
        {
            Scaling = Enum.Parse<RotaryScaling>(rope.GetProperty("kind").GetString()!, ignoreCase: true),
            Factor = rope.GetProperty("factor").GetDouble(),
            OriginalContext = rope.GetProperty("original").GetInt32(),
        }
        : rotary;

    private JsonElement Kind(string name) => Root.GetProperty("kind").GetProperty(name);

    private bool Has(string name) => Root.GetProperty("kind").TryGetProperty(name, out _);

    private int Shape(string name) => Root.GetProperty("shape").GetProperty(name).GetInt32();
}
