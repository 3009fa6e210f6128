using System.Globalization;
using Elastic.Messages.Settings;

namespace Elastic.Step;

/// <summary>The memory of a replica in training, against what <see cref="Model.Training.DeviceBudget"/> and the plan say.</summary>
internal static class ShardMemory
{
    /// <summary>Prints the largest resident memory of some steps, less what the process had before.</summary>
    public static void Measure(Func<Ours> open, int devices, string what, int steps)
    {
        // What the runtime needs for itself: measured after a small model has run through all of the code.
        var small = ModelSettings.Defaults with { Layers = 1, Heads = 1, Width = 16, Context = 8, Vocabulary = 31 };
        using (var first = new Ours(small, 4, 8, 1, devices, 1))
            first.Run(2);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = ResidentBytes();
        using var ours = open();
        ours.Run(2);
        var (most, ended) = (0L, false);
        var watch = new Thread(() =>
        {
            while (!Volatile.Read(ref ended))
            {
                most = Math.Max(most, ResidentBytes() - before);
                Thread.Sleep(5);
            }
        });
        watch.Start();
        var seconds = ours.Run(steps);
        Volatile.Write(ref ended, true);
        watch.Join();
        var expected = devices * ours.Budget.Bytes + ours.ActivationBytes;
        Console.WriteLine(
            $"{devices} devices, {what}: {MiB(most / (double)devices),6:F0} MiB a device, {MiB(expected / devices),6:F0} by the formula "
            + $"(of them {MiB(ours.ActivationBytes / devices):F0} of activations): {most / expected:F3}   "
            + $"sent {MiB(ours.Budget.SentBytes):F0} MiB   {seconds / steps * 1000:F0} ms/step");
    }

    private static double MiB(double bytes) => bytes / (1 << 20);

    private static long ResidentBytes()
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
    }
}
