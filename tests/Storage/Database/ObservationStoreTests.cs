using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class ObservationStoreTests(Databases databases)
{
    private static readonly RunId Run = new("tiny"), Other = new("other");
    private static readonly NodeId Node = new("10.0.0.7:4053");

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    // One of each kind, with what is hard to write.
    private static readonly Observation[] All =
    [
        new SupervisionBegan("10.0.0.5:4080"), new DashboardOpened("10.0.0.5:4053", "http://10.0.0.5:4090"), new NodeJoined(Node, 3),
        new NodeLost(Node, "it says \"nothing\"; é"), new ObservationsDropped(7),
        new WorkGivenAgain(Run, Node, "compute", 4, 2, "a disk"), new PhaseDuration(Run, 4, RunPhase.Averaging, 0.25),
        new StepLoss(Run, Node, 4, 2, 9, double.NaN, 0.0003), new Score(Run, 4, 5.5, 2.2), new RoundCommitted(Run, 4, 1L << 40),
        new StepsSkipped(Run, Node, 4, 2, 3, 8192),
        new DeviceLost(Run, Node, "cpu:1", "compute", 4, 2, true, "it \"hangs\""),
        new SplitSmaller(Run, Node, 4, 2, "no pipeline"), new ScoreOfSource(Run, 4, "Web \u00e9", 10.5, 2),
        new ScoreOfLanguage(Run, 4, "de", 10.5, 2),
        new NodeQuarantined(Other, Node, "wrong bytes"), new RunFailed(Run, "the loss became NaN"),
        new Goodput(Run, 4, 9.5, 10), new WorkRecovered(Run, Node, 4, 2, 0.75), new ResultLost(Run, 4, 2, "a node"),
        new DevicesWanted(Run, 8), new NodesThere(3, 5), new RunWaits(Run, "a node"), new RunFinished(Run, 5, "0a1b"),
    ];

    [Fact]
    public void Every_observation_has_a_kind_of_its_own_and_is_among_those_of_these_tests() =>
        Assert.Equal(
            ObservationCodec.All.Select(t => t.Name).Order(StringComparer.Ordinal),
            All.Select(o => o.GetType().Name).Order(StringComparer.Ordinal));

    [Fact]
    public void A_row_carries_what_was_observed_and_not_what_the_meters_make_of_it() =>
        Assert.All(All, what => Assert.DoesNotContain("measures", ObservationCodec.Write(what), StringComparison.OrdinalIgnoreCase));

    [Theory, MemberData(nameof(Kinds))]
    public async Task What_is_stored_is_read_as_it_was_oldest_first_with_the_time_at_which_it_was_made(DatabaseKind kind)
    {
        var store = new ObservationStore(await databases.NewAsync(kind));
        await store.AppendAsync([.. All.Select(what => (what, TimeSpan.FromHours(1)))], default);
        var read = await store.ReadAsync(new ObservationQuery(), default);
        Assert.Equal(All, read.Select(r => r.What));
        Assert.All(read, r => Assert.InRange(DateTimeOffset.UtcNow - r.At, TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(61)));
        Assert.Equal(read.Select(r => r.Id).Order(), read.Select(r => r.Id));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task It_can_be_asked_for_a_run_for_kinds_and_for_what_came_after(DatabaseKind kind)
    {
        var store = new ObservationStore(await databases.NewAsync(kind));
        await store.AppendAsync([.. All.Select(what => (what, TimeSpan.Zero))], default);
        var ofOther = Assert.Single(await store.ReadAsync(new ObservationQuery(Run: Other), default));
        Assert.IsType<NodeQuarantined>(ofOther.What);
        var nodes = await store.ReadAsync(new ObservationQuery(Kinds: [typeof(NodeLost), typeof(NodeJoined)]), default);
        Assert.Equal([typeof(NodeJoined), typeof(NodeLost)], nodes.Select(n => n.What!.GetType()));
        Assert.Equal(
            [nodes[1].Id],
            (await store.ReadAsync(new ObservationQuery(nodes[0].Id, Kinds: [typeof(NodeLost), typeof(NodeJoined)]), default))
                .Select(n => n.Id));
        Assert.Equal(All[..2], (await store.ReadAsync(new ObservationQuery(AtMost: 2), default)).Select(o => o.What));
        Assert.Equal(All[^2..], (await store.ReadAsync(new ObservationQuery(AtMost: 2, Newest: true), default)).Select(o => o.What));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_each_kind_the_newest_stay_and_of_all_kinds_those_of_a_month(DatabaseKind kind)
    {
        var store = new ObservationStore(await databases.NewAsync(kind));
        await store.AppendAsync(
            [(new NodeJoined(Node, 0), ObservationStore.Kept + TimeSpan.FromDays(1)), (new NodeJoined(Node, 1), TimeSpan.Zero)], default);
        await store.AppendAsync(
            [.. Enumerable.Range(0, 1200).Select(i => ((Observation)new RoundCommitted(Run, i, i), TimeSpan.Zero))], default);
        Assert.Equal(1 + 1100, await store.PruneAsync(100, default));
        var left = await store.ReadAsync(new ObservationQuery(AtMost: 10_000), default);
        Assert.Equal(new NodeJoined(Node, 1), left[0].What);
        Assert.Equal(Enumerable.Range(1100, 100), left.Skip(1).Select(r => ((RoundCommitted)r.What!).Round));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task What_another_version_stored_does_not_keep_this_one_from_reading_the_rest(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var store = new ObservationStore(database);
        await database.CallAsync(TimeSpan.FromSeconds(5), (connection, cancel) => connection.ExecuteAsync(
            "INSERT INTO elastic_observations (run, at, kind, payload) VALUES (NULL, 0, 'of-tomorrow', '{}'), " +
            "(NULL, 0, 'node-lost', '{\"node\": 7}')", cancel), default);
        await store.AppendAsync([(All[0], TimeSpan.Zero)], default);
        Assert.Equal([null, null, All[0]], (await store.ReadAsync(new ObservationQuery(), default)).Select(r => r.What));
    }
}
