using System.Collections.Concurrent;
using System.Diagnostics;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Step;

/// <summary>A device on a plain thread: what the training step is given where there are no actors.</summary>
internal sealed class DeviceThread : IDeviceThread, IDisposable
{
    private readonly BlockingCollection<Action<TrainingDevice>> _work = [];
    private readonly Thread _thread;

    /// <param name="open">Is called on the thread, before any work.</param>
    public DeviceThread(DeviceId id, Func<TrainingDevice> open)
    {
        Id = id;
        _thread = new Thread(() =>
        {
            var device = open();
            foreach (var work in _work.GetConsumingEnumerable())
                work(device);
            // As in the product: where a step has failed, another device may still read this one's gradients.
            device.Retire();
        })
        { IsBackground = true };
        _thread.Start();
    }

    /// <inheritdoc/>
    public DeviceId Id { get; }

    /// <summary>How long it has worked, waiting for other programs on its core included.</summary>
    public double BusySeconds { get; private set; }

    /// <inheritdoc/>
    public Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
    {
        // Who waits goes on elsewhere: this thread is the device's.
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(device =>
        {
            var start = Stopwatch.GetTimestamp();
            try
            {
                var made = work(device);
                Count(start);
                result.SetResult(made);
            }
            catch (Exception e)
            {
                Count(start);
                result.SetException(e);
            }
        });
        return result.Task;

        // Before anybody hears that the work has ended.
        void Count(long start) => BusySeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Does what was asked for, then ends.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }
}
