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

    public TrainingSettings Settings { get; }

    public BuiltCorpus Corpus { get; }

    /// <summary>Training blocks.</summary>
    public BlockMap Train { get; }

    /// <summary>Held-out blocks; null where the held-out text does not fill one.</summary>
    public BlockMap? HeldOut { get; }

    /// <summary>The plan that the run began with: it may have been made longer since.</summary>
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
