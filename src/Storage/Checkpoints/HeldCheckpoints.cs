using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Checkpoints that somebody reads on this node: they stay until then, though their run has dropped them. Thread-safe.</summary>
public sealed class HeldCheckpoints
{
    private readonly Lock _gate = new();
    private readonly List<Hold> _holds = [];

    /// <summary>Holds a checkpoint until it is disposed of.</summary>
    public IDisposable Take(RunId run, int version)
    {
        var hold = new Hold(this, run, version);
        lock (_gate)
            _holds.Add(hold);
        return hold;
    }

    /// <summary>Versions of a run that are held.</summary>
    public IReadOnlyList<int> Of(RunId run)
    {
        lock (_gate)
            return [.. _holds.Where(h => h.Run == run).Select(h => h.Version).Distinct()];
    }

    private sealed class Hold(HeldCheckpoints all, RunId run, int version) : IDisposable
    {
        public RunId Run => run;

        public int Version => version;

        public void Dispose()
        {
            lock (all._gate)
                all._holds.Remove(this);
        }
    }
}
