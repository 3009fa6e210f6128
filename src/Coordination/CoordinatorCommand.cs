using Elastic.Foundation;

namespace Elastic.Coordination;

/// <summary>What a coordinator asks of its own run, when it sees that the time has come. It never travels, and has no serializer.</summary>
public abstract record CoordinatorCommand
{
    /// <summary>The run was started where there are no devices; the first nodes that have some decide what its bits depend on.</summary>
    public sealed record ChooseArithmetic(string Arithmetic) : CoordinatorCommand;

    /// <summary>The version is complete on <paramref name="Holders"/> of <paramref name="Nodes"/> nodes.</summary>
    public sealed record CommitRound(int Round, Digest Version, Digest Fingerprint, int Holders, int Nodes) : CoordinatorCommand;

    /// <summary>What is still whole, on whichever node, of what the journal speaks of: judged once after every recovery and every loss.</summary>
    /// <param name="Asked">The vector sets that were looked at: what arrived since is not judged.</param>
    /// <param name="Intact">Those whose every chunk is there and has its digest.</param>
    public sealed record FinishSurvey(Digest[] Asked, Digest[] Intact) : CoordinatorCommand;

    /// <summary>Results of the current round that were only on nodes that are gone: they are computed again.</summary>
    public sealed record LoseWork(int Round, int[] Replicas, string Why) : CoordinatorCommand;
}
