using Akka.Actor;
using Akka.Coordination;
using Akka.Event;
using Elastic.Actors.Hosting;
using Elastic.Storage;

namespace Elastic.Actors.Membership;

/// <summary>
/// A lease on a row of the seeds' database: at most one owner at a time; the row is free again one time-to-live after its owner's last
/// renewal. Akka makes a lease from the HOCON section that names this class, e.g. <c>elastic.singleton-lease</c>.
/// </summary>
/// <remarks>
/// The time-to-live (<c>heartbeat-timeout</c>) runs on the database's clock. This class measures only durations, from before it sends a
/// statement, so that the owner gives the lease up before the database frees the row, whatever the clocks say. The owner gives up one
/// <c>heartbeat-interval</c> early, so that what relies on the lease stops in time. A row whose expiry is further away than two
/// times-to-live was written before that clock was set back: it is free, too, or a dead owner would keep it until the clock has caught up.
/// </remarks>
public sealed class SqlLease : Lease
{
    private readonly DatabaseAddress _database;
    private readonly ILoggingAdapter _log;
    private readonly CancellationTokenSource _terminated = new();

    // Runs one operation at a time: a Release that overtook a pending Acquire would leave a lease whose owner does not know of it.
    private readonly SemaphoreSlim _one = new(1);

    // The operation that holds _one writes it, and the heartbeat clears it; CheckLease reads it on any thread.
    private volatile Holding? _holding;

    public SqlLease(LeaseSettings settings, ExtendedActorSystem system) : base(settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(system);
        _database = DatabaseConfig.Read(settings.LeaseConfig);
        _log = Logging.GetLogger(system, this);
        // The heartbeat stops with the actor system; the row is free one time-to-live later.
        _ = system.WhenTerminated.ContinueWith(_ => _terminated.Cancel(), TaskScheduler.Default);
    }

    private TimeSpan TimeToLive => Settings.TimeoutSettings.HeartbeatTimeout;

    private TimeSpan Interval => Settings.TimeoutSettings.HeartbeatInterval;

    // Half for waiting between attempts, half for the last attempt.
    private TimeSpan OperationDeadline => Settings.TimeoutSettings.OperationTimeout / 2;

    /// <inheritdoc/>
    public override Task<bool> Acquire() => Acquire(_ => { });

    /// <inheritdoc/>
    /// <exception cref="LeaseException">The database did not answer in time: the lease may or may not be held.</exception>
    public override Task<bool> Acquire(Action<Exception> leaseLostCallback) => OperateAsync("acquired", async () =>
    {
        var (taken, sent) = await _database.RetryAsync(OperationDeadline, OperationDeadline, async (connection, token) =>
        {
            var sent = TimeProvider.System.GetTimestamp();
            var now = _database.Now();
            var rows = await connection.ExecuteAsync(
                $"""
                INSERT INTO elastic_leases (name, owner, expires) VALUES (@name, @owner, {now} + @ttl)
                ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires = excluded.expires
                WHERE elastic_leases.owner = excluded.owner OR elastic_leases.expires <= {now} OR elastic_leases.expires > {now} + 2 * @ttl
                """, token, ("name", Settings.LeaseName), ("owner", Settings.OwnerName), ("ttl", (long)TimeToLive.TotalMilliseconds));
            return (rows == 1, sent);
        }, _terminated.Token);
        _holding?.Stop();
        _holding = taken ? new Holding(sent, leaseLostCallback, CancellationTokenSource.CreateLinkedTokenSource(_terminated.Token)) : null;
        if (_holding is { } holding)
            _ = BeatAsync(holding);
        return taken;
    });

    /// <inheritdoc/>
    /// <returns>False when the lease was not held.</returns>
    /// <exception cref="LeaseException">The database did not answer in time; the row is free after the time-to-live.</exception>
    public override Task<bool> Release() => OperateAsync("released", async () =>
    {
        // The lease is given up from here on, whatever the database answers.
        _holding?.Stop();
        _holding = null;
        return await _database.RetryAsync(OperationDeadline, OperationDeadline, async (connection, token) =>
            await connection.ExecuteAsync("DELETE FROM elastic_leases WHERE name = @name AND owner = @owner", token,
                ("name", Settings.LeaseName), ("owner", Settings.OwnerName)) == 1, _terminated.Token);
    });

    /// <inheritdoc/>
    public override bool CheckLease() => _holding is { } holding && Left(holding) > TimeSpan.Zero;

    private TimeSpan Left(Holding holding) => TimeToLive - Interval - TimeProvider.System.GetElapsedTime(holding.RenewedAt);

    private async Task<bool> OperateAsync(string what, Func<Task<bool>> operation)
    {
        await _one.WaitAsync(_terminated.Token);
        try
        {
            return await operation();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new LeaseException($"the lease {Settings.LeaseName} could not be {what}: {e.Message}", e);
        }
        finally
        {
            _one.Release();
        }
    }

    // Renews the lease until it is released or lost. Nobody awaits this task, so that it must not throw.
    private async Task BeatAsync(Holding holding)
    {
        var failing = false;
        try
        {
            while (Left(holding) is var left && left > TimeSpan.Zero)
            {
                await Task.Delay(left < Interval ? left : Interval, holding.Stopped);
                if (Left(holding) is var deadline && deadline <= TimeSpan.Zero)
                    break;
                try
                {
                    var (ours, sent) = await _database.CallAsync(
                        deadline < OperationDeadline ? deadline : OperationDeadline, RenewAsync, holding.Stopped);
                    if (!ours)
                    {
                        Lose(holding, $"the lease {Settings.LeaseName} has another owner");
                        return;
                    }
                    holding.RenewedAt = sent;
                    failing = false;
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    if (!failing)
                        _log.Warning("the lease {0} could not be renewed ({1}): trying again until it has run out",
                            Settings.LeaseName, e.Message);
                    failing = true;
                }
            }
            Lose(holding, $"the lease {Settings.LeaseName} could not be renewed within {TimeToLive.TotalSeconds} s");
        }
        catch (OperationCanceledException)
        {
            // Released, or the actor system has ended.
        }
    }

    private async Task<(bool Ours, long Sent)> RenewAsync(System.Data.Common.DbConnection connection, CancellationToken cancel)
    {
        var sent = TimeProvider.System.GetTimestamp();
        var rows = await connection.ExecuteAsync(
            $"UPDATE elastic_leases SET expires = {_database.Now()} + @ttl WHERE name = @name AND owner = @owner", cancel,
            ("ttl", (long)TimeToLive.TotalMilliseconds), ("name", Settings.LeaseName), ("owner", Settings.OwnerName));
        return (rows == 1, sent);
    }

    private void Lose(Holding holding, string why)
    {
        if (Interlocked.CompareExchange(ref _holding, null, holding) == holding)
            holding.Lost(new LeaseException(why));
    }

    private sealed class Holding(long renewedAt, Action<Exception> lost, CancellationTokenSource stop)
    {
        private long _renewedAt = renewedAt;

        public Action<Exception> Lost => lost;

        public CancellationToken Stopped { get; } = stop.Token;

        // CheckLease reads it while the heartbeat writes it.
        public long RenewedAt { get => Volatile.Read(ref _renewedAt); set => Volatile.Write(ref _renewedAt, value); }

        public void Stop() => stop.Cancel();
    }
}
