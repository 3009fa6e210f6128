using Elastic.Kernels;
using Elastic.Kernels.Optimization;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Runs our kernels on a GPU with made-up numbers of each type, and compares each one's bits with those of <c>Kernels</c> on the CPU,
/// rounded once: in seconds it says whether this GPU, its driver and its compiler compute what is written.
/// </summary>
internal sealed unsafe partial class KernelCheck(DeviceKernels kernels, Device device)
{
    private const int Rows = 96, Columns = 200, Count = Rows * Columns, LongRows = 16, PartRows = 32, Pairs = 20, Heads = 5, Length = 48;

    private readonly List<string> _wrong = [];
    private readonly float[] _x = Numbers(1, Count), _y = Numbers(2, Count), _z = Numbers(3, Count), _zeros = new float[Count],
        _gain = Numbers(4, 2 * OddColumns);

    private int _checks;

    /// <summary>How many comparisons there were, and the names of those that found other bits.</summary>
    public (int Checks, IReadOnlyList<string> Wrong) Run()
    {
        using var scope = NewDisposeScope();
        foreach (var type in Enum.GetValues<ElementType>())
        {
            CompareElements(type);
            CompareRotations(type);
            CompareNorms(type);
            CompareSums(type);
            CompareEnds(type);
            CompareLoops(type);
            if (type != ElementType.Fp32)
                CompareNarrow(type);
            if (type == ElementType.Fp16)
                continue;
            CompareLosses(type, Rows, Columns, Columns, Columns, 0.1);
            // More pieces than a block has groups of lanes.
            CompareLosses(type, 1, Count, Count, 300, 0.1);
            // With columns behind the vocabulary, as models have them.
            CompareLosses(type, OddRows, OddColumns, OddColumns + 7, OddColumns, 0);
            CompareLongLosses(type);
        }
        CompareUpdates();
        CompareReciprocals();
        return (_checks, _wrong);
    }

    private static float[] Numbers(ulong key, int count) => [.. Enumerable.Range(0, count).Select(
        i => (float)(6 * new KeyedRandom(key).Uniform((ulong)i) - 3))];

    private void CompareElements(ElementType type)
    {
        Operand x = new(_x, type), y = new(_y, type), z = new(_z, type), wide = new(_z, ElementType.Fp32);
        CompareActivation<GeluTanh>(ActivationKind.GeluTanh, x, y, z);
        CompareActivation<GeluErf>(ActivationKind.GeluErf, x, y, z);
        CompareActivation<Relu>(ActivationKind.Relu, x, y, z);
        Compare(
            "SwiGLU", [x, y, z], p => kernels.SwiGlu(p[2], p[0], p[1], Count),
            p => Activations.SwiGlu(p[2], Columns, p[0], Columns, p[1], Columns, Rows, Columns));
        Compare(
            "SwiGLU's gradient", [x, y, z], p => kernels.SwiGluBackward(p[0], p[1], p[2], p[0], p[1], Count),
            p => Activations.SwiGluBackward(
                p[0], Columns, p[1], Columns, p[2], Columns, p[0], Columns, p[1], Columns, Rows, Columns));
        Compare(
            "a residual with dropout", [x, wide, wide],
            p => kernels.Dropout(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)));
        Compare(
            "dropout's gradient", [wide, x], p => kernels.Dropout(p[1], p[0], DeviceMemory.None, 12345, 8, Count, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[1], p[0], null, 12345, 8, Count, DropoutRate.Of(0.3)));
        Compare(
            "a scaled sum", [x, y, z], p => kernels.ScaledSum(p[2], p[0], p[1], 0.3f, Count),
            p => Ranges.AddScaled(p[2], p[0], p[1], 0.3f, Count));
        Compare("a sum", [x, wide], p => kernels.ScaledSum(p[1], p[1], p[0], 1, Count), p => Ranges.Add(p[1], p[1], p[0], Count));
        Compare("a conversion", [wide, x], p => kernels.Scale(p[1], p[0], 1, Count), p => Ranges.Copy(p[1], p[0], Count));
    }

    private void CompareActivation<T>(ActivationKind kind, params Operand[] operands)
        where T : struct, IActivation
    {
        Compare($"{kind}", operands, p => kernels.Activate(kind, p[1], p[0], Count), p => Activations.Forward<T>(p[1], p[0], Count));
        Compare(
            $"{kind}'s gradient", operands, p => kernels.ActivateBackward(kind, p[2], p[1], p[0], Count),
            p => Activations.Backward<T>(p[2], p[1], p[0], Count));
    }

    private void CompareRotations(ElementType type)
    {
        float[] cosines = Numbers(5, Length * Pairs), sines = Numbers(6, Length * Pairs);
        Compare(
            "rotary positions", [new(_x, type), new(cosines, ElementType.Fp32), new(sines, ElementType.Fp32)],
            p => kernels.Rotate(p[0], Columns, Rows, Heads, Length, p[1].Floats, p[2].Floats, Pairs, true),
            p =>
            {
                fixed (int* positions = Enumerable.Range(0, Rows).Select(row => row % Length).ToArray())
                    Rotary.Rotate(p[0], Columns, Rows, Heads, 2 * Pairs, positions, p[1], p[2], Pairs, RotaryLayout.Halves, true);
            });
    }

    // Kernels that take values of 16 bits where others take the residual stream.
    private void CompareNarrow(ElementType type)
    {
        Operand x = new(_x, type), y = new(_y, type), z = new(_z, type), wide = new(_z, ElementType.Fp32);
        Compare(
            "a narrow residual with dropout", [x, y, wide],
            p => kernels.Dropout(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)));
        Compare(
            "dropout", [x, z], p => kernels.Dropout(p[1], p[0], DeviceMemory.None, 12345, 7, Count, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[1], p[0], null, 12345, 7, Count, DropoutRate.Of(0.3)));
        Compare(
            "a scaled sum onto fp32", [x, y, wide], p => kernels.ScaledSum(p[2], p[0], p[1], 0.3f, Count),
            p => Ranges.AddScaled(p[2], p[0], p[1], 0.3f, Count));
        Compare("a multiple", [x, z], p => kernels.Scale(p[1], p[0], 0.3f, Count), p => Ranges.Scale(p[1], p[0], 0.3f, Count));
        Compare("a conversion to fp32", [x, wide], p => kernels.Scale(p[1], p[0], 1, Count), p => Ranges.Copy(p[1], p[0], Count));
        CompareNormGradients(type, type, type, LongRows, Count / LongRows);
    }

    private void CompareSums(ElementType type)
    {
        Operand x = new(_x, type), sums = new(_gain, ElementType.Fp32);
        // More parts than one warp folds.
        Compare(
            "column sums", [x, sums], p => kernels.ColumnSums(p[0], SumsInto(p[1], 1, Rows, Columns)),
            p => ColumnSums.Add(p[1], p[0], Columns, 1, Columns, Rows, Columns, true));
        // All begin at multiples of what is moved at once, as in models.
        CompareMadeSums(type, PartRows, Rows / PartRows, Columns, 80);
    }

    private void CompareMadeSums(ElementType type, int partRows, int parts, int columns, int first)
    {
        var (rows, others) = (partRows * parts, (columns - first) / 2);
        Operand x = new(_x, type), y = new(_y, type), made = new(_zeros, type), sums = new(_gain, ElementType.Fp32);
        Compare(
            "an activation's gradient and its column sums", [x, y, made, sums],
            p => kernels.ActivateBackward(ActivationKind.GeluTanh, p[2], p[1], p[0], SumsInto(p[3], partRows, rows, columns)),
            p =>
            {
                Activations.Backward<GeluTanh>(p[2], p[1], p[0], rows * columns);
                Round(type, p[2], rows * columns);
                ColumnSums.Add(p[3], p[2], columns, partRows, (long)partRows * columns, parts, columns, true);
            });
        Compare(
            "matrices side by side and their column sums", [x, y, made, sums],
            p => kernels.Pack(
                p[2], p[0], p[1], p[1].From(rows * others), first, others, SumsInto(p[3], partRows, rows, columns)),
            p =>
            {
                for (var row = 0; row < rows; row++)
                {
                    Ranges.Copy(p[2] + row * columns, p[0] + row * first, first);
                    Ranges.Copy(p[2] + row * columns + first, p[1] + row * others, others);
                    Ranges.Copy(p[2] + row * columns + first + others, p[1] + (rows + row) * others, others);
                }
                ColumnSums.Add(p[3], p[2], columns, partRows, (long)partRows * columns, parts, columns, true);
            });
    }

    private ColumnTarget SumsInto(DeviceMemory target, int partRows, int rows, int columns) => new()
    {
        Target = target.Floats,
        Sums = Floats(_zeros),
        Rows = rows,
        PartRows = partRows,
        Columns = columns,
    };

    private void CompareLosses(
        ElementType type, int rows, int columns, int stride, int partLength, double smoothing, float[]? weights = null,
        bool hasGradients = true)
    {
        int[] targets = [.. Enumerable.Range(0, rows).Select(i => i * 2)];
        double[] ours = new double[rows], theirs = new double[rows];
        var at = tensor(targets, int32).to(device);
        var losses = zeros(rows, float64, device);
        Compare(
            hasGradients ? "cross-entropy" : "cross-entropy without gradients", [new(Of(_x, Math.Max(rows * stride, Count)), type)],
            p => kernels.CrossEntropyRows(
                p[0], stride, rows, columns, stride, partLength, (int*)Dispatcher.Data(at), weights is null ? null : Floats(weights),
                smoothing, 3, hasGradients, (double*)Dispatcher.Data(losses)),
            p =>
            {
                fixed (int* t = targets)
                fixed (float* w = weights)
                fixed (double* l = theirs)
                {
                    if (hasGradients)
                        CrossEntropy.Rows(p[0], stride, rows, columns, stride, partLength, t, w, smoothing, 3, l);
                    else
                        CrossEntropy.Losses(p[0], stride, rows, columns, partLength, t, w, smoothing, l);
                }
            });
        losses.to(CPU).data<double>().CopyTo(ours);
        _checks++;
        if (!ours.AsSpan().SequenceEqual(theirs))
            _wrong.Add($"losses of {type}");
    }

    private void CompareUpdates()
    {
        Operand x = new(_x, ElementType.Fp32), y = new(_y, ElementType.Fp32), zeros = new(_zeros, ElementType.Fp32);
        var step = new AdamWStep(3, 1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5);
        Compare(
            "AdamW", [x, y, zeros, zeros],
            p => kernels.AdamW(p[0].Floats, p[1].Floats, p[2].Floats, p[3].Floats, DeviceMemory.None, Count, step),
            p => AdamWUpdate.Run(p[0], p[1], p[2], p[3], Count, step));
        foreach (var type in new[] { ElementType.Bf16, ElementType.Fp16 })
            Compare(
                "AdamW with a copy", [x, y, zeros, zeros, new(_zeros, type)],
                p => kernels.AdamW(p[0].Floats, p[1].Floats, p[2].Floats, p[3].Floats, p[4], Count, step),
                p =>
                {
                    AdamWUpdate.Run(p[0], p[1], p[2], p[3], Count, step);
                    Ranges.Copy(p[4], p[0], Count);
                });
        Compare(
            "a sum along the tree", [x, y, zeros],
            p => kernels.TreeSum(p[2].Floats, [(p[0].At, 0), (p[1].At, 4), (p[0].At, 6)], 0, Count),
            p =>
            {
                Ranges.Add(p[2], p[1], p[0], Count);
                Ranges.Add(p[2], p[0], p[2], Count);
            });
        CompareEmbeddings(x, zeros);
        Compare(
            "attention's dropout", [zeros],
            p => kernels.AttentionMask(p[0].Floats, Heads, Rows, 37, 12345, DropoutRate.Of(0.3)),
            p => Kernels.Attention.AttentionMask.Fill(p[0], 1, Heads, Rows, 37, 12345, DropoutRate.Of(0.3)));
        CompareSquares();
    }

    private void CompareSquares()
    {
        double[] ours = new double[2], theirs = new double[2];
        long[] firsts = [0, 300], counts = [300, Count - 300];
        var (from, numbers, sums) = (tensor(firsts, int64).to(device), tensor(counts, int64).to(device), zeros(2, float64, device));
        kernels.SumsOfSquares(
            (double*)Dispatcher.Data(sums), Floats(_x), (long*)Dispatcher.Data(from), (long*)Dispatcher.Data(numbers), 2);
        sums.to(CPU).data<double>().CopyTo(ours);
        fixed (float* x = _x)
        {
            for (var i = 0; i < 2; i++)
                theirs[i] = Norms.SumOfSquares(x + firsts[i], counts[i]);
        }
        _checks++;
        if (!ours.AsSpan().SequenceEqual(theirs))
            _wrong.Add("sums of squares");
    }

    private void CompareEmbeddings(Operand table, Operand rows)
    {
        int[] tokens = [.. Enumerable.Range(0, Rows).Select(i => i * i % 10)];
        var (ids, sorted) = (tensor(tokens, int32).to(device), TokenRows.Of(tokens, Rows, device));
        Compare(
            "embeddings", [table, rows],
            p => kernels.Embed(p[1].Floats, p[0].Floats, (int*)Dispatcher.Data(ids), p[0].Floats, Length, Rows, Columns),
            p =>
            {
                fixed (int* t = tokens, positions = Enumerable.Range(0, Rows).Select(row => row % Length).ToArray())
                    Embedding.Gather(p[1], p[0], t, p[0], positions, Rows, Columns);
            });
        Compare(
            "embeddings' gradient", [table, rows],
            p => kernels.EmbeddingGradient(
                p[1].Floats, (int*)Dispatcher.Data(sorted.Tokens), (int*)Dispatcher.Data(sorted.Starts),
                (int*)Dispatcher.Data(sorted.Rows), sorted.Count, p[0].Floats, PartRows, Columns),
            p =>
            {
                fixed (int* t = tokens, workspace = new int[EmbeddingPlan.WorkspaceInts(Rows)])
                {
                    var plan = EmbeddingPlan.Build(workspace, t, Rows, Rows);
                    Embedding.AddGradients(p[1], plan, 0, plan.Count, p[0], PartRows, Rows / PartRows, Columns);
                }
            });
    }

    // The same vectors here, in fp32, and there.
    private void Compare(string name, Operand[] operands, Action<DeviceMemory[]> onGpu, Action<Vectors> onCpu)
    {
        var here = operands.Select(o => tensor(o.Values, float32).to(o.Stored).to(float32)).ToArray();
        var there = operands.Select(o => tensor(o.Values, float32).to(o.Stored).to(device)).ToArray();
        onGpu([.. there.Select(DeviceMemory.Of)]);
        onCpu(new Vectors([.. here.Select(t => (nint)Dispatcher.Floats(t))]));
        _checks++;
        for (var i = 0; i < operands.Length; i++)
        {
            var (copy, rounded) = (there[i].to(CPU).to(float32), here[i].to(operands[i].Stored).to(float32));
            if (!Bits(copy, operands[i]).SequenceEqual(Bits(rounded, operands[i])))
            {
                _wrong.Add($"{name} of {string.Join(", ", operands.Select(o => o.Type).Distinct())}");
                return;
            }
        }
    }

    // As what lies in memory as a type.
    private static void Round(ElementType type, float* values, int count)
    {
        if (type != ElementType.Fp32)
            NarrowRows.Round(type == ElementType.Bf16 ? NarrowType.BFloat16 : NarrowType.Float16, values, count);
    }

    // So many of them, and again from the first on where there are more.
    private static float[] Of(float[] values, int count)
    {
        if (count <= values.Length)
            return values[..count];
        var all = new float[count];
        for (var at = 0; at < count; at += values.Length)
            values.AsSpan(0, Math.Min(values.Length, count - at)).CopyTo(all.AsSpan(at));
        return all;
    }

    private static ReadOnlySpan<int> Bits(Tensor tensor, Operand operand) => new(Dispatcher.Data(tensor), operand.Values.Length);

    private float* Floats(float[] values) => Dispatcher.Floats(tensor(values, float32).to(device));

    // What lies in memory as a type.
    private sealed record Operand(float[] Values, ElementType Type)
    {
        public ScalarType Stored => Type switch
        {
            ElementType.Bf16 => ScalarType.BFloat16,
            ElementType.Fp16 => ScalarType.Float16,
            _ => ScalarType.Float32,
        };
    }

    // Where each vector begins.
    private sealed class Vectors(nint[] all)
    {
        public float* this[int index] => (float*)all[index];
    }
}
