using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Kernels.Optimization;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Our kernels on one GPU. Each call starts a kernel on one stream and returns; memory is that of the GPU, or of another one that it
/// reaches. All is contiguous. A result's bits do not depend on how many blocks compute it.
/// </summary>
internal sealed unsafe class DeviceKernels
{
    /// <summary>Rows of a part of a sum over rows: enough parts for a whole GPU, and few enough to fold.</summary>
    public const int PartRows = 128;

    /// <summary>Subtree roots that one sum can have: <c>MOST_ROOTS</c> of sums.cu.</summary>
    public const int MaxRoots = 128;

    private const int Threads = 256, Lanes = 16, MaxPieces = 1024;

    private readonly CudaDriver _driver;
    private readonly nint _context, _module, _stream;
    private readonly int _multiprocessors;
    private readonly ConcurrentDictionary<string, nint> _functions = new(StringComparer.Ordinal);
    private readonly PeerMemory _memory;

    /// <param name="index">The GPU's number among those that this process sees.</param>
    /// <param name="stream">Of the GPU's; 0 for the default stream.</param>
    /// <exception cref="Foundation.ElasticException">The kernels do not compile for it, or do not load.</exception>
    public DeviceKernels(CudaDriver driver, KernelCompiler compiler, int index, nint stream = 0)
    {
        ArgumentNullException.ThrowIfNull(driver);
        ArgumentNullException.ThrowIfNull(compiler);
        (_driver, _context, _stream) = (driver, driver.ContextOf(index), stream);
        _multiprocessors = driver.MultiprocessorsOf(index);
        var (major, minor) = driver.CapabilityOf(index);
        driver.Enter(_context);
        _module = driver.LoadModule(compiler.Compile(major, minor));
        _memory = new PeerMemory(driver, index, _context);
        Gpu = index;
    }

    /// <summary>The GPU's number.</summary>
    public int Gpu { get; }

    /// <summary>True where the kernels may use the memory of a GPU, this one's own or another's.</summary>
    public bool Reaches(int gpu) => _memory.Includes(gpu);

    /// <summary>What went wrong within a backward pass.</summary>
    public BackwardFailure Failure { get; } = new();

    /// <summary>Waits until all kernels have ended, and throws what went wrong in them.</summary>
    public void Synchronize(string what)
    {
        _driver.Enter(_context);
        _driver.Synchronize(what, _stream);
    }

    /// <summary>
    /// <see cref="CrossEntropy.Rows"/>, of fp32 or bf16 logits in place; or, without gradients, <see cref="CrossEntropy.Losses"/>.
    /// </summary>
    public void CrossEntropyRows(
        void* z, bool isNarrow, long stride, int rows, int vocabulary, int padded, int partLength, int* targets, float* weights,
        double smoothing, double scale, bool hasGradients, double* losses)
    {
        var pieces = (vocabulary + partLength - 1) / partLength * ((partLength + CrossEntropy.Block - 1) / CrossEntropy.Block);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pieces, MaxPieces);
        // A group of lanes for each piece, as far as a block reaches; whole warps.
        var threads = Math.Clamp((pieces + 1) / 2 * 2 * Lanes, 32, 1024);
        if (rows > 0)
            Start(
                isNarrow ? "cross_entropy_bf16" : "cross_entropy_f32", rows, threads, z, stride, vocabulary, padded, partLength, targets,
                weights, smoothing, scale, hasGradients, losses);
    }

    /// <summary>
    /// sum = x + branch, where there is a branch, and y its <see cref="LayerNorm.Forward"/>; else y is that of x. (rows, columns)
    /// </summary>
    public void LayerNormForward(
        float* y, float* sum, float* x, float* branch, float* gain, float* bias, float* means, float* inverses, long rows, int columns,
        float epsilon)
        => OverRows("layer_norm_forward", rows, y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon);

    /// <summary><see cref="LayerNorm.Backward"/>.</summary>
    public void LayerNormBackward(
        float* dx, float* dy, float* x, float* gain, float* means, float* inverses, long rows, int columns, bool accumulate)
        => OverRows("layer_norm_backward", rows, dx, dy, x, gain, means, inverses, rows, columns, accumulate);

    /// <summary><see cref="NormGradients.Add"/>, overwriting.</summary>
    /// <param name="sums">Memory: 2 parts of columns floats for each <paramref name="partRows"/> rows.</param>
    public void NormGradients(
        float* dGain, float* dBias, float* sums, float* dy, float* x, float* means, float* inverses, long rows, int partRows, int columns)
    {
        var parts = Parts(rows, partRows);
        var biases = sums + (long)parts * columns;
        OverElements(
            "norm_gradient_sums", (long)parts * columns, sums, biases, dy, x, means, inverses, rows, partRows, columns);
        OverElements("fold_parts", columns, dGain, sums, parts, columns, false);
        OverElements("fold_parts", columns, dBias, biases, parts, columns, false);
    }

    /// <summary><see cref="ColumnSums.Add"/>, overwriting: a bias's gradient, that of packed queries, keys and values too.</summary>
    /// <param name="sums">Memory: columns floats for each <paramref name="partRows"/> rows.</param>
    public void ColumnSums(float* target, float* sums, float* x, long rows, int partRows, int columns)
    {
        var parts = Parts(rows, partRows);
        OverElements("column_sums", (long)parts * columns, sums, x, rows, partRows, columns);
        OverElements("fold_parts", columns, target, sums, parts, columns, false);
    }

    /// <summary>y[i] = f(x[i]), <see cref="GeluTanh"/> or <see cref="GeluErf"/>.</summary>
    public void GeluForward(float* y, float* x, long count, bool isTanh)
        => OverElements(isTanh ? "gelu_tanh_forward" : "gelu_erf_forward", count, y, x, count);

    /// <summary>dx[i] = dy[i] f'(x[i]).</summary>
    public void GeluBackward(float* dx, float* dy, float* x, long count, bool isTanh)
        => OverElements(isTanh ? "gelu_tanh_backward" : "gelu_erf_backward", count, dx, dy, x, count);

    /// <summary><see cref="Kernels.Dropout.Apply"/>.</summary>
    public void Dropout(float* y, float* x, float* residual, ulong key, long first, long count, DropoutRate rate)
        => OverElements("dropout", count / 4 + 2, y, x, residual, key, first, count, rate.Threshold, rate.Scale);

    /// <summary><see cref="Embedding.AddGradients"/> of a whole plan, whose arrays lie in the GPU's memory.</summary>
    /// <param name="tokens">(count): distinct, increasing.</param>
    public void EmbeddingGradient(
        float* gradient, int* tokens, int* starts, int* rows, int count, float* dy, int partRows, int columns)
    {
        if (count > 0)
            Start(
                "embedding_gradient", Math.Min(count, 32L * _multiprocessors), Threads, gradient, tokens, starts, rows, count, dy,
                partRows, columns);
    }

    /// <summary><see cref="AdamWUpdate.Run"/>.</summary>
    /// <param name="copy">Gets the new parameters in bf16; null for none.</param>
    public void AdamW(
        float* parameters, float* gradients, float* firstMoments, float* secondMoments, ushort* copy, long count, in AdamWStep step)
    {
        var numbers = new StepNumbers(step);
        OverElements(
            "adamw_update", count, parameters, gradients, firstMoments, secondMoments, copy, count, KernelArgument.Of(&numbers));
    }

    /// <summary>sums[k] = <see cref="Norms.SumOfSquares"/> of x over the range [firsts[k], firsts[k] + counts[k]).</summary>
    public void SumsOfSquares(double* sums, float* x, long* firsts, long* counts, int ranges)
        => OverRows("sums_of_squares", ranges, sums, x, firsts, counts, ranges);

    /// <summary>into[i] = the sum of the roots' elements [first, first + count) along <see cref="SumTree"/>.</summary>
    /// <param name="roots">In order: where each lies, and its first micro-batch; at most <see cref="MaxRoots"/>.</param>
    /// <param name="into">May be one of them.</param>
    public void TreeSum(float* into, ReadOnlySpan<(nint At, int First)> roots, long first, long count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(roots.Length, MaxRoots);
        ArgumentOutOfRangeException.ThrowIfZero(roots.Length);
        RootTable table = default;
        table.Count = roots.Length;
        for (var i = 0; i < roots.Length; i++)
            (table.At[i], table.First[i]) = (roots[i].At, roots[i].First);
        OverElements("tree_sum", count, into, KernelArgument.Of(&table), first, count);
    }

    private static int Parts(long rows, int partRows) => (int)((rows + partRows - 1) / partRows);

    // 16 lanes for each row.
    private void OverRows(string kernel, long rows, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (rows > 0)
            Start(kernel, Math.Min((rows * Lanes + Threads - 1) / Threads, 16L * _multiprocessors), Threads, arguments);
    }

    // A thread for each element, or for several where there are more than the GPU runs at once.
    private void OverElements(string kernel, long elements, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (elements > 0)
            Start(kernel, Math.Min((elements + Threads - 1) / Threads, 32L * _multiprocessors), Threads, arguments);
    }

    private void Start(string kernel, long blocks, int threads, params ReadOnlySpan<KernelArgument> arguments)
    {
        var words = stackalloc ulong[arguments.Length];
        var pointers = stackalloc void*[arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
        {
            words[i] = arguments[i].Word;
            pointers[i] = arguments[i].Structure is null ? words + i : arguments[i].Structure;
        }
        // libtorch may have made another GPU's context current, and runs backward passes on threads of its own.
        _driver.Enter(_context);
        var function = _functions.GetOrAdd(kernel, name => _driver.Function(_module, name));
        _driver.Launch(function, (uint)blocks, (uint)threads, pointers, kernel, _stream);
    }

    // AdamWStep of adamw.cu.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct StepNumbers(in AdamWStep step)
    {
        private readonly float _clip = step.Clip, _decay = step.Decay, _beta1 = step.Beta1, _beta2 = step.Beta2, _rest1 = step.Rest1,
            _rest2 = step.Rest2, _rate = step.Rate, _rootCorrection = step.RootCorrection, _epsilon = step.Epsilon;
    }

    // Roots of sums.cu.
    [StructLayout(LayoutKind.Sequential)]
    private struct RootTable
    {
        public fixed long At[MaxRoots];
        public fixed int First[MaxRoots];
        public int Count;
    }
}
