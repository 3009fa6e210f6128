using System.Diagnostics.CodeAnalysis;
using Elastic.Model.Training;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Measures what one thread starts on a GPU's default stream, call by call, by two of the GPU's own time stamps around each: kernels,
/// products, attention. Nothing is measured where nobody has begun to, which costs a look at one field.
/// </summary>
internal sealed class LaunchTimes : IDisposable
{
    [ThreadStatic]
    private static LaunchTimes? _current;

    private readonly CudaDriver _driver;
    private readonly nint _context;
    private readonly List<(string Name, double Operations, double Bytes, nint Begin, nint End)> _calls = [];
    // All that were made, of a call that could not begin, too.
    private readonly List<nint> _stamps = [];

    private LaunchTimes(CudaDriver driver, int gpu) => (_driver, _context) = (driver, driver.ContextOf(gpu));

    /// <summary>Begins to measure this thread's calls, until it is disposed of.</summary>
    /// <param name="gpu">The GPU's number among those that this process sees: the calls are all of it.</param>
    public static LaunchTimes Begin(CudaDriver driver, int gpu) => _current = new LaunchTimes(driver, gpu);

    /// <summary>Measures what is started until the result is disposed of.</summary>
    /// <param name="operations">Multiplications and additions; 0 where nobody counts them.</param>
    /// <param name="bytes">To and from memory; 0 where nobody counts them.</param>
    public static Call Of(string name, double operations = 0, double bytes = 0) => _current?.Start(name, operations, bytes) ?? default;

    /// <inheritdoc cref="Of(string, double, double)"/>
    /// <param name="describe">Asked where somebody measures.</param>
    public static Call Of<T>(T what, Func<T, (string Name, double Operations)> describe)
    {
        if (_current is not { } times)
            return default;
        var (name, operations) = describe(what);
        return times.Start(name, operations, 0);
    }

    /// <summary>What was measured, a line for each name, the longest first. Waits for it.</summary>
    /// <exception cref="CudaException">Something went wrong on the GPU.</exception>
    public IReadOnlyList<KernelTime> Read()
    {
        _driver.Enter(_context);
        _driver.Synchronize("kernels that are measured", 0);
        return [.. _calls.GroupBy(c => c.Name).Select(g => new KernelTime(
            g.Key, g.Count(), g.Sum(c => _driver.SecondsBetween(c.Begin, c.End)), g.Sum(c => c.Operations),
            g.Sum(c => c.Bytes)))
            .OrderByDescending(t => t.Seconds)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _current = null;
        _stamps.ForEach(_driver.FreeEvent);
    }

    private Call Start(string name, double operations, double bytes)
    {
        _driver.Enter(_context);
        var (begin, end) = (NewStamp(), NewStamp());
        _calls.Add((name, operations, bytes, begin, end));
        _driver.Record(begin);
        return new Call(_driver, end);
    }

    private nint NewStamp()
    {
        var stamp = _driver.NewEvent();
        _stamps.Add(stamp);
        return stamp;
    }

    /// <summary>One call that is measured, or none.</summary>
    [SuppressMessage("Performance", "CA1815", Justification = "nobody compares them")]
    internal readonly struct Call(CudaDriver driver, nint end) : IDisposable
    {
        public void Dispose() => driver?.Record(end);
    }
}
