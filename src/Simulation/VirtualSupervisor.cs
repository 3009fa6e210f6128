using System.Text.Json;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>
/// RunSupervisor and the singleton above it without actors: the same <see cref="RunDesk"/>, a table of who was heard of, and a journal that
/// is a list. Checks with every command what must hold of every run.
/// </summary>
public sealed class VirtualSupervisor(VirtualWorld world)
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(5);

    private readonly Dictionary<NodeId, TimeSpan> _heard = [];
    private RunDesk _desk = new(Id, _ => world.Plan, Patience);
    private TimeSpan _began;

    public List<RunEvent> Journal { get; } = [];

    public RunState Run => _desk.Run;

    public Fleet Fleet => _desk.Fleet;

    public RunPhase Phase => _desk.Phase;

    /// <summary>Counts the supervisors of this run; what was on its way inside an earlier one is gone.</summary>
    public int Incarnation { get; private set; }

    /// <summary>False while it is moving to another seed.</summary>
    public bool IsThere { get; private set; } = true;

    /// <summary>Why it cannot go on, by its own account.</summary>
    public string? Failure => _desk.Failure;

    public void Crash()
    {
        Incarnation++;
        IsThere = false;
    }

    /// <summary>Starts anew from the journal; everything else is forgotten.</summary>
    public void Restart()
    {
        var before = _desk.Run;
        (_desk, _began, IsThere) = (new RunDesk(Id, _ => world.Plan, Patience), world.Now, true);
        _heard.Clear();
        Journal.ForEach(_desk.Fold);
        Invariant.Holds(JsonSerializer.Serialize(before) == JsonSerializer.Serialize(_desk.Run), "the journal folds to another state than the one that was lost");
        _desk.Recovered(goOn: true);
    }

    public void Handle(object message)
    {
        switch (message)
        {
            case RunCommand command:
                Handle(command);
                break;
            case NodeReport.Enlist enlist:
                _heard[enlist.Node] = world.Now;
                Then(() => _desk.Enlist(enlist));
                break;
            case NodeReport.VersionHeld held:
                Then(() => _desk.Hold(held));
                break;
            case NodeReport.SetHeld held:
                Then(() => _desk.Hold(held));
                break;
            case NodeReport.Surveyed surveyed:
                Then(() => _desk.Hold(surveyed));
                break;
            case NodeReport.RunIdle idle:
                Then(() => _desk.PutDown(idle));
                break;
            case NodeReport.WorkFailed failed:
                Then(() =>
                {
                    if (_desk.TakeBack(failed) is var (work, attempt))
                        world.Inside(250 * Math.Pow(2, Math.Min(attempt, 6)) * (1 + world.Chance.NextDouble()), () => Then(() => _desk.GiveOutAgain(work)));
                });
                break;
        }
    }

    public void Tick()
    {
        foreach (var node in _heard.Where(h => world.Now - h.Value > MostSilence).Select(h => h.Key).ToList())
            Lose(node);
        Then(_desk.Tick);
    }

    /// <summary>A node's lifeline broke, rightly or wrongly.</summary>
    public void Lose(NodeId node)
    {
        if (_heard.Remove(node))
            Then(() => _desk.Lose(node));
    }

    private void Handle(RunCommand command)
    {
        var before = Run;
        var decision = _desk.Decide(command);
        Invariant.Holds(decision.Refusal is null || decision.Events.Count == 0, $"{command} is refused and stored");
        foreach (var e in decision.Events)
        {
            Check(e);
            Journal.Add(e);
            _desk.Fold(e);
        }

        if (decision.Refusal is null)
            Invariant.Holds(_desk.Decide(command).Events.Count == 0, $"{command} asked twice stores twice");
        if (decision.Refusal is not null)
            Invariant.Holds(ReferenceEquals(before, Run), $"{command} is refused and changes the run");
        // Other messages may come between what is stored and what follows from it.
        world.Inside(world.Chance.Next(4) == 0 ? world.Milliseconds(0, 5) : 0, () => Then(() => _desk.Settle(command, decision)));
    }

    private void Then(Action happens)
    {
        _desk.At(world.Now - _began);
        happens();
        foreach (var (node, command) in _desk.TakeOutbox().OrderBy(o => o.Node.Value, StringComparer.Ordinal))   // stable: per node as it was sent
            world.ToNode(node, command);
        while (_desk.TakeOwn() is { } own)
        {
            if (own is RunCommand.CommitRound commit)
                world.CheckCommit(commit);
            // Commits go by the fence in the database.
            world.Inside(own is RunCommand.CommitRound ? world.Milliseconds(1, 60) : 0, () => Handle(own));
        }
    }

    private void Check(RunEvent e)
    {
        if (e is not RunEvent.RoundCommitted committed)
            return;
        var before = Journal.LastOrDefault(x => x is RunEvent.RoundCommitted or RunEvent.RolledBack) switch
        {
            RunEvent.RoundCommitted x => x.Round + 1,
            RunEvent.RolledBack x => x.From?.Version ?? 0,
            _ => 0,
        };
        Invariant.Holds(before == committed.Round, $"round {committed.Round} is committed where {before} is due");
        Invariant.Holds(Enumerable.Range(0, world.Plan.Replicas).SequenceEqual(Run.Finished.Keys), $"round {committed.Round} is committed without all replicas");
        Invariant.Holds(Run.Finished.Values.All(r => r.Round == committed.Round), $"round {committed.Round} is committed with another round's results");
        Invariant.Holds((committed.Round + 1) * world.Plan.TokensPerRound == committed.TokensSeen, $"round {committed.Round} counts {committed.TokensSeen} tokens");
    }
}
