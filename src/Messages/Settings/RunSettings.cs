namespace Elastic.Messages.Settings;

/// <summary>How the parameters of the replicas become the next model version.</summary>
public enum AveragingMethod
{
    /// <summary>The mean of the replicas' parameters; the identity for one replica.</summary>
    Average,

    /// <summary>DiLoCo (Douillard et al. 2023, algorithm 1): an outer Nesterov step along version - mean.</summary>
    Nesterov,
}

/// <summary>Block <c>run</c>: how much work there is and how it is cut into rounds.</summary>
/// <param name="Name">Names the run, its folder and its journal.</param>
/// <param name="Seed">Decides the initial parameters, the sample order and the dropout masks.</param>
/// <param name="Replicas">R: logical data-parallel workers, averaged once a round.</param>
/// <param name="InnerSteps">H: optimizer steps of each replica between two averagings.</param>
/// <param name="Rounds">Rounds to run; null when <paramref name="Epochs"/> decides.</param>
/// <param name="Epochs">Passes over the corpus; the run ends with the round that completes them.</param>
/// <param name="Averaging">How the replicas are averaged.</param>
/// <param name="AuditRate">Share of the replicas' rounds that two nodes compute, to compare their bytes. No effect on the weights.</param>
public sealed record RunSettings(
    string Name, ulong Seed, int Replicas, int InnerSteps, int? Rounds, int? Epochs, AveragingMethod Averaging, double AuditRate = 0)
{
    /// <summary>A message that names something of each replica stays well below the control plane's 64 KiB.</summary>
    public const int MostReplicas = Work.Part.MostDigests;

    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (Name.Length is 0 or > 64 || !Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || Name[0] == '.')
            yield return $"run.name = \"{Name}\": use 1 to 64 letters, digits, '-', '_' and '.'";
        if (Replicas is < 1 or > MostReplicas)
            yield return $"run.replicas = {Replicas}: use 1 to {MostReplicas}";
        if (InnerSteps < 1)
            yield return $"run.inner-steps = {InnerSteps}: use at least 1";
        if (Rounds is null == Epochs is null)
            yield return "run.rounds and run.epochs: set exactly one of them";
        if (AuditRate is not (>= 0 and <= 1))
            yield return $"run.audit-rate = {AuditRate}: use 0 to 1";
        if (Rounds < 1)
            yield return $"run.rounds = {Rounds}: use at least 1";
        if (Epochs < 1)
            yield return $"run.epochs = {Epochs}: use at least 1";
    }
}
