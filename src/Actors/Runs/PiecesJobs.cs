using System.Diagnostics;
using System.Security.Cryptography;
using Akka.Actor;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>
/// The jobs in pieces that are under way here (evaluations over nodes, builds of corpora), each with a supervisor of its own. Part of
/// RunsActor: used on its mailbox only.
/// </summary>
internal sealed class PiecesJobs(Func<IActorContext> actors, NodeTable nodes, string prefix)
{
    // Each keeps what its asker has not taken yet; people ask for one or two at a time.
    private const int Most = 20;

    private readonly HashSet<RunId> _jobs = [];

    // Why jobs have failed whose askers may not know it yet, the oldest first.
    private readonly List<(RunId Job, string Why)> _failed = [];

    public bool Knows(RunId job) => _jobs.Contains(job);

    /// <summary>Passes a request on, and makes the supervisor of a job that is new here.</summary>
    public void Take(JobRequest request, IActorRef asker)
    {
        if (PiecesSupervisor.IsEnd(request) && !Knows(request.Job))
            asker.Tell(View(request, null));
        else if (_failed.Find(f => f.Job == request.Job).Why is { } failed)
            asker.Tell(View(request, failed));
        else if (!Knows(request.Job) && _jobs.Count == Most)
            asker.Tell(View(request, $"{Most} evaluations and builds are under way: wait until one of them is over"));
        else if (request is BuildRequest.Do asked && KindOf(asked) is null)
            asker.Tell(View(request, $"no build has the work {OneLine.Of(asked.Work, 40)}: give all nodes the same version of Elastic"));
        else
            SupervisorOf(request).Tell(request, asker);
    }

    /// <summary>The supervisor of a job has failed, and ends.</summary>
    public void Failed(RunId job, string why)
    {
        if (_failed.Count == Most)
            _failed.RemoveAt(0);
        _failed.Add((job, why));
    }

    /// <summary>The supervisor has ended.</summary>
    public void Ended(RunId job) => _jobs.Remove(job);

    private IActorRef SupervisorOf(JobRequest request)
    {
        if (!_jobs.Add(request.Job))
            return actors().Child($"{prefix}{request.Job}");
        var coordinator = Coordinator(request, RandomNumberGenerator.GetInt32(1, int.MaxValue));
        var supervisor = actors().Watch(actors().ActorOf(PiecesSupervisor.Props(request.Job, coordinator), $"{prefix}{request.Job}"));
        foreach (var (report, link) in nodes.Enlisted)
            supervisor.Tell(new FromNode(report), link);
        return supervisor;
    }

    // Another term for each supervisor of the job.
    private static PiecesCoordinator Coordinator(JobRequest request, long term) => request switch
    {
        EvaluationRequest => new EvaluationCoordinator(request.Job, term),
        BuildRequest.Do asked when KindOf(asked) is { } kind => new BuildCoordinator(request.Job, term, kind),
        _ => throw new UnreachableException($"no job has the request {request.GetType().Name}"),
    };

    private static WorkKindOfBuilds? KindOf(BuildRequest.Do asked) => WorkKinds.Find(asked.Work) as WorkKindOfBuilds;

    private static ISaidBySeed View(JobRequest request, string? refusal) => request is BuildRequest
        ? new BuildView(request.Job) { Pieces = [], Nodes = 0, WaitsFor = null, Refusal = refusal }
        : new EvaluationView(request.Job)
        {
            First = 0,
            Scores = [],
            Arithmetic = null,
            Nodes = 0,
            WaitsFor = null,
            Failure = refusal,
        };
}
