using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// The Llama kind (Touvron et al. 2023, section 2.2): root mean square norms before attention and feed-forward network, rotary positions,
/// SwiGLU, no biases; heads of keys and values may be fewer than those of queries. Biases of queries, keys and values are Qwen2's, norms of
/// each head Qwen3's, attention to a window of tokens Mistral's (Jiang et al. 2023, section 2). Names and transposes are Hugging Face's:
/// weights of linear layers are (out, in), y = x W'.
///
/// Initial values: the papers of Llama give none, so they are those of the same network before it: weights from N(0, 0.02), the two
/// projections of each layer into the residual stream scaled by 1/sqrt(2 layers) (Shoeybi et al. 2019, section 4.2), gains 1, biases 0.
/// </summary>
internal sealed class LlamaArchitecture(ModelSettings settings) : IArchitecture
{
    /// <summary>(vocabulary, C).</summary>
    public const string TokenEmbedding = "model.embed_tokens.weight";

    /// <summary>The last norm.</summary>
    public const string FinalNorm = "model.norm";

    /// <summary>The head's weight, (vocabulary, C): another name of the token embedding where they are tied.</summary>
    public const string Head = "lm_head.weight";

    private const double Deviation = 0.02;

    // Tables of sines and cosines grow with the longest text, so all tapes for texts that go on share them.
    private readonly Lazy<RotaryAngles> _decodingAngles = new(() => RotaryFrequencies.Of(settings.Llama.Rotary, settings.HeadSize, 1));

    /// <inheritdoc/>
    public string Signature => settings.Signature;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; } = [.. Declare(settings)];

    /// <inheritdoc/>
    public IBatching Batching { get; } = new CausalBatching();

    /// <inheritdoc/>
    public IReadOnlyList<string> AdapterTargets { get; } = ["q_proj", "v_proj"];

    /// <inheritdoc/>
    public int Context => settings.Context;

    /// <inheritdoc/>
    public int CacheableTokens => settings.Llama.Rotary.Scaling == RotaryScaling.Dynamic
        ? Math.Min(settings.Llama.Rotary.OriginalContext, Context) : Context;

    /// <inheritdoc/>
    public int Vocabulary => settings.Vocabulary;

    /// <summary>Prefix of layer <paramref name="index"/>.</summary>
    public static string Layer(int index) => $"model.layers.{index}.";

    /// <inheritdoc/>
    /// <remarks>
    /// N rows, C channels, H heads of queries, K heads of keys and values, D channels of a head, F of the feed-forward network, V tokens.
    /// </remarks>
    public void Record(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var angles = tape.Purpose == TapePurpose.Decoding
            ? _decodingAngles.Value : RotaryFrequencies.Of(settings.Llama.Rotary, settings.HeadSize, tape.Shape.Tokens);
        var x = tape.Embed(TokenEmbedding, null, Drop(tape, settings.Layers, DropoutSite.Embedding));                     // (N, C)
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            using var block = tape.BeginBlock();
            var at = Layer(layer);
            var norm = Norm(tape, x, at + "input_layernorm");
            var q = Rotated(tape, norm, at + "self_attn.q", angles);                                                      // (N, H D)
            var k = Rotated(tape, norm, at + "self_attn.k", angles);                                                      // (N, K D)
            var v = Project(tape, norm, at + "self_attn.v_proj", settings.Llama.AttentionBiases);                         // (N, K D)
            var mixed = tape.CausalAttention(
                q, k, v, settings.Heads, settings.KeyHeads, Drop(tape, layer, DropoutSite.AttentionWeights),
                settings.Llama.AttentionWindow);                                                                          // (N, H D)
            var projected = Project(tape, mixed, at + "self_attn.o_proj");                                                // (N, C)
            x = tape.Residual(x, projected, Drop(tape, layer, DropoutSite.AttentionOutput));
            norm = Norm(tape, x, at + "post_attention_layernorm");
            var gate = Project(tape, norm, at + "mlp.gate_proj");                                                         // (N, F)
            var up = Project(tape, norm, at + "mlp.up_proj");                                                             // (N, F)
            var down = Project(tape, tape.SwiGlu(gate, up), at + "mlp.down_proj");                                        // (N, C)
            x = tape.Residual(x, down, Drop(tape, layer, DropoutSite.MlpOutput));
        }
        tape.CrossEntropy(Norm(tape, x, FinalNorm), Head);                                                                // (N, V)
    }

    private static Value Project(Tape tape, Value x, string name, bool hasBias = false)
        => tape.Linear(x, name, WeightOrder.OutIn, hasBias);

    // Queries or keys.
    private Value Rotated(Tape tape, Value norm, string name, RotaryAngles angles)
    {
        var heads = Project(tape, norm, name + "_proj", settings.Llama.AttentionBiases);
        return tape.Rotary(settings.Llama.HeadNorms ? Norm(tape, heads, name + "_norm") : heads, angles);
    }

    private Value Norm(Tape tape, Value x, string name) => tape.RmsNorm(x, name, settings.Llama.NormEpsilon);

    private DropoutMask? Drop(Tape tape, int layer, DropoutSite site)
        => tape.Purpose == TapePurpose.Training && settings.Dropout > 0 ? new DropoutMask(settings.Dropout, layer, site) : null;

    // Parts of the axes that devices may share: a part has whole heads of keys and values with the heads of queries that they serve, and as
    // many channels of the feed-forward network as the others. At most eight, for the same reason as GPT-2's.
    private static int Parts(ModelSettings settings)
    {
        var common = settings.KeyHeads | settings.FeedForward;
        return Math.Min(8, common & -common);
    }

    // C channels, Q of all queries, K of all keys or values, F of the feed-forward network. Matrices and embeddings decay; biases and gains
    // do not.
    private static IEnumerable<ParameterSpec> Declare(ModelSettings settings)
    {
        var (llama, D) = (settings.Llama, settings.HeadSize);
        long C = settings.Width, Q = (long)settings.Heads * D, K = (long)settings.KeyHeads * D, F = settings.FeedForward;
        SharedAxis outputs = new(0, Parts(settings)), inputs = new(1, Parts(settings));
        var projection = Deviation / Math.Sqrt(2.0 * settings.Layers);
        var tokens = Matrix(TokenEmbedding, settings.Vocabulary, C, Deviation, outputs) with
        {
            PaddedRows = settings.PaddedVocabulary,
            HiddenMatrices = 0,                                        // embeddings and the head
        };
        yield return tokens;
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            var at = Layer(layer);
            yield return Gain(at + "input_layernorm.weight", C);
            foreach (var (name, rows) in new[] { ("q", Q), ("k", K), ("v", K) })
            {
                yield return Matrix($"{at}self_attn.{name}_proj.weight", rows, C, Deviation, outputs);
                if (llama.AttentionBiases)
                    yield return Vector($"{at}self_attn.{name}_proj.bias", rows, 0) with { Shared = outputs };
                if (llama.HeadNorms && name != "v")
                    yield return Gain($"{at}self_attn.{name}_norm.weight", D);
            }
            yield return Matrix(at + "self_attn.o_proj.weight", C, Q, projection, inputs);
            yield return Gain(at + "post_attention_layernorm.weight", C);
            yield return Matrix(at + "mlp.gate_proj.weight", F, C, Deviation, outputs);
            yield return Matrix(at + "mlp.up_proj.weight", F, C, Deviation, outputs);
            yield return Matrix(at + "mlp.down_proj.weight", C, F, projection, inputs);
        }
        yield return Gain(FinalNorm + ".weight", C);
        yield return llama.TiedEmbeddings ? tokens.As(Head) : tokens with { Name = Head };
    }

    private static ParameterSpec Matrix(string name, long rows, long columns, double deviation, SharedAxis shared)
        => new(name, [rows, columns], true, new ParameterInit.Normal(deviation)) { Shared = shared, HiddenMatrices = 1 };

    private static ParameterSpec Gain(string name, long count) => Vector(name, count, 1);

    private static ParameterSpec Vector(string name, long count, float value)
        => new(name, [count], false, new ParameterInit.Constant(value));
}
