using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class ObservationsTests : TemporaryFolder
{
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task One_call_is_a_row_an_event_and_a_value_of_the_metrics()
    {
        var store = new ObservationStore(await DatabaseAsync());
        var run = new RunId($"run-{Guid.NewGuid():N}");
        var measured = new ConcurrentBag<(string Name, double Value)>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => Enable(instrument, l) };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag is { Key: "run", Value: string name } && name == run.Value)
                    measured.Add((instrument.Name, value));
        });
        listener.Start();
        Observation[] made = [new RoundCommitted(run, 3, 4096), new Score(run, 4, 5.5, 2.2)];

        await using (var observations = new Observations(store))
        {
            await using var followed = observations.FollowAsync(_deadline).GetAsyncEnumerator(_deadline);
            var next = followed.MoveNextAsync();
            foreach (var what in made)
                observations.Record(what);
            Assert.True(await next);
            Assert.Equal(made[0], followed.Current.What);
            Assert.True(await followed.MoveNextAsync());
            Assert.Equal(made[1], followed.Current.What);
        }

        Assert.Equal(made, (await store.ReadAsync(new ObservationQuery(), _deadline)).Select(r => r.What));
        listener.RecordObservableInstruments();
        Assert.Contains(("elastic_rounds_committed_total", 1.0), measured);
        Assert.Contains(("elastic_tokens_total", 4096.0), measured);
        Assert.Contains(("elastic_validation_loss_nats", 5.5), measured);
    }

    [Fact]
    public async Task While_the_database_takes_nothing_nobody_waits_and_what_was_too_much_is_counted()
    {
        var database = await DatabaseAsync();
        var store = new ObservationStore(database);
        var said = new ConcurrentQueue<string>();
        long dropped = 0, stored = 0;
        await using (var observations = new Observations(store, mostWaiting: 10, say: said.Enqueue))
        {
            await using (var connection = await database.OpenAsync(_deadline))
            {
                await connection.ExecuteAsync("ALTER TABLE elastic_observations RENAME TO away", _deadline);
                observations.Record(new NodeJoined(new NodeId("n"), 0));
                while (said.IsEmpty)
                    await Task.Delay(20, _deadline);
                // The writer has failed, and reads no more of them until it has stored what it holds.
                for (var i = 1; i < 10_000; i++)
                    observations.Record(new NodeJoined(new NodeId("n"), i));
                await connection.ExecuteAsync("ALTER TABLE away RENAME TO elastic_observations", _deadline);
            }

            while (dropped + stored < 10_000)
            {
                await Task.Delay(20, _deadline);
                var read = await store.ReadAsync(new ObservationQuery(AtMost: 20_000), _deadline);
                (dropped, stored) = (
                    read.Select(r => r.What).OfType<ObservationsDropped>().Sum(d => d.Count),
                    read.Count(r => r.What is NodeJoined));
            }
        }

        Assert.Equal((9_989, 11), (dropped, stored));
        // Once each, however often it was tried.
        Assert.Equal(["observations wait, and are dropped", "observations are stored again"],
            said.Select(s => string.Join(' ', s.Split(' ').Take(5)).TrimEnd(',')));
    }

    private async Task<DatabaseAddress> DatabaseAsync()
    {
        var database = DatabaseAddress.Parse(null, Folder);
        await database.PrepareAsync(why => throw new InvalidOperationException(why), _deadline);
        return database;
    }

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name == Telemetry.Name)
            listener.EnableMeasurementEvents(instrument);
    }
}
