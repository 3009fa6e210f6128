using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Runs causal attention on a device again and again, forward and backward, with made-up numbers in bf16: whether the bits are the same
/// each time, how long it takes, and how far the two ways of computing it are apart.
/// </summary>
/// <param name="device">Where.</param>
/// <param name="sequences">How many.</param>
/// <param name="heads">Heads of each token.</param>
/// <param name="tokens">Tokens of a sequence.</param>
/// <param name="headSize">Channels of a head.</param>
internal sealed unsafe class AttentionCheck(Device device, int sequences, int heads, int tokens, int headSize)
{
    private const int Repeats = 20;

    // Of the whole of a result or a gradient, in the Euclidean norm: two units of bf16, as docs/precision.md has it.
    private const double Tolerance = 1.0 / 128;

    private readonly long[] _shape = [sequences, heads, tokens, headSize];

    /// <summary>
    /// E.g. "20 of 20 results the same, 0.41 ms, within 0.0021 of plain operators: 20 of 20 results the same, 1.93 ms"; without
    /// FlashAttention-2 the last part.
    /// </summary>
    /// <exception cref="AttentionException">libtorch refuses.</exception>
    public string Run(FlashAttention? flash)
    {
        using var scope = NewDisposeScope();
        var (q, k, v, dy) = (Numbers(1), Numbers(2), Numbers(3), Numbers(4));
        var future = PlainAttention.Future(tokens, device);
        var plain = Repeat(q, k, v, dy, (inputs, gradient) =>
        {
            Tensor[] leaves = [.. inputs.Select(x => x.detach().requires_grad_(true))];
            var y = PlainAttention.Attend(leaves[0], leaves[1], leaves[2], future, null);
            return [y.detach(), .. autograd.grad([y], leaves, [gradient])];
        });
        if (flash is null)
            return Text(plain);
        var fast = Repeat(q, k, v, dy, (inputs, gradient) =>
        {
            Tensor[] narrow = [.. inputs.Select(x => x.to(bfloat16))];
            using var saved = flash.Forward(narrow[0], narrow[1], narrow[2], new AttentionRule(true));
            var (dq, dk, dv) = flash.Backward(saved, gradient.to(bfloat16));
            return [.. new[] { saved.Y, dq, dk, dv }.Select(x => x.to(float32))];
        });
        var distances = fast.First.Zip(plain.First, Distance).ToList();
        var verdict = distances.All(d => d <= Tolerance) ? "within" : "WRONG, not within";
        return string.Create(
            CultureInfo.InvariantCulture, $"{Text(fast)}, {verdict} {distances.Max():0.0000} of plain operators: {Text(plain)}");
    }

    private static string Text(Result result) => string.Create(
        CultureInfo.InvariantCulture, $"{result.Same} of {Repeats} results the same, {result.Milliseconds:0.00} ms");

    // Of bf16, in fp32: where products of a layer leave them.
    private Tensor Numbers(ulong key)
    {
        var (random, count) = (new KeyedRandom(key), (int)_shape.Aggregate(1L, (a, b) => a * b));
        return tensor([.. Enumerable.Range(0, count).Select(i => (float)(4 * random.Uniform((ulong)i) - 2))], float32)
            .to(bfloat16).to(float32).view(_shape).to(device);
    }

    // The result and the gradients.
    private static Result Repeat(Tensor q, Tensor k, Tensor v, Tensor dy, Func<Tensor[], Tensor, Tensor[]> attend)
    {
        var (first, same, milliseconds) = (new List<float[]>(), 0, new List<double>());
        for (var i = 0; i < Repeats; i++)
        {
            using var scope = NewDisposeScope();
            var watch = Stopwatch.StartNew();
            var made = attend([q, k, v], dy);
            // What is read waits for what was begun before it.
            _ = made[1].narrow(3, 0, 1).narrow(2, 0, 1).cpu();
            milliseconds.Add(watch.Elapsed.TotalMilliseconds);
            float[][] results = [.. made.Select(Floats)];
            if (i == 0)
                first.AddRange(results);
            same += results.Zip(first).All(pair => AreSame(pair.First, pair.Second)) ? 1 : 0;
        }
        // The first of them sets up libraries.
        return new Result(first, same, milliseconds.Skip(1).Order().ElementAt(Repeats / 2 - 1));
    }

    private static float[] Floats(Tensor x)
    {
        using var copy = x.cpu().contiguous();
        return new ReadOnlySpan<float>(Dispatcher.Floats(copy), (int)copy.numel()).ToArray();
    }

    // Bit by bit.
    private static bool AreSame(float[] a, float[] b) => MemoryMarshal.AsBytes(a.AsSpan())
        .SequenceEqual(MemoryMarshal.AsBytes(b.AsSpan()));

    private static double Distance(float[] a, float[] b)
    {
        double difference = 0, size = 0;
        for (var i = 0; i < a.Length; i++)
        {
            difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
            size += (double)b[i] * b[i];
        }
        return Math.Sqrt(difference / size);
    }

    private sealed record Result(IReadOnlyList<float[]> First, int Same, double Milliseconds);
}
