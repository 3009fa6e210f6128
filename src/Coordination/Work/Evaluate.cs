using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Score a version on the held-out text.</summary>
/// <param name="Parameters">The version's vector set.</param>
public sealed record Evaluate(int Version, Digest Parameters) : WorkContent;

/// <summary>The score of the version.</summary>
/// <param name="Sources">The score by source, see <see cref="RunEvent.VersionEvaluated"/>.</param>
/// <param name="Languages">The score by language, see <see cref="RunEvent.VersionEvaluated"/>.</param>
public sealed record Evaluated(VersionScore Score, SourceScore[]? Sources = null, SourceScore[]? Languages = null) : WorkOutcome;

/// <inheritdoc cref="Evaluate"/>
public sealed class EvaluateWork : WorkKind
{
    public static readonly EvaluateWork Kind = new();

    public override string Name => "evaluate";

    public override bool OccupiesDevices => true;

    // What people judge a run by. Blocks are scored and summed in an order that no machine changes.
    public override bool IsAudited(RunState run, RunPlan plan, WorkKey key) => plan.AuditsScore(run.AuditSecret, key.Number);

    // Without languages: a corpus that an earlier version of Elastic built, which is the same in all else, does not name them.
    public override string BytesOf(WorkOutcome outcome) => outcome is Evaluated { Score: var score, Sources: var sources }
        ? string.Create(CultureInfo.InvariantCulture, $"{score.Version} {score.LossNats:R} {score.BitsPerByte:R}")
            + string.Concat((sources ?? []).Select(s => string.Create(
                CultureInfo.InvariantCulture, $"\n{s.Source} {s.Nats:R} {s.Targets}")))
        : "";

    public static WorkKey KeyOf(int version) => new(Kind.Name, version);

    public override void GiveOut(Scheduling scheduling)
    {
        if (scheduling.Run is { Version: { } version } run && !run.IsScored(scheduling.Plan))
            scheduling.Once(KeyOf(run.Round), scheduling.View.Workers, new Evaluate(run.Round, version));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Score?.Version == key.Number;

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome switch
    {
        Evaluated c when c.Score.Version != run.Round || run.Score?.Version == c.Score.Version => Decision.AlreadyDone,
        // It is stored for good, and a node may send what it likes.
        Evaluated c when IsExcessive(c.Sources) => Decision.Refuse("its sources are more or longer than a score has"),
        Evaluated c when IsExcessive(c.Languages) => Decision.Refuse("its languages are more or longer than a score has"),
        Evaluated c => Run.FinishIfDone(
            run, plan,
            [new RunEvent.VersionEvaluated(run.Id, c.Score, c.Sources, c.Languages), .. EarlyStopping.After(run, plan, c.Score)]),
        var other => Foreign(other),
    };

    public override IEnumerable<Digest> Needs(WorkContent content) => content is Evaluate c ? [c.Parameters] : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => [];

    public override int? StoresFor(WorkKey key) => null;

    private static bool IsExcessive(SourceScore[]? scores) => scores is not null
        && (scores.Length > SourceScore.Most + 1 || scores.Any(s => s.Source.Length > SourceName.Longest || s.Targets < 1));
}
