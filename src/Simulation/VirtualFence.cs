using Elastic.Coordination;
using Elastic.Foundation;

namespace Elastic.Simulation;

/// <summary>The fence in the database (CommitFence), for one run.</summary>
internal sealed class VirtualFence
{
    private long _term;
    private int _round;
    private Digest? _version;

    public long Begin(int round)
    {
        (_round, _version) = (round, null);
        return ++_term;
    }

    /// <summary>The database is restored to an older state.</summary>
    public void Restore(long term) => (_term, _version) = (term, null);

    public bool Passes(long term, CoordinatorCommand.CommitRound commit)
    {
        if (term != _term || (_round != commit.Round && !(_round == commit.Round + 1 && _version == commit.Version)))
            return false;
        (_round, _version) = (commit.Round + 1, commit.Version);
        return true;
    }

    /// <summary>True when the newest commit that the fence let pass is of this round.</summary>
    public bool HasPassed(int round) => _round == round + 1 && _version is not null;
}
