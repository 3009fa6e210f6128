using System.Security.Cryptography;
using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

// The evaluations over nodes that are under way here, each with a supervisor of its own. Part of RunsActor: used on its mailbox only.
internal sealed class EvaluationJobs(Func<IActorContext> actors, NodeTable nodes, string prefix)
{
    // Each keeps what its asker has not taken yet; people ask for one or two at a time.
    private const int Most = 20;

    private readonly HashSet<RunId> _jobs = [];

    public bool Knows(RunId job) => _jobs.Contains(job);

    /// <summary>Passes a request on, and makes the supervisor of a job that is new here.</summary>
    public void Take(EvaluationRequest request, IActorRef asker)
    {
        if (request is EvaluationRequest.End && !Knows(request.Job))
            asker.Tell(View(request.Job, null));
        else if (!Knows(request.Job) && _jobs.Count == Most)
            asker.Tell(View(request.Job, $"{Most} evaluations are under way: wait until one of them is over"));
        else
            SupervisorOf(request.Job).Tell(request, asker);
    }

    /// <summary>The supervisor has ended.</summary>
    public void Ended(RunId job) => _jobs.Remove(job);

    private IActorRef SupervisorOf(RunId job)
    {
        if (!_jobs.Add(job))
            return actors().Child($"{prefix}{job}");
        var supervisor = actors().Watch(actors().ActorOf(
            EvaluationSupervisor.Props(job, RandomNumberGenerator.GetInt32(1, int.MaxValue)), $"{prefix}{job}"));
        foreach (var (report, link) in nodes.Enlisted)
            supervisor.Tell(new FromNode(report), link);
        return supervisor;
    }

    private static EvaluationView View(RunId job, string? failure) => new(job)
    {
        First = 0,
        Scores = [],
        Arithmetic = null,
        Nodes = 0,
        WaitsFor = null,
        Failure = failure,
    };
}
