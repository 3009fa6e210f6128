using CsCheck;

namespace Elastic.Kernels.Tests;

public class AveragingTests
{
    private static readonly Gen<float[][]> Replicas =
        from count in Gen.Int[1, 9]
        from length in Gen.Int[1, 5000]
        from seed in Gen.Int
        select Enumerable.Range(0, count).Select(r => Random(seed + r, length)).ToArray();

    [Fact]
    public void Contributions_of_different_lengths_and_none_at_all_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Averaging.Mean([], new float[4]));
        Assert.Throws<ArgumentException>(() => Averaging.Mean([new float[4], new float[3]], new float[4]));
        Assert.Throws<ArgumentException>(() => Averaging.OuterStep(new float[4], new float[4], new float[3], 0.7, 0.9));
    }

    [Fact]
    public void The_mean_of_one_replica_is_its_bits()
    {
        var contribution = Random(1, 5000).Append(-0f).Append(float.Epsilon).ToArray();
        var mean = new float[contribution.Length];
        Averaging.Mean([contribution], mean);
        Assert.Equal(contribution.Select(BitConverter.SingleToUInt32Bits), mean.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void The_mean_agrees_with_double_precision()
        => Replicas.Sample(replicas =>
        {
            var mean = new float[replicas[0].Length];
            Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r)], mean);
            for (var i = 0; i < mean.Length; i++)
                Assert.Equal(replicas.Average(r => (double)r[i]), mean[i], 1e-6);
        }, iter: 30);

    [Fact]
    public void Cutting_the_vector_into_chunks_changes_no_bit()
        => Gen.Select(Replicas, Gen.Double[0, 1]).Sample((replicas, share) =>
        {
            var (length, cut) = (replicas[0].Length, (int)(replicas[0].Length * share));
            var (whole, parts) = (new float[length], new float[length]);
            Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r)], whole);
            Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r.AsMemory(0, cut))], parts.AsSpan(0, cut));
            Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r.AsMemory(cut))], parts.AsSpan(cut));
            Assert.Equal(whole, parts);
        }, iter: 30);

    [Fact]
    public void The_mean_adds_along_the_tree()
    {
        // 1e8 swallows 3 but not 6: ((1e8 + 3) + (3 + -1e8)) loses both, any chain keeps one.
        float[][] replicas = [[1e8f], [3f], [3f], [-1e8f]];
        var mean = new float[1];
        Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r)], mean);
        Assert.Equal(((1e8f + 3f) + (3f + -1e8f)) / 4, mean[0]);
    }

    // As a node adds up: what comes first is not in memory any more when the last ones come.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Contributions_that_come_group_by_group_have_the_bits_of_all_at_once(int group)
    {
        for (var count = 1; count <= 40; count++)
        {
            var replicas = Enumerable.Range(0, count).Select(r => Random(100 * count + r, 37)).ToArray();
            var whole = new float[37];
            Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r)], whole);
            var sum = new RunningSum<float[]>((left, right) => [.. left.Zip(right, (a, b) => a + b)]);
            foreach (var some in replicas.Chunk(group))
            {
                Averaging.Sum([.. some.Select(r => (ReadOnlyMemory<float>)r)], some[0]);
                sum.Add(some.Length, some[0]);
            }

            var mean = sum.End();
            Averaging.Divide(mean, count);
            Assert.Equal(whole.Select(BitConverter.SingleToUInt32Bits), mean.Select(BitConverter.SingleToUInt32Bits));
        }
    }

    [Fact]
    public void Outer_steps_agree_with_Nesterov_momentum_in_double_precision()
    {
        const double rate = 0.7, mu = 0.9;
        var version = Random(1, 4321);
        var momentum = new float[version.Length];
        var (v, b) = (version.Select(x => (double)x).ToArray(), new double[version.Length]);
        for (var round = 0; round < 5; round++)
        {
            var mean = version.Zip(Random(10 + round, version.Length), (x, noise) => x + 0.1f * noise).ToArray();
            for (var i = 0; i < v.Length; i++)
            {
                var g = v[i] - mean[i];
                b[i] = mu * b[i] + g;
                v[i] -= rate * (g + mu * b[i]);
            }
            Averaging.OuterStep(version, mean, momentum, rate, mu);
            for (var i = 0; i < v.Length; i++)
                Assert.Equal(v[i], version[i], 1e-5);
        }
    }

    [Fact]
    public void Means_and_outer_steps_round_each_operation_once_with_any_lanes()
        => Replicas.Sample(replicas =>
        {
            var length = replicas[0].Length;
            float[] version = Random(77, length), momentum = Random(78, length);
            var mean = Enumerable.Range(0, length).Select(i => SumTree.Fold<float>(
                [.. replicas.Select((r, n) => (new TreeNode(n, 1), r[i]))], replicas.Length, (x, y) => x + y) / replicas.Length).ToArray();
            const float rate = 0.7f, mu = 0.9f;
            var (v, b) = (new float[length], new float[length]);
            for (var i = 0; i < length; i++)
            {
                var g = version[i] - mean[i];
                b[i] = momentum[i] * mu;
                b[i] += g;
                var step = b[i] * mu;
                step = g + step;
                step *= rate;
                v[i] = version[i] - step;
            }
            foreach (var lanes in LaneDispatch.Supported)
            {
                LaneDispatch.Force(lanes);
                float[] actualMean = new float[length], actual = [.. version], actualMomentum = [.. momentum];
                Averaging.Mean([.. replicas.Select(r => (ReadOnlyMemory<float>)r)], actualMean);
                Averaging.OuterStep(actual, mean, actualMomentum, 0.7, 0.9);
                LaneDispatch.Force(null);
                Assert.Equal(mean, actualMean);
                Assert.Equal(v, actual);
                Assert.Equal(b, actualMomentum);
            }
        }, iter: 20);

    [Fact]
    public void An_outer_step_of_rate_one_without_momentum_lands_on_the_mean()
    {
        float[] version = [1f, -2f, 0.5f], mean = [0.5f, -1f, 0.25f];
        Averaging.OuterStep(version, mean, new float[3], 1, 0);
        Assert.Equal(mean, version);
    }

    private static float[] Random(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() * 2 - 1))];
    }
}
