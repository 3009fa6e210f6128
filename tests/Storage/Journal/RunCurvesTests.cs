using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class RunCurvesTests(Databases databases)
{
    private static readonly RunName Name = new("a");

    [Fact]
    public async Task A_curve_that_grows_event_by_event_is_at_each_look_what_all_events_say()
    {
        var (database, journal) = (await databases.NewAsync(DatabaseKind.Sqlite), Journal(2));
        await new RunList(database).AddAsync(Id, Name.Value, default);
        var curves = new RunCurves(database);
        Assert.Null(await curves.ReadAsync(Name, default));
        for (var stored = 0; stored < journal.Count; stored++)
        {
            await JournalTable.WriteAsync(database, Id, [journal[stored]], stored);
            var (seen, whole) = (await curves.ReadAsync(Name, default), RunCurve.Of(Id, journal.Take(stored + 1)));
            Assert.Equal(whole!.Points, seen!.Points);
            Assert.Equal((whole.Id, whole.Corpus), (seen.Id, seen.Corpus));
            Assert.Equal(whole.Segments, seen.Segments);
        }

        Assert.Equal(2, RunCurve.Of(Id, journal)!.Points.Count(p => p.TrainLossNats is not null));
    }

    [Fact]
    public async Task Only_what_has_come_since_is_read_and_after_a_damaged_event_all_of_it_again()
    {
        var (database, journal) = (await databases.NewAsync(DatabaseKind.Sqlite), Journal(2));
        await new RunList(database).AddAsync(Id, Name.Value, default);
        await JournalTable.WriteAsync(database, Id, [.. journal.SkipLast(1)]);
        var curves = new RunCurves(database);
        await curves.ReadAsync(Name, default);
        await JournalTable.ChangeAsync(database, "UPDATE journal SET manifest = 'nothing' WHERE sequence_number = 2");
        await JournalTable.WriteAsync(database, Id, [journal[^1]], journal.Count - 1);
        Assert.Equal(RunCurve.Of(Id, journal)!.Points, (await curves.ReadAsync(Name, default))!.Points);

        await JournalTable.WriteAsync(database, Id, [journal[^1]], journal.Count);
        await JournalTable.ChangeAsync(
            database, $"UPDATE journal SET sequence_number = {journal.Count + 2} WHERE sequence_number = {journal.Count + 1}");
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => curves.ReadAsync(Name, default));
        Assert.Contains($"has a gap: event {journal.Count + 1} is missing", refusal.Message, StringComparison.Ordinal);
        refusal = await Assert.ThrowsAsync<ElasticException>(() => curves.ReadAsync(Name, default));
        Assert.StartsWith($"event 2 of run {Id}: ", refusal.Message, StringComparison.Ordinal);
    }
}
