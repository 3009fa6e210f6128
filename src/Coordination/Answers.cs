using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>What came of a piece of work; a null message where it was put down without a word.</summary>
public sealed record WorkAnswer(NodeCommand Command, object? Message);

// What a node has in hand, and what came of it until a supervisor says that it knows. A supervisor that died with an answer in its
// mailbox, or a connection that broke, thus loses nothing: the next one is told.
public sealed class Answers
{
    // Enough for the replicas of two rounds on one node; each is a few hundred bytes.
    private const int MostRemembered = 64;

    private readonly Dictionary<RunWork, (NodeCommand Command, object? Message)> _works = [];
    private readonly HashSet<RunWork> _told = [];
    private readonly Queue<(NodeCommand.RunReplica Command, RunCommand.FinishReplica Answer)> _finished = new();

    /// <summary>In hand, or finished and not acknowledged.</summary>
    public IEnumerable<RunWork> Works => _works.Keys;

    /// <summary>Takes a piece of work in hand.</summary>
    /// <returns>False when it is in hand already.</returns>
    public bool TakeUp(NodeCommand command) => _works.TryAdd(WorkOf(command), (command, null));

    /// <summary>The answer when this very command was carried out before: a replica's round is not computed a second time.</summary>
    /// <param name="isThere">Whether a vector set is still here. Where it was lost, so is the result.</param>
    public object? Given(NodeCommand command, Func<Digest, bool> isThere)
    {
        var work = WorkOf(command);
        if (_works.GetValueOrDefault(work).Message is { } waiting)
            return waiting;
        if (command is not NodeCommand.RunReplica replica || _works.ContainsKey(work) || _finished.FirstOrDefault(f => f.Command == replica).Answer is not { } known)
            return null;
        if (!isThere(known.Result.Contribution) || !isThere(known.Result.InnerState))
            return null;
        _works[work] = (command, known);
        return known;
    }

    /// <summary>What came of a piece of work.</summary>
    /// <returns>What to tell; null when nobody waits for it any more.</returns>
    public object? Finish(WorkAnswer answer)
    {
        if (answer.Command is NodeCommand.RunReplica replica && answer.Message is RunCommand.FinishReplica finished)
        {
            _finished.Enqueue((replica, finished));
            if (_finished.Count > MostRemembered)
                _finished.Dequeue();
        }

        if (WorkKey.Of(answer.Command) is null)
            return answer.Message;
        // Dropped, or given anew since, perhaps with other contributions: then this is the answer to a question of before.
        var work = WorkOf(answer.Command);
        if (!_works.TryGetValue(work, out var asked) || !ReferenceEquals(asked.Command, answer.Command))
            return null;
        if (answer.Message is null)
            _works.Remove(work);
        else
            _works[work] = (answer.Command, answer.Message);
        return answer.Message;
    }

    /// <summary>Answers that were not acknowledged since the last call.</summary>
    public IReadOnlyList<object> Overdue()
    {
        var waiting = _works.Where(w => w.Value.Message is not null).ToList();
        var overdue = waiting.Where(w => !_told.Add(w.Key)).Select(w => w.Value.Message!).ToList();
        _told.IntersectWith(waiting.Select(w => w.Key));
        return overdue;
    }

    /// <summary>Work that was not begun, and is not going to be.</summary>
    public void PutDown(NodeCommand command) => _works.Remove(WorkOf(command));

    /// <summary>Nobody waits for it.</summary>
    public void Drop(RunWork work) => _works.Remove(work);

    private static RunWork WorkOf(NodeCommand command) => new(command.RunId, WorkKey.Of(command)!.Value);
}
