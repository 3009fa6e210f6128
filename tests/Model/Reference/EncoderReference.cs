using System.Text.Json;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Reference;

/// <summary>The saved numbers of make_encoder_reference.py for one architecture, and the same parameters and tokens as there.</summary>
internal sealed class EncoderReference : IDisposable
{
    private readonly JsonDocument _document;

    /// <param name="kind">The architecture; "bert_pairs" for BERT with second sentences.</param>
    public EncoderReference(string kind)
    {
        using var stream = typeof(EncoderReference).Assembly.GetManifestResourceStream($"{kind}_reference.json")!;
        _document = JsonDocument.Parse(stream);
        HasSecondSentences = kind == "bert_pairs";
        Model = Samples.Of(kind.Split('_')[0], Shape("layers"), Shape("heads"), Shape("width"), Places, Shape("vocabulary"));
    }

    public ModelSettings Model { get; }

    /// <summary>Rows are pairs, of which the second one's places are of another type.</summary>
    public bool HasSecondSentences { get; }

    public int Batch => Shape("batch");

    /// <summary>T: tokens of a sequence.</summary>
    public int Places => Shape("places");

    public double Loss => Root.GetProperty("loss").GetDouble();

    public double Smoothing => Root.GetProperty("smoothing").GetDouble();

    /// <summary>(batch, V): of the last row of each sequence, where nothing is hidden.</summary>
    public float[] Logits => ReferenceNumbers.Floats(Root.GetProperty("logits"));

    public IEnumerable<(string Name, float[] Values)> Gradients
        => Root.GetProperty("gradients").EnumerateObject().Select(g => (g.Name, ReferenceNumbers.Floats(g.Value)));

    /// <summary>(batch, T).</summary>
    public int[] Inputs => Tokens(1000, Places);

    /// <summary>(batch, S); none for BERT.</summary>
    public int[] Sources => Model.ReadsPairs ? Tokens(1003, Shape("sources")) : [];

    /// <summary>One micro-batch, of which the second sequence or source is shorter.</summary>
    public MicroBatch MicroBatch
    {
        get
        {
            var chooses = ReferenceNumbers.Noise(1002, Batch * Places);
            int[] targets = [.. Tokens(1001, Places).Select((token, i) =>
                !IsBehind(i, Places) && (Model.ReadsPairs || chooses[i] < -0.2f) ? token : MicroBatch.NotCounted)];
            return new MicroBatch(0, Batch, Inputs, targets, targets.Count(t => t != MicroBatch.NotCounted))
            {
                Segments = Model.ReadsPairs ? null : [.. Inputs.Select((_, i) => IsBehind(i, Places) ? 1 : 0)],
                Types = HasSecondSentences ? [.. Inputs.Select((_, i) => i % Places >= SecondFrom[i / Places] ? 1 : 0)] : null,
                Sources = Model.ReadsPairs ? Sources : null,
                SourceLengths = Model.ReadsPairs ? [Shape("sources"), Shape("short"), Shape("sources")] : [],
            };
        }
    }

    // The last one has no second sentence.
    private int[] SecondFrom => [4, 3, Places];

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

    private bool IsBehind(int index, int places) => index / places == 1 && index % places >= Shape("short");

    private int[] Tokens(int stream, int places)
        => [.. ReferenceNumbers.Noise(stream, Batch * places).Select(v => (int)((v + 0.5) * Model.Vocabulary))];

    private int Shape(string name) => Root.GetProperty("shape").GetProperty(name).GetInt32();
}
