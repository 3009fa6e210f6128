using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Vectors;
using TorchSharp;

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

    /// <summary>Prefix of the last LayerNorm.</summary>
    public const string FinalNorm = "transformer.ln_f.";

    /// <summary>The head's weight, tied to the token embedding (Press and Wolf 2017).</summary>
    public const string Head = "lm_head.weight";

    private const double Deviation = 0.02, PositionDeviation = 0.01;

    /// <inheritdoc/>
    public string Signature => settings.Signature;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; } = [.. Declare(settings)];

    /// <inheritdoc/>
    public IBatching Batching { get; } = new CausalBatching();

    /// <inheritdoc/>
    /// <remarks>
    /// What each block saves for its backward pass (16 C a row: input, two norms, q, k, v, mix, middle, 4 C before and 4 C after the GELU),
    /// the widest moment of a backward pass (10 C), and the logits of one piece of rows. With dropout the masks (2 C a row and block), and
    /// the attention's weights and their mask, which the fused kernel does not hold.
    /// </remarks>
    public double ActivationBytes(int sequences)
    {
        var (rows, C, L) = ((double)sequences * settings.Context, settings.Width, settings.Layers);
        var logits = Math.Min(rows, LossHead.RowsAtOnce) * settings.PaddedVocabulary;
        var dropped = settings.Dropout == 0 ? 0 : rows * C * (2 * L + 1) + rows * settings.Heads * settings.Context * (2.0 * L + 3);
        return sizeof(float) * (rows * C * (16 * L + 10) + logits + dropped);
    }

    /// <inheritdoc/>
    public INetwork OpenNetwork(double labelSmoothing, torch.Device device) => new Gpt2(settings, labelSmoothing, device);

    /// <summary>Prefix of layer <paramref name="index"/>.</summary>
    public static string Layer(int index) => $"transformer.h.{index}.";

    // C channels. Matrices and embeddings decay; biases and gains do not.
    private static IEnumerable<ParameterSpec> Declare(ModelSettings settings)
    {
        long C = settings.Width;
        var tokens = Matrix(TokenEmbedding, settings.Vocabulary, C, Deviation) with { PaddedRows = settings.PaddedVocabulary };
        var projection = Deviation / Math.Sqrt(2.0 * settings.Layers);
        yield return tokens;
        yield return Matrix(PositionEmbedding, settings.Context, C, PositionDeviation);
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            var at = Layer(layer);
            yield return Gain(at + "ln_1.weight", C);
            yield return Bias(at + "ln_1.bias", C);
            yield return Matrix(at + "attn.c_attn.weight", C, 3 * C, Deviation);
            yield return Bias(at + "attn.c_attn.bias", 3 * C);
            yield return Matrix(at + "attn.c_proj.weight", C, C, projection);
            yield return Bias(at + "attn.c_proj.bias", C);
            yield return Gain(at + "ln_2.weight", C);
            yield return Bias(at + "ln_2.bias", C);
            yield return Matrix(at + "mlp.c_fc.weight", C, 4 * C, Deviation);
            yield return Bias(at + "mlp.c_fc.bias", 4 * C);
            yield return Matrix(at + "mlp.c_proj.weight", 4 * C, C, projection);
            yield return Bias(at + "mlp.c_proj.bias", C);
        }
        yield return Gain(FinalNorm + "weight", C);
        yield return Bias(FinalNorm + "bias", C);
        yield return tokens.As(Head);
    }

    private static ParameterSpec Matrix(string name, long rows, long columns, double deviation)
        => new(name, [rows, columns], true, new ParameterInit.Normal(deviation));

    private static ParameterSpec Gain(string name, long count) => new(name, [count], false, new ParameterInit.Constant(1));

    private static ParameterSpec Bias(string name, long count) => new(name, [count], false, new ParameterInit.Constant(0));
}
