using Elastic.Kernels.Optimization;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Passes;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>What a device keeps from one pass to the next: copies of parameters in 16 bits, and tables that no step changes.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed unsafe class NarrowCopyTests
{
    private static readonly FlatLayout Layout = Architectures.LayoutOf(Samples.Tiny());

    public NarrowCopyTests() => NativeTorch.Load();

    [Fact]
    public void What_an_update_writes_is_not_rounded_again_until_the_vector_changes()
    {
        using var scope = NewDisposeScope();
        var (segments, end) = (Layout.Segments.Take(3).ToList(), Layout.TrainedLength);
        using var vector = New(1);
        using var copies = new NarrowCopies();
        Assert.True(copies.Into(vector, end, 0, end).IsNone, "no product has read any");
        segments.ForEach(s => copies.Of(vector, s, ScalarType.BFloat16));

        Update(copies, vector);
        segments.ForEach(s => AssertIs(vector, s, copies.Of(vector, s, ScalarType.BFloat16)));
        // What nobody has told of is not looked for.
        var before = copies.Of(vector, segments[1], ScalarType.BFloat16).clone();
        vector.Flat.AddInPlace(ones(1));
        Assert.Equal(Values(before), Values(copies.Of(vector, segments[1], ScalarType.BFloat16)));
        vector.Touch();
        segments.ForEach(s => AssertIs(vector, s, copies.Of(vector, s, ScalarType.BFloat16)));
        // A parameter that is read later than the update has its place among the others.
        Update(copies, vector);
        AssertIs(vector, Layout.Segments[4], copies.Of(vector, Layout.Segments[4], ScalarType.BFloat16));
        AssertIs(vector, segments[0], copies.Of(vector, segments[0], ScalarType.Float16));
    }

    [Fact]
    public void No_memory_is_taken_for_a_table_before_all_that_products_read_nor_written_where_none_is_read()
    {
        using var scope = NewDisposeScope();
        var (segments, end) = (Layout.Segments.Take(4).ToList(), Layout.TrainedLength);
        using var vector = New(1);
        using var copies = new NarrowCopies();
        copies.Of(vector, segments[2], ScalarType.BFloat16);
        Assert.True(copies.Into(vector, end, 0, segments[1].Offset).IsNone);
        Assert.True(copies.Into(vector, end, segments[3].Offset, segments[3].Count).IsNone);
        Assert.True(copies.Into(vector, end, 0, end).IsNone, "it would begin before the copies do");
        Assert.False(copies.Into(vector, end, segments[2].Offset, end - segments[2].Offset).IsNone);
        AssertIs(vector, segments[0], copies.Of(vector, segments[0], ScalarType.BFloat16));
    }

    [Fact]
    public void What_an_update_wrote_that_failed_is_not_taken_for_what_was_restored()
    {
        using var scope = NewDisposeScope();
        var (segment, end) = (Layout.Segments[0], Layout.TrainedLength);
        using TorchVector vector = New(1), whole = New(2);
        using var copies = new NarrowCopies();
        copies.Of(vector, segment, ScalarType.BFloat16);
        Update(copies, vector, fails: true);
        vector.Flat.copy_(whole.Flat);
        vector.Touch();
        AssertIs(vector, segment, copies.Of(vector, segment, ScalarType.BFloat16));
        Update(copies, vector, fails: true);
        vector.Flat.copy_(whole.Flat);
        vector.Touch();
        vector.Touch();
        copies.Renew(vector);
        AssertIs(vector, segment, copies.Of(vector, segment, ScalarType.BFloat16));
    }

    [Fact]
    public void A_copy_with_zeros_behind_it_follows_the_vector_and_its_type()
    {
        using var scope = NewDisposeScope();
        using var vector = New(1);
        using var copies = new NarrowCopies();
        var (segment, end) = (Layout.Segments[0], Layout.TrainedLength);
        void AssertPadded(ScalarType type, long count)
        {
            var padded = copies.Padded(vector, segment, type, count);
            Assert.Equal(count, padded.numel());
            AssertIs(vector, segment, padded.narrow(0, 0, segment.Count));
            Assert.Equal(0, padded.narrow(0, segment.Count, count - segment.Count).count_nonzero().item<long>());
        }
        AssertPadded(ScalarType.BFloat16, segment.Count + 24);
        var kept = copies.Padded(vector, segment, ScalarType.BFloat16, segment.Count + 24);
        Update(copies, vector);
        AssertPadded(ScalarType.BFloat16, segment.Count + 24);
        Assert.Same(kept, copies.Padded(vector, segment, ScalarType.BFloat16, segment.Count + 24));
        AssertPadded(ScalarType.BFloat16, segment.Count + 64);
        AssertPadded(ScalarType.Float16, segment.Count + 64);
        AssertIs(vector, segment, copies.Of(vector, segment, ScalarType.Float16));
        // None behind it: no second copy.
        Assert.Same(
            copies.Of(vector, segment, ScalarType.Float16), copies.Padded(vector, segment, ScalarType.Float16, segment.Count));
    }

    // Muon's matrices are not AdamW's to write.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_device_that_updates_alone_writes_its_copies_and_trains_to_the_bits_of_several(bool isMuon)
    {
        var model = Samples.Tiny();
        IOptimizer? optimizer = isMuon ? new Muon(Samples.Optimizer() with { Kind = "muon" }) : null;
        FakeGpu.Shared.Clear();
        var one = KernelDeviceTests.Train(model, 1, true, Precision.Bf16, optimizer: optimizer, microBatches: 2);
        var names = FakeGpu.Shared.Calls.Select(c => c.Split(' ')[0]).ToHashSet();
        Assert.Contains("adamw_update_bf16", names);
        FakeGpu.Shared.Clear();
        Assert.Equal(one, KernelDeviceTests.Train(model, 2, true, Precision.Bf16, optimizer: optimizer, microBatches: 2));
        Assert.DoesNotContain(FakeGpu.Shared.Calls, c => c.StartsWith("adamw_update_bf16", StringComparison.Ordinal));
    }

    [Fact]
    public void Tables_are_sent_once_for_the_same_values_and_those_go_that_nobody_asks_for()
    {
        using var constants = new GpuConstants(CPU);
        var sent = new List<int>();
        Tensor Of(double frequency, int tokens) => constants.Of(
            new TurnsOf(new RotaryAngles([frequency, 0.5]), tokens), () =>
            {
                sent.Add(tokens);
                return [tokens];
            });
        for (var tokens = 1; tokens <= 8; tokens++)
            Of(1, tokens);
        // Each tape has angles of its own.
        Assert.Equal(3, Of(1, 3).item<float>());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], sent);
        Of(1, 1);
        Of(2, 8);
        Of(1, 3);
        Of(1, 1);
        Of(1, 2);
        Assert.Equal([8, 2], sent[8..]);
    }

    private static TorchVector New(int seed)
    {
        var vector = new TorchVector(Layout.Length, CPU);
        vector.Flat.copy_(tensor(Numbers.Some((int)Layout.Length, seed)));
        return vector;
    }

    // As a device does; a failed one ends before it tells.
    private static void Update(NarrowCopies copies, TorchVector vector, bool fails = false)
    {
        var count = Layout.TrainedLength;
        var moments = zeros(2, count);
        var gradient = ones(count);
        var first = Dispatcher.Floats(moments);
        FakeGpu.Shared.Kernels(0).AdamW(
            vector.Data, Dispatcher.Floats(gradient), first, first + count, copies.Into(vector, count, 0, count), count,
            new AdamWStep(1, 1e-2, 0.9, 0.95, 1e-8, 0.1, 1));
        if (fails)
            return;
        vector.Touch();
        copies.Renew(vector);
    }

    private static void AssertIs(TorchVector vector, Segment segment, Tensor copy) =>
        Assert.Equal(Values(vector.Range(segment.Offset, segment.Count).to(copy.dtype)), Values(copy));

    private static float[] Values(Tensor x) => x.to(float32).data<float>().ToArray();
}
