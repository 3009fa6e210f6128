using System.Globalization;
using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>
/// The gradient of a step by pipelines: each group of as many devices as the stages have takes its range of micro-batches through the
/// network, stage by stage, and has one sum of gradients. A stage begins a pass as soon as what it reads is there. The ranks of a stage
/// that several devices share do a pass in segments, as those of a <see cref="TensorGroup"/>.
/// </summary>
/// <param name="devices">
/// Group after group, in each the stages in order, in each its ranks. Devices that are left over compute nothing here.
/// </param>
/// <param name="stages">Stages of a group.</param>
/// <param name="tensor">Ranks of a stage.</param>
/// <param name="chunks">Pieces of the network that a stage has.</param>
/// <param name="time">Measures the deadlines.</param>
internal sealed class PipelineAccumulation(
    IReadOnlyList<IDeviceThread> devices, int stages, int tensor, int chunks, StepDeadlines deadlines, TimeProvider time)
{
    // More units than stages, so that a stage waits for a fifth of the time at most; fewer use each weight more often from the cache.
    private const int UnitsOfStage = 4;

    // For good: stages may be at work yet, and nobody uses what they share again.
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Of a device's work, while which a deadline looks at it.
    private readonly AwakeTime _awake = WaitDeadline.Awake(time);
    private PipelineGroup[]? _groups;
    private long _longestTicks;

    // Devices of a group.
    private readonly int _each = stages * tensor;

    /// <summary>Groups of the devices.</summary>
    private int Groups => devices.Count / _each;

    /// <summary>How many micro-batches go through a pipeline together at most.</summary>
    /// <param name="microBatches">Micro-batches of a group.</param>
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
        foreach (var rank in Enumerable.Range(Groups * _each, devices.Count - Groups * _each))
            await CallAsync(rank, "preparation", d => d.Accumulate([], seed, precision, lossScale));
        foreach (var group in _groups)
            group.IsAtWork = true;
        var losses = await Task.WhenAll(_groups.Select(async (_, number) =>
        {
            var (first, end) = ((long)microBatches.Count * number / Groups, (long)microBatches.Count * (number + 1) / Groups);
            List<MicroBatch> own = [.. microBatches.Skip((int)first).Take((int)(end - first))];
            var (vocabulary, most) = await CallAsync(
                number * _each, "preparation", d => (d.Architecture.Vocabulary, Math.Min(d.MostTogether, MostTogether(own.Count, stages))));
            List<PipelineUnit> units =
            [
                .. MicroBatchGroups.Of(own, vocabulary, most)
                    .Select(u => new PipelineUnit(u.Node, u.MicroBatches)),
            ];
            return await GroupAsync(number, units, seed, precision, lossScale);
        }));
        foreach (var group in _groups)
            group.IsAtWork = false;
        return ([.. losses.SelectMany(l => l)],
            [.. devices.Select((_, rank) => rank < Groups * _each && rank % _each == 0 ? _groups[rank / _each].Roots : [])]);
    }

    // One group's micro-batches: the losses of the last stage.
    private async Task<IReadOnlyList<double>> GroupAsync(
        int number, List<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale)
    {
        var group = _groups![number];
        // When each piece of the network has done each unit.
        var (forward, backward) = (Signals(units.Count), Signals(units.Count));
        var losses = await Task.WhenAll(Enumerable.Range(0, stages).Select(StageAsync));
        return losses[^1];

        async Task<List<double>> StageAsync(int stage)
        {
            var (first, own) = (number * _each + stage * tensor, new List<double>());
            await OnRanksAsync(first, "preparation", (_, rank) =>
            {
                for (var piece = stage; piece < stages * chunks; piece += stages)
                    group[piece, rank].Begin(units, seed, precision, lossScale);
                return true;
            });
            foreach (var (unit, isForward, chunk) in PipelineSchedule.Of(stage, stages, units.Count, chunks))
            {
                var piece = chunk * stages + stage;
                // A stage begins a step before its neighbour reads from it: what comes first is the stage before's.
                if (isForward && piece > 0)
                    await forward[piece - 1][unit].Task;
                if (!isForward && piece < stages * chunks - 1)
                    await backward[piece + 1][unit].Task;
                var (began, what) = (_awake.GetTimestamp(), $"{(isForward ? "forward" : "backward")} pass of {TextOf(units[unit])}"
                    + (chunks == 1 ? "" : $", piece {chunk} of {chunks},"));
                own.AddRange(tensor > 1
                    ? await PassOfRanksAsync(group, first, piece, unit, isForward, what)
                    : await CallAsync(first, what, _ =>
                    {
                        if (!isForward)
                            return group[piece].Backward(unit);
                        group[piece].Forward(unit);
                        return [];
                    }));
                Keep(_awake.GetElapsedTime(began).Ticks);
                (isForward ? forward : backward)[piece][unit].SetResult();
            }
            return own;
        }
    }

    // All ranks do a segment, and go on when all have ended it.
    private async Task<double[]> PassOfRanksAsync(PipelineGroup group, int first, int piece, int unit, bool isForward, string what)
    {
        await OnRanksAsync(first, what, (_, rank) =>
        {
            if (isForward)
                group[piece, rank].BeginForward(unit);
            else
                group[piece, rank].BeginBackward(unit);
            return true;
        });
        while (!(await OnRanksAsync(first, what, (_, rank) => group[piece, rank].Advance()))[0])
        {
        }
        return isForward ? [] : await CallAsync(first, what, _ => group[piece].Add(unit));
    }

    private TaskCompletionSource[][] Signals(int units) =>
    [
        .. Enumerable.Range(0, stages * chunks).Select(_ => Enumerable.Range(0, units)
            .Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray()),
    ];

    private static string TextOf(PipelineUnit unit) => unit.Node.Count == 1
        ? string.Create(CultureInfo.InvariantCulture, $"micro-batch {unit.Node.First}")
        : string.Create(CultureInfo.InvariantCulture, $"micro-batches {unit.Node.First} to {unit.Node.End - 1}");

    // The group that the devices were last time, so that it keeps its memory; else a new one.
    private async Task<PipelineGroup> OpenAsync(int number)
    {
        var first = number * _each;
        var open = await Task.WhenAll(Enumerable.Range(0, _each).Select(i => CallAsync(first + i, "preparation", d => d.Stage)));
        if (open[0]?.Group is { IsAtWork: false } kept && kept.Count == stages && kept.Tensor == tensor && kept.Chunks == chunks
            && open.Select((o, i) => kept.Holds(o, i / tensor, i % tensor)).All(holds => holds))
            return kept;
        var architecture = await CallAsync(first, "preparation", d => d.Architecture);
        var group = new PipelineGroup(architecture, stages, tensor, chunks);
        await Task.WhenAll(Enumerable.Range(0, _each).Select(i => CallAsync(first + i, "preparation", d =>
        {
            d.OpenStage(group, i / tensor, i % tensor);
            return true;
        })));
        return group;
    }

    // On all ranks of the stage whose first one this is.
    private Task<T[]> OnRanksAsync<T>(int first, string what, Func<TrainingDevice, int, T> work) =>
        Task.WhenAll(Enumerable.Range(0, tensor).Select(rank => CallAsync(first + rank, what, d => work(d, rank))));

    // Work of a device, with a deadline that names it. Once a pass has ended, none takes a minute and ten times as long: stages cost alike.
    private async Task<T> CallAsync<T>(int rank, string what, Func<TrainingDevice, T> work)
    {
        var longest = Interlocked.Read(ref _longestTicks);
        var deadline = longest == 0 ? deadlines.Most : Shorter(deadlines.After(TimeSpan.FromTicks(longest)), deadlines.Most);
        if (_failed.Task.IsCompleted)
            throw new OperationCanceledException("another device has failed");
        try
        {
            // The time counts from before the work: who sees it hang and moves a clock on finds the deadline there.
            using var limit = new WaitDeadline(_awake, deadline);
            var call = devices[rank].RunAsync(work);
            if (!await limit.HasEndedAsync(call))
                throw new DeviceFailedException(devices[rank].Id, isLost: true, string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Name(rank)} did not end its {what} within {deadline.TotalSeconds:0.#} s: it hangs"));
            return await call;
        }
        catch (Exception e)
        {
            _failed.TrySetResult(e switch
            {
                ElasticException => e,
                DeviceFailedException { IsLost: true } hangs when hangs.Device == devices[rank].Id && hangs.Message.StartsWith(
                    Name(rank), StringComparison.Ordinal) => e,
                // Also a neighbour whose memory this device has read.
                DeviceFailedException { IsLost: true } lost => new DeviceFailedException(
                    lost.Device, isLost: true,
                    $"{Name(rank)} {(lost.Device == devices[rank].Id ? "is gone in" : "did not end")} its {what}: {e.Message}", e),
                _ => new DeviceFailedException(devices[rank].Id, $"{Name(rank)} failed in its {what}", e),
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

    private string Name(int rank)
    {
        var (id, stage) = (devices[rank].Id, rank % _each / tensor);
        if (rank >= Groups * _each)
            return $"rank {rank} of {devices.Count} ({id})";
        var place = tensor == 1 ? $"stage {stage} of {stages}" : $"rank {rank % tensor} of stage {stage}";
        return Groups == 1 ? $"{place} ({id})" : $"{place} of group {rank / _each} ({id})";
    }
}
