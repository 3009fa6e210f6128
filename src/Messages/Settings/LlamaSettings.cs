using System.Globalization;

namespace Elastic.Messages.Settings;

/// <summary>What only a network of the Llama kind has, besides layers, heads, width and context.</summary>
public sealed record LlamaSettings : SettingsGroup
{
    /// <summary>Angles of rotary positions are exact to the last bits up to here.</summary>
    public const int MostContext = 1_000_000;

    // The released code of Touvron et al. 2023 (model.py, multiple_of) rounds the feed-forward network's width up to a multiple of this.
    private const int FeedForwardMultiple = 256;

    [Setting("model.key-heads", 0, """
        llama: heads of keys and values, a divisor of heads: each is shared by equally many heads of queries (Ainslie et al. 2023). 0 for as
        many as heads. Fewer take less memory and time.
        """)]
    [Between(0, 1 << 20, Zero = "as many as heads"), Since(4, 0)]
    public required int KeyHeads { get; init; }

    [Setting("model.head-size", 0, """
        llama: channels of a head, an even number. 0 for width / heads. Qwen3 has 128 whatever its width.
        """)]
    [Between(0, ModelSettings.MostHeadSize, Zero = "width / heads"), Since(4, 0)]
    public required int HeadSize { get; init; }

    [Setting("model.feed-forward", 0, """
        llama: channels inside the feed-forward network. 0 for 8/3 of the width, rounded up to a multiple of 256, as Touvron et al. 2023
        have it: with its three matrices as many parameters as two of four widths.
        """)]
    [Between(0, 1 << 22, Zero = "8/3 of the width"), Since(4, 0)]
    public required int FeedForward { get; init; }

    [Setting("model.norm-epsilon", 1e-5, "llama: added to the mean square in norms. 1e-5 is Llama 2's; Llama 1 and Qwen have 1e-6.")]
    [Between(1e-12, 1), Since(4, 1e-5)]
    public required double NormEpsilon { get; init; }

    [Setting("model.tied-embeddings", false, """
        llama: whether the head's matrix is the token embedding (Press and Wolf 2017). Small models gain by it; Llama's larger ones have
        two.
        """)]
    [Since(4, false)]
    public required bool TiedEmbeddings { get; init; }

    [Setting("model.attention-biases", false, "llama: whether queries, keys and values have biases, as in Qwen2.")]
    [Since(4, false)]
    public required bool AttentionBiases { get; init; }

    [Setting("model.head-norms", false, """
        llama: whether each head of queries and of keys passes a norm before it is rotated, as in Qwen3.
        """)]
    [Since(4, false)]
    public required bool HeadNorms { get; init; }

    [Setting("model.attention-window", 0, """
        llama: how many tokens attention sees, the own one and those before it: Mistral's sliding window (Jiang et al. 2023). Each layer
        sees as far again. 0 for all.
        """)]
    [Between(0, 1 << 24, Zero = "all tokens before"), Since(5, 0)]
    public required int AttentionWindow { get; init; }

    /// <summary>How positions enter.</summary>
    public required RotarySettings Rotary { get; init; }

    /// <summary>Channels of the feed-forward network of a model of this width.</summary>
    internal int FeedForwardOf(int width) => FeedForward > 0
        ? FeedForward
        : (int)((8L * width / 3 + FeedForwardMultiple - 1) / FeedForwardMultiple * FeedForwardMultiple);

    /// <summary>What is wrong with a model of this kind that has these settings.</summary>
    internal IEnumerable<string> ProblemsOf(ModelSettings model)
    {
        if (KeyHeads > 0 && model.Heads % KeyHeads != 0)
            yield return $"model.heads = {model.Heads} does not divide by model.key-heads = {KeyHeads}: use a divisor of the heads";
        if (model.HeadSize % 2 != 0)
            yield return
                $"heads of {model.HeadSize} channels cannot be rotated in pairs: use an even model.head-size, or another model.width";
        if (model.HeadSize == 2 && Rotary.Scaling == RotaryScaling.Dynamic)
            yield return "model.rope-scaling = dynamic changes no frequency of heads of 2 channels: use a larger model.head-size";
        if (model.Context > MostContext)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"model.context = {model.Context}: use at most {MostContext} with rotary positions");
    }

    /// <summary>What is wrong where these settings are set, and the model is of another architecture.</summary>
    internal IEnumerable<string> ProblemsElsewhere(string architecture) =>
        from value in SettingsRecord.ValuesOf(this)
        where !Equals(value.Value, value.Setting.Default)
        select $"{value.Setting.Key} = {value.Setting.Show(value.Value)} means nothing to model.architecture = \"{architecture}\": "
            + "use \"llama\", or leave it out";
}
