using System.Globalization;
using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>
/// The gradient of a step by pipelines: each group of as many devices as there are stages takes its range of micro-batches through the
/// network, stage by stage, and has one sum of gradients. A stage begins a pass as soon as what it reads is there.
/// </summary>
/// <param name="devices">Group after group, in each the stages in order. Devices that are left over compute nothing here.</param>
/// <param name="stages">Of a group.</param>
/// <param name="time">Measures the deadlines.</param>
internal sealed class PipelineAccumulation(
    IReadOnlyList<IDeviceThread> devices, int stages, StepDeadlines deadlines, TimeProvider time)
{
    // More units than stages, so that a stage waits for a fifth of the time at most; fewer use each weight more often from the cache.
    private const int UnitsOfStage = 4;

    // For good: stages may be at work yet, and nobody uses what they share again.
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PipelineGroup[]? _groups;
    private long _longestTicks;

    /// <summary>Groups of the devices.</summary>
    private int Groups => devices.Count / stages;

    /// <summary>How many micro-batches go through a pipeline together at most.</summary>
    /// <param name="microBatches">Of a group.</param>
    public static int MostTogether(int microBatches, int stages) => Math.Max(1, microBatches / (UnitsOfStage * stages));

    /// <returns>
    /// The sum of the losses of each micro-batch's counted targets, nats; and for each device the sums that it brings: the first one of a
    /// group brings the group's.
    /// </returns>
    public async Task<(IReadOnlyList<double> Losses, IReadOnlyList<IReadOnlyList<SubtreeRoot>> Roots)> RunAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        var running = RunAllAsync(microBatches, seed, precision, lossScale);
        await Task.WhenAny(running, _failed.Task);
        return _failed.Task.IsCompleted ? throw await _failed.Task : await running;
    }

    private async Task<(IReadOnlyList<double> Losses, IReadOnlyList<IReadOnlyList<SubtreeRoot>> Roots)> RunAllAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        _groups ??= await Task.WhenAll(Enumerable.Range(0, Groups).Select(OpenAsync));
        foreach (var rank in Enumerable.Range(Groups * stages, devices.Count - Groups * stages))
            await CallAsync(rank, "preparation", d => d.Accumulate([], seed, precision, lossScale));
        foreach (var group in _groups)
            group.IsAtWork = true;
        var losses = await Task.WhenAll(_groups.Select(async (_, number) =>
        {
            var (first, end) = ((long)microBatches.Count * number / Groups, (long)microBatches.Count * (number + 1) / Groups);
            List<MicroBatch> own = [.. microBatches.Skip((int)first).Take((int)(end - first))];
            var vocabulary = await CallAsync(number * stages, "preparation", d => d.Architecture.Vocabulary);
            List<PipelineUnit> units =
            [
                .. MicroBatchGroups.Of(own, vocabulary, MostTogether(own.Count, stages))
                    .Select(u => new PipelineUnit(u.Node, u.MicroBatches)),
            ];
            return await GroupAsync(number, units, seed, precision, lossScale);
        }));
        foreach (var group in _groups)
            group.IsAtWork = false;
        return ([.. losses.SelectMany(l => l)],
            [.. devices.Select((_, rank) => rank < Groups * stages && rank % stages == 0 ? _groups[rank / stages].Roots : [])]);
    }

    // One group's micro-batches: the losses of the last stage.
    private async Task<IReadOnlyList<double>> GroupAsync(
        int number, List<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale)
    {
        var group = _groups![number];
        // When each stage has done each unit.
        var (forward, backward) = (Signals(units.Count), Signals(units.Count));
        var losses = await Task.WhenAll(Enumerable.Range(0, stages).Select(StageAsync));
        return losses[^1];

        async Task<List<double>> StageAsync(int stage)
        {
            var (rank, own) = (number * stages + stage, new List<double>());
            await CallAsync(rank, "preparation", _ =>
            {
                group[stage].Begin(units, seed, precision, lossScale);
                return true;
            });
            foreach (var (unit, isForward) in PipelineSchedule.Of(stage, stages, units.Count))
            {
                // A stage begins a step before its neighbour reads from it: what comes first is the stage before's.
                if (isForward && stage > 0)
                    await forward[stage - 1][unit].Task;
                if (!isForward && stage < stages - 1)
                    await backward[stage + 1][unit].Task;
                own.AddRange(await CallAsync(rank, $"{(isForward ? "forward" : "backward")} pass of {TextOf(units[unit])}", _ =>
                {
                    if (!isForward)
                        return group[stage].Backward(unit);
                    group[stage].Forward(unit);
                    return [];
                }, isPass: true));
                (isForward ? forward : backward)[stage][unit].SetResult();
            }
            return own;
        }
    }

    private TaskCompletionSource[][] Signals(int units) =>
    [
        .. Enumerable.Range(0, stages).Select(_ => Enumerable.Range(0, units)
            .Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray()),
    ];

    private static string TextOf(PipelineUnit unit) => unit.Node.Count == 1
        ? string.Create(CultureInfo.InvariantCulture, $"micro-batch {unit.Node.First}")
        : string.Create(CultureInfo.InvariantCulture, $"micro-batches {unit.Node.First} to {unit.Node.End - 1}");

    // The group that the devices were last time, so that it keeps its memory; else a new one.
    private async Task<PipelineGroup> OpenAsync(int number)
    {
        var first = number * stages;
        var open = await Task.WhenAll(Enumerable.Range(0, stages).Select(s => CallAsync(first + s, "preparation", d => d.Stage)));
        if (open[0]?.Group is { IsAtWork: false } kept && kept.Stages.Count == stages
            && open.Select((o, s) => kept.Holds(o, s)).All(holds => holds))
            return kept;
        var architecture = await CallAsync(first, "preparation", d => d.Architecture);
        var group = new PipelineGroup(architecture, stages);
        await Task.WhenAll(Enumerable.Range(0, stages).Select(s => CallAsync(first + s, "preparation", d =>
        {
            d.OpenStage(group, s);
            return true;
        })));
        return group;
    }

    // Work of a device, with a deadline that names it. Once a pass has ended, none takes a minute and ten times as long: stages cost alike.
    private async Task<T> CallAsync<T>(int rank, string what, Func<TrainingDevice, T> work, bool isPass = false)
    {
        var (began, longest) = (time.GetTimestamp(), Interlocked.Read(ref _longestTicks));
        var deadline = longest == 0 ? deadlines.Most : Shorter(deadlines.After(TimeSpan.FromTicks(longest)), deadlines.Most);
        if (_failed.Task.IsCompleted)
            throw new OperationCanceledException("another device has failed");
        try
        {
            T result;
            using (var ended = new CancellationTokenSource())
            {
                // The time counts from before the work: who sees it hang and moves a clock on finds the deadline there.
                var late = Task.Delay(deadline, time, ended.Token);
                var call = devices[rank].RunAsync(work);
                if (await Task.WhenAny(call, late) == late && !call.IsCompleted)
                    throw new DeviceFailedException(devices[rank].Id, isLost: true, string.Create(
                        CultureInfo.InvariantCulture,
                        $"{Name(rank)} did not end its {what} within {deadline.TotalSeconds:0.#} s: it hangs"));
                await ended.CancelAsync();
                result = await call;
            }
            if (isPass)
                Keep(time.GetElapsedTime(began).Ticks);
            return result;
        }
        catch (Exception e)
        {
            _failed.TrySetResult(e switch
            {
                ElasticException => e,
                DeviceFailedException { IsLost: true } hangs when hangs.Device == devices[rank].Id && hangs.Message.StartsWith(
                    Name(rank), StringComparison.Ordinal) => e,
                DeviceFailedException { IsLost: true } => new DeviceFailedException(
                    devices[rank].Id, isLost: true, $"{Name(rank)} is gone in its {what}: {e.Message}", e),
                _ => new DeviceFailedException(devices[rank].Id, isLost: false, $"{Name(rank)} failed in its {what}: {e.Message}", e),
            });
            throw;
        }
    }

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private void Keep(long ticks)
    {
        for (var known = Interlocked.Read(ref _longestTicks); known < ticks;)
            known = Interlocked.CompareExchange(ref _longestTicks, ticks, known);
    }

    private string Name(int rank) => rank >= Groups * stages ? $"rank {rank} of {devices.Count} ({devices[rank].Id})"
        : Groups == 1 ? $"stage {rank} of {stages} ({devices[rank].Id})"
        : $"stage {rank % stages} of {stages} of group {rank / stages} ({devices[rank].Id})";
}
