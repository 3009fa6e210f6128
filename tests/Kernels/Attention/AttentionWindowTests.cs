using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Elastic.Kernels.Tests.Attention;

/// <summary>Attention to the last W keys only.</summary>
public class AttentionWindowTests
{
    private static readonly LaneKind Widest = LaneDispatch.Supported[0];

    // Windows shorter than a block of 64, of a block, of several, longer than the text; borders inside and at the ends of blocks.
    private static readonly Dictionary<string, AttentionCase> Cases = new()
    {
        ["itself alone"] = new(1, 70, 70, 1, 1, 8) { Causal = true, Window = 1 },
        ["a few"] = new(2, 150, 150, 2, 1, 16) { Causal = true, Window = 7 },
        ["a block"] = new(1, 200, 200, 2, 2, 24) { Causal = true, Window = 64 },
        ["a block and one"] = new(1, 200, 200, 1, 1, 64) { Causal = true, Window = 65 },
        ["several blocks"] = new(1, 300, 300, 1, 1, 8) { Causal = true, Window = 130 },
        ["key cache"] = new(1, 3, 240, 2, 1, 32) { Causal = true, Offset = 237, Window = 40 },
        ["segments"] = new(1, 150, 150, 2, 2, 16)
        {
            Causal = true,
            Window = 30,
            QuerySegments = [.. Enumerable.Range(0, 150).Select(t => t / 41)],
            KeySegments = [.. Enumerable.Range(0, 150).Select(t => t / 41)],
        },
        ["dropout"] = new(2, 100, 100, 2, 1, 16) { Causal = true, Window = 20, Dropout = 0.3, DropoutKeys = [42], SequencesPerKey = 2 },
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    // The bound is that of attention without a window.
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

    [Theory]
    [InlineData(200)]
    [InlineData(1 << 24)]
    public void A_window_that_holds_the_whole_text_changes_no_bit(int window)
    {
        var c = Cases["a block"] with { Window = 0 };
        Assert.Equal(
            new AttentionRun(c, new AttentionManner(Widest)).Bits,
            new AttentionRun(c with { Window = window }, new AttentionManner(Widest)).Bits);
    }

    [Fact]
    public void A_query_has_the_same_bits_with_a_key_cache()
    {
        var whole = Cases["a few"] with { Batch = 1 };
        var (expected, width, keyWidth) = (new AttentionRun(whole, new AttentionManner(Widest)).Y, 32, 16);
        foreach (var i in new[] { 0, 6, 63, 64, 70, 149 })
        {
            var cached = new AttentionCase(1, 1, i + 1, 2, 1, 16)
            {
                Causal = true,
                Offset = i,
                Window = 7,
                Q = whole.Q[(i * width)..((i + 1) * width)],
                K = whole.K[..((i + 1) * keyWidth)],
                V = whole.V[..((i + 1) * keyWidth)],
            };
            Assert.Equal(expected[(i * width)..((i + 1) * width)], new AttentionRun(cached, new AttentionManner(Widest)).Y);
        }
    }

    // What is read and multiplied by a weight of zero would be no number either.
    [Fact]
    public void Blocks_of_keys_before_all_windows_are_passed_over()
    {
        var c = new AttentionCase(1, 2, 300, 1, 1, 16) { Causal = true, Offset = 298, Window = 40 };
        var hidden = 256 * 16;
        var poisoned = c with
        {
            K = [.. Enumerable.Repeat(float.NaN, hidden), .. c.K[hidden..]],
            V = [.. Enumerable.Repeat(float.NaN, hidden), .. c.V[hidden..]],
        };
        foreach (var isOnePass in new[] { true, false })
            Assert.Equal(
                new AttentionRun(c, new AttentionManner(Widest, IsOnePass: isOnePass)).Bits,
                new AttentionRun(poisoned, new AttentionManner(Widest, IsOnePass: isOnePass)).Bits);
    }

    // The numbers of one processor, which every other must have, too.
    [Fact]
    public void All_cases_together_have_the_bits_of_every_processor()
    {
        var bits = Cases.OrderBy(c => c.Key, StringComparer.Ordinal)
            .SelectMany(c => new AttentionRun(c.Value, new AttentionManner(Widest)).Bits);
        Assert.Equal("a1a125f7e831a018", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<uint>(bits.ToArray())))[..16]);
    }
}
