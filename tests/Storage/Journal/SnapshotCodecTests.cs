using System.Text;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

public sealed class SnapshotCodecTests
{
    [Fact]
    public void Every_state_of_a_run_comes_back_as_it_was_and_goes_on_the_same()
    {
        RunEvent[] journal = [.. GoldenLines.Read("golden-journal-1.txt")];
        var run = RunState.Empty(Id);
        foreach (var e in journal)
        {
            var back = SnapshotCodec.Read(SnapshotCodec.Manifest, SnapshotCodec.Write(run));
            Assert.Equal(Text(run), Text(back));
            Assert.Equal(Text(Run.Apply(run, e)), Text(Run.Apply(back, e)));
            run = Run.Apply(run, e);
        }
    }

    [Fact]
    public void Quarantined_nodes_stay_in_ordinal_order()
    {
        var run = Fold(At(1), new RunEvent.NodeQuarantined(Id, A, "lies"), new RunEvent.NodeQuarantined(Id, new("B"), "lies"));
        var back = SnapshotCodec.Read(SnapshotCodec.Manifest, SnapshotCodec.Write(run));
        Assert.Equal(["B", "a"], back.Quarantined.Keys);
        Assert.Same(StringComparer.Ordinal, back.Quarantined.KeyComparer);
    }

    [Fact]
    public void A_snapshot_does_not_grow_with_the_rounds() =>
        Assert.InRange(SnapshotCodec.Write(At(80)).Length, 1, SnapshotCodec.Write(At(8)).Length + 32);

    [Fact]
    public void A_snapshot_of_another_version_or_shape_is_refused()
    {
        var written = Text(At(2));
        Refused("run-state.2", written);
        Refused("run-state.", written);
        Refused(SnapshotCodec.Manifest, written[..^1]);
        Refused(SnapshotCodec.Manifest, written.Replace("{\"id\"", "{\"more\":1,\"id\"", StringComparison.Ordinal));
        Refused(SnapshotCodec.Manifest, written.Replace("\"isPaused\":false,", "", StringComparison.Ordinal));
        Refused(SnapshotCodec.Manifest, written.Replace("\"score\":", "\"scores\":", StringComparison.Ordinal));
        Refused(SnapshotCodec.Manifest, "");
        Refused(SnapshotCodec.Manifest, "null");
    }

    [Fact]
    public void An_event_s_manifest_is_none_of_a_snapshot() =>
        Assert.DoesNotContain(EventKind.All, k => SnapshotCodec.IsManifest(k.Manifest));

    private static void Refused(string manifest, string payload) => Assert.EndsWith(
        "the journal is replayed instead",
        Assert.Throws<ElasticException>(() => SnapshotCodec.Read(manifest, Encoding.UTF8.GetBytes(payload))).Message,
        StringComparison.Ordinal);

    private static string Text(RunState run) => Encoding.UTF8.GetString(SnapshotCodec.Write(run));
}
