using Elastic.Coordination;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

// What people do: they set up nodes, start the run, also once more, and change settings of it in mid-run.
public sealed partial class VirtualWorld
{
    /// <summary>The plan with what was changed in mid-run.</summary>
    public RunPlan PlanOf(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return !_accidents.Changes || !run.Exists ? Plan with { EndsAt = run.EndsAt } : RunPlan.Of(run) with
        {
            EvaluateEvery = Plan.EvaluateEvery,
            CheckpointEvery = Plan.CheckpointEvery,
            CheckpointsKept = Plan.CheckpointsKept,
        };
    }

    private void GoOn() => Supervisor.GoOn(
        request => (_accidents.Changes ? BeginOf(request, Plan) : Build.AsBuilt(Begin(request))) with { Arithmetic = _arithmetic });

    // Half of the accidents are changes. Some of these are refused, and some only ask.
    private bool ChangesSettings()
    {
        if (!_accidents.Changes || !Supervisor.IsThere || Chance.Next(2) > 0)
            return false;
        var run = Supervisor.Run;
        Supervisor.Handle(new RunRequest.Set(
            Name, By(Supervisor.NextRequest()), AnyChange(), Chance.Next(3) == 0 ? run.FarthestRound + Chance.Next(3) : null,
            Chance.Next(5) == 0));
        return true;
    }

    /// <summary>What a person sets <c>node.split</c> of a node to.</summary>
    public ReplicaSplit AnySplit() => ReplicaSplit.Parse(Chance.Next(9) switch
    {
        0 => "tensor:2",
        1 => "tensor:4",
        2 => "pipeline:2",
        3 => "pipeline:3",
        4 => "pipeline:4",
        5 => "tensor:2, pipeline:2",
        6 => "pipeline:2x2",
        _ => "none",
    });

    private string AnyChange() => Chance.Next(6) switch
    {
        0 => $$"""{"run.replicas":{{1 + Chance.Next(4)}}}""",
        1 => $$"""{"run.inner-steps":{{1 + Chance.Next(5)}}}""",
        2 => $$"""{"batch.sequences":{{2 * (1 + Chance.Next(6))}}}""",
        3 => $$"""{"run.rounds":{{3 + Chance.Next(6)}}}""",
        4 => $$"""{"corpus.mixture":["books={{1 + Chance.Next(3)}}"]}""",
        _ => $$"""{"optimizer.learning-rate":0.00{{1 + Chance.Next(9)}}}""",
    };
}
