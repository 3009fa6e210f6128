using Elastic.Foundation;

namespace Elastic.Coordination;

/// <summary>What a coordinator commands its own run to do once it is due. Never travels, and has no serializer.</summary>
public abstract record CoordinatorCommand
{
    /// <summary>The run was started without devices; the first nodes with devices decide its arithmetic.</summary>
    public sealed record ChooseArithmetic(string Arithmetic) : CoordinatorCommand;

    /// <summary>The version is complete on <paramref name="Holders"/> of <paramref name="Nodes"/> nodes.</summary>
    public sealed record CommitRound(int Round, Digest Version, Digest Fingerprint, int Holders, int Nodes) : CoordinatorCommand;

    /// <summary>
    /// The sets that the journal refers to and some node still holds intact: judged once after every recovery and every loss.
    /// </summary>
    /// <param name="Asked">The vector sets that nodes were asked about: sets that arrived since are not judged.</param>
    /// <param name="Intact">The sets of which a node has every chunk with its digest.</param>
    public sealed record FinishSurvey(Digest[] Asked, Digest[] Intact) : CoordinatorCommand;

    /// <summary>Results and hand-overs of the current round that only nodes that are gone held: they are computed again.</summary>
    public sealed record LoseWork(int Round, int[] Replicas, string Why) : CoordinatorCommand;
}
