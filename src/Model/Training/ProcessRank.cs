namespace Elastic.Model.Training;

/// <summary>One of several processes that check together how their devices exchange vectors.</summary>
/// <param name="Rank">From 0.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Folder">Where they find each other: empty at first, the same for all.</param>
/// <param name="Exchanges">How often each sends a vector to the next one.</param>
/// <param name="Deadline">When an exchange counts as failed.</param>
public sealed record ProcessRank(int Rank, int Count, string Folder, int Exchanges, TimeSpan Deadline);
