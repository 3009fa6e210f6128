using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// BERT (Devlin et al. 2019) as a masked language model: an encoder that sees the whole sequence, norms after each residual sum, GELU with
/// the error function, and a head of one more layer with the token embedding and a bias. Tokens of samples that are no pairs are all
/// of the first segment; there is no next sentence to predict. Names and transposes are Hugging Face's (BertForMaskedLM): weights of linear
/// layers are (out, in), y = x W' + b. Initial values are those of the released code's modeling.py, not truncated: weights and embeddings
/// from N(0, 0.02), gains 1, biases 0.
/// </summary>
internal sealed class BertArchitecture(ModelSettings settings) : IArchitecture
{
    /// <summary>(vocabulary, C).</summary>
    public const string TokenEmbedding = "bert.embeddings.word_embeddings.weight";

    /// <summary>(context, C).</summary>
    public const string PositionEmbedding = "bert.embeddings.position_embeddings.weight";

    /// <summary>(2, C).</summary>
    public const string TypeEmbedding = "bert.embeddings.token_type_embeddings.weight";

    /// <summary>The head's weight, tied to the token embedding.</summary>
    public const string Head = "cls.predictions.decoder.weight";

    /// <summary>Another name of the head's bias, in files of some versions.</summary>
    private const string DecoderBias = "cls.predictions.decoder.bias";

    /// <summary>(vocabulary).</summary>
    public const string HeadBias = "cls.predictions.bias";

    private const string EmbeddingNorm = "bert.embeddings.LayerNorm", Transform = "cls.predictions.transform.";
    private const double Deviation = 0.02, NormEpsilon = 1e-12;
    private const int Types = 2;

    /// <inheritdoc/>
    public string Signature => settings.Signature;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; } = [.. Declare(settings)];

    /// <inheritdoc/>
    public IBatching Batching { get; } = new MaskedBatching(
        settings.Vocabulary, settings.Bert.MaskTokenOf(settings.Vocabulary), settings.Context, settings.Bert.ClassToken);

    /// <inheritdoc/>
    public int Context => settings.Context;

    /// <inheritdoc/>
    public int CacheableTokens => 0;

    /// <inheritdoc/>
    public int Vocabulary => settings.Vocabulary;

    /// <summary>Prefix of layer <paramref name="index"/>.</summary>
    public static string Layer(int index) => $"bert.encoder.layer.{index}.";

    /// <inheritdoc/>
    /// <remarks>N rows, C channels, H heads, V tokens.</remarks>
    public void Record(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var x = Encode(tape);
        x = Norm(tape, tape.Activate(Project(tape, x, Transform + "dense"), Activation.GeluErf), Transform + "LayerNorm");
        tape.CrossEntropy(x, Head, HeadBias);                                                                             // (N, V)
    }

    /// <summary>Records the encoder: (N, C), what the head reads.</summary>
    internal Value Encode(Tape tape)
    {
        var x = tape.AddRow(tape.Embed(TokenEmbedding, PositionEmbedding, null), TypeEmbedding);                          // (N, C)
        x = tape.Dropout(Norm(tape, x, EmbeddingNorm), Drop(tape, settings.Layers, DropoutSite.Embedding));
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            using var block = tape.BeginBlock();
            var at = Layer(layer);
            var q = Project(tape, x, at + "attention.self.query");                                                        // (N, C)
            var k = Project(tape, x, at + "attention.self.key");
            var v = Project(tape, x, at + "attention.self.value");
            var mixed = tape.Attention(
                q, k, v, settings.Heads, AttentionScope.Tokens, Drop(tape, layer, DropoutSite.AttentionWeights));         // (N, C)
            var projected = Project(tape, mixed, at + "attention.output.dense");
            x = tape.Residual(x, projected, Drop(tape, layer, DropoutSite.AttentionOutput));
            x = Norm(tape, x, at + "attention.output.LayerNorm");
            var up = tape.Activate(Project(tape, x, at + "intermediate.dense"), Activation.GeluErf);                      // (N, 4 C)
            x = tape.Residual(x, Project(tape, up, at + "output.dense"), Drop(tape, layer, DropoutSite.MlpOutput));       // (N, C)
            x = Norm(tape, x, at + "output.LayerNorm");
        }
        return x;
    }

    private static Value Project(Tape tape, Value x, string name) => tape.Linear(x, name, WeightOrder.OutIn);

    private static Value Norm(Tape tape, Value x, string name) => tape.LayerNorm(x, name, NormEpsilon);

    private DropoutMask? Drop(Tape tape, int layer, DropoutSite site)
        => tape.Purpose == TapePurpose.Training && settings.Dropout > 0 ? new DropoutMask(settings.Dropout, layer, site) : null;

    // Parts of the axes that devices may share, as GPT-2's.
    private static int Parts(ModelSettings settings) => (int)Math.Min(8, settings.Heads & -settings.Heads);

    // C channels, F of the feed-forward network. Matrices and embeddings decay; biases and gains do not.
    private static IEnumerable<ParameterSpec> Declare(ModelSettings settings)
    {
        long C = settings.Width, F = settings.FeedForward;
        SharedAxis outputs = new(0, Parts(settings)), inputs = new(1, Parts(settings));
        var tokens = Table(TokenEmbedding, settings.Vocabulary, C) with { PaddedRows = settings.PaddedVocabulary, Shared = outputs };
        yield return tokens;
        yield return Table(PositionEmbedding, settings.Context, C);
        yield return Table(TypeEmbedding, Types, C);
        foreach (var p in Norm(EmbeddingNorm, C))
            yield return p;
        for (var layer = 0; layer < settings.Layers; layer++)
        {
            var at = Layer(layer);
            foreach (var name in new[] { "query", "key", "value" })
            {
                yield return Matrix($"{at}attention.self.{name}.weight", C, C) with { Shared = outputs };
                yield return Bias($"{at}attention.self.{name}.bias", C) with { Shared = outputs };
            }
            yield return Matrix(at + "attention.output.dense.weight", C, C) with { Shared = inputs };
            yield return Bias(at + "attention.output.dense.bias", C);
            foreach (var p in Norm(at + "attention.output.LayerNorm", C))
                yield return p;
            yield return Matrix(at + "intermediate.dense.weight", F, C) with { Shared = outputs };
            yield return Bias(at + "intermediate.dense.bias", F) with { Shared = outputs };
            yield return Matrix(at + "output.dense.weight", C, F) with { Shared = inputs };
            yield return Bias(at + "output.dense.bias", C);
            foreach (var p in Norm(at + "output.LayerNorm", C))
                yield return p;
        }
        yield return Matrix(Transform + "dense.weight", C, C);
        yield return Bias(Transform + "dense.bias", C);
        foreach (var p in Norm(Transform + "LayerNorm", C))
            yield return p;
        var bias = Bias(HeadBias, settings.Vocabulary);
        yield return bias;
        yield return bias.As(DecoderBias);
        yield return tokens.As(Head);
    }

    private static ParameterSpec Matrix(string name, long rows, long columns)
        => Table(name, rows, columns) with { HiddenMatrices = 1 };

    private static ParameterSpec Table(string name, long rows, long columns)
        => new(name, [rows, columns], true, new ParameterInit.Normal(Deviation));

    private static ParameterSpec Bias(string name, long count) => new(name, [count], false, new ParameterInit.Constant(0));

    private static ParameterSpec[] Norm(string name, long count) =>
        [new(name + ".weight", [count], false, new ParameterInit.Constant(1)), Bias(name + ".bias", count)];
}
