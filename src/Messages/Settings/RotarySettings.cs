namespace Elastic.Messages.Settings;

/// <summary>How rotary positions are stretched beyond the context that a model was trained with.</summary>
public enum RotaryScaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Positions are divided by the factor (Chen et al. 2023).</summary>
    Linear,

    /// <summary>The base grows with the length of the sequence, once that exceeds the original context.</summary>
    Dynamic,

    /// <summary>Slow pairs are divided by the factor, fast ones are not, and the attention is sharpened (Peng et al. 2023).</summary>
    Yarn,

    /// <summary>Slow pairs are divided by the factor, fast ones are not, told apart by their wavelengths as Llama 3.1 does.</summary>
    Llama3,
}

/// <summary>The keys <c>model.rope-…</c>: rotary positions (Su et al. 2021) and their stretching.</summary>
public sealed record RotarySettings : SettingsGroup
{
    [Setting("model.rope-theta", 10_000.0, """
        llama: base of the rotary frequencies; the slowest pair of channels turns once in about 6 theta tokens. 10000 is the paper's; models
        of long contexts have 500000 and more.
        """)]
    [Above(1), Since(4, 10_000.0)]
    public required double Theta { get; init; }

    [Setting("model.rope-scaling", RotaryScaling.None, """
        llama: how positions are stretched to a context longer than the weights were trained with, by the names that published
        configurations have: linear (Chen et al. 2023), dynamic (the base grows with the length of the sequence), yarn (Peng et al. 2023),
        llama3 (Llama 3.1). None: a fresh model is trained with its own context. With model.init a checkpoint of a shorter context goes on
        with a longer one.
        """)]
    [Since(4, RotaryScaling.None)]
    public required RotaryScaling Scaling { get; init; }

    [Setting("model.rope-factor", 1.0, "llama: how many times longer than the original context; for every scaling.")]
    [Between(1, 1_000_000), Since(4, 1.0)]
    public required double Factor { get; init; }

    [Setting("model.rope-original-context", 0, """
        llama: the context that the weights were trained with; for dynamic, yarn and llama3, which need it.
        """)]
    [Between(0, LlamaSettings.MostContext, Zero = "not given"), Since(4, 0)]
    public required int OriginalContext { get; init; }

    [Setting("model.rope-yarn-betas", new[] { 32.0, 1.0 }, """
        llama: for yarn: pairs that turn more often than the first number within the original context keep their frequency, those that turn
        less often than the second are divided by the factor, between them it changes in a straight line. The paper's numbers.
        """)]
    [Above(0), Since(4, new[] { 32.0, 1.0 })]
    public required NumberPair YarnBetas { get; init; }

    [Setting("model.rope-yarn-attention", null, """
        llama: for yarn: what queries and keys are multiplied by; null for the paper's 0.1 ln(factor) + 1.
        """)]
    [Above(0), Since(4, null)]
    public required double? YarnAttention { get; init; }

    [Setting("model.rope-llama3-factors", new[] { 1.0, 4.0 }, """
        llama: for llama3: as the betas of yarn, the slow end first. Llama 3.1's numbers.
        """)]
    [Above(0), Since(4, new[] { 1.0, 4.0 })]
    public required NumberPair Llama3Factors { get; init; }

    protected override IEnumerable<string> ProblemsTogether()
    {
        foreach (var (setting, value) in SettingsRecord.ValuesOf(this))
        {
            if (!Equals(value, setting.Default) && !Counts(setting.Key))
                yield return $"{setting.Key} = {setting.Show(value)} means nothing with model.rope-scaling = {Name}: leave it out";
        }
        if (Scaling is RotaryScaling.Dynamic or RotaryScaling.Yarn or RotaryScaling.Llama3 && OriginalContext == 0)
            yield return $"model.rope-scaling = {Name} needs model.rope-original-context: the context that the weights were trained with";
        if (YarnBetas.First <= YarnBetas.Second)
            yield return "model.rope-yarn-betas: use a larger number first, e.g. [32, 1]";
        if (Llama3Factors.First >= Llama3Factors.Second)
            yield return "model.rope-llama3-factors: use a smaller number first, e.g. [1, 4]";
    }

    private string Name => Scaling.ToString().ToLowerInvariant();

    private bool Counts(string key) => key switch
    {
        "model.rope-factor" => Scaling != RotaryScaling.None,
        "model.rope-original-context" => Scaling is RotaryScaling.Dynamic or RotaryScaling.Yarn or RotaryScaling.Llama3,
        "model.rope-yarn-betas" or "model.rope-yarn-attention" => Scaling == RotaryScaling.Yarn,
        "model.rope-llama3-factors" => Scaling == RotaryScaling.Llama3,
        _ => true,
    };
}
