using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Step;

/// <summary>Training steps of one replica on several devices, each on its own thread, phase by phase.</summary>
internal sealed class Ours : IDisposable
{
    private readonly ModelSettings _model;
    private readonly OptimizerSettings _optimizer = OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3, MinimumLearningRate = 1e-4, Schedule = LearningRateSchedule.Constant, WarmupSteps = 0,
    };

    private readonly ReplicaVectors _vectors;
    private readonly Barrier _barrier, _phases;
    private readonly Thread[] _threads;
    private readonly IReadOnlyList<Slice> _slices;
    private readonly IReadOnlyList<SubtreeRoot>[] _roots;
    private readonly double[][] _sums;
    private readonly int _batch, _tokens;
    private int _steps, _step;
    private volatile bool _stop;

    public Ours(ModelSettings model, int batch, int tokens, int devices, int threads)
    {
        (_model, _batch, _tokens) = (model, batch, tokens);
        _vectors = new ReplicaVectors(new FlatLayout(model));
        Gpt2Initialization.Fill(_vectors, 1);
        _slices = Slice.Split(_vectors.Layout, devices);
        (_roots, _sums) = (new IReadOnlyList<SubtreeRoot>[devices], new double[devices][]);
        (_barrier, _phases) = (new Barrier(devices + 1), new Barrier(devices));
        _threads = [.. Enumerable.Range(0, devices).Select(d => new Thread(() => Work(d, devices, threads)) { IsBackground = true })];
        foreach (var thread in _threads)
            thread.Start();
    }

    /// <summary>Mean seconds that each phase took on the first device since the start, for tuning.</summary>
    public double[] PhaseSeconds { get; } = new double[3];

    /// <summary>Does so many steps; returns the seconds they took.</summary>
    public double Run(int steps)
    {
        _steps = steps;
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        _barrier.SignalAndWait();
        _barrier.SignalAndWait();
        return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public void Dispose()
    {
        _stop = true;
        _barrier.SignalAndWait();
        foreach (var thread in _threads)
            thread.Join();
        _vectors.Dispose();
        _barrier.Dispose();
        _phases.Dispose();
    }

    private void Work(int d, int devices, int threads)
    {
        using var device = new TrainingDevice(new DeviceId($"cpu:{d}"), _model, _optimizer, threads);
        device.Attach(_vectors);
        var random = new Random(d);
        while (true)
        {
            _barrier.SignalAndWait();
            if (_stop)
                return;
            for (var i = 0; i < _steps; i++)
                Step(d, devices, device, random);
            _barrier.SignalAndWait();
        }
    }

    private void Step(int d, int devices, TrainingDevice device, Random random)
    {
        var block = new int[_batch / devices * (_tokens + 1)];
        for (var i = 0; i < block.Length; i++)
            block[i] = random.Next(_model.Vocabulary);
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        device.Accumulate([block], d, devices, _tokens + 1, default);
        _roots[d] = device.Roots;
        Meet(d, 0, ref start);
        _sums[d] = device.FoldSlice([.. _roots.SelectMany(r => r)], devices, _slices[d]);
        Meet(d, 1, ref start);
        var clip = GradientNorm.ClipCoefficient(GradientNorm.Fold(_sums.SelectMany(s => s)), _optimizer.Clip);
        device.UpdateSlice(_slices[d], new AdamWStep(_optimizer.LearningRate, Interlocked.Increment(ref _step) / devices + 1, clip));
        Meet(d, 2, ref start);
    }

    // The main thread takes part in the first barrier only, so phases meet on one of their own.
    private void Meet(int d, int phase, ref long start)
    {
        _phases.SignalAndWait();
        if (d == 0)
            PhaseSeconds[phase] += System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = System.Diagnostics.Stopwatch.GetTimestamp();
    }
}
