namespace Elastic.Storage;

/// <summary>What an audit found of the replicas' rounds that were drawn to be computed by two nodes.</summary>
/// <param name="Drawn">So many were drawn by the secrets in the journal.</param>
/// <param name="Single">The drawn ones that one node alone computed, because there was no second one: "round 3, replica 1".</param>
/// <param name="Unchecked">Rounds with audits whose secret the journal lacks, so that nobody can say what was drawn.</param>
/// <remarks>The journal does not say who summed or scored: of these nothing can be checked afterwards.</remarks>
public sealed record DrawnResults(int Drawn, IReadOnlyList<string> Single, int Unchecked);
