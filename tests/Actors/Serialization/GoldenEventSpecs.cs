using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Actors.Tests.Serialization;

// Journals are kept for good. These bytes were written once; what they say must be read for ever, and written the same.
// A new event needs new bytes here: add a line, and leave the old ones. A type that has bytes here never gets another field.
public sealed class GoldenEventSpecs(WireSystem wire) : IClassFixture<WireSystem>
{
    public static TheoryData<int> Lines => new(Enumerable.Range(0, Golden.Length));

    private static Elastic.Messages.Runs.Checkpoint OfOld => Checkpoint(2) with { Parameters = D("version 2") };

    private static (RunEvent Event, string Base64)[] Golden =>
    [
        (new RunStarted(Id, """{"run.name":"a"}""", 131_072, D("corpus"), 1000, 100, "1 cpu"), GoldenBytes.RunStarted),
        (new CorpusPublished(Id, D("manifest")), GoldenBytes.CorpusPublished),
        (new ArithmeticChosen(Id, "1 cpu"), GoldenBytes.ArithmeticChosen),
        (new RunPaused(Id), GoldenBytes.RunPaused),
        (new RunResumed(Id), GoldenBytes.RunResumed),
        (new SettingsChanged(Id, """{"run.name":"a"}"""), GoldenBytes.SettingsChanged),
        (new RunInitialized(Id, D("version 0"), D("fingerprint 0")), GoldenBytes.RunInitialized),
        (new ReplicaHandedOver(Id, HandOver(1, 0, 2)), GoldenBytes.ReplicaHandedOver),
        (new ReplicaFinished(Id, Result(1, 0)), GoldenBytes.ReplicaFinished),
        (new ReplicaComputed(Id, Result(1, 0), A), GoldenBytes.ReplicaComputed),
        (new ReplicaConfirmed(Id, Result(1, 0), B), GoldenBytes.ReplicaConfirmed),
        (new ReplicaDisputed(Id, Result(1, 0), Result(1, 0, "x")), GoldenBytes.ReplicaDisputed),
        (new ReplicaContested(Id, Result(1, 0), Result(1, 0, "x"), B), GoldenBytes.ReplicaContested),
        (new ReplicaSettled(Id, Result(1, 0), C), GoldenBytes.ReplicaSettled),
        (new NodeQuarantined(Id, B, "its memory lies"), GoldenBytes.NodeQuarantined),
        (new ChunksAveraged(Id, 1, [Chunk(1, 0), new AveragedChunk(1, D("chunk"), D("momentum"))]), GoldenBytes.ChunksAveraged),
        (new RoundCommitted(Id, 1, D("version 2"), D("fingerprint 2"), 1536, D("ledger 2")), GoldenBytes.RoundCommitted),
        (new VersionEvaluated(Id, new VersionScore(2, 5.25, 7.5)), GoldenBytes.VersionEvaluated),
        (new CheckpointTaken(Id, OfOld), GoldenBytes.CheckpointTaken),
        (new CheckpointDropped(Id, 2), GoldenBytes.CheckpointDropped),
        (new WorkLost(Id, 1, [0, 1], true, "2 results of round 1 were not whole"), GoldenBytes.WorkLost),
        (new RolledBack(Id, OfOld, "version 3 is incomplete or damaged"), GoldenBytes.RolledBack),
        (new RolledBack(Id, null, "version 3 is incomplete or damaged"), GoldenBytes.RolledBackToTheStart),
        (new RunFinished(Id, 4, D("fingerprint 4")), GoldenBytes.RunFinished),
    ];

    [Fact]
    public void Every_event_has_golden_bytes() => Assert.Equal(
        typeof(RunEvent).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(RunEvent)) && !t.IsAbstract).Select(t => t.Name).Order(),
        Golden.Select(g => g.Event.GetType().Name).Distinct().Order());

    [Theory]
    [MemberData(nameof(Lines))]
    public void Golden_bytes_are_read_as_the_event_that_was_written(int line)
    {
        var (e, base64) = Golden[line];
        Assert.Equal(DeepText.Of(e), DeepText.Of(wire.Read(Convert.FromBase64String(base64))));
    }

    [Theory]
    [MemberData(nameof(Lines))]
    public void An_event_is_written_as_its_golden_bytes(int line) =>
        Assert.Equal(Golden[line].Base64.ReplaceLineEndings(""), Convert.ToBase64String(wire.Write(Golden[line].Event)));

    [Fact]
    public void An_event_s_bytes_are_the_same_whatever_was_written_before()
    {
        var first = Golden.Select(g => Convert.ToBase64String(wire.Write(g.Event))).ToList();
        Assert.Equal(first, Enumerable.Reverse(Golden).Select(g => Convert.ToBase64String(wire.Write(g.Event))).Reverse());
    }
}
