using Akka.Event;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>A run is open on this node, or could not be opened, and why.</summary>
internal sealed record RunOpened(NodeCommand.OpenRun Command, NodeRun? Run, string? Why) : Akka.Actor.INoSerializationVerificationNeeded;

// The runs that a node works for. To open one may take a while, since its corpus may have to come from elsewhere; what is asked of it
// in the meantime waits. Part of NodeAgent: used on its mailbox only, but for what its tasks return.
internal sealed class RunBook(NodePlace place, ILoggingAdapter log)
{
    private readonly Dictionary<RunId, NodeRun> _runs = [];
    private readonly Dictionary<RunId, string> _unopened = [];
    private readonly Dictionary<RunId, List<NodeCommand>> _opening = [];

    // One for each run, however often it is opened: only one store may know what is fresh.
    private readonly Dictionary<RunId, BlobStore> _stores = [];

    // The last opening of each run. The next one begins when it has ended, so that the newest settings win.
    private readonly Dictionary<RunId, Task<RunOpened>> _last = [];

    public IEnumerable<RunId> Open => _runs.Keys;

    /// <summary>Work that waits for its run to be opened.</summary>
    public IEnumerable<RunWork> Held => _opening.Values.SelectMany(w => w)
        .Select(c => WorkKey.Of(c) is { } work ? new RunWork(c.RunId, work) : (RunWork?)null).OfType<RunWork>();

    public NodeRun? Find(RunId id) => _runs.GetValueOrDefault(id);

    /// <summary>Why the run could not be opened; null when nobody has asked for it.</summary>
    public string? WhyNot(RunId id) => _unopened.GetValueOrDefault(id);

    /// <summary>Keeps a command back while its run is being opened.</summary>
    public bool Hold(NodeCommand command)
    {
        if (!_opening.TryGetValue(command.RunId, out var waiting))
            return false;
        waiting.Add(command);
        return true;
    }

    /// <summary>What was kept back and is not wanted any more.</summary>
    public void Forget(RunId run, Predicate<NodeCommand> which) => _opening.GetValueOrDefault(run)?.RemoveAll(which);

    public Task<RunOpened> OpenAsync(NodeCommand.OpenRun command)
    {
        var id = command.RunId;
        var before = _last.GetValueOrDefault(id, Task.FromResult(new RunOpened(command, null, null)));
        if (before.IsCompletedSuccessfully && _runs.TryGetValue(id, out var known) && known.SettingsCanonical == command.Settings && known.CorpusId == command.Corpus)
            return Task.FromResult(new RunOpened(command, known, null));
        _opening.TryAdd(id, []);
        try
        {
            if (!_stores.TryGetValue(id, out var store))
                _stores[id] = store = new BlobStore(place.Paths.Blobs(id));
            return _last[id] = OpenAsync(command, store, before);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Task.FromResult(Failed(command, e));
        }
    }

    /// <summary>What was kept back, now that the run is open, or is known not to be.</summary>
    public List<NodeCommand> Note(RunOpened opened)
    {
        var id = opened.Command.RunId;
        if (_last.GetValueOrDefault(id) is { IsCompleted: false })
            return [];                                                 // it is being opened again already
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

    private async Task<RunOpened> OpenAsync(NodeCommand.OpenRun command, BlobStore store, Task before)
    {
        await before;
        try
        {
            var corpus = await place.Corpora.OpenAsync(command.Corpus, command.Manifest, CancellationToken.None);
            return new RunOpened(command, await Task.Run(() => new NodeRun(command, place, corpus, store)), null);
        }
        catch (Exception e)
        {
            return Failed(command, e);
        }
    }

    private RunOpened Failed(NodeCommand.OpenRun command, Exception e)
    {
        log.Error(e, "run {0} cannot be opened", command.RunId);
        return new RunOpened(command, null, DiskSpace.IsExhausted(e) ? $"the disk is full ({e.Message}): free some space" : e.Message);
    }
}
