using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Memory of whole steps, each measured in a process of its own.</summary>
public class MemoryTests(ITestOutputHelper output)
{
    private const string Architecture = "ELASTIC_MODEL_TEST_ARCHITECTURE";

    [Fact]
    public void Three_thousand_steps_leave_no_memory_behind() => Delegate(nameof(Child_takes_three_thousand_steps));

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void The_peak_is_the_sum_of_its_parts_within_a_tenth_and_a_detached_device_keeps_no_vectors(string architecture) =>
        Delegate(nameof(Child_measures_its_peak), (Architecture, architecture));

    [Fact]
    public void Child_takes_three_thousand_steps()
    {
        if (!ChildProcess.IsChild)
            return;
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        var bytes = 0L;
        for (var step = 0; step < 3_000; step++)
        {
            if (step == 1_000)
                bytes = Resident("VmRSS");
            Step(device, vectors, step, (IReadOnlyList<MicroBatch>)Samples.MicroBatches(model, 3, 2, step));
        }
        var grown = (Resident("VmRSS") - bytes) / 1024;
        output.WriteLine($"resident {grown:+0;-0;0} KiB over 2,000 steps");
        // The C library's heap settles by some megabytes over the first ten thousand steps, then stays (measured to 20,000).
        Assert.InRange(Resident("VmRSS") - bytes, long.MinValue, 16 << 20);
    }

    [Fact]
    public void Child_measures_its_peak()
    {
        if (!ChildProcess.IsChild)
            return;
        // What the runtime needs for itself: measured after a small model has run through all of the code.
        using (var vectors = Samples.Initialized(Samples.Tiny()))
        using (var small = Samples.Device(vectors, Samples.Tiny()))
        {
            Step(small, vectors, 0, (IReadOnlyList<MicroBatch>)Samples.MicroBatches(Samples.Tiny(), 1, 2, 0));
        }
        var before = Resident("VmRSS");
        var model = Samples.Model(6, 4, 256, 128, 30_000) with { Architecture = Environment.GetEnvironmentVariable(Architecture)! };
        using var large = Samples.Initialized(model);
        using var device = Samples.Device(large, model);
        for (var step = 0; step < 2; step++)
            Step(device, large, step, (IReadOnlyList<MicroBatch>)Samples.MicroBatches(model, 2, 2, step));
        var expected = TrainingPlan.OfReplica(TrainingMemoryTests.Of(model, sequences: 4, micro: 2), 1, threads: 1).Memory;
        var peak = Resident("VmHWM") - before;
        output.WriteLine($"peak {peak >> 20} MiB, expected {expected.Bytes / (1 << 20):0} MiB: {peak / expected.Bytes:F2}");
        Assert.InRange(peak / expected.Bytes, 0.9, 1.1);

        var held = Resident("VmRSS");
        device.Detach();
        large.Dispose();
        var freed = held - Resident("VmRSS");
        output.WriteLine($"freed {freed >> 20} MiB of {expected.VectorBytes / (1 << 20):0} MiB of vectors");
        Assert.InRange(freed, 0.95 * expected.VectorBytes, double.MaxValue);
    }

    // On the test's own thread, where scopes and memory are measured.
    private static void Step(TrainingDevice device, ReplicaVectors vectors, int step, IReadOnlyList<MicroBatch> microBatches)
    {
        var inline = new InlineDevice(device);
        new TrainingStep([inline], new LocalCollective([inline]), vectors.Layout, new AdamW(Samples.Optimizer()), 1)
            .RunAsync((IReadOnlyList<Batches.MicroBatch>)microBatches, new DropoutSeed(1, 0, 0, step), 1e-3, step + 1)
            .GetAwaiter().GetResult();
    }

    private void Delegate(string child, params (string Name, string Value)[] environment)
    {
        var (exitCode, text) = ChildProcess.Run(typeof(MemoryTests), child, environment);
        output.WriteLine(string.Join('\n', text.Split('\n').Where(l => l.Contains("[OUTPUT]", StringComparison.Ordinal))));
        Assert.True(exitCode == 0, text);
    }

    // A line of /proc/self/status, in bytes.
    private static long Resident(string name)
    {
        GC.Collect();
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]) * 1024;
    }
}
