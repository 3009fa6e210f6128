using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// GPT-2 (Radford et al. 2019). Names and transposes are Hugging Face's: weights of linear layers are (in, out), as its Conv1D has them,
/// y = x W + b. Initial values are those of section 2.3 and the released code's model.py: weights and token embedding from N(0, 0.02),
/// position embedding from N(0, 0.01), the two projections of each layer into the residual stream scaled by 1/sqrt(2 layers), gains 1,
/// biases 0.
/// </summary>
internal sealed class Gpt2Architecture(ModelSettings settings) : IArchitecture
{
    /// <summary>(vocabulary, C).</summary>
    public const string TokenEmbedding = "transformer.wte.weight";

    /// <summary>(context, C).</summary>
    public const string PositionEmbedding = "transformer.wpe.weight";

    /// <summary>The last LayerNorm.</summary>
    public const string FinalNorm = "transformer.ln_f";

    /// <summary>The head's weight, tied to the token embedding (Press and Wolf 2017).</summary>
    public const string Head = "lm_head.weight";

    private const double Deviation = 0.02, PositionDeviation = 0.01, NormEpsilon = 1e-5;

    /// <inheritdoc/>
    public string Signature => settings.Signature;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; } = [.. Declare(settings)];

    /// <inheritdoc/>
    public IBatching Batching { get; } = new CausalBatching();

    /// <inheritdoc/>
    public IReadOnlyList<string> AdapterTargets { get; } = ["c_attn"];

    /// <inheritdoc/>
    public int Context => settings.Context;

    /// <inheritdoc/>
    public int Vocabulary => settings.Vocabulary;

    // Parts of the axes that devices may share: heads and the feed-forward network's channels. Eight GPUs are a usual machine; more parts
    // than that cost time in every product.
    private static int Parts(ModelSettings settings) => (int)Math.Min(8, settings.Heads & -settings.Heads);

    /// <inheritdoc/>
    /// <remarks>N rows, C channels, H heads, V tokens.</remarks>
    public void Record(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var x = tape.Embed(TokenEmbedding, PositionEmbedding, Drop(tape, settings.Layers, DropoutSite.Embedding));        // (N, C)
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            using var block = tape.BeginBlock();
            var at = Layer(layer);
            var norm = tape.LayerNorm(x, at + "ln_1", NormEpsilon);
            var qkv = tape.Linear(norm, at + "attn.c_attn");                                                              // (N, 3 C)
            var mixed = tape.CausalAttention(qkv, settings.Heads, Drop(tape, layer, DropoutSite.AttentionWeights));       // (N, C)
            var projected = tape.Linear(mixed, at + "attn.c_proj");
            x = tape.Residual(x, projected, Drop(tape, layer, DropoutSite.AttentionOutput));
            norm = tape.LayerNorm(x, at + "ln_2", NormEpsilon);
            var up = tape.Linear(norm, at + "mlp.c_fc");                                                                  // (N, 4 C)
            var down = tape.Linear(tape.Gelu(up), at + "mlp.c_proj");                                                     // (N, C)
            x = tape.Residual(x, down, Drop(tape, layer, DropoutSite.MlpOutput));
        }
        x = tape.LayerNorm(x, FinalNorm, NormEpsilon);
        tape.CrossEntropy(x, Head);                                                                                       // (N, V)
    }

    private DropoutMask? Drop(Tape tape, int layer, DropoutSite site)
        => tape.Purpose == TapePurpose.Training && settings.Dropout > 0 ? new DropoutMask(settings.Dropout, layer, site) : null;

    /// <summary>Prefix of layer <paramref name="index"/>.</summary>
    public static string Layer(int index) => $"transformer.h.{index}.";

    // C channels. Matrices and embeddings decay; biases and gains do not.
    private static IEnumerable<ParameterSpec> Declare(ModelSettings settings)
    {
        long C = settings.Width;
        var tokens = Matrix(TokenEmbedding, settings.Vocabulary, C, Deviation) with
        {
            PaddedRows = settings.PaddedVocabulary,
            Shared = new SharedAxis(0, Parts(settings)),
        };
        SharedAxis rows = new(0, Parts(settings)), columns = new(1, Parts(settings)), three = columns with { Sections = 3 };
        var projection = Deviation / Math.Sqrt(2.0 * settings.Layers);
        yield return tokens;
        yield return Matrix(PositionEmbedding, settings.Context, C, PositionDeviation);
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            var at = Layer(layer);
            yield return Gain(at + "ln_1.weight", C);
            yield return Bias(at + "ln_1.bias", C);
            yield return Matrix(at + "attn.c_attn.weight", C, 3 * C, Deviation) with { Shared = three, HiddenMatrices = 3 };
            yield return Bias(at + "attn.c_attn.bias", 3 * C) with { Shared = three with { Axis = 0 } };
            yield return Matrix(at + "attn.c_proj.weight", C, C, projection) with { Shared = rows, HiddenMatrices = 1 };
            yield return Bias(at + "attn.c_proj.bias", C);
            yield return Gain(at + "ln_2.weight", C);
            yield return Bias(at + "ln_2.bias", C);
            yield return Matrix(at + "mlp.c_fc.weight", C, 4 * C, Deviation) with { Shared = columns, HiddenMatrices = 1 };
            yield return Bias(at + "mlp.c_fc.bias", 4 * C) with { Shared = rows };
            yield return Matrix(at + "mlp.c_proj.weight", 4 * C, C, projection) with { Shared = rows, HiddenMatrices = 1 };
            yield return Bias(at + "mlp.c_proj.bias", C);
        }
        yield return Gain(FinalNorm + ".weight", C);
        yield return Bias(FinalNorm + ".bias", C);
        yield return tokens.As(Head);
    }

    private static ParameterSpec Matrix(string name, long rows, long columns, double deviation)
        => new(name, [rows, columns], true, new ParameterInit.Normal(deviation));

    private static ParameterSpec Gain(string name, long count) => new(name, [count], false, new ParameterInit.Constant(1));

    private static ParameterSpec Bias(string name, long count) => new(name, [count], false, new ParameterInit.Constant(0));
}
