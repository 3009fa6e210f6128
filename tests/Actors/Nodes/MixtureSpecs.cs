using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary><c>corpus.mixture</c>: sources that a run reads more or less often than once.</summary>
public sealed class MixtureSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_run_reads_each_source_as_often_as_said_and_the_audit_proves_it()
    {
        var settings = TinyRun.Settings("a", replicas: 2);
        settings = settings with
        {
            Run = settings.Run with { Rounds = null, Epochs = 2 },
            Batch = settings.Batch with { Sequences = 40, Micro = 20 },
            Corpus = settings.Corpus with
            {
                HeldOut = 0,
                Mixture = [.. Enumerable.Range(0, 40).Select(i => $"{i:D2}.txt={(i < 3 ? 0.5 + 0.75 * i : 0)}")],
            },
        };
        await _tiny.TrainAsync(settings, "cpu:2");
        var audit = await JournalAudit.RunAsync(
            Path.Combine(_tiny.Root, "data"), null, new RunName("a"), TestContext.Current.CancellationToken);
        Assert.True(audit.IsProven, string.Join(Environment.NewLine, audit.Problems));
        Assert.Equal(audit.Epochs.Sum(e => e.Blocks), audit.Samples);
        Assert.Equal(40, audit.Sources.Count);
        foreach (var (source, times) in audit.Sources.Zip([0.5, 1.25, 2.0]))
        {
            Assert.Equal(2 * Math.Round(times * source.Blocks, MidpointRounding.ToEven), source.Samples);
            Assert.Equal(
                (source.Samples / source.Blocks, (source.Samples + source.Blocks - 1) / source.Blocks), (source.Least, source.Most));
        }
        Assert.All(audit.Sources.Skip(3), s => Assert.Equal((0L, 0), (s.Samples, s.Most)));
    }
}
