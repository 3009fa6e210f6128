using Akka.Actor;
using Akka.Event;
using Akka.Routing;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>A piece of work on a run's blobs.</summary>
/// <param name="Number">Number of the work within the node.</param>
internal sealed record BlobWork(int Number, NodeRun Run, WorkOrder Order) : INoSerializationVerificationNeeded;

/// <summary>Asks to survey a run's blobs (answered by <see cref="NodeReport.Surveyed"/>), or to free some (not answered).</summary>
internal sealed record StoreCommand(NodeRun Run, NodeCommand Command) : INoSerializationVerificationNeeded;

/// <summary>Asks to remove the folder of a run that was deleted; not answered.</summary>
/// <param name="After">Ends when nothing is created in it any more.</param>
internal sealed record DeleteFolder(RunId Run, string Folder, Task After) : INoSerializationVerificationNeeded
{
    /// <summary>Ends when the folder is gone, or could not be removed.</summary>
    public TaskCompletionSource Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The outcome of a piece of work; null where it was stopped before it had any.</summary>
internal sealed record WorkEnded(int Number, WorkOutcome? Outcome) : INoSerializationVerificationNeeded;

/// <summary>
/// Does a node's work on blobs, one piece after the other, on a thread of its own: reading, hashing and flushing block. It first
/// fetches what other nodes have. A failure is an answer, too. Surveys have an actor of their own: they must not wait for what others send.
/// </summary>
internal sealed class BlobWorkActor : ReceiveActor
{
    // People read the message.
    private const int MostProblems = 8;

    private readonly ILoggingAdapter _log = Context.GetLogger();

    public BlobWorkActor()
    {
        ReceiveAsync<BlobWork>(async work =>
        {
            var asker = Sender;
            WorkOutcome? outcome;
            try
            {
                outcome = await FetchReports.DuringAsync(
                    work.Run, work.Order.Key, 0, report => asker.Tell(report),
                    WorkExecutors.Of(work.Order.Key).ExecuteAsync(work.Run, work.Order.Content, null));
            }
            catch (Exception e)
            {
                outcome = WorkFailures.Of(e);
            }

            asker.Tell(new WorkEnded(work.Number, outcome));
        });
        // What is at work on the run may take its time to end: the work of other runs does not wait for that.
        Receive<DeleteFolder>(delete => _ = delete.After.PipeTo(
            Self, success: () => new FolderClosed(delete), failure: _ => new FolderClosed(delete)));
        Receive<FolderClosed>(closed =>
        {
            var delete = closed.Delete;
            try
            {
                if (Directory.Exists(delete.Folder))
                    Directory.Delete(delete.Folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _log.Warning(e, "run {0} was deleted, and {1} cannot be removed: remove it by hand", delete.Run, delete.Folder);
            }
            finally
            {
                delete.Gone.TrySetResult();
            }
        });
        Receive<StoreCommand>(store =>
        {
            try
            {
                Do(store.Run, store.Command);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                _log.Warning(e, "run {0}: what it stores could not be looked after", store.Run.Id);
            }
        });
    }

    /// <param name="lanes">How many pieces run at once.</param>
    public static Props Props(int lanes) =>
        Akka.Actor.Props.Create(() => new BlobWorkActor())
            .WithDispatcher("elastic.device-dispatcher").WithRouter(new RoundRobinPool(lanes));

    private void Do(NodeRun run, NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.Survey survey:
                run.Surveyed.Note(survey.Number, survey.Sets);
                var whole = survey.Sets.Where(s => IsWhole(run.Blobs, s, survey.Thorough)).ToList();
                // A copy or a result that has come meanwhile may have been told before this answer, which must not take it back.
                whole.AddRange(
                    survey.Sets.Except(whole).Where(s => run.Blobs.IsThere(s) && IsWhole(run.Blobs, s, survey.Thorough)).ToList());
                Sender.Tell(new NodeReport.Surveyed(run.Node, run.Id, survey.Number, survey.Sets, [.. whole], survey.Part));
                break;
            case NodeCommand.Retain retain:
                var (freed, unnamed) = run.Surveyed.Retain(retain.Number, retain.Sets, sets => CheckpointFiles.Retain(
                    run.Paths.Checkpoints(run.Id), run.Blobs, retain.Checkpoints, sets, retain.Round, run.Held.Of(run.Id)));
                _log.Debug("run {0}: freed {1} bytes", run.Id, freed.FreedBytes);
                if (freed.Problems.Count > 0)
                    _log.Warning("run {0}: {1}{2}", run.Id, string.Join("; ", freed.Problems.Take(MostProblems)),
                        freed.Problems.Count > MostProblems ? $"; and {freed.Problems.Count - MostProblems} more" : "");
                if (unnamed is { } version && !retain.Checkpoints.Any(c => c > version))
                    _log.Warning(
                        "run {0}: checkpoint {1} was to be dropped, and is the newest here: it stays, with all that it names",
                        run.Id, version);
                break;
        }
    }

    private sealed record FolderClosed(DeleteFolder Delete) : INoSerializationVerificationNeeded;

    // A set that the disk cannot read counts as missing, so that a survey is always answered.
    private static bool IsWhole(BlobStore blobs, Digest set, bool thorough)
    {
        try
        {
            return blobs.IsWhole(set, thorough);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return false;
        }
    }
}
