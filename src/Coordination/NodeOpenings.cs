using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides which nodes are told what the run is, and when again, asks those what they store, and tells all of them what concerns the whole
/// run.
/// </summary>
internal sealed class NodeOpenings(RunCoordinatorContext context, SupervisorTerm term, BlobSources sources, Inventory inventory)
{
    // What a node is asked before all parts of OpenRun have reached it, it answers by saying that the run is not open there. Were each such
    // answer to bring all of it again, messages would multiply.
    private static readonly TimeSpan BetweenOpenings = TimeSpan.FromSeconds(1);

    private const int CharactersForADigest = Part.MostCharacters / Part.MostDigests;

    private readonly HashSet<NodeId> _opened = [];
    private readonly Dictionary<NodeId, TimeSpan> _openedAt = [];

    // Nodes that were told before a seed had enlisted: they have nobody to fetch the corpus from.
    private readonly HashSet<NodeId> _toldNoSource = [];

    /// <summary>True where every node that does not rest has been told.</summary>
    public bool AreComplete => context.View.Nodes.Keys.All(n => _opened.Contains(n) || context.Health.IsUnhealthy(n));

    /// <summary>Tells the nodes that are to be told.</summary>
    public void OpenAll()
    {
        foreach (var node in _toldNoSource.Where(n => sources.Seeds(n).Length > 0).ToList())
        {
            _toldNoSource.Remove(node);
            _opened.Remove(node);
        }

        foreach (var node in context.View.Nodes.Keys.Where(n => !context.Health.IsUnhealthy(n) && !_opened.Contains(n)))
            if (!_openedAt.TryGetValue(node, out var before) || context.Now - before >= BetweenOpenings)
                Open(node);
    }

    /// <summary>All nodes are to be told anew, and at once: the run is another one.</summary>
    public void BeginAnew()
    {
        _opened.Clear();
        _openedAt.Clear();
    }

    /// <summary>The node is to be told anew, soon.</summary>
    public void Repeat(NodeId node) => _opened.Remove(node);

    /// <summary>The node is gone.</summary>
    public void Forget(NodeId node)
    {
        _opened.Remove(node);
        _openedAt.Remove(node);
    }

    /// <summary>Asks a node which vector sets it has whole.</summary>
    /// <param name="thorough">It reads all bytes, where it would otherwise believe what it has read before.</param>
    public void Survey(NodeId node, bool thorough)
    {
        foreach (var survey in inventory.Ask(context.Run, node, term.NextOrder(), context.Now))
            context.Send(node, survey with { Thorough = thorough });
    }

    /// <summary>Asks all nodes anew what they have whole, and believes nothing that was known of it.</summary>
    public void SurveyAgain()
    {
        context.View = context.View.Forget([]) with { Surveyed = false };
        inventory.Begin(context.Now);
        // Thorough: a set that one node believes to be intact may be the one that another node found damaged.
        foreach (var node in _opened)
            Survey(node, thorough: true);
    }

    /// <summary>Has all nodes hand over.</summary>
    public void StopAll()
    {
        foreach (var node in _opened)
            context.Send(node, new NodeCommand.StopRun(context.Id));
    }

    /// <summary>
    /// Has all nodes delete what nothing refers to. A version that is to be a checkpoint is current until its checkpoint is stored (see
    /// Scheduler.Commit), so it is among the references.
    /// </summary>
    public void Retain()
    {
        int[] checkpoints = [.. context.Run.Checkpoints.Select(c => c.Version)];
        var number = term.NextOrder();
        foreach (var (sets, part) in Part.Cut([.. context.Run.References()], context.Settings.MostDigests))
            foreach (var node in _opened)
                context.Send(node, new NodeCommand.Retain(context.Id, number, context.Run.Round, sets, checkpoints, part));
    }

    private void Open(NodeId node)
    {
        _opened.Add(node);
        _openedAt[node] = context.Now;
        inventory.Forget(node);
        var (number, seeds, run) = (term.NextOrder(), sources.Seeds(node), context.Run);
        if (seeds.Length == 0 && context.Health.Of(node) is { Seed: false })
            _toldNoSource.Add(node);
        foreach (var (text, part) in Part.Cut(run.Settings!, context.Settings.MostDigests * CharactersForADigest))
            context.Send(node, new NodeCommand.OpenRun(context.Id)
            {
                Number = number,
                Settings = text,
                Corpus = run.Corpus!.Value,
                Manifest = run.Manifest,
                Sources = seeds,
                Part = part,
            });
        Survey(node, thorough: false);
        if (context.Health.Of(node) is { } report && WorkerHealth.Unfit(run, report, context.Plan?.Needs) is { } why)
            context.Send(node, new NodeCommand.Exclude(context.Id, why));
        if (run.IsPaused)
            context.Send(node, new NodeCommand.StopRun(context.Id));
    }
}
