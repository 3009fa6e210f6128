using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// The encoder-decoder of Vaswani et al. 2017: norms after each residual sum (section 3.1), ReLU, sinusoidal positions (3.5), one matrix
/// for both embeddings, scaled by √C, and the head (3.4). As many layers in the encoder as in the decoder. Names and transposes are Hugging
/// Face's of the model that is nearest to it, Marian (MarianMTModel): weights of linear layers are (out, in), y = x W' + b; its
/// final_logits_bias is zero here.
///
/// Initial values: the paper gives none, so weights are from N(0, 2 / (in + out)) (Glorot and Bengio 2010, section 4.2), the embedding from
/// N(0, 1 / C), which the scale makes 1; gains 1, biases 0.
/// </summary>
internal sealed class TransformerArchitecture(ModelSettings settings) : IArchitecture
{
    /// <summary>(vocabulary, C).</summary>
    public const string Embedding = "model.shared.weight";

    /// <summary>The head's weight, tied to the embedding.</summary>
    public const string Head = "lm_head.weight";

    private const double NormEpsilon = 1e-5;

    // In Marian's order.
    private static readonly string[] Projections = ["k", "v", "q"];

    // Every tape reads the same table.
    private readonly Lazy<SinusoidalPositions> _positions = new(() => new SinusoidalPositions(settings.Context, settings.Width));

    /// <inheritdoc/>
    public string Signature => settings.Signature;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; } = [.. Declare(settings)];

    /// <inheritdoc/>
    public IBatching Batching { get; } = new PairBatching();

    /// <inheritdoc/>
    public int Context => settings.Context;

    /// <inheritdoc/>
    public int SourceContext => settings.Context;

    /// <inheritdoc/>
    public int Vocabulary => settings.Vocabulary;

    // The dropout of the decoder's layers is drawn with the numbers behind the encoder's, that of the embeddings behind both.
    private int DecoderLayer(int layer) => settings.Layers + layer;

    /// <inheritdoc/>
    /// <remarks>M rows of sources, N rows of targets, C channels, H heads, V tokens.</remarks>
    public void Record(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var shape = tape.Shape;
        var embedded = tape.EmbedPairs(Embedding, _positions.Value, Drop(tape, 2 * settings.Layers, DropoutSite.Embedding));  // (M + N, C)
        if (tape.Purpose == TapePurpose.Encoding)
        {
            var said = Encode(tape, embedded);                                                                                // (M, C)
            for (var layer = 0; layer < settings.Layers; layer++)
            {
                var at = DecoderAt(layer) + "encoder_attn";
                tape.KeepSource(Project(tape, said, at + ".k_proj"), Project(tape, said, at + ".v_proj"));                    // (M, C)
            }
            return;
        }
        // Texts that go on have the keys and values of their source already.
        var sources = shape.Sequences * shape.Sources;
        var memory = tape.Purpose == TapePurpose.Decoding ? null : Encode(tape, tape.Part(embedded, 0, sources));             // (M, C)
        var x = memory is null ? embedded : tape.Part(embedded, sources, shape.RowsOfMicroBatch);                             // (N, C)
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            using var block = tape.BeginBlock();
            var (at, number) = (DecoderAt(layer), DecoderLayer(layer));
            var (q, k, v) = Heads(tape, x, x, at + "self_attn");
            var mixed = tape.CausalAttention(
                q, k, v, settings.Heads, settings.Heads, Drop(tape, number, DropoutSite.AttentionWeights));                   // (N, C)
            x = Add(tape, x, Project(tape, mixed, at + "self_attn.out_proj"), at + "self_attn", number, DropoutSite.AttentionOutput);
            mixed = AttendToSource(tape, x, memory, at + "encoder_attn", number);                                             // (N, C)
            x = Add(tape, x, Project(tape, mixed, at + "encoder_attn.out_proj"), at + "encoder_attn", number, DropoutSite.CrossOutput);
            x = Add(tape, x, FeedForward(tape, x, at), at + "final", number, DropoutSite.MlpOutput);
        }
        tape.CrossEntropy(x, Head);                                                                                           // (N, V)
    }

    private Value AttendToSource(Tape tape, Value x, Value? memory, string at, int number)
    {
        if (memory is null)
            return tape.SourceAttention(Project(tape, x, at + ".q_proj"), settings.Heads);
        var (q, k, v) = Heads(tape, x, memory, at);                                                                     // (N, C), (M, C)
        return tape.Attention(
            q, k, v, settings.Heads, AttentionScope.TokensToSources, Drop(tape, number, DropoutSite.CrossWeights));
    }

    private static string DecoderAt(int layer) => $"model.decoder.layers.{layer}.";

    private Value Encode(Tape tape, Value x)
    {
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            using var block = tape.BeginBlock();
            var at = $"model.encoder.layers.{layer}.";
            var (q, k, v) = Heads(tape, x, x, at + "self_attn");
            var mixed = tape.Attention(
                q, k, v, settings.Heads, AttentionScope.Sources, Drop(tape, layer, DropoutSite.AttentionWeights));            // (M, C)
            x = Add(tape, x, Project(tape, mixed, at + "self_attn.out_proj"), at + "self_attn", layer, DropoutSite.AttentionOutput);
            x = Add(tape, x, FeedForward(tape, x, at), at + "final", layer, DropoutSite.MlpOutput);
        }
        return x;
    }

    // Section 3.3: ReLU between two projections, of four times as many channels.
    private static Value FeedForward(Tape tape, Value x, string at)
        => Project(tape, tape.Activate(Project(tape, x, at + "fc1"), Activation.Relu), at + "fc2");

    private static (Value Q, Value K, Value V) Heads(Tape tape, Value queries, Value keys, string at) =>
        (Project(tape, queries, at + ".q_proj"), Project(tape, keys, at + ".k_proj"), Project(tape, keys, at + ".v_proj"));

    private static Value Project(Tape tape, Value x, string name) => tape.Linear(x, name, WeightOrder.OutIn);

    // LayerNorm(x + Dropout(branch)), sections 3.1 and 5.4.
    private Value Add(Tape tape, Value x, Value branch, string name, int layer, DropoutSite site)
        => tape.LayerNorm(tape.Residual(x, branch, Drop(tape, layer, site)), name + "_layer_norm", NormEpsilon);

    private DropoutMask? Drop(Tape tape, int layer, DropoutSite site)
        => tape.Purpose == TapePurpose.Training && settings.Dropout > 0 ? new DropoutMask(settings.Dropout, layer, site) : null;

    // Parts of the axes that devices may share, as GPT-2's.
    private static int Parts(ModelSettings settings) => (int)Math.Min(8, settings.Heads & -settings.Heads);

    // C channels. Matrices and the embedding decay; biases and gains do not.
    private static IEnumerable<ParameterSpec> Declare(ModelSettings settings)
    {
        long C = settings.Width, F = settings.FeedForward;
        SharedAxis outputs = new(0, Parts(settings)), inputs = new(1, Parts(settings));
        var embedding = new ParameterSpec(Embedding, [settings.Vocabulary, C], true, new ParameterInit.Normal(1 / Math.Sqrt(C)))
        {
            PaddedRows = settings.PaddedVocabulary,
            Shared = outputs,
        };
        yield return embedding;
        foreach (var (side, attentions) in new[] { ("encoder", new[] { "self" }), ("decoder", new[] { "self", "encoder" }) })
        {
            for (var layer = 0; layer < settings.Layers; layer++)
            {
                var at = $"model.{side}.layers.{layer}.";
                IEnumerable<ParameterSpec> parameters =
                [
                    .. attentions.SelectMany(attention => Attention($"{at}{attention}_attn")),
                    .. Linear(at + "fc1", F, C, outputs),
                    .. Linear(at + "fc2", C, F, inputs),
                    .. Norm(at + "final_layer_norm"),
                ];
                foreach (var parameter in parameters)
                    yield return parameter;
            }
        }
        yield return embedding.As("model.encoder.embed_tokens.weight");
        yield return embedding.As("model.decoder.embed_tokens.weight");
        yield return embedding.As(Head);

        IEnumerable<ParameterSpec> Attention(string at) =>
        [
            .. Projections.SelectMany(name => Linear($"{at}.{name}_proj", C, C, outputs)),
            .. Linear(at + ".out_proj", C, C, inputs),
            .. Norm(at + "_layer_norm"),
        ];

        IEnumerable<ParameterSpec> Norm(string name) =>
            [new(name + ".weight", [C], false, new ParameterInit.Constant(1)), Bias(name + ".bias", C)];
    }

    private static ParameterSpec[] Linear(string name, long outputs, long inputs, SharedAxis shared) =>
    [
        new(name + ".weight", [outputs, inputs], true, new ParameterInit.Normal(Math.Sqrt(2.0 / (inputs + outputs))))
        {
            Shared = shared,
            HiddenMatrices = 1,
        },
        Bias(name + ".bias", outputs) with { Shared = shared.Axis == 0 ? shared : null },
    ];

    private static ParameterSpec Bias(string name, long count) => new(name, [count], false, new ParameterInit.Constant(0));
}
