using System.Text.Json;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Storage;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>
/// Surrounds the shipped <see cref="RunCoordinator"/>: with a table of when each node was last heard of, a fence, and a journal that is a
/// list. Checks at every step what must hold of every run.
/// </summary>
public sealed class VirtualSupervisor(VirtualWorld world)
{
    private static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(5);

    private readonly Dictionary<NodeId, TimeSpan> _heard = [];
    private readonly VirtualFence _fence = new();
    private readonly List<(int Events, long Term)> _terms = [];          // how long the journal was when each term began
    private RunCoordinator _coordinator = new(Id, world.PlanOf, SettingsOf(world));
    private TimeSpan _began;
    private int _requests;

    public List<RunEvent> Journal { get; } = [];

    /// <summary>What this run has come to.</summary>
    public Reached Reached { get; } = new();

    public RunState Run => _coordinator.Run;

    public ClusterView View => _coordinator.View;

    public RunPhase Phase => _coordinator.Phase;

    /// <summary>What the run waits for, as the coordinator says.</summary>
    public string? WaitsFor => _coordinator.WaitsFor;

    /// <summary>Counts the supervisors of this run; pending calls inside an earlier one are dropped.</summary>
    public int Incarnation { get; private set; }

    /// <summary>False from a crash to the restart.</summary>
    public bool IsThere { get; private set; } = true;

    /// <summary>Why the run cannot go on, as the coordinator says.</summary>
    public string? Failure => _coordinator.Failure;

    public void Crash()
    {
        Incarnation++;
        IsThere = false;
    }

    /// <summary>
    /// The database is restored to an older state, as after a failover to a copy that lagged behind: the newest events and terms are gone,
    /// while nodes hold what followed from them.
    /// </summary>
    public void RestoreDatabase()
    {
        const int most = 40;                                            // events; a round has some ten
        // Not to before the choice of the arithmetic: the answer may be another one where it is chosen anew.
        var least = 1 + Math.Max(0, Journal.FindIndex(e => e is RunEvent.ArithmeticChosen));
        var kept = Math.Max(least, world.Chance.Next(Journal.Count - most, Journal.Count + 1));
        if (kept >= Journal.Count)
            return;
        Journal.RemoveRange(kept, Journal.Count - kept);
        _terms.RemoveAll(t => t.Events > kept);
        _fence.Restore(_terms.Count > 0 ? _terms[^1].Term : 0);
    }

    /// <summary>
    /// Another supervisor takes the run over, and is gone before it does anything: this one is outdated and does not know.
    /// </summary>
    public void LoseTerm() => _terms.Add((Journal.Count, _fence.Begin(Run.Round)));

    /// <summary>The first supervisor of the run.</summary>
    public void Begin() => Step(new RunInput.Recovered());

    /// <summary>Starts anew from the journal; everything else is forgotten.</summary>
    public void Restart()
    {
        _coordinator = new RunCoordinator(Id, world.PlanOf, SettingsOf(world));
        (_began, IsThere) = (world.Now, true);
        _heard.Clear();
        // Half of the time starts from a snapshot that is some events old.
        var snapshot = world.Chance.Next(2) == 0 ? world.Chance.Next(Journal.Count + 1) : 0;
        if (snapshot > 0)
            _coordinator.Restore(Journal.Take(snapshot).Aggregate(RunState.Empty(Id), Coordination.Run.Apply));
        Journal.Skip(snapshot).ToList().ForEach(_coordinator.Replay);
        var whole = Journal.Aggregate(RunState.Empty(Id), Coordination.Run.Apply);
        Invariant.Holds(Deep(whole) == Deep(Run), "a snapshot and the rest of the journal fold to another state than the journal");
        Begin();
    }

    /// <summary>A person stops or pauses the run, and now and then asks for a checkpoint.</summary>
    public void Interrupt()
    {
        Handle(++_requests % 2 == 0 ? new RunRequest.Stop(Name, By(_requests)) : new RunRequest.Pause(Name, By(_requests)));
        if (_requests % 3 == 0)
            Handle(new RunRequest.Checkpoint(Name, By(++_requests)));
    }

    /// <summary>A number that no request of a person has had.</summary>
    public int NextRequest() => ++_requests;

    /// <summary>A person starts the run, or goes on with it.</summary>
    public void GoOn(Func<int, RunRequest.Start> begin)
    {
        if (IsThere)
            Handle(++_requests % 2 == 0 && Run.IsBreak
                ? new RunRequest.Resume(Name, By(_requests)) : begin(_requests));
    }

    public void Handle(object message)
    {
        switch (message)
        {
            case RunRequest request:
                Step(new RunInput.Asked(request, null));
                break;
            case WorkResult result:
                var events = Journal.Count;
                var work = new InFlightWork(result.Key, result.Node);
                var newer = result.Outcome is HandedOver && IsThere && _coordinator.IsOfEarlierAttempt(result, world.Now - _began)
                    ? (View.InFlight[work], View.Attempts.GetValueOrDefault(work)) : ((TimeSpan, string?)?)null;
                Step(new RunInput.Answered(result));
                Invariant.Holds(
                    newer is null || !IsThere || Journal.Count > events
                        || (View.InFlight.GetValueOrDefault(work), View.Attempts.GetValueOrDefault(work)) == newer,
                    $"{result} said nothing new, and ended an attempt that was given out after it");
                if (Journal.Count > events && !Journal.Skip(events).Any(e => e is RunEvent.WorkLost or RunEvent.RolledBack))
                    Invariant.Holds(Coordination.Run.Decide(Run, world.PlanOf(Run), result).Events.Count == 0,
                        $"{result} answered twice is stored twice");
                break;
            case NodeReport.Enlist enlist:
                _heard[enlist.Node] = world.Now;
                Step(new RunInput.Reported(enlist));
                break;
            case NodeReport report:
                Step(new RunInput.Reported(report));
                break;
        }
    }

    public void Tick()
    {
        foreach (var node in _heard.Where(h => world.Now - h.Value > MostSilence).Select(h => h.Key).ToList())
            Lose(node);
        Step(new RunInput.Tick());
    }

    /// <summary>A node's liveness connection broke, rightly or wrongly.</summary>
    public void Lose(NodeId node)
    {
        if (_heard.Remove(node))
            Step(new RunInput.Lost(node));
    }

    private void Step(RunInput input)
    {
        if (!IsThere)
            return;                                                    // the supervisor crashed during an earlier input
        var (incarnation, before) = (Incarnation, Run);
        // Flush sorts stably: each node gets its messages in the order in which they were sent.
        var outputs = _coordinator.Step(input, world.Now - _began, world.Chance);
        Reached.Note(new Reached.Taken(input, outputs, before, View));
        var sends = new List<RunOutput.Send>();
        foreach (var output in outputs)
        {
            if (Incarnation != incarnation)
                return;
            if (output is RunOutput.Send send)
            {
                sends.Add(send);
                continue;
            }

            Flush(sends);
            Carry(output);
        }

        Flush(sends);
    }

    private void Flush(List<RunOutput.Send> sends)
    {
        foreach (var (node, message) in sends.OrderBy(o => o.Node.Value, StringComparer.Ordinal))
        {
            if (message is WorkOrder order)
                CheckAudit(node, order);
            if (message is WorkOrder { Content: Compute compute })
                world.Build.CheckRead(Journal, compute.Round);
            if (message is WorkOrder { Content: Compute or ComputeStage } stage)
                CheckStages(node, stage);
            world.ToNode(node, message);
        }

        sends.Clear();
    }

    private void Carry(RunOutput output)
    {
        switch (output)
        {
            case RunOutput.Store { Events: var events }:
                foreach (var e in events)
                {
                    var stored = AsStored(e);
                    Check(stored);
                    Journal.Add(stored);
                }

                world.AfterStore();
                break;
            case RunOutput.BeginTerm begin:
                world.Inside(world.Milliseconds(1, 60), () =>
                {
                    var term = _fence.Begin(begin.Round);
                    _terms.Add((Journal.Count, term));
                    Step(new RunInput.TermBegun(begin.Asking, term));
                });
                break;
            case RunOutput.AskFence { Term: var term, Commit: var commit }:
                world.CheckCommit(commit);
                world.Inside(world.Milliseconds(1, 60), () => Step(new RunInput.Fenced(commit, _fence.Passes(term, commit))));
                break;
            case RunOutput.GiveUp:
                world.CrashSupervisor();
                break;
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
        // The coordinator has folded the event already, and cleared the round's results: they are taken from the journal.
        var plan = world.PlanOf(Run);
        var replicas = plan.ReplicasAt(committed.Round);
        Invariant.Holds(before == committed.Round, $"round {committed.Round} is committed where {before} is due");
        Invariant.Holds(_fence.HasPassed(committed.Round), $"round {committed.Round} is committed without the fence");
        var results = Journal.AsEnumerable().Reverse().TakeWhile(x => x is not (RunEvent.RoundCommitted or RunEvent.RolledBack))
            .OfType<RunEvent.ReplicaComputed>().Select(x => x.Result).ToList();
        Invariant.Holds(results.All(r => r.Round == committed.Round), $"round {committed.Round} is committed with another round's results");
        Invariant.Holds(results.Select(r => r.Replica).Distinct().Count() == replicas,
            $"round {committed.Round} is committed without all replicas");
        Invariant.Holds(plan.TokensBefore(committed.Round + 1) == committed.TokensSeen,
            $"round {committed.Round} counts {committed.TokensSeen} tokens");
    }

    // Two computations that go on from one hand-over agree on what is wrong in it: an audit of them finds nothing.
    private void CheckAudit(NodeId node, WorkOrder order) => Invariant.Holds(
        order.Content is not Compute { HandOver: not null } c || !world.Plan.Audits(Run.AuditSecret, c.Round, c.Replica)
        || (Run.QuorumOf(c.Replica).Votes.IsEmpty && View.RunnersOf(order.Key).All(n => n == node)),
        $"{node} is to go on from a hand-over, where another node computes replica {order.Key.Index} of the same round, to compare");

    // All stages are given out at once, each to another node.
    private void CheckStages(NodeId node, WorkOrder order)
    {
        var (replica, stage) = (ComputeWork.Of(order.Content)!, ComputeStageWork.StageOf(order.Key));
        if (replica is { Stages: [], Attempt: null } && stage == 0 && world.Plan.Stages == 1)
            return;
        Invariant.Holds(replica.Attempt is not null && replica.Stages.Length == world.Plan.Stages
            && replica.Stages.DistinctBy(s => s.Node).Count() == world.Plan.Stages && replica.Stages[stage].Node == node
            && replica.Stages[stage].Endpoint == VirtualNode.EndpointOf(node.Value),
            $"{node} is to compute stage {stage} of a replica that {string.Join(", ", replica.Stages.Select(s => s.Node))} compute");
    }

    // As it comes back from the journal.
    private static RunEvent AsStored(RunEvent e) => EventCodec.Default.Read(EventCodec.Default.ManifestOf(e), EventCodec.Default.Write(e));

    private static CoordinatorSettings SettingsOf(VirtualWorld world) =>
        new(GoesOn: true, TimeSpan.FromSeconds(8)) { MostDigests = world.MostDigests };

    private static string Deep(RunState state) => JsonSerializer.Serialize(state);
}
