using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Step;

/// <summary>The product's reduce-scatter over gradients of a model's size, and the copying of memory by the same threads.</summary>
internal sealed class CollectiveTimes : IDisposable
{
    private readonly IReadOnlyList<DeviceThread> _devices;
    private readonly IReadOnlyList<IReadOnlyList<SubtreeRoot>> _roots;
    private readonly IReadOnlyList<Slice> _slices;
    private readonly LocalCollective _collective;
    private readonly HostVector _target;
    private readonly FlatLayout _layout;

    /// <param name="devices">Each with one micro-batch, and so with one vector.</param>
    public CollectiveTimes(IArchitecture architecture, int devices)
    {
        _layout = new FlatLayout(architecture.Parameters);
        _slices = Slice.Split(_layout, devices);
        _devices = [.. Enumerable.Range(0, devices).Select(d => new DeviceThread(
            new DeviceId($"cpu:{d}"), () => new CpuDevice(new DeviceId($"cpu:{d}"), architecture)))];
        _roots = [.. Enumerable.Range(0, devices).Select(d => (IReadOnlyList<SubtreeRoot>)
            [new SubtreeRoot(new TreeNode(d, 1), new HostVector(_layout.Length), new ScatteredRows())])];
        _collective = new LocalCollective(_devices);
        _target = new HostVector(_layout.Length);
    }

    /// <summary>Elements of a device's gradient.</summary>
    public long Elements => _layout.Length;

    /// <summary>One reduce-scatter: all gradients are read, and the sum is written.</summary>
    /// <returns>Bytes a second.</returns>
    public double ReduceScatter() => (_devices.Count + 1) * Elements * sizeof(float) / Seconds(
        () => _collective.ReduceScatterAsync(_roots, _devices.Count, _slices, TimeSpan.FromMinutes(5)));

    /// <summary>Each device copies its slice of its gradient: what is copied is read and written.</summary>
    /// <returns>Bytes a second.</returns>
    public double Copy() => 2 * Elements * sizeof(float) / Seconds(() => Task.WhenAll(_devices.Select((device, d) => device.RunAsync(_ =>
    {
        var from = (HostVector)_roots[d][0].Gradient;
        const int Piece = 1 << 20;
        for (var at = 0L; at < _slices[d].Count; at += Piece)
        {
            var count = (int)Math.Min(Piece, _slices[d].Count - at);
            from.Span(_slices[d].First + at, count).CopyTo(_target.Span(_slices[d].First + at, count));
        }
        return true;
    }))));

    public void Dispose()
    {
        foreach (var device in _devices)
            device.Dispose();
        foreach (var root in _roots)
            root[0].Gradient.Dispose();
        _target.Dispose();
    }

    private static double Seconds(Func<Task> work)
    {
        var start = Stopwatch.GetTimestamp();
        work().GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
