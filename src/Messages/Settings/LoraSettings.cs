namespace Elastic.Messages.Settings;

/// <summary>
/// The keys <c>model.lora-…</c>: fine-tuning of low-rank adapters (Hu et al. 2021), y = x W + b + (alpha / rank) x A'B'. Everything else of
/// the model is frozen.
/// </summary>
public sealed record LoraSettings : SettingsGroup
{
    [Setting("model.lora-rank", 0, """
        Trains adapters of this rank beside frozen weights (LoRA: Hu et al. 2021), well below a hundredth of the parameters; 0 trains all
        weights. Usual ranks are 4 to 64. Start from a trained model (model.init).
        """)]
    [Between(0, 4096, Zero = "no adapters"), Since(4, 0)]
    public required int Rank { get; init; }

    [Setting("model.lora-alpha", 16.0, "lora: adapters count alpha / rank times, so that the learning rate need not change with the rank.")]
    [Above(0), Since(4, 16.0)]
    public required double Alpha { get; init; }

    [Setting("model.lora-targets", new string[0], """
        lora: the layers that get an adapter, by the last word of their names, e.g. q_proj. Empty for those of the attention's inputs:
        c_attn of GPT-2, q_proj and v_proj of the Llama kind.
        """)]
    [Since(4, new string[0])]
    public required IReadOnlyList<string> Targets { get; init; }

    [Setting("model.lora-freeze-a", false, """
        lora: leaves A as it was drawn and trains B alone (FFA-LoRA: Sun et al. 2024). With several replicas the mean of the products A B is
        then the product of the means, which it is not where both are trained: averaging the factors only comes near it.
        """)]
    [Since(4, false)]
    public required bool FreezesA { get; init; }

    /// <summary>True where adapters are trained.</summary>
    public bool IsUsed => Rank > 0;

    /// <summary>True where these are the same adapters, whichever of their factors are trained.</summary>
    /// <param name="usual">The layers that get an adapter where none are named.</param>
    public bool AreThoseOf(LoraSettings other, IReadOnlyList<string> usual)
    {
        ArgumentNullException.ThrowIfNull(other);
        return (Rank, Alpha) == (other.Rank, other.Alpha) && Of(this).SetEquals(Of(other));

        HashSet<string> Of(LoraSettings lora) => new(lora.Targets.Count > 0 ? lora.Targets : usual, StringComparer.Ordinal);
    }

    /// <summary>alpha / rank.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>
    /// What is behind a model's signature, e.g. " lora 8 of c_attn"; empty without adapters. Frozen parameters lie elsewhere in the vector.
    /// </summary>
    internal string Signature => IsUsed
        ? $" lora {Rank} of {(Targets.Count == 0 ? "the attention" : string.Join(" ", Targets))}{(FreezesA ? " with A frozen" : "")}"
        : "";

    /// <inheritdoc/>
    public bool Equals(LoraSettings? other) => other is not null && (Rank, Alpha, FreezesA) == (other.Rank, other.Alpha, other.FreezesA)
        && Targets.SequenceEqual(other.Targets, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, Alpha, FreezesA, Targets.Count);

    /// <summary>What is wrong where the other keys are set and there are no adapters.</summary>
    internal IEnumerable<string> ProblemsWithoutAdapters() => IsUsed || (Targets.Count == 0 && !FreezesA)
        ? Enumerable.Empty<string>()
        : ["model.lora-targets and model.lora-freeze-a mean nothing without adapters: set model.lora-rank, e.g. to 8"];
}
