using System.Diagnostics;
using System.Runtime.InteropServices;
using Elastic.Kernels;

namespace Elastic.Bench;

/// <summary>Times functions and row kernels on one thread with each kind of lanes: nanoseconds per element, the fastest of 20.</summary>
internal static unsafe class Speed
{
    // 256 tokens of 768 channels: 0.8 MB a tensor.
    private const int Rows = 256, Columns = 768, Count = Rows * Columns, Vocabulary = 50_304, LogitRows = 8;

    public static void Print()
    {
        Console.WriteLine($"{"ns per element",-28}{string.Concat(Kinds.Select(k => $"{k,12}"))}");
        foreach (var function in ElementaryFunction.All)
        {
            var (x, y) = (new float[4096], new float[4096]);
            for (var i = 0; i < x.Length; i++)
                x[i] = i * 0.002f - 4;
            Line(function.Name, x.Length, () => function.Apply(x, y));
        }
        float* a = Memory(Count), b = Memory(Count), c = Memory(Count), gain = Memory(Columns), bias = Memory(Columns),
            saved = Memory(2 * Rows), logits = Memory(LogitRows * Vocabulary);
        LayerNorm.Forward(b, Columns, a, Columns, gain, bias, saved, saved + Rows, Rows, Columns, 1e-5f);
        Line("layer norm", Count,
            () => LayerNorm.Forward(b, Columns, a, Columns, gain, bias, saved, saved + Rows, Rows, Columns, 1e-5f));
        Line("layer norm, backward", Count,
            () => LayerNorm.Backward(c, Columns, b, Columns, a, Columns, gain, saved, saved + Rows, Rows, Columns, false));
        Line("norm, gain and bias", Count,
            () => NormGradients.Add(gain, bias, b, Columns, a, Columns, saved, saved + Rows, Rows / 4, 4, Columns, false));
        Line("RMS norm", Count, () => RmsNorm.Forward(b, Columns, a, Columns, gain, saved, Rows, Columns, 1e-5f));
        Line("RMS norm, backward", Count,
            () => RmsNorm.Backward(c, Columns, b, Columns, a, Columns, gain, saved, Rows, Columns, false));
        Line("column sums", Count, () => ColumnSums.Add(gain, a, Columns, Rows / 4, Count / 4, 4, Columns, false));
        Line("GELU tanh", Count, () => Activations.Forward<GeluTanh>(b, a, Count));
        Line("GELU tanh, backward", Count, () => Activations.Backward<GeluTanh>(c, b, a, Count));
        Line("GELU erf", Count, () => Activations.Forward<GeluErf>(b, a, Count));
        Line("GELU erf, backward", Count, () => Activations.Backward<GeluErf>(c, b, a, Count));
        Line("SwiGLU", Count, () => Activations.SwiGlu(c, Columns, a, Columns, b, Columns, Rows, Columns));
        Line("dropout with residual", Count, () => Dropout.Apply(c, a, b, 1, 0, Count, DropoutRate.Of(0.1)));
        Line("add", Count, () => Ranges.Add(c, a, b, Count));
        Line("sum of squares", Count, () => Norms.SumOfSquares(a, Count));
        Line("non-finite", Count, () => Norms.HasNonFinite(a, Count));
        var targets = (int*)Memory(LogitRows);
        new Span<int>(targets, LogitRows).Fill(7);
        var losses = (double*)Memory(2 * LogitRows);
        Line("cross-entropy, loss", LogitRows * Vocabulary,
            () => CrossEntropy.Losses(logits, Vocabulary, LogitRows, 50_257, 50_257, targets, null, 0, losses));
        Line("cross-entropy, gradient", LogitRows * Vocabulary,
            () => CrossEntropy.Rows(logits, Vocabulary, LogitRows, 50_257, Vocabulary, 50_257, targets, null, 0, 1, losses));
        float* cosines = Memory(Rows * 32), sines = Memory(Rows * 32);
        var positions = (int*)Memory(Rows);
        for (var i = 0; i < Rows; i++)
            positions[i] = i;
        Line("rotary, halves", Count,
            () => Rotary.Rotate(a, Columns, Rows, 12, 64, positions, cosines, sines, 32, RotaryLayout.Halves, false));
        Line("rotary, pairs", Count,
            () => Rotary.Rotate(a, Columns, Rows, 12, 64, positions, cosines, sines, 32, RotaryLayout.Pairs, false));
        var workspace = (int*)Memory(EmbeddingPlan.WorkspaceInts(Rows));
        var tokens = (int*)Memory(Rows);
        for (var i = 0; i < Rows; i++)
            tokens[i] = (int)((uint)(i / 2 * 40503) % 200);
        Line("embedding, plan", Count, () => EmbeddingPlan.Build(workspace, tokens, Rows, 50_257));
        var plan = EmbeddingPlan.Build(workspace, tokens, Rows, 50_257);
        var table = Memory(200 * Columns);
        Line("embedding, gradient", Count, () => Embedding.AddGradients(table, plan, 0, plan.Count, a, Rows / 4, 4, Columns));
    }

    private static IReadOnlyList<LaneKind> Kinds => [.. LaneDispatch.Supported.Where(k => k != LaneKind.Scalar)];

    private static void Line(string name, int elements, Action run)
    {
        Console.Write($"{name,-28}");
        foreach (var kind in Kinds)
        {
            LaneDispatch.Force(kind);
            var best = double.MaxValue;
            for (var i = 0; i < 20; i++)
            {
                var start = Stopwatch.GetTimestamp();
                for (var j = 0; j < 5; j++)
                    run();
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / 5 / elements);
            }
            LaneDispatch.Force(null);
            Console.Write($"{best,12:F3}");
        }
        Console.WriteLine();
    }

    // Numbers from -1 to 1; never freed, as long as the process that measures.
    private static float* Memory(int count)
    {
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        for (var i = 0; i < count; i++)
            memory[i] = (float)((uint)i * 2654435761u / 2147483648.0 - 1);
        return memory;
    }
}
