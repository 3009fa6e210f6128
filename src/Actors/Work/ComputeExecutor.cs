using System.Diagnostics;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Takes the inner steps of one replica in one round. Does not repeat a computation whose result is still here.</summary>
internal sealed class ComputeExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => ComputeWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Devices;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var order = (Compute)content;
        var setup = run.SetupIn(order.Segment);
        if (run.Computed.Find(order, run.Blobs) is { } known)
            return known;
        var outcome = await new ReplicaRound(run, setup, order, 0, devices!).RunAsync();
        if (outcome is Computed computed)
            run.Computed.Remember(order, computed);
        return outcome;
    }
}

/// <summary>The inner steps of one replica in one round, start to end; of one stage of it, where several nodes compute it.</summary>
/// <param name="setup">The run's in the order's segment.</param>
/// <param name="stageNumber">Number of the stage that this node computes; 0 where it computes all.</param>
internal sealed class ReplicaRound(NodeRun run, RunSetup setup, Compute order, int stageNumber, DeviceContext context)
{
    // A small model's step takes less than a round trip to the node that reads its blocks: 8 steps hide 200 ms where a step takes 25 ms.
    // The tokens on their way stay below what a slow link carries in the time that a reader is given to answer.
    private const int MostAhead = 8;
    private const int MostTokensAhead = 64 << 10;

    private readonly ReplicaMemory _memory = context.Memory;
    private readonly Segment _segment = Checked(order, setup.Settings);
    private readonly int _steps = order.Segment.StepsOf(order.Replica);
    private readonly TimeSpan _betweenNews = BetweenNews(order.Segment.Replicas);
    private readonly BlockReader _reader = run.Reader(heldOut: false);
    private DeviceGroup _devices = context.Devices;
    private TrainingStep? _step;
    private ReplicaStage? _stage;                                      // null where this node computes all of the replica
    private long _told;
    private int _skipped;

    /// <summary>Takes the steps that are left and stores the result.</summary>
    /// <returns>
    /// The result; or
    /// a hand-over, where it was stopped before the last step;
    /// <see cref="StageLost"/>, where another stage is lost and this one was not told to stop;
    /// null, where it was dropped, was stopped before its first step here, or computed another stage than the first, whose node answers.
    /// </returns>
    public async Task<WorkOutcome?> RunAsync()
    {
        if (order.Stages.Length <= 1)
            return await TakeStepsAsync();
        try
        {
            context.Activity.Does("waits for the nodes of the other stages");
            // One that is to stop before all are there has nothing to hand over.
            using var end = CancellationTokenSource.CreateLinkedTokenSource(context.Drop, context.Stop);
            await using var stage = await ReplicaStage.OpenAsync(run, setup, order, stageNumber, end.Token);
            using var dropped = context.Drop.Register(stage.Abort);
            _stage = stage;
            try
            {
                return await TakeStepsAsync();
            }
            catch (StageLostException e)
            {
                stage.TellLost(e.Stage);
                throw;
            }
        }
        catch (Exception e) when (e is StageLostException or OperationCanceledException && context.Stop.IsCancellationRequested)
        {
            return null;                                               // others were told to stop, too, and may be gone already
        }
        catch (StageLostException e)
        {
            return new StageLost(e.Stage, e.Message);
        }
    }

    private async Task<WorkOutcome?> TakeStepsAsync()
    {
        var first = order.HandOver?.Step ?? 0;
        var lossSum = order.HandOver?.LossSumNats ?? 0;
        var samples = order.HandOver?.Samples ?? HashChain.Empty;
        var read = new ReadAhead<(IReadOnlyList<MicroBatch> MicroBatches, Digest Samples)>(
            first, _steps, StepsAhead(_segment.Sequences * SampleCut.Of(setup.Settings).Length), ReadAsync);
        // One stage that ended alone would be taken for lost by the others: they stop together, after a step.
        var stop = _stage is null ? context.Stop : context.Drop;
        try
        {
            context.Activity.Does("fetches and loads what it starts from");
            await LoadAsync(stop);
            await ComputeOnAsync(context.Devices);
            context.Activity.Does("waits for the blocks of step", first);
            await read.ArrivesAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;                                               // the devices are free at once, not when a slow link has brought all
        }
        for (var step = first; step < _steps; step++)
        {
            // Stages stop after the same step: each knows at its end whether one of them was asked to.
            var stops = _stage?.IsStopped ?? context.Stop.IsCancellationRequested;
            if (context.Drop.IsCancellationRequested || (stops && step == first))
                return null;
            if (stops)
                return await HandOverAsync(step, lossSum, samples);

            if (_stage is null && context.Moves.Take() is { } devices)
            {
                await ComputeOnAsync(devices);
                context.Moved();
            }

            context.Activity.Does("waits for the blocks of step", step);
            var batch = await read.NextAsync();
            context.Activity.Does("computes step", step);
            var (loss, learningRate) = await StepAsync(step, batch.MicroBatches);
            lossSum += loss;
            samples = HashChain.AppendStep(samples, batch.Samples);
            if (stageNumber == 0 && (step + 1 == _steps || Stopwatch.GetElapsedTime(_told) >= _betweenNews))
            {
                _told = Stopwatch.GetTimestamp();
                context.Progress(new NodeReport.StepTaken(run.Node, run.Id, order.Round, order.Replica, step + 1, loss, learningRate)
                {
                    SplitNotice = _stage is null ? _devices.SplitOf(setup).Notice : null,
                    Scaling = _step!.Scale is { } scale ? new(scale.Value, _skipped, scale.SkippedSteps) : null,
                });
            }

            if (run.Faults.AfterStep is { } wait)
                await wait(order.Round, context.Stop);
        }

        context.Activity.Does("stores its result");
        return await ResultAsync(lossSum, samples);
    }

    /// <summary>
    /// How often a replica reports its steps. People see no more, a small model takes a thousand a second, one supervisor hears all
    /// replicas.
    /// </summary>
    public static TimeSpan BetweenNews(int replicas) => TimeSpan.FromMilliseconds(Math.Clamp(25 * replicas, 200, 2000));

    /// <summary>How many steps are read ahead of the one that is computed.</summary>
    /// <param name="tokens">Tokens of a step.</param>
    public static int StepsAhead(int tokens) => Math.Clamp(MostTokensAhead / tokens, 1, MostAhead);

    // Micro-batches and slices are divided among these devices from now on. The vectors stay where they are, and no bit depends on it.
    private async Task ComputeOnAsync(DeviceGroup devices)
    {
        context.Activity.Does("attaches its devices");
        await _memory.TrainOnAsync(devices, setup.Settings);
        (_devices, _step) = (devices, _stage is null
            ? devices.Step(setup, run.Faults.Deadlines?.Invoke(), () => _memory.Mirror) : _stage.Step(devices, _memory, context.Stop));
    }

    private async Task LoadAsync(CancellationToken stop)
    {
        var (parameters, moments) = (order.HandOver?.State ?? order.Version, order.HandOver?.State ?? order.InnerState);
        var fetched = moments is { } set && !_memory.HoldsMoments(set) ? set : (Digest?)null;
        var key = ComputeStageWork.KeyOf(order.Round, order.Replica, stageNumber);
        await FetchReports.DuringAsync(run, key, MissingBytes(parameters, fetched), context.Progress, FetchAsync());
        await Task.Run(() =>
        {
            _memory.LoadParameters(run.Blobs, parameters);
            _memory.LoadMoments(run.Blobs, moments);
        }, stop);

        async Task<bool> FetchAsync()
        {
            if (_memory.Share is { } share)
            {
                await run.Fetcher.FetchShareAsync(parameters, share, stop);
                // A hand-over, which the first stage stores, stands for all frozen parameters.
                if (stageNumber == 0)
                    await run.Fetcher.FetchFrozenAsync(parameters, stop);
                if (fetched is { } theirs)
                    await run.Fetcher.FetchShareAsync(theirs, setup.InnerVectors, share, stop);
                return true;
            }
            await run.Fetcher.FetchParametersAsync(parameters, stop);
            if (fetched is { } missing)
                await run.Fetcher.FetchSetAsync(missing, stop);
            return true;
        }
    }

    // Of a stage, all of its part counts as missing.
    private long MissingBytes(Digest parameters, Digest? fetched)
    {
        if (_memory.Share is { } share)
        {
            var its = stageNumber == 0 ? setup.Layout.FrozenLength : share.Frozen.Sum(r => r.Count);
            return sizeof(float) * ((fetched is null ? [VectorSet.Parameters] : (string[])[VectorSet.Parameters, .. setup.InnerVectors])
                .Sum(vector => share.RangesOf(vector).Sum(r => r.Count)) + (_memory.Frozen is null ? its : 0));
        }

        var vectors = (run.Blobs.IsThere(parameters) ? 0 : 1)
            + (fetched is null || fetched == parameters || run.Blobs.IsThere(fetched.Value) ? 0 : setup.Optimizer.Vectors.Count);
        var frozen = _memory.Frozen is null && !run.Blobs.IsThere(parameters) ? setup.Layout.FrozenLength : 0;
        return (vectors * setup.Layout.TrainedLength + frozen) * sizeof(float);
    }

    private async Task<(double LossNats, double LearningRate)> StepAsync(int step, IReadOnlyList<MicroBatch> microBatches)
    {
        _memory.Changing();
        var settings = setup.Settings;
        var number = _segment.StepNumberOf(order.Round, step);                          // the replica's own count, from 0
        var learningRate = LearningRate.At(number, _segment.ScheduleSteps, settings.Optimizer);
        var loss = await RepeatedAsync(microBatches.Sum(m => m.Rows),
            taken => taken.RunAsync(microBatches, SeedOf(step), learningRate, number + 1));
        _skipped += _step!.IsSkipped ? 1 : 0;
        return double.IsFinite(loss)
            ? (loss, learningRate)
            : throw new ElasticException($"the loss of replica {order.Replica} became {loss} at step {number}: " +
                                         "use a smaller optimizer.learning-rate or more optimizer.warmup-steps");
    }

    // Where a device is lost, the step is taken again on the others, if their mirror has what it began from.
    private async Task<double> RepeatedAsync(int rows, Func<TrainingStep, Task<double>> take)
    {
        while (true)
        {
            try
            {
                var began = Stopwatch.GetTimestamp();
                var loss = await take(_step!);
                var took = Stopwatch.GetElapsedTime(began);
                NodeMeters.Step(run.Id, took);
                run.PieceTimes.Note(took * _devices.Count, PieceTimes.ElementsOf(rows, setup.Settings.SampleTokens));
                return loss;
            }
            catch (DeviceFailedException e) when (
                e.IsLost && _stage is null && setup.Settings.Optimizer.MirrorSlices && _devices.HasOthersThan(e.Device)
                && !_memory.IsOf(e.Device))
            {
                _memory.GoBack(_step!.IsUpdating);
                await ComputeOnAsync(await context.GoBackAsync(e));
            }
        }
    }

    private DropoutSeed SeedOf(int step) => new(setup.Settings.Run.Seed, order.Round, order.Replica, step);

    private async Task<(IReadOnlyList<MicroBatch> MicroBatches, Digest Samples)> ReadAsync(int step)
    {
        var blocks = setup.Schedule.BlocksOf(_segment, order.Round, order.Replica, step);
        var tokens = await _reader.ReadAsync(blocks, CancellationToken.None);
        var microBatches = setup.Architecture.Batching.MicroBatches(
            Sample.Cut(tokens, blocks.Length), setup.Settings.Batch.Micro, SeedOf(step));
        return (microBatches, SampleDigests.Of(blocks, tokens));
    }

    private async Task<WorkOutcome?> HandOverAsync(int step, double lossSum, Digest samples)
    {
        var state = await (_stage is null
            ? Task.Run(() => _memory.StoreAll(run.Blobs)) : _memory.StoreAllAsync(run.Blobs, _stage.Stage));
        return stageNumber == 0
            ? new HandedOver(new ReplicaHandOver(order.Round, order.Replica, step, state, lossSum, samples), order.HandOver?.State)
            : null;
    }

    private async Task<WorkOutcome?> ResultAsync(double lossSum, Digest samples)
    {
        run.Faults.Contribution?.Invoke(_memory.Vectors);
        var (contribution, innerState) = await (_stage is null
            ? Task.Run(() => _memory.StoreResult(run.Blobs)) : _memory.StoreResultAsync(run.Blobs, _stage.Stage));
        var result = new ReplicaResult(
            order.Round, order.Replica, contribution, innerState,
            _segment.SamplesOf(order.Replica) * setup.Plan.Context, _steps > 0 ? lossSum / _steps : 0, samples);
        return stageNumber == 0 ? new Computed(result, order.HandOver?.State, Math.Max(0, order.Stages.Length - 1)) : null;
    }

    // What decides how much memory a step takes comes with the order: it must be what the run was opened with.
    private static Segment Checked(Compute order, TrainingSettings settings)
    {
        var (segment, shape) = (order.Segment, RunPlan.ShapeOf(settings));
        return segment.IsPartOf(shape) && segment.Holds(order.Round, order.Replica)
            ? segment
            : throw new ElasticException($"round {order.Round} of replica {order.Replica} was ordered in another shape than the run's");
    }
}
