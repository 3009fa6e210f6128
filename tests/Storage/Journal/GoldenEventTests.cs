using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

// Every event, as it is written now. A new event or field needs a new line; what journals have from before is in the golden journals.
public sealed class GoldenEventTests
{
    private const string File = "golden-events.txt";

    private static readonly Origin By = new(
        "3k9v2mq7", "pbm anna@gpu7", new DateTimeOffset(2026, 3, 29, 1, 59, 59, 250, TimeSpan.FromHours(2)));

    private static readonly RunEvent[] Events =
    [
        new RunStarted(Id, Begin.Run, """{"run.name":"a"}""", 131_072, D("corpus"), 1000, 100, "1 cpu", By),
        new RunStarted(Id, Begin.Run, """{"run.name":"a"}""", 131_072, D("corpus"), 1000, 100, "1 cpu", By, 3000),
        new CorpusPublished(Id, D("manifest")),
        new WindowAdded(Id, new CorpusWindow(0, 250, [D("shard 0"), D("shard 1")]), D("manifest")),
        new WindowAdded(Id, new CorpusWindow(1, 9, [D("shard 2")])),
        new CorpusCompleted(Id, new CorpusEnd(259, 100), D("whole")),
        new ArithmeticChosen(Id, "1 cpu"),
        new RunPaused(Id, By),
        new RunPaused(Id, By, IsBreak: true),
        new RunResumed(Id, By),
        new SettingsChanged(Id, """{"run.name":"a"}""", By),
        new SettingsChanged(Id, """{"run.name":"a"}""", By, new RunExtension(3, 4, 8)),
        new SettingsChanged(Id, """{"run.name":"a"}""", By, new RunExtension(3, 4, 8, 150, 300)),
        new SegmentPlanned(Id, new SettingsChange(3, """{"optimizer.learning-rate":0.001}"""), By),
        new SegmentPlanned(Id, new SettingsChange(3, """{"run.rounds":8}"""), By, new RunExtension(3, 4, 8)),
        new RunInitialized(Id, D("version 0"), D("fingerprint 0")),
        new RunInitialized(Id, D("version 0"), D("fingerprint 0"), D("secret 0")),
        new RunInitialized(Id, D("version 0"), D("fingerprint 0"), Frozen: D("frozen")),
        new ReplicaHandedOver(Id, HandOver(1, 0, 2)),
        new ReplicaComputed(Id, Result(1, 0), A),
        new ReplicaComputed(Id, Result(1, 1) with { LossNats = double.NaN }, A),
        new ReplicaComputed(Id, Result(1, 0), A, Others: 1),
        new ReplicaConfirmed(Id, Result(1, 0) with { LossNats = double.PositiveInfinity }, B),
        new ReplicaContested(Id, Result(1, 0), Result(1, 0, "x"), B),
        new ReplicaConfirmed(Id, Result(1, 0), B, Others: 3),
        new ReplicaContested(Id, Result(1, 0), Result(1, 0, "x"), B, Others: 1),
        new ReplicaSettled(Id, Result(1, 0), C, Others: 1),
        new ReplicaSettled(Id, Result(1, 0) with { LossNats = 0.1 + 0.2 }, C),
        new NodeQuarantined(Id, B, "its memory \"lies\" \u4e16"),
        new ChunksAveraged(Id, 1, [Chunk(1, 0), new AveragedChunk(1, D("chunk"), D("momentum"))]),
        new RoundCommitted(Id, 1, D("version 2"), D("fingerprint 2"), 1536, D("chain 2")),
        new RoundCommitted(Id, 1, D("version 2"), D("fingerprint 2"), 1536, D("chain 2"), D("secret 2")),
        new VersionEvaluated(Id, new VersionScore(2, 5.25, 7.5)),
        new VersionEvaluated(
            Id, new VersionScore(2, 5.25, 7.5), [new SourceScore("Books (en)", 10.5, 2), new SourceScore("Web", double.NaN, 3)]),
        new VersionEvaluated(
            Id, new VersionScore(2, 5.25, 7.5), Languages: [new SourceScore("de", 10.5, 2), new SourceScore("unknown", 3, 3)]),
        new RunEndedEarly(Id, 3, "its validation loss of 2.9 has reached evaluation.target-loss = 3"),
        new CheckpointRequested(Id, 2, By),
        new CheckpointTaken(Id, Checkpoint(2)),
        new CheckpointDropped(Id, 2),
        new WorkLost(Id, 1, [0, 1], true, "2 results of round 1 were not whole"),
        new RolledBack(Id, Checkpoint(2), "version 3 is incomplete or damaged"),
        new RolledBack(Id, null, "version 3 is incomplete or damaged"),
        new RunFinished(Id, 4, D("fingerprint 4")),
    ];

    [Fact]
    public void Every_event_has_a_name_and_a_golden_line()
    {
        Type[] all = [.. typeof(RunEvent).Assembly.GetTypes()
            .Where(t => t.IsSubclassOf(typeof(RunEvent)) && !t.IsAbstract).OrderBy(t => t.Name)];
        Assert.Equal(all, EventKind.All.Select(k => k.Type).OrderBy(t => t.Name));
        Assert.Equal(all, Events.Select(e => e.GetType()).Distinct().OrderBy(t => t.Name));
    }

    [Fact]
    public void A_name_belongs_to_one_event_and_is_kebab_case()
    {
        Assert.Distinct(EventKind.All.Select(k => k.Name));
        Assert.All(EventKind.All, k => Assert.Matches("^[a-z]+(-[a-z]+)*$", k.Name));
    }

    [Fact]
    public void Events_are_written_as_their_golden_lines() => GoldenLines.AssertWritten(File, Events);

    [Fact]
    public void Golden_lines_are_read_as_the_events_that_were_written()
    {
        RunEvent[] read = [.. GoldenLines.Read(File)];
        Assert.Equal(Events.Length, read.Length);
        foreach (var (written, back) in Events.Zip(read))
        {
            Assert.Equal(written.GetType(), back.GetType());
            Assert.Equivalent(written, back, strict: true);
        }
    }

    [Fact]
    public void A_payload_names_no_type_of_ours() =>
        Assert.All(GoldenLines.Of(File), line => Assert.DoesNotContain("Elastic", line.Payload, StringComparison.Ordinal));
}
