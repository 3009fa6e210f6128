using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Collectives;

/// <summary>ZeRO, vectors in files, and mirrors: where things lie and who sums them never shows in the bits.</summary>
public sealed class ShardedOptimizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public static TheoryData<string, TrainingPrecision, string> All
    {
        get
        {
            var all = new TheoryData<string, TrainingPrecision, string> { { "wide", TrainingPrecision.Bf16, "muon" } };
            foreach (var kind in PrecisionTests.Kinds.Keys.Append("wide"))
                foreach (var precision in Enum.GetValues<TrainingPrecision>())
                    all.Add(kind, precision, "adamw");
            return all;
        }
    }

    public void Dispose() => Directory.Delete(_folder, true);

    [Theory]
    [MemberData(nameof(All))]
    public async Task Every_number_of_devices_gives_one_digest_with_ZeRO_and_with_vectors_in_files(
        string kind, TrainingPrecision of, string optimizer)
    {
        var (model, precision) = (kind == "wide" ? Wide : PrecisionTests.Kinds[kind], Precision.Of(of));
        // What 16 bits change is not who has what: one network shows it on many devices, the others on three.
        var (counts, inFiles) = of == TrainingPrecision.Fp32 ? (new[] { 1, 2, 3, 4, 8 }, 2) : kind == "wide" ? ([3, 4, 8], 4) : ([3], 2);
        using var pool = new DevicePool(model, counts[^1]);
        var expected = await pool.TrainAsync(optimizer, _ => [0], precision: precision);
        foreach (var devices in counts)
            Assert.Equal(expected, await pool.TrainAsync(optimizer, _ => First(devices), _ => 2, precision));
        Assert.Equal(expected, await pool.TrainAsync(optimizer, _ => First(inFiles), step => 1 + step % 2, precision, _folder));
        Assert.Empty(Directory.EnumerateFiles(_folder));
    }

    [Fact]
    public async Task Fifty_times_devices_and_stages_that_change_at_random_between_steps_give_one_digest()
    {
        using var pool = new DevicePool(Wide, 8);
        var expected = await pool.TrainAsync("adamw", _ => [0]);
        var random = new Random(29);
        // Each time three changes between four steps.
        for (var attempt = 0; attempt < 17; attempt++)
        {
            var folder = random.Next(4) == 0 ? _folder : null;
            Assert.Equal(expected, await pool.TrainAsync("adamw", _ =>
            {
                var all = First(8);
                random.Shuffle(all);
                return all[..random.Next(1, 9)];
            }, _ => random.Next(1, 3), folder: folder));
        }
    }

    // Works of a device in a step: with ZeRO-1 accumulate, fold, mirror, update; with ZeRO-2 prepare, then each bucket is made and folded.
    [Theory]
    [InlineData(1, 0, "forward and backward pass")]
    [InlineData(1, 1, "reduce-scatter")]
    [InlineData(1, 2, "mirroring")]
    [InlineData(1, 3, "update")]
    [InlineData(2, 0, "preparation")]
    [InlineData(2, 3, "forward and backward pass")]
    [InlineData(2, 4, "reduce-scatter of a bucket")]
    [InlineData(2, -3, "fold")]
    [InlineData(2, -1, "update")]
    public async Task A_device_that_is_lost_in_any_part_of_a_step_costs_that_step_alone_where_slices_are_mirrored(
        int zero, int part, string what)
    {
        using var vectors = Samples.Initialized(Wide);
        using var mirror = new ReplicaVectors(vectors.Layout);
        using var pool = new DevicePool(Wide, 3);
        var expected = await pool.TrainAsync("adamw", _ => [0]);
        await pool.AttachAsync(vectors);
        var (lost, clock, works) = (new TroubledDevice(pool.Devices[0]), new HandClock(), 0);
        lost.Before = _ => works++;
        var step = Step([lost, pool.Devices[1], pool.Devices[2]], vectors, zero, mirror, clock);
        await DevicePool.TakeAsync(step, Wide, 0);
        lost.HangsIn = works + (part >= 0 ? part : works + part);
        var running = DevicePool.TakeAsync(step, Wide, 1);
        await lost.Hangs;
        // Others may not have ended yet: what they get done puts the deadline off.
        while (!running.IsCompleted)
        {
            clock.Pass(StepDeadlines.Default.Most);
            await Task.Yield();
        }
        Assert.StartsWith(
            $"rank 0 of 3 (cpu:0) did not end its {what} within", (await Assert.ThrowsAsync<DeviceFailedException>(() => running)).Message,
            StringComparison.Ordinal);

        // The others repeat the step from what is whole, while the one that was lost goes on with its work after all.
        Assert.Equal(what == "update", step.IsUpdating);
        var whole = step.IsUpdating ? mirror : vectors;
        using var next = new ReplicaVectors(vectors.Layout);
        whole.AbandonWorkingCopy();
        lost.Release();
        var left = pool.Devices.Skip(1).ToList();
        await Task.WhenAll(left.Select(d => d.RunAsync(device =>
        {
            device.Attach(whole);
            return true;
        })));
        step = Step(left, whole, zero, next, clock);
        for (var number = 1; number < DevicePool.Steps; number++)
            await DevicePool.TakeAsync(step, Wide, number);
        Assert.Equal(expected, Samples.DigestOf(whole));
    }

    [Fact]
    public async Task The_mirror_holds_frozen_parameters_and_the_loss_scale_of_before_the_step()
    {
        var model = PrecisionTests.Kinds["adapters"];
        using var vectors = Samples.Initialized(model);
        using var mirror = new ReplicaVectors(vectors.Layout);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        // An overflow: the step changes the loss scale alone.
        new LossScale(64, 0, 0).Write(vectors);
        var before = Samples.DigestOf(vectors);
        var step = new TrainingStep(
            pool.Devices, new LocalCollective(pool.Devices), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, Precision.Fp16,
            mirror: mirror);
        await DevicePool.TakeAsync(step, model, 0);
        Assert.Equal(before, Samples.DigestOf(mirror));
        Assert.Equal(new LossScale(64, 0, 0), LossScale.Read(mirror));
        Assert.Equal(new LossScale(63, 0, 1), LossScale.Read(vectors));
        Assert.False(step.IsUpdating);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Pieces_of_a_slice_are_the_slice_and_those_of_Muon_end_with_matrices(int devices)
    {
        var layout = Architectures.LayoutOf(Samples.Model(3, 4, 256, 8, 997));
        foreach (var granularity in Enum.GetValues<UpdateGranularity>())
        {
            foreach (var slice in Slice.Split(layout, devices, granularity))
            {
                var pieces = slice.Pieces(layout, 2 * FlatLayout.Tile, granularity).ToList();
                Assert.Equal(
                    Enumerable.Range(slice.FirstTile, slice.Tiles), pieces.SelectMany(p => Enumerable.Range(p.FirstTile, p.Tiles)));
                Assert.True(granularity == UpdateGranularity.WholeMatrices || pieces.TrueForAll(p => p.Tiles <= 2));
                if (granularity == UpdateGranularity.WholeMatrices)
                    Assert.All(pieces, p => Assert.All(layout.Segments.Where(s => s.Parameter.HiddenMatrices > 0), s =>
                        Assert.False(s.Offset < p.First + p.Count && p.First + p.Count < s.End, s.Name)));
            }
        }
    }

    // Slices end inside of parameters, and eight devices have some each.
    private static ModelSettings Wide => Samples.Model(1, 2, 64, 8, 4001) with { Dropout = 0.1 };

    private static int[] First(int devices) => [.. Enumerable.Range(0, devices)];

    private static TrainingStep Step(
        IReadOnlyList<IDeviceThread> devices, ReplicaVectors vectors, int zero, ReplicaVectors mirror, TimeProvider time) => new(
        devices, new LocalCollective(devices, time), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, time: time, zero: zero,
        mirror: mirror);
}
