using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Kernels.Attention;

namespace Elastic.Kernels.Tests.Attention;

public class AttentionTests
{
    private static readonly LaneKind Widest = LaneDispatch.Supported[0];

    // Sizes around 8, 16, 64 and their multiples; one query; more heads than groups; heads of one, two and four panels.
    private static readonly Dictionary<string, AttentionCase> Cases = new()
    {
        ["one of each"] = new(1, 1, 1, 1, 1, 8),
        ["a micro-batch"] = new(2, 64, 64, 2, 2, 64) { Causal = true },
        ["odd, causal"] = new(1, 33, 33, 1, 1, 16) { Causal = true },
        ["several blocks, causal"] = new(1, 200, 200, 1, 1, 64) { Causal = true },
        ["full"] = new(1, 67, 67, 2, 2, 24),
        ["cross"] = new(2, 17, 130, 1, 1, 40),
        ["grouped"] = new(1, 70, 70, 6, 2, 32) { Causal = true },
        ["wide heads"] = new(1, 65, 66, 1, 1, 72) { Causal = true },
        ["widest heads"] = new(1, 15, 31, 2, 1, 256) { Causal = true, Offset = 16 },
        ["odd heads"] = new(2, 33, 33, 3, 1, 5) { Causal = true },
        ["heads of twelve"] = new(1, 70, 70, 2, 2, 12),
        ["key cache"] = new(1, 3, 140, 2, 1, 64) { Causal = true, Offset = 137 },
        ["queries that see nothing"] = new(1, 80, 80, 1, 1, 8) { Causal = true, Offset = -70 },
        ["segments"] = new(2, 150, 150, 2, 1, 32) { Causal = true, QuerySegments = Segments(2, 150), KeySegments = Segments(2, 150) },
        ["padding"] = new(2, 20, 90, 1, 1, 16) { QuerySegments = Ones(2, 20), KeySegments = Padding(2, 90) },
        ["dropout"] = new(4, 66, 66, 2, 1, 16)
        {
            Causal = true,
            Dropout = 0.3,
            DropoutKeys = [0x123456789abcdef0, 42],
            SequencesPerKey = 2,
        },
        ["dropout, cross"] = new(1, 5, 190, 1, 1, 8) { Dropout = 0.5, DropoutKeys = [7] },
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [InlineData(3, 2, 64)]
    [InlineData(2, 2, 0)]
    [InlineData(2, 2, 264)]
    public void Shapes_that_are_none_are_refused(int heads, int keyHeads, int headSize)
        => Assert.Throws<ArgumentException>(() => new AttentionShape
        {
            Sequences = 1,
            Queries = 1,
            Keys = 1,
            Heads = heads,
            KeyHeads = keyHeads,
            HeadSize = headSize,
        }.Check());

    // The bound: 3 rounding errors of the sum of the terms' magnitudes, which hold what a score's error does to its weight.
    [Theory]
    [MemberData(nameof(Names))]
    public void Outputs_and_gradients_agree_with_double_precision(string name)
    {
        var reference = new AttentionReference(Cases[name]);
        var run = new AttentionRun(Cases[name], new AttentionManner(Widest));
        Assert.InRange(reference.Y.LargestError(run.Y), 0, 3);
        Assert.InRange(reference.Dq.LargestError(run.Dq), 0, 3);
        Assert.InRange(reference.Dk.LargestError(run.Dk), 0, 3);
        Assert.InRange(reference.Dv.LargestError(run.Dv), 0, 3);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void All_lanes_threads_blocks_and_passes_give_the_same_bits(string name)
    {
        var expected = new AttentionRun(Cases[name], new AttentionManner(Widest)).Bits.ToList();
        Assert.DoesNotContain(0x80000000, expected);
        foreach (var lanes in LaneDispatch.Supported)
            Assert.Equal(expected, new AttentionRun(Cases[name], new AttentionManner(lanes, 1, 4, false)).Bits);
        Assert.Equal(expected, new AttentionRun(Cases[name], new AttentionManner(Widest, 3, 2)).Bits);
        Assert.Equal(expected, new AttentionRun(Cases[name], new AttentionManner(Widest, 2, 3, false)).Bits);
    }

    [Fact]
    public void A_query_has_the_same_bits_alone_padded_and_with_a_key_cache()
    {
        var whole = Cases["several blocks, causal"];
        var (expected, width) = (new AttentionRun(whole, new AttentionManner(Widest)).Y, whole.Heads * whole.HeadSize);

        var shorter = Prefix(whole, 37);
        Assert.Equal(expected[..(37 * width)], new AttentionRun(shorter, new AttentionManner(Widest)).Y);

        foreach (var i in new[] { 0, 63, 64, 150, 199 })
        {
            var cached = new AttentionCase(1, 1, i + 1, whole.Heads, whole.KeyHeads, whole.HeadSize)
            {
                Causal = true,
                Offset = i,
                Q = whole.Q[(i * width)..((i + 1) * width)],
                K = whole.K[..((i + 1) * width)],
                V = whole.V[..((i + 1) * width)],
                Dy = whole.Dy[..width],
            };
            Assert.Equal(expected[(i * width)..((i + 1) * width)], new AttentionRun(cached, new AttentionManner(Widest)).Y);
        }
    }

    [Fact]
    public void Padding_behind_a_sequence_changes_no_bit_of_it()
    {
        var whole = Cases["several blocks, causal"];
        var alone = Prefix(whole, 100) with { Causal = false };
        var segments = Enumerable.Range(0, 200).Select(t => t < 100 ? 0 : 1).ToArray();
        var padded = whole with { Causal = false, QuerySegments = segments, KeySegments = segments };
        AttentionRun x = new(alone, new AttentionManner(Widest)), y = new(padded, new AttentionManner(Widest));
        var count = alone.Q.Length;
        Assert.Equal(x.Y, y.Y[..count]);
        Assert.Equal(x.Dq, y.Dq[..count]);
        Assert.Equal(x.Dk, y.Dk[..count]);
        Assert.Equal(x.Dv, y.Dv[..count]);
    }

    // All scores are negative, so that a maximum that begins at 0 would show. The keys of the first block are hidden one by one, then as a
    // whole.
    [Fact]
    public void A_block_of_hidden_keys_changes_no_bit()
    {
        var c = new AttentionCase(1, 20, 100, 1, 1, 16) { QuerySegments = [.. Enumerable.Repeat(1, 20)] };
        c = c with { Q = [.. c.Q.Select(Math.Abs)], K = [.. c.K.Select(x => -Math.Abs(x))] };
        var (oneByOne, whole) = (new int[100], new int[100]);
        for (var j = 0; j < 100; j++)
            (oneByOne[j], whole[j]) = (j < 64 ? j % 2 * 2 : 1, j < 64 ? 2 : 1);
        Assert.Equal(
            new AttentionRun(c with { KeySegments = whole }, new AttentionManner(Widest)).Bits,
            new AttentionRun(c with { KeySegments = oneByOne }, new AttentionManner(Widest)).Bits);
    }

    [Fact]
    public void A_micro_batch_draws_the_same_dropout_alone_and_beside_others()
    {
        var both = Cases["dropout"];
        var (queries, keys) = (both.Q.Length / 2, both.K.Length / 2);
        var second = both with
        {
            Batch = 2,
            DropoutKeys = both.DropoutKeys[1..],
            Q = both.Q[queries..],
            K = both.K[keys..],
            V = both.V[keys..],
            Dy = both.Dy[queries..],
        };
        AttentionRun x = new(both, new AttentionManner(Widest)), y = new(second, new AttentionManner(Widest));
        Assert.Equal(x.Y[queries..], y.Y);
        Assert.Equal(x.Dv[keys..], y.Dv);
    }

    [Fact]
    public void A_query_that_sees_nothing_gives_zeros()
    {
        var run = new AttentionRun(Cases["queries that see nothing"], new AttentionManner(Widest));
        Assert.All(run.Y[..(70 * 8)], x => Assert.Equal(0u, BitConverter.SingleToUInt32Bits(x)));
        Assert.All(run.InverseSums[..70], x => Assert.Equal(0, x));
        Assert.All(run.Y[(70 * 8)..(71 * 8)], x => Assert.NotEqual(0, x));
    }

    // The numbers of one processor, which every other must have, too.
    [Fact]
    public void All_cases_together_have_the_bits_of_every_processor()
    {
        var bits = Cases.OrderBy(c => c.Key, StringComparer.Ordinal)
            .SelectMany(c => new AttentionRun(c.Value, new AttentionManner(Widest)).Bits);
        Assert.Equal("9bae0cd71b95de80", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<uint>(bits.ToArray())))[..16]);
    }

    private static AttentionCase Prefix(AttentionCase c, int tokens)
    {
        var count = tokens * c.Heads * c.HeadSize;
        return c with
        {
            Queries = tokens,
            Keys = tokens,
            Q = c.Q[..count],
            K = c.K[..count],
            V = c.V[..count],
            Dy = c.Dy[..count],
        };
    }

    // Runs of 40, 1, 70 ... tokens, in each sequence others.
    private static int[] Segments(int batch, int tokens)
        => [.. Enumerable.Range(0, batch * tokens).Select(n => n / tokens * 7 + (n % tokens + n / tokens * 11) switch
        {
            < 40 => 0,
            < 41 => 1,
            < 111 => 2,
            _ => 3,
        })];

    private static int[] Ones(int batch, int tokens) => [.. Enumerable.Repeat(1, batch * tokens)];

    private static int[] Padding(int batch, int tokens)
        => [.. Enumerable.Range(0, batch * tokens).Select(n => n % tokens < 30 + n / tokens * 37 ? 1 : 0)];
}
