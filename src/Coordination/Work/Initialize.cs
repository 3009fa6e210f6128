using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Make version 0, from the seed or from <c>model.init</c>.</summary>
public sealed record Initialize : WorkContent;

/// <param name="Version">Vector set of version 0.</param>
/// <param name="Frozen">The set of frozen parameters that it names, if any.</param>
public sealed record Initialized(Digest Version, Digest Fingerprint, Digest? Frozen = null) : WorkOutcome;

/// <inheritdoc cref="Initialize"/>
public sealed class InitializeWork : WorkKind
{
    public static readonly InitializeWork Kind = new();

    public static readonly WorkKey Key = new("initialize", 0);

    public override string Name => Key.Kind;

    // Everything follows from version 0, and it costs little.
    public override bool IsAudited(RunState run, RunPlan plan, WorkKey key) => plan.AuditRate > 0;

    public override string BytesOf(WorkOutcome outcome) => outcome is Initialized c ? $"{c.Version} {c.Fingerprint} {c.Frozen}" : "";

    public override void GiveOut(Scheduling scheduling)
    {
        if (scheduling.Run.Version is null)
            scheduling.Once(Key, scheduling.View.Workers, new Initialize());
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => run.Version is not null;

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome is Initialized c
        ? Decision.Store(new RunEvent.RunInitialized(run.Id, c.Version, c.Fingerprint, Frozen: c.Frozen))
        : Foreign(result.Outcome);

    public override IEnumerable<Digest> Needs(WorkContent content) => [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => outcome is Initialized c ? [c.Version] : [];

    public override int? StoresFor(WorkKey key) => null;
}
