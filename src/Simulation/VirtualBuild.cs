using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>
/// Builds the run's corpus while the run reads it: windows are finished at times of their own, and said again and again, whatever happens
/// to nodes and supervisors meanwhile. Does nothing for a run whose corpus is complete.
/// </summary>
public sealed class VirtualBuild
{
    private static readonly string Streaming =
        SettingsText.Write(Settings with { Corpus = Settings.Corpus with { Order = CorpusOrder.Stream } });

    private readonly VirtualWorld _world;

    // Its own: runs whose corpus is complete go as they would without it.
    private readonly Random _chance;
    private int _finished;

    public VirtualBuild(VirtualWorld world, int seed)
    {
        ArgumentNullException.ThrowIfNull(world);
        (_world, _chance) = (world, new Random(seed));
        if (!world.Plan.Streams)
            return;
        // Of some runs less than they read: their epoch begins anew when the build has ended.
        var (all, windows, blocks) = (world.Plan.Timeline.TotalSamples, new List<CorpusWindow>(), 0L);
        for (var end = Math.Max(1, _chance.NextInt64(all / 2, all + all / 4)); blocks < end; blocks += windows[^1].Blocks)
            windows.Add(new CorpusWindow(
                windows.Count, _chance.Next(10) == 0 ? 0 : _chance.NextInt64(1, 1 + all / 3),
                [.. Enumerable.Range(0, _chance.Next(1, 4)).Select(shard => D($"shard {windows.Count} {shard}"))]));
        Windows = windows;
    }

    /// <summary>All of the corpus.</summary>
    public IReadOnlyList<CorpusWindow> Windows { get; } = [];

    /// <summary>The request as the process makes it that builds the corpus.</summary>
    public RunRequest.Start AsBuilt(RunRequest.Start start)
    {
        ArgumentNullException.ThrowIfNull(start);
        return _world.Plan.Streams
            ? start with { Settings = Streaming, Blocks = 0, HeldOutBlocks = 0, Manifest = ManifestOf(1) } : start;
    }

    /// <summary>Begins the build.</summary>
    public void Begin()
    {
        if (_world.Plan.Streams)
            _world.Schedule(_chance.Next(1, 2000), GoOn);
    }

    /// <summary>Checks that a round is computed only when all that it reads is in the journal.</summary>
    public void CheckRead(IEnumerable<RunEvent> journal, int round)
    {
        if (!_world.Plan.Streams)
            return;
        var known = journal.OfType<RunEvent.WindowAdded>().Sum(e => e.Window.Blocks);
        Invariant.Holds(
            _world.Plan.Timeline.SamplesBefore(round + 1) <= known || journal.Any(e => e is RunEvent.CorpusCompleted),
            $"round {round} is to be computed, and the journal has {known} blocks of the corpus");
    }

    private void GoOn()
    {
        _finished = Math.Min(Windows.Count, _finished + _chance.Next(2));
        if (_world.Supervisor.IsThere && _world.Supervisor.Run.Exists)
            Say(_world.Supervisor.Run.Windows.Count);
        _world.Schedule(_chance.Next(1, 3000), GoOn);
    }

    // The builder may be behind what the journal has: it was begun anew.
    private void Say(int known)
    {
        var window = _chance.Next(3) > 0 ? known : _chance.Next(known + 1);
        if (window < _finished)
            _world.Supervisor.Handle(Grow() with { Window = Windows[window], Manifest = ManifestOf(_finished) });
        else if (known == Windows.Count)
            _world.Supervisor.Handle(Grow() with
            {
                End = new CorpusEnd(Windows.Sum(w => w.Blocks), 100),
                Manifest = ManifestOf(Windows.Count + 1),
            });
        else
            _world.Supervisor.Handle(Grow());
    }

    private static Digest ManifestOf(int windows) => D($"manifest of {windows}");

    private RunRequest.Grow Grow() => new(Name, By(-_chance.Next())) { Corpus = D("corpus") };
}
