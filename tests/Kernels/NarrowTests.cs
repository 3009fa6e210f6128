using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests;

/// <summary>
/// Rounding to 16 bits with every kind of lanes. What each number is rounded to is tested with the files of weights, in tests/Model.
/// </summary>
public unsafe class NarrowTests
{
    [Theory]
    [InlineData(NarrowType.BFloat16)]
    [InlineData(NarrowType.Float16)]
    internal void All_numbers_of_16_bits_survive_the_way_to_fp32_and_back(NarrowType type)
    {
        using var arena = new Arena();
        var wide = arena.Floats(1 << 16);
        var narrow = AllKinds.Same<ushort>(() =>
        {
            ushort[] from = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)], to = new ushort[1 << 16];
            fixed (ushort* x = from, y = to)
            {
                NarrowRows.Widen(type, wide, x, 1 << 16);
                NarrowRows.Narrow(type, y, wide, 1 << 16);
            }
            return to;
        });
        for (var i = 0; i < 1 << 16; i++)
        {
            if (!float.IsNaN(wide[i]))
                Assert.Equal(i, narrow[i]);
            else
                Assert.Equal(type == NarrowType.BFloat16 ? i | 0x40 : i & 0x8000 | 0x7E00, narrow[i]);
        }
    }

    [Theory]
    [InlineData(NarrowType.BFloat16)]
    [InlineData(NarrowType.Float16)]
    internal void Rounding_in_place_is_narrowing_and_widening_for_any_cut(NarrowType type)
    {
        var random = new KeyedRandom(9);
        foreach (var count in new[] { 0, 1, 15, 16, 17, 5000 })
        {
            using var arena = new Arena();
            float* x = arena.Floats(count), wide = arena.Floats(count + 3);
            var narrow = (ushort*)arena.Floats(count);
            var values = AllKinds.Same<float>(() =>
            {
                // All bit patterns alike: every exponent comes, and what is no number.
                for (var i = 0; i < count; i++)
                    x[i] = BitConverter.UInt32BitsToSingle((uint)random.Word((ulong)i));
                NarrowRows.Narrow(type, narrow, x, count);
                NarrowRows.Widen(type, wide, narrow, count);
                for (var i = 0; i < count; i += 7)
                    NarrowRows.Round(type, x + i, Math.Min(7, count - i));
                return Arena.Read(x, count);
            });
            Assert.True(MemoryMarshal.AsBytes<float>(values).SequenceEqual(MemoryMarshal.AsBytes<float>(Arena.Read(wide, count))));
        }
    }

    [Fact]
    public void Rows_with_gaps_are_widened_and_gaps_are_left_alone()
    {
        using var arena = new Arena();
        var y = arena.Floats(90, 1);
        ushort[] x = [.. Enumerable.Range(0, 75).Select(i => (ushort)(0x3F80 + i))];
        fixed (ushort* from = x)
            NarrowRows.Widen(NarrowType.BFloat16, y, 30, from, 25, 3, 18);
        Assert.Equal(
            Enumerable.Range(0, 90).Select(i => i % 30 < 18 ? BitConverter.UInt32BitsToSingle((uint)x[i / 30 * 25 + i % 30] << 16) : 1),
            Arena.Read(y, 90));
    }

    // Written down once, as the other kernels' are: the same on every processor, and on Arm64 under an emulator.
    [Fact]
    public void Both_types_have_the_bits_that_are_written_down()
    {
        var random = new KeyedRandom(10);
        string Digest(NarrowType type) => RowBitsTests.Digest(AllKinds.Same<ushort>(() =>
        {
            using var arena = new Arena();
            var x = arena.Floats(8192);
            var y = new ushort[8192];
            for (var i = 0; i < 8192; i++)
                x[i] = BitConverter.UInt32BitsToSingle((uint)random.Word((ulong)i));
            fixed (ushort* to = y)
                NarrowRows.Narrow(type, to, x, 8192);
            return y;
        }));
        Assert.Equal(("d5a43638e7b540a1", "742cf9d2b05894c7"), (Digest(NarrowType.BFloat16), Digest(NarrowType.Float16)));
    }
}
