using Akka.Event;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Actors.Work;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>The job that was opened on this node, or the reason why it could not be.</summary>
internal sealed record RunOpened(RunId RunId, NodeJob? Job, string? Why) : Akka.Actor.INoSerializationVerificationNeeded;

/// <summary>
/// Opens the runs that a node works for, which may take a while, since the corpus may have to be fetched. Part of NodeAgent: used on
/// its mailbox only, except for the tasks that it returns.
/// </summary>
internal sealed class RunOpener(NodeContext context, ILoggingAdapter log)
{
    private readonly UnopenedRuns _unopened = new(context);

    // One store for each run, however often it is opened: only one may know which blobs are fresh. With the folder of all that
    // is the run's, and with what surveys of the store asked for.
    private readonly Dictionary<RunId, (BlobStore Blobs, string Folder, SurveyedSets Surveyed)> _stores = [];

    // The last opening of each run, or the removal of its files after it. The next one begins after it has ended, so that the newest
    // settings win, and no files of the next one are removed.
    private readonly Dictionary<RunId, Task<RunOpened>> _last = [];

    public Task<RunOpened> OpenAsync(NodeCommand.OpenRun command)
    {
        var id = command.RunId;
        try
        {
            if (!_stores.TryGetValue(id, out var store))
            {
                var folder = FolderOf(command);
                _stores[id] = store = (new BlobStore(BlobsOf(command, folder)), folder, new SurveyedSets());
                if (command.Kind == JobKind.Run)
                    context.Blobs.Add(store.Blobs);
                _unopened.Forget(id);
            }

            return _last[id] = OpenAsync(command, store.Blobs, store.Folder, store.Surveyed, _last.GetValueOrDefault(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Answers come in the order of the orders.
            return _last[id] = AfterAsync(_last.GetValueOrDefault(id), Failed(command, e));
        }
    }

    /// <summary>Forgets a deleted run.</summary>
    /// <returns>What removes its files, once what is at work on them has ended.</returns>
    public DeleteFolder Close(RunId run)
    {
        if (_stores.Remove(run, out var store))
            context.Blobs.Remove(store.Blobs);
        _unopened.Forget(run);
        foreach (var over in _last.Where(l => l.Value is { IsCompletedSuccessfully: true, Result.Job: null }).ToList())
            _last.Remove(over.Key);
        var delete = new DeleteFolder(
            run, store.Folder ?? context.Paths.Run(run),
            _last.Remove(run, out var last) ? CloseAsync(last) : Task.CompletedTask);
        // An opening that is under way ends before the run is opened anew, and its files are gone. Then the run is closed once more.
        _last[run] = AfterAsync(delete.Gone.Task, new RunOpened(run, null, null));
        return delete;

        async Task CloseAsync(Task<RunOpened> opening)
        {
            var opened = await opening;
            if (store.Blobs is { } added)
                context.Blobs.Remove(added);                           // the opening may have added it after all
            if (opened.Job is { } job)
                await job.CloseAsync();
        }
    }

    private static async Task<RunOpened> AfterAsync(Task? before, RunOpened opened)
    {
        if (before is not null)
            await before;
        return opened;
    }

    private string BlobsOf(NodeCommand.OpenRun command, string folder) =>
        command.Kind == JobKind.Run ? context.Paths.Blobs(command.RunId) : folder;

    private string FolderOf(NodeCommand.OpenRun command) => command.Kind switch
    {
        JobKind.Evaluation => context.Paths.Evaluation(command.RunId, isAsker: false),
        JobKind.Build or JobKind.Tokens => context.Paths.Build(command.RunId, isAsker: false),
        _ => context.Paths.Run(command.RunId),
    };

    private async Task<RunOpened> OpenAsync(
        NodeCommand.OpenRun command, BlobStore store, string folder, SurveyedSets surveyed, Task<RunOpened>? before)
    {
        try
        {
            var known = before is null ? null : (await before).Job;
            Directory.CreateDirectory(BlobsOf(command, folder));       // it may have been removed since the store was made
            if (known is NodeRun { Setup: var same } && same.SettingsCanonical == command.Settings && same.CorpusId == command.Corpus
                && (!same.Corpus.IsGrowing || same.Corpus.ManifestDigest == command.Manifest))
                return new RunOpened(command.RunId, known, null);
            if (command.Kind is JobKind.Build or JobKind.Tokens)
            {
                if (known is not NodePieces pieces || pieces.Manifest != command.Manifest)
                    pieces = command.Kind == JobKind.Build ? await NodeBuild.OpenAsync(command, context, store, folder)
                        : await NodeTokens.OpenAsync(command, context, store, folder);
                context.Blobs.Add(store);
                return new RunOpened(command.RunId, pieces, null);
            }
            var corpus = await context.Corpora.OpenAsync(command.Corpus, command.Manifest, CancellationToken.None);
            var run = await Task.Run(() => new NodeRun(command, context, corpus, store) { Surveyed = surveyed });
            context.Blobs.Add(store);
            return new RunOpened(command.RunId, run, null);
        }
        catch (Exception e)
        {
            return Failed(command, e);
        }
    }

    private RunOpened Failed(NodeCommand.OpenRun command, Exception e)
    {
        log.Error(e, "run {0} cannot be opened", command.RunId);
        return new RunOpened(
            command.RunId, null, DiskSpace.IsExhausted(e)
                ? $"the disk is full ({e.Message}): free some space"
                : OutOfMemory.Sentence(e));
    }
}
