using Elastic.Messages;
using Elastic.Messages.Nodes;
using static Elastic.Coordination.CoordinatorCommand;

namespace Elastic.Coordination;

/// <summary>
/// The term that the fence has given this supervisor: asks for one, numbers what nodes are sent in it, and has each commit pass the fence,
/// so that of two supervisors of a run only the newer one commits.
/// </summary>
internal sealed class SupervisorTerm(RunCoordinatorContext context)
{
    private long? _term;
    private int _asking;
    private long _orders;
    private long _laterTerm;
    private CommitRound? _atTheFence;

    /// <summary>False until the fence has answered, and again after a rollback: the fence has to know of that first.</summary>
    public bool IsKnown => _term is not null;

    /// <summary>Asks for a new term.</summary>
    public void Begin()
    {
        (_term, _atTheFence) = (null, null);
        context.Add(new RunOutput.BeginTerm(++_asking, context.Run.Round));
    }

    /// <summary>Takes a term, unless another one has been asked for since.</summary>
    public void Take(RunInput.TermBegun begun)
    {
        if (begun.Asking == _asking)
            _term = begun.Term;
    }

    /// <summary>The id of the next order, or of something else that is told apart from what was said before.</summary>
    public OrderId NextOrder() => new(_term ?? 0, ++_orders);

    /// <summary>Asks the fence to let the commit pass that is due, if there is one.</summary>
    public void AskFence(RunPlan plan)
    {
        if (_atTheFence is not null || _term is not { } term || Scheduler.Commit(context.Run, context.View, plan) is not { } commit)
            return;
        _atTheFence = commit;
        context.Add(new RunOutput.AskFence(term, commit));
    }

    /// <summary>
    /// The commit that the fence has let pass, by what the nodes hold then; null where there is none. Where the commit is no longer due,
    /// the fence is one round ahead of the run: a new term tells the fence where the run stands.
    /// </summary>
    public CommitRound? Passed(RunInput.Fenced fenced)
    {
        _atTheFence = null;
        if (!fenced.Passed)
        {
            context.Add(new RunOutput.GiveUp("another supervisor has taken this run over"));
            return null;
        }

        var due = Scheduler.Commit(context.Run, context.View, context.Plan!);
        if (due?.Version == fenced.Commit.Version && due.Round == fenced.Commit.Round)
            return due;
        Begin();
        return null;
    }

    /// <summary>
    /// Warns where a node has an order of a later term. Terms only grow: such an order says that the database is an older state of itself,
    /// or that this supervisor is outdated.
    /// </summary>
    public void WarnOfLaterTerm(NodeReport.Enlist report)
    {
        var latest = report.Pieces().Where(w => w.Job == context.Id.Job).Select(w => w.Order.Term).DefaultIfEmpty().Max();
        if (_term is not { } term || latest <= Math.Max(term, _laterTerm))
            return;
        _laterTerm = latest;
        context.Warn(
            $"{context.Names(report.Node)} has an order of term {latest}, and this supervisor has term {term}: unless another seed has "
            + "just taken over, the database is an older copy, or its file journal.db-wal was lost. The run goes on from what the database "
            + "knows, and computes again what it lacks; where there is a newer copy of the database, stop the seeds and put it back");
    }
}
