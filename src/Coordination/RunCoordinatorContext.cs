using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>
/// What the parts of a <see cref="RunCoordinator"/> share: the run as its journal has it, the view of the nodes, the time and the chance of
/// the step that is under way, and the list of what is to be done after it.
/// </summary>
internal sealed class RunCoordinatorContext(RunId id, CoordinatorSettings settings)
{
    private const int MostNames = 10;

    private readonly List<RunOutput> _outputs = [];

    public RunId Id => id;

    public CoordinatorSettings Settings => settings;

    /// <inheritdoc cref="RunCoordinator.Run"/>
    public RunState Run { get; set; } = RunState.Empty(id);

    /// <inheritdoc cref="RunCoordinator.Plan"/>
    public RunPlan? Plan { get; set; }

    /// <inheritdoc cref="RunCoordinator.View"/>
    public ClusterView View { get; set; } = ClusterView.Empty;

    public WorkerHealth Health { get; } = new();

    public FailureHistory Failures { get; } = new();

    /// <summary>The time of the step that is under way.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Spreads retries, and draws names and secrets.</summary>
    public Random Chance { get; private set; } = null!;

    /// <summary>True where the run goes on by itself, or a person has started it since the restart.</summary>
    public bool IsAsked { get; private set; } = settings.GoesOn;

    /// <inheritdoc cref="RunCoordinator.Failure"/>
    public string? Failure { get; private set; }

    public bool IsStopping => !IsAsked || Run.IsPaused;

    /// <summary>A finished run where runs go on by themselves (seeds). elastic train surveys the run first.</summary>
    public bool IsIdleAfterFinish => Run.IsFinished && settings.GoesOn;

    /// <summary>True while the step that is under way has come to nothing that is to be done.</summary>
    public bool IsQuiet => _outputs.Count == 0;

    /// <summary>Begins a step.</summary>
    public void Begin(TimeSpan now, Random chance)
    {
        Invariant.Holds(now >= Now, $"time went back from {Now} to {now}");
        (Now, Chance) = (now, chance);
    }

    /// <summary>Ends a step, and returns what is to be done, in this order.</summary>
    public RunOutput[] End()
    {
        RunOutput[] outputs = [.. _outputs];
        _outputs.Clear();
        return outputs;
    }

    public void Add(RunOutput output) => _outputs.Add(output);

    public void Send(NodeId node, IWireMessage message) => _outputs.Add(new RunOutput.Send(node, message));

    /// <summary>Tells people that something is wrong.</summary>
    public void Warn(string text) => _outputs.Add(new RunOutput.Notice(text));

    /// <summary>Marks the run as unable to go on; the first reason stays.</summary>
    public void Fail(string why) => Failure ??= why;

    /// <summary>A person has started the run, or resumed it, and has fixed the cause of its failure.</summary>
    public void Start()
    {
        (IsAsked, Failure) = (true, null);
        Failures.Clear();
    }

    /// <summary>
    /// Takes work that is no longer needed away from its nodes, in an order that no dictionary decides: a simulation is played again by
    /// its seed.
    /// </summary>
    public void TakeAway(IEnumerable<InFlightWork> works)
    {
        var inOrder = works.OrderBy(w => w.Node.Value, StringComparer.Ordinal)
            .ThenBy(w => w.Work.Kind, StringComparer.Ordinal).ThenBy(w => w.Work.Number).ThenBy(w => w.Work.Index);
        foreach (var over in inOrder.GroupBy(w => w.Node).ToList())
        {
            Send(over.Key, new NodeCommand.DropWork(id, [.. over.Select(w => w.Work)]));
            foreach (var (work, node) in over)
                View = View.Answered(work, node);
        }
    }

    /// <summary>True for a node that neither rests nor is in quarantine.</summary>
    public bool IsOfUse(NodeId node) => !Health.IsUnhealthy(node) && !Run.IsQuarantined(node);

    /// <summary>Nodes by the addresses that people know them by; not all of a thousand.</summary>
    public string Names(params IEnumerable<NodeId> nodes)
    {
        var names = nodes.Select(n => Health.Of(n) is { } report ? $"{report.Address} ({n})" : n.Value)
            .Order(StringComparer.Ordinal).ToList();
        return string.Join(", ", names.Take(MostNames)) + (names.Count > MostNames ? $" and {names.Count - MostNames} more" : "");
    }
}
