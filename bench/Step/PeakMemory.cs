using System.Diagnostics;
using Elastic.Messages.Settings;

namespace Elastic.Step;

/// <summary>The memory of steps as planned, and as the system counts it in this process.</summary>
internal static class PeakMemory
{
    /// <param name="open">Makes the model and its devices.</param>
    public static void Show(Func<Ours> open, int steps)
    {
        // What the runtime needs for itself: measured after a small model has run through all of the code.
        var model = ModelSettings.Defaults with { Context = 16, Vocabulary = 97, Layers = 2, Heads = 4, Width = 32 };
        using (var small = new Ours(model, batch: 2, tokens: 16, micro: 1, devices: 1, threads: 1))
            small.Run(2);
        var before = Read("VmRSS");
        using var ours = open();
        // The first tenth allocates: what the rest adds is growth, and what it takes is counted in the processor's time, which others that
        // want the cores do not change.
        var first = Math.Max(1, steps / 10);
        ours.Run(first);
        var (settled, worked) = (Read("VmRSS"), Process.GetCurrentProcess().TotalProcessorTime);
        ours.Run(steps - first);
        var (grown, took) = (Read("VmRSS") - settled, Process.GetCurrentProcess().TotalProcessorTime - worked);
        var (peak, planned) = (Read("VmHWM") - before, ours.Plan.Memory);
        Console.WriteLine(
            $"planned {planned.Bytes / (1 << 20),7:F1} MiB   peak {peak / (1 << 20),7:F1} MiB   ratio {peak / planned.Bytes:F3}   "
            + $"{took.TotalMilliseconds / (steps - first):F0} ms of processor time a step   "
            + $"{ours.Plan.FlopsOfStep / 1e9:F1} GFLOP a step and device");
        Console.WriteLine($"        {planned.Parts}; resident {grown / 1024:+0;-0;0} KiB from step {first} to step {steps}");
    }

    // A line of /proc/self/status, in bytes.
    private static double Read(string name)
    {
        GC.Collect();
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]) * 1024;
    }
}
