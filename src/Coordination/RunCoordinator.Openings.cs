using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// How the coordinator tells nodes what the run is, and asks them what they store.
public sealed partial class RunCoordinator
{
    // What a node is asked before all parts of OpenRun have reached it, it answers by saying that the run is not open there. Were each such
    // answer to bring all of it again, messages would multiply.
    private static readonly TimeSpan BetweenOpenings = TimeSpan.FromSeconds(1);

    private const int CharactersForADigest = Part.MostCharacters / Part.MostDigests;

    // Nodes that were told before a seed had enlisted: they have nobody to fetch the corpus from.
    private readonly HashSet<NodeId> _toldNoSource = [];

    private void OpenNodes()
    {
        foreach (var node in _toldNoSource.Where(n => _sources.Seeds(n).Length > 0).ToList())
        {
            _toldNoSource.Remove(node);
            _opened.Remove(node);
        }

        foreach (var node in View.Nodes.Keys.Where(n => !_context.Health.IsUnhealthy(n) && !_opened.Contains(n)))
            if (!_openedAt.TryGetValue(node, out var before) || _context.Now - before >= BetweenOpenings)
                Open(node);
    }

    // All nodes are told anew what the run is.
    private void OpenAgain()
    {
        _opened.Clear();
        _openedAt.Clear();
    }

    private void Open(NodeId node)
    {
        _opened.Add(node);
        _openedAt[node] = _context.Now;
        _inventory.Forget(node);
        var (number, sources) = (_term.NextOrder(), _sources.Seeds(node));
        if (sources.Length == 0 && _context.Health.Of(node) is { Seed: false })
            _toldNoSource.Add(node);
        foreach (var (text, part) in Part.Cut(Run.Settings!, _context.Settings.MostDigests * CharactersForADigest))
            _context.Send(node, new NodeCommand.OpenRun(_context.Id)
            {
                Number = number,
                Settings = text,
                Corpus = Run.Corpus!.Value,
                Manifest = Run.Manifest,
                Sources = sources,
                Part = part,
            });
        AskWhatIsWhole(node, thorough: false);
        if (_context.Health.Of(node) is { } report && WorkerHealth.Unfit(Run, report, Plan?.Needs) is { } why)
            _context.Send(node, new NodeCommand.Exclude(_context.Id, why));
        if (Run.IsPaused)
            _context.Send(node, new NodeCommand.StopRun(_context.Id));
    }

    private void AskWhatIsWhole(NodeId node, bool thorough)
    {
        foreach (var survey in _inventory.Ask(Run, node, _term.NextOrder(), _context.Now))
            _context.Send(node, survey with { Thorough = thorough });
    }

    // A node that could not open the run is asked again after a rest; a node that never got OpenRun, because the message was lost, soon.
    private void Unopened(NodeReport.RunUnopened report)
    {
        _opened.Remove(report.Node);
        if (report.Why is null)
            return;                                                    // it is still awaited: what it stores is not known
        // It has answered each thing that waited for the opening: that is one setback, and not many.
        if (_context.Health.IsUnhealthy(report.Node))
            return;
        _inventory.Forget(report.Node);
        _context.Warn($"{_context.Names(report.Node)} cannot open the run: {report.Why}");
        if (View.Nodes.Keys.All(n => n == report.Node || !_context.IsOfUse(n)) && !_context.Settings.GoesOn)
            _context.Fail(report.Why);
        else
            Rest(report.Node, report.Why);
    }

    private void SurveyAgain()
    {
        View = View.Forget([]) with { Surveyed = false };
        _inventory.Begin(_context.Now);
        // Thorough: a set that one node believes to be intact may be the one that another node found damaged.
        foreach (var node in _opened)
            AskWhatIsWhole(node, thorough: true);
    }
}
