using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The audit of a run's journal looks whether what was drawn to be computed twice was computed by two nodes that agreed.</summary>
public sealed class DrawnResultsSpecs : IDisposable
{
    private const string Disagreement = "two nodes agree on another result than the one that counts";
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task The_audit_draws_again_and_says_what_two_nodes_computed_and_what_one_alone_did()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a", replicas: 2, rounds: 3), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var address = DatabaseAddress.Parse(null, paths.Root);
        var id = (await new RunList(address).ReadAsync(default)).Single().Run;
        var events = await JournalReader.ReadAsync(address, id, default);

        var without = Audit(1, secret: false);
        Assert.Equal((0, 0, 3, true), (without.Drawn.Drawn, without.Drawn.Single.Count, without.Drawn.Unchecked, without.IsProven));
        Assert.Equal((0, 0), Audit(0, secret: false).Drawn is var none ? (none.Drawn, none.Unchecked) : default);

        var alone = Audit(1, secret: true);
        Assert.Equal((6, 6, 0), (alone.Drawn.Drawn, alone.Drawn.Single.Count, alone.Drawn.Unchecked));
        Assert.Equal("round 0, replica 0", alone.Drawn.Single[0]);
        Assert.Equal(6, Audit(1, secret: true, c => Confirmed(c, c.Node)).Drawn.Single.Count);      // the same node again is no second one

        var two = Audit(1, secret: true, c => Confirmed(c, new NodeId("b")));
        Assert.Equal((6, 0, true), (two.Drawn.Drawn, two.Drawn.Single.Count, two.IsProven));
        Assert.InRange(Audit(0.5, secret: true, c => Confirmed(c, new NodeId("b"))).Drawn.Drawn, 1, 5);

        // Two nodes against the one whose result counts; then two that were never settled.
        Assert.Equal(6, Audit(1, secret: true, c => Other(c, "b"), c => Other(c, "c")).Problems.Count(p => p.EndsWith(
            Disagreement, StringComparison.Ordinal)));
        var disputed = Audit(1, secret: true, c => Other(c, "b"));
        Assert.Contains("round 0, replica 1: nodes came to different results, and none was settled", disputed.Problems);
        Assert.False(disputed.IsProven);

        AuditReport Audit(double rate, bool secret, params Func<RunEvent.ReplicaComputed, RunEvent>[] more) => ChainAudit.Check(
            paths, id, [.. events.SelectMany(e => Changed(e, rate, secret, more))], [], default);
    }

    // As the run's journal would be with audits.
    private static IEnumerable<RunEvent> Changed(
        RunEvent e, double rate, bool secret, Func<RunEvent.ReplicaComputed, RunEvent>[] more) => e switch
        {
            RunEvent.RunStarted x => [x with { Settings = WithRate(x.Settings, rate) }],
            RunEvent.RunInitialized x => [x with { AuditSecret = secret ? Digest.Of("first"u8) : null }],
            RunEvent.RoundCommitted x => [x with { AuditSecret = secret ? Digest.Of([(byte)x.Round]) : null }],
            RunEvent.ReplicaComputed x => [x, .. more.Select(m => m(x))],
            _ => [e],
        };

    private static string WithRate(string settings, double rate)
    {
        var read = SettingsText.Read(settings);
        return SettingsText.Write(read with { Run = read.Run with { AuditRate = rate } });
    }

    private static RunEvent.ReplicaConfirmed Confirmed(RunEvent.ReplicaComputed c, NodeId by) => new(c.RunId, c.Result, by);

    private static RunEvent.ReplicaContested Other(RunEvent.ReplicaComputed c, string by) => new(
        c.RunId, c.Result, c.Result with { Contribution = Digest.Of("another"u8) }, new NodeId(by));
}
