using System.Globalization;
using System.Runtime.ExceptionServices;
using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Transfer;

namespace Elastic.Actors.Work;

/// <summary>
/// This node's stage of a replica whose other stages are on other nodes, and its connections with them, for one attempt at a round. Each
/// stage has one with each other: all tell all the sums that the gradient's norm is made of.
/// </summary>
internal sealed class ReplicaStage : IAsyncDisposable
{
    private const int LongestAttempt = 32;

    private readonly NodeRun _run;
    private readonly RunSetup _setup;
    private readonly int _number;
    private readonly (StageLink Link, StageConnection Connection)?[] _others;
    private ApartStage? _stage;

    private ReplicaStage(NodeRun run, RunSetup setup, int number, (StageLink, StageConnection)?[] others) =>
        (_run, _setup, _number, _others) = (run, setup, number, others);

    /// <summary>True where all stages stop here, because the node of one of them was asked to.</summary>
    public bool IsStopped => _stage?.IsStopped ?? false;

    /// <summary>The stage, once it has a device.</summary>
    public ApartStage Stage => _stage ?? throw new InvalidOperationException("the stage has no device yet");

    /// <summary>Connects with the nodes of the other stages.</summary>
    /// <param name="setup">The run's in the order's segment.</param>
    /// <param name="order">The order to compute the replica.</param>
    /// <param name="number">The stage that this node computes.</param>
    /// <exception cref="StageLostException">One of them cannot be reached, or has no such order.</exception>
    /// <exception cref="OperationCanceledException">The work was dropped, or is to stop.</exception>
    public static async Task<ReplicaStage> OpenAsync(
        NodeRun run, RunSetup setup, Compute order, int number, CancellationToken cancel)
    {
        Check(run, order, number);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Exception? failure = null;
        var others = await Task.WhenAll(Enumerable.Range(0, order.Stages.Length).Select(async other =>
        {
            try
            {
                return other == number ? null : await ConnectAsync(run, order, number, other, end.Token);
            }
            catch (Exception e)
            {
                // What follows from it is no news.
                if (Interlocked.CompareExchange(ref failure, e, null) is null)
                    await end.CancelAsync();
                return ((StageLink, StageConnection)?)null;
            }
        }));
        var stage = new ReplicaStage(run, setup, number, others);
        if (failure is null)
            return stage;
        await stage.DisposeAsync();
        ExceptionDispatchInfo.Throw(failure);
        throw failure;
    }

    /// <summary>The inner steps of this stage, on the first of these devices.</summary>
    /// <param name="stop">Asks all stages to stop after the step under way.</param>
    public TrainingStep Step(DeviceGroup devices, ReplicaMemory memory, CancellationToken stop)
    {
        _stage = new ApartStage(
            devices.First, _setup.Architecture, _number, [.. _others.Select(o => o?.Link)], memory.Vectors, memory.Share!.Group,
            _run.Faults.Deadlines?.Invoke(), stop: stop);
        return _stage.Step(_setup.Optimizer, _setup.Settings.Optimizer.Clip, _setup.Precision);
    }

    /// <summary>Tells the others which stage is lost, so that all name the same one.</summary>
    public void TellLost(int stage)
    {
        foreach (var (link, other) in _others.Select((o, other) => (o?.Link, other)))
        {
            if (other != stage)
                link?.TellLost(stage);
        }
    }

    /// <summary>Ends what waits for another stage. Does not wait.</summary>
    public void Abort()
    {
        foreach (var other in _others)
            other?.Link.Abort();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await Task.WhenAll(_others.OfType<(StageLink Link, StageConnection Connection)>().Select(
        async other =>
        {
            try
            {
                await other.Link.DisposeAsync();
            }
            finally
            {
                await other.Connection.DisposeAsync();
            }
        }));

    private static async Task<(StageLink, StageConnection)?> ConnectAsync(
        NodeRun run, Compute order, int number, int other, CancellationToken end)
    {
        var (place, count) = (order.Stages[other], order.Stages.Length);
        var route = new StageRoute(
            string.Create(CultureInfo.InvariantCulture, $"{run.Id}.{order.Round}.{order.Replica}.{order.Attempt}"),
            Math.Max(number, other), Math.Min(number, other));
        try
        {
            var connection = other > number
                ? await run.Stages.AcceptAsync(route, place.Node, end)
                : await run.Stages.OpenAsync(route, run.Node, Endpoint.Parse(place.Endpoint), place.Node, end);
            var peer = $"stage {other} of {count} on {place.Endpoint}";
            return (new StageLink(connection.Stream, connection.Stream, other, peer), connection);
        }
        catch (UnavailableException e)
        {
            throw new StageLostException(other, e.Message, e);
        }
    }

    // It comes from another process.
    private static void Check(NodeRun run, Compute order, int number)
    {
        var places = order.Stages;
        if (number < 0 || number >= places.Length || places[number].Node != run.Node || !Identifier.IsValid(order.Attempt, LongestAttempt)
            || places.Length > StageRoute.MostStages || places.DistinctBy(p => p.Node).Count() < places.Length
            || places.Any(p => !Endpoint.TryParse(p.Endpoint, out _, out _)))
            throw new ElasticException(
                $"round {order.Round} of replica {order.Replica} was ordered in stages that are no places of this node and others");
    }
}
