using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Storage;

/// <summary>A run's settings on its corpus: which blocks each inner step reads. No machine appears in it.</summary>
public sealed class RunSchedule
{
    /// <exception cref="ElasticException">The settings cannot be read, or the corpus is too small for the context.</exception>
    public RunSchedule(string settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        Settings = SettingsText.Read(settings);
        Corpus = corpus;
        var cut = SampleCut.Of(Settings);
        Train = new BlockMap(corpus.TrainShards, cut);
        HeldOut = cut.CountIn(corpus.HeldOutShards) > 0 ? new BlockMap(corpus.HeldOutShards, cut) : null;
        Order = SampleStream.Of(Settings, corpus, Train);
        Plan = RunPlan.Of(Settings, Architectures.LayoutOf(Settings.Model).Length, Order.Samples, HeldOut?.Blocks ?? 0);
    }

    private RunSchedule(RunSchedule run, TrainingSettings settings, SampleStream order)
    {
        (Corpus, Train, HeldOut, Plan) = (run.Corpus, run.Train, run.HeldOut, run.Plan);
        (Settings, Order) = (settings, order);
    }

    /// <summary>The schedule of a segment in which settings have changed.</summary>
    /// <param name="changes">See <see cref="Segment.Changes"/>.</param>
    /// <param name="mixtures">See <see cref="Segment.Mixtures"/>.</param>
    /// <exception cref="ElasticException">They are none that may change, or cannot be used together.</exception>
    public RunSchedule In(string changes, string mixtures)
    {
        var values = PartialSettings.Read(changes);
        if (values.FirstOrDefault(v => !v.Setting.Has<MayChangeAttribute>()).Setting is { } other)
            throw new ElasticException($"{other.Key} does not change in mid-run");
        var settings = PartialSettings.Apply(Settings, changes);
        if (settings.Problems().FirstOrDefault() is { } problem)
            throw new ElasticException(problem);
        return new RunSchedule(this, settings, MixtureChanges.Of(
            Settings.Run.Seed, Order, MixtureStarts.Read(mixtures), Corpus.TrainShards, Train.Cut));
    }

    public TrainingSettings Settings { get; }

    public BuiltCorpus Corpus { get; }

    /// <summary>Training blocks.</summary>
    public BlockMap Train { get; }

    /// <summary>Held-out blocks; null where the held-out text does not fill one.</summary>
    public BlockMap? HeldOut { get; }

    /// <summary>The plan that the run began with: its length and its settings may have changed since.</summary>
    public RunPlan Plan { get; }

    public SampleStream Order { get; }

    /// <summary>The blocks of one inner step of a replica, in the order in which they are read.</summary>
    /// <param name="segment">The segment of the round.</param>
    public long[] BlocksOf(Segment segment, int round, int replica, int step)
    {
        ArgumentNullException.ThrowIfNull(segment);
        var blocks = new long[segment.SamplesOf(replica, step)];
        for (var i = 0; i < blocks.Length; i++)
            blocks[i] = Order.BlockAt(segment.PositionOf(round, replica, step, i));
        return blocks;
    }
}
