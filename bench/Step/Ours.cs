using System.Diagnostics;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Step;

/// <summary>The product's training step of one replica on several devices, each on its own thread, and nothing else.</summary>
internal sealed class Ours : IDisposable
{
    private static readonly OptimizerSettings Settings = OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3,
        MinimumLearningRate = 1e-4,
        Schedule = LearningRateSchedule.Constant,
        WarmupSteps = 0,
    };

    private readonly OptimizerSettings _optimizer;
    private readonly IArchitecture _architecture;
    private readonly ReplicaVectors _vectors;
    private readonly List<DeviceThread> _devices;
    private readonly int _threads;
    private readonly RecomputeMode _recompute;
    private readonly Precision _precision;
    private readonly int _zero;
    private readonly SplitInUse _split;
    private readonly ReplicaVectors? _mirror;
    private TimedCollective _collective;
    private TrainingStep _step;
    private int _opened;
    private readonly Random _random = new(0);
    private readonly int _vocabulary, _batch, _tokens, _micro;
    private long _steps;

    /// <param name="optimizer">As optimizer.kind has it.</param>
    /// <param name="zero">As node.zero.</param>
    /// <param name="folder">Where vectors lie that are offloaded; null for none.</param>
    /// <param name="mirrors">As optimizer.mirror-slices.</param>
    /// <param name="split">As node.split; null for none.</param>
    public Ours(
        ModelSettings model, int batch, int tokens, int micro, int devices, int threads, string optimizer = "adamw",
        RecomputeMode recompute = RecomputeMode.None, TrainingPrecision kind = TrainingPrecision.Fp32, int zero = 1, string? folder = null,
        bool mirrors = false, ReplicaSplit? split = null)
    {
        _optimizer = Settings with { Kind = optimizer, MirrorSlices = mirrors };
        (_vocabulary, _batch, _tokens, _micro) = (model.Vocabulary, batch, tokens, micro);
        _architecture = Architectures.Open(model);
        var layout = new FlatLayout(_architecture.Parameters);
        var offload = folder is null ? null : FileOffload.Of(folder, Optimizers.Open(_optimizer), Precision.Of(kind));
        _vectors = new ReplicaVectors(layout, null, offload);
        (_zero, _mirror) = (zero, mirrors ? new ReplicaVectors(layout, null, offload) : null);
        Initialization.Fill(_vectors, 1);
        (_threads, _recompute, _precision) = (threads, recompute, Precision.Of(kind));
        _split = SplitInUse.Of(split ?? ReplicaSplit.None, devices, _architecture);
        _devices = [.. Enumerable.Range(0, devices).Select(_ => Open())];
        PassSeconds = new double[devices];
        Plan = TrainingPlan.OfReplica(
            TrainingSettings.Defaults with
            {
                Model = model,
                Batch = BatchSettings.Defaults with { Sequences = batch, Micro = micro, Recompute = recompute },
                Optimizer = _optimizer,
                Run = TrainingSettings.Defaults.Run with { Precision = kind },
            }, devices, threads, zero, folder is null ? OffloadMode.None : OffloadMode.File, split);
        (_collective, _step) = Compose();
    }

    /// <summary>What each device holds besides, by the formula.</summary>
    public DeviceBudget Budget => Plan.Vectors;

    /// <summary>What the step was planned to take.</summary>
    public TrainingPlan Plan { get; }

    /// <summary>What forward passes keep for backward passes and what both work with, of all devices.</summary>
    public double ActivationBytes => Plan.Memory.ActivationBytes;

    /// <summary>Seconds that accumulating, folding and updating took since the start, for tuning.</summary>
    public double[] PhaseSeconds { get; } = new double[3];

    /// <summary>Seconds of accumulating in which each device has worked since the start.</summary>
    public double[] PassSeconds { get; }

    /// <summary>Where the first device's time goes.</summary>
    public OperatorTimes Times { get; } = new();

    /// <summary>Seconds that each device has worked since the start.</summary>
    public IReadOnlyList<double> BusySeconds => [.. _devices.Select(d => d.BusySeconds)];

    /// <summary>Bytes that a stage has copied from its neighbours since the start: of the one that has copied most.</summary>
    public long CopiedBytes() => Task.WhenAll(_devices.Select(d => d.RunAsync(device => device.Stage?.CopiedBytes ?? 0)))
        .GetAwaiter().GetResult().Max();

    /// <summary>Does so many steps; returns the seconds they took.</summary>
    public double Run(int steps)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < steps; i++)
            StepAsync().GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>
    /// Puts a new device in the place of the last one and takes a step with it; returns the seconds. The device that went ends afterwards,
    /// as in the product.
    /// </summary>
    public double Change()
    {
        var gone = _devices[^1];
        var start = Stopwatch.GetTimestamp();
        _devices[^1] = Open();
        (_collective, _step) = Compose();
        StepAsync().GetAwaiter().GetResult();
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        gone.Dispose();
        return seconds;
    }

    public void Dispose()
    {
        foreach (var device in _devices)
            device.Dispose();
        _vectors.Dispose();
        _mirror?.Dispose();
    }

    private DeviceThread Open()
    {
        var number = _opened++;
        return new DeviceThread(new DeviceId($"cpu:{number}"), () =>
        {
            var device = new CpuDevice(new DeviceId($"cpu:{number}"), _architecture, 0, _threads, _recompute);
            if (number == 0)
                device.Times = Times;
            device.Attach(_vectors);
            return device;
        });
    }

    private (TimedCollective Collective, TrainingStep Step) Compose()
    {
        List<DeviceThread> devices = [.. _devices];
        var collective = new TimedCollective(new LocalCollective(devices), () => BusySeconds);
        return (collective, new TrainingStep(
            devices, collective, _vectors.Layout, Optimizers.Open(_optimizer), _optimizer.Clip, _precision, zero: _zero,
            mirror: _mirror, stages: _split.Stages, tensor: _split.Tensor,
            chunks: _split.Chunks));
    }

    private async Task StepAsync()
    {
        var tokens = new int[_batch * (_tokens + 1)];
        for (var i = 0; i < tokens.Length; i++)
            tokens[i] = _random.Next(_vocabulary);
        var microBatches = _architecture.Batching.MicroBatches(Sample.Cut(tokens, _batch), _micro);
        var (start, before) = (Stopwatch.GetTimestamp(), BusySeconds);
        await _step.RunAsync(microBatches, default, _optimizer.LearningRate, ++_steps);
        PhaseSeconds[0] += Stopwatch.GetElapsedTime(start, _collective.ReduceStarted).TotalSeconds;
        PhaseSeconds[1] += Stopwatch.GetElapsedTime(_collective.ReduceStarted, _collective.ReduceEnded).TotalSeconds;
        PhaseSeconds[2] += Stopwatch.GetElapsedTime(_collective.ReduceEnded).TotalSeconds;
        for (var i = 0; i < PassSeconds.Length; i++)
            PassSeconds[i] += _collective.BusyAtReduce[i] - before[i];
    }

    // Marks where one phase of the step ends and the next begins.
    private sealed class TimedCollective(ICollective inner, Func<IReadOnlyList<double>> busySeconds) : ICollective
    {
        public IReadOnlyList<double> BusyAtReduce { get; private set; } = [];

        public long ReduceStarted { get; private set; }

        public long ReduceEnded { get; private set; }

        public async Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
        {
            (ReduceStarted, BusyAtReduce) = (Stopwatch.GetTimestamp(), busySeconds());
            var squares = await inner.ReduceScatterAsync(roots, microBatches, slices, deadline);
            ReduceEnded = Stopwatch.GetTimestamp();
            return squares;
        }

        // With ZeRO-2 passes and sums take turns: the last one counts.
        public async Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline)
        {
            (ReduceStarted, BusyAtReduce) = (Stopwatch.GetTimestamp(), busySeconds());
            await inner.ReduceBucketAsync(buckets, deadline);
            ReduceEnded = Stopwatch.GetTimestamp();
        }

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => inner.AllGatherAsync(slices, deadline);

        public void Abort(string why) => inner.Abort(why);
    }
}
