namespace Elastic.Kernels.Tests;

public unsafe class DropoutTests
{
    // The known answers that Random123 publishes for philox4x32-10: counter, key, result.
    [Theory]
    [InlineData(
        new[] { 0u, 0u, 0u, 0u }, new[] { 0u, 0u }, new[] { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u })]
    [InlineData(
        new[] { 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu }, new[] { 0xffffffffu, 0xffffffffu },
        new[] { 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu })]
    [InlineData(
        new[] { 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u }, new[] { 0xa4093822u, 0x299f31d0u },
        new[] { 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u })]
    public void Philox_gives_the_published_answers(uint[] counter, uint[] key, uint[] expected)
    {
        var words = AllKinds.Same<uint>(() =>
        {
            var results = new uint[4];
            LaneDispatch.Run(new Rounds(counter, key[0] | (ulong)key[1] << 32, results));
            return results;
        });
        Assert.Equal(expected, words);
    }

    [Theory]
    [InlineData(0, 0UL)]
    [InlineData(1, 12345UL)]
    [InlineData(3_000_000_001L, 0xfedcba9876543210UL)]
    [InlineData(1L << 33, 99UL)]
    public void A_block_holds_the_sequences_words_in_order(long block, ulong key)
    {
        var words = AllKinds.Same<uint>(() =>
        {
            var results = new uint[64];
            LaneDispatch.Run(new Block(key, (ulong)block, results));
            return results;
        });
        for (var i = 0; i < 64; i += 4)
        {
            var counter = (ulong)(block * 64 + i) / 4;
            var expected = new uint[4];
            LaneDispatch.Run(new Rounds([(uint)counter, (uint)(counter >> 32), 0, 0], key, expected));
            Assert.Equal(expected, words[i..(i + 4)]);
        }
    }

    [Fact]
    public void Probabilities_outside_of_0_to_1_are_refused_and_others_are_rounded_to_32_bits()
    {
        foreach (var p in new[] { -0.1, 1, 1.5, double.NaN })
            Assert.Throws<ArgumentOutOfRangeException>(() => DropoutRate.Of(p));
        Assert.Equal(DropoutRate.None, DropoutRate.Of(0));
        Assert.Equal(new DropoutRate(1u << 31, 2), DropoutRate.Of(0.5));
        Assert.Equal(429_496_730u, DropoutRate.Of(0.1).Threshold);
        Assert.Equal((1u, uint.MaxValue), (DropoutRate.Of(1e-30).Threshold, DropoutRate.Of(1 - 1e-15).Threshold));
    }

    [Theory]
    [InlineData(0, 1000)]
    [InlineData(64, 128)]
    [InlineData(5, 3)]
    [InlineData(61, 70)]
    [InlineData(17_179_869_100, 300)]
    public void A_range_gives_the_bits_of_the_whole_and_each_element_is_its_words_choice(long first, int count)
    {
        var rate = DropoutRate.Of(0.3);
        var key = Dropout.Key(1, 2, 3, 4, 5, 6, 7);
        using var arena = new Arena();
        float* x = arena.Random(1, count), residual = arena.Random(2, count), y = arena.Floats(count), sum = arena.Floats(count);
        var values = AllKinds.Same<float>(() =>
        {
            Dropout.Apply(y, x, null, key, first, count, rate);
            Dropout.Apply(sum, x, residual, key, first, count, rate);
            return [.. Arena.Read(y, count), .. Arena.Read(sum, count)];
        });
        for (var i = 0; i < count; i++)
        {
            var counter = (ulong)(first + i) / 4;
            var words = new uint[4];
            LaneDispatch.Run(new Rounds([(uint)counter, (uint)(counter >> 32), 0, 0], key, words));
            var expected = words[(first + i) % 4] >= rate.Threshold ? x[i] * (float)(1 / 0.7) : 0;
            Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(values[i]));
            Assert.Equal(residual[i] + expected, values[count + i]);
        }
        foreach (var cut in new[] { 1, count / 2, count - 1 })
        {
            Dropout.Apply(y, x, null, key, first, cut, rate);
            Dropout.Apply(y + cut, x + cut, null, key, first + cut, count - cut, rate);
            Assert.Equal(values[..count], Arena.Read(y, count));
        }
    }

    [Fact]
    public void As_many_are_dropped_as_the_probability_says_and_none_at_zero()
    {
        const int count = 100_000;
        using var arena = new Arena();
        float* ones = arena.Floats(count, 1), y = arena.Floats(count);
        foreach (var p in new[] { 0.01, 0.1, 0.5, 0.9 })
        {
            Dropout.Apply(y, ones, null, 42, 0, count, DropoutRate.Of(p));
            var dropped = Arena.Read(y, count).Count(v => v == 0);
            // Five deviations.
            Assert.Equal(p * count, dropped, 5 * Math.Sqrt(count * p * (1 - p)));
        }
        Dropout.Apply(y, ones, null, 42, 0, count, DropoutRate.None);
        Assert.All(Arena.Read(y, count), v => Assert.Equal(1, v));
    }

    [Fact]
    public void Keys_differ_in_each_part()
    {
        var keys = Enumerable.Range(0, 7).Select(i =>
        {
            var p = Enumerable.Range(0, 7).Select(j => i == j ? 1 : 0).ToArray();
            return Dropout.Key((ulong)p[0], p[1], p[2], p[3], p[4], p[5], p[6]);
        });
        Assert.Equal(7, keys.Distinct().Count());
    }

    private readonly struct Rounds(uint[] counter, ulong key, uint[] results) : ILaneKernel
    {
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            T a = T.Bits((int)counter[0]), b = T.Bits((int)counter[1]), c = T.Bits((int)counter[2]), d = T.Bits((int)counter[3]);
            Philox.Run(key, ref a, ref b, ref c, ref d);
            T[] all = [a, b, c, d];
            for (var i = 0; i < 4; i++)
                results[i] = BitConverter.SingleToUInt32Bits(T.Get(all[i], 5 * i));
        }
    }

    private readonly struct Block(ulong key, ulong block, uint[] results) : ILaneKernel
    {
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            Philox.Block(key, block, out T a, out var b, out var c, out var d);
            fixed (uint* at = results)
            {
                T.Store(a, (float*)at);
                T.Store(b, (float*)at + 16);
                T.Store(c, (float*)at + 32);
                T.Store(d, (float*)at + 48);
            }
        }
    }
}
