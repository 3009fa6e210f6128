using Akka.Event;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>A run is open on this node, or could not be opened, and why.</summary>
internal sealed record RunOpened(NodeCommand.OpenRun Command, NodeRun? Run, string? Why) : Akka.Actor.INoSerializationVerificationNeeded;

// The runs that a node works for. To open one may take a while, since its corpus may have to come from elsewhere; what is asked of it
// in the meantime waits.
internal sealed class RunBook(NodePlace place, ILoggingAdapter log)
{
    private readonly Dictionary<RunId, NodeRun> _runs = [];
    private readonly Dictionary<RunId, string> _unopened = [];
    private readonly Dictionary<RunId, List<NodeCommand>> _opening = [];

    public IEnumerable<RunId> Open => _runs.Keys;

    public NodeRun? Find(RunId id) => _runs.GetValueOrDefault(id);

    public string WhyNot(RunId id) => _unopened.GetValueOrDefault(id, "the run is not open here");

    /// <summary>Keeps a command back while its run is being opened.</summary>
    public bool Hold(NodeCommand command)
    {
        if (!_opening.TryGetValue(command.RunId, out var waiting))
            return false;
        waiting.Add(command);
        return true;
    }

    public async Task<RunOpened> OpenAsync(NodeCommand.OpenRun command)
    {
        if (_runs.TryGetValue(command.RunId, out var known) && known.SettingsCanonical == command.Settings && known.CorpusId == command.Corpus)
            return new RunOpened(command, known, null);
        _opening.TryAdd(command.RunId, []);
        try
        {
            var corpus = await place.Corpora.OpenAsync(command.Corpus, command.Manifest, CancellationToken.None);
            return new RunOpened(command, await Task.Run(() => new NodeRun(command, place, corpus, known?.Blobs)), null);
        }
        catch (Exception e)
        {
            log.Error(e, "run {0} cannot be opened", command.RunId);
            return new RunOpened(command, null, e.Message);
        }
    }

    /// <summary>What was kept back, now that the run is open, or is known not to be.</summary>
    public List<NodeCommand> Note(RunOpened opened)
    {
        var id = opened.Command.RunId;
        if (opened.Run is { } run)
        {
            _runs[id] = run;
            _unopened.Remove(id);
            place.Blobs.Add(run.Blobs);
        }
        else
        {
            _unopened[id] = opened.Why!;
        }

        return _opening.Remove(id, out var waiting) ? waiting : [];
    }
}
