using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Kernels.Optimization;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Our kernels on one GPU. Each call starts a kernel on one stream and returns; memory is that of the GPU, or of another one that it
/// reaches. All is contiguous. A result's bits do not depend on how many blocks compute it, and a result of 16 bits is that of fp32,
/// rounded once. Kernels exist for the types that a pass has (<see cref="DeviceMemory"/>): fp32 alone, or one type of 16 bits with fp32.
/// </summary>
internal sealed unsafe partial class DeviceKernels
{
    /// <summary>Subtree roots that one sum can have: <c>MOST_ROOTS</c> of sums.cu.</summary>
    public const int MaxRoots = 320;

    private const int Threads = 256, Lanes = 16;

    // Blocks of a kernel over elements for each multiprocessor: more than are there at once.
    private const int MostBlocks = 32;

    private readonly CudaDriver _driver;
    private readonly nint _context, _stream;
    private readonly int _multiprocessors;
    private readonly ConcurrentDictionary<(string Kernel, int Types), (nint Function, string Name)> _found = new();
    private readonly Dictionary<string, nint> _functions;
    private readonly PeerMemory _memory;

    /// <param name="index">The GPU's number among those that this process sees.</param>
    /// <param name="stream">Stream of the GPU; 0 for the default stream.</param>
    /// <exception cref="ElasticException">The kernels do not compile for it, or do not load.</exception>
    public DeviceKernels(CudaDriver driver, KernelCompiler compiler, int index, nint stream = 0)
    {
        ArgumentNullException.ThrowIfNull(driver);
        ArgumentNullException.ThrowIfNull(compiler);
        (_driver, _context, _stream) = (driver, driver.ContextOf(index), stream);
        _multiprocessors = driver.MultiprocessorsOf(index);
        var (major, minor) = driver.CapabilityOf(index);
        driver.Enter(_context);
        _functions = Load(driver, compiler.Compile(major, minor));
        _memory = new PeerMemory(driver, index, _context);
        (Gpu, Copies) = (index, new PeerCopies(driver, index, _context, stream));
    }

    /// <summary>The GPU's number.</summary>
    public int Gpu { get; }

    /// <summary>Elements of which each thread of the largest launch has eight; of more, some have eight again.</summary>
    public int ElementsAtOnce => 8 * Threads * MostBlocks * _multiprocessors;

    /// <summary>Copies out of other GPUs' memory, for what the kernels' stream does next.</summary>
    public PeerCopies Copies { get; }

    /// <summary>Bytes of the GPU's memory that nobody has. What libtorch keeps for later is somebody's.</summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public long FreeBytes => _driver.MemoryOf(Gpu).Free;

    /// <summary>True where the kernels may use the memory of a GPU, this one's own or another's.</summary>
    public bool Reaches(int gpu) => _memory.Includes(gpu);

    /// <summary>Waits until all kernels have ended, and throws what went wrong in them.</summary>
    public void Synchronize(string what)
    {
        _driver.Enter(_context);
        _driver.Synchronize(what, _stream);
    }

    /// <summary><see cref="AdamWUpdate.Run"/>.</summary>
    /// <param name="copy">Gets the new parameters in 16 bits; or none.</param>
    public void AdamW(
        float* parameters, float* gradients, float* firstMoments, float* secondMoments, DeviceMemory copy, long count, in AdamWStep step)
    {
        var numbers = new StepNumbers(step);
        var moves = Moves(count, parameters, parameters, gradients, firstMoments, firstMoments, secondMoments, secondMoments, copy);
        if (copy.IsNone)
            OverFours(
                "adamw_update", [], count, moves, parameters, gradients, firstMoments, secondMoments, count, KernelArgument.Of(&numbers));
        else
            OverFours(
                "adamw_update", [copy.Type], count, moves, parameters, gradients, firstMoments, secondMoments, copy, count,
                KernelArgument.Of(&numbers));
    }

    /// <summary>sums[k] = <see cref="Norms.SumOfSquares"/> of x over the range [firsts[k], firsts[k] + counts[k]).</summary>
    public void SumsOfSquares(double* sums, float* x, long* firsts, long* counts, int ranges)
        => OverRows("sums_of_squares", [], ranges, 0, sums, x, firsts, counts, ranges);

    /// <summary>into[i] = the sum of the roots' elements [first, first + count) along <see cref="SumTree"/>.</summary>
    /// <param name="roots">In order: where each lies, and its first micro-batch; at most <see cref="MaxRoots"/>.</param>
    /// <param name="into">May be one of them.</param>
    /// <exception cref="ElasticException">There are more roots.</exception>
    public void TreeSum(float* into, ReadOnlySpan<(nint At, int First)> roots, long first, long count)
    {
        if (roots.Length > MaxRoots)
            throw new ElasticException(
                $"the devices of a replica have {roots.Length} sums of gradients, and a GPU adds {MaxRoots} at most: use fewer devices " +
                "(run.devices-per-replica), or micro-batches (batch.sequences / batch.micro) whose number is a multiple of theirs " +
                "by a power of two");
        ArgumentOutOfRangeException.ThrowIfZero(roots.Length);
        // The only root is its own sum.
        if (roots.Length == 1 && roots[0].At == (nint)into)
            return;
        RootTable table = default;
        table.Count = roots.Length;
        for (var i = 0; i < roots.Length; i++)
            (table.At[i], table.First[i]) = (roots[i].At, roots[i].First);
        OverElements("tree_sum", [], count, 4.0 * count * (roots.Length + 1), into, KernelArgument.Of(&table), first, count);
    }

    // A kernel for one type would read another as that one.
    private static void MustBe(ElementType type, params ReadOnlySpan<DeviceMemory> all)
    {
        foreach (var memory in all)
        {
            if (!memory.IsNone && memory.Type != type)
                throw new ArgumentException($"a kernel takes {memory.Type} where all it takes is {type}", nameof(all));
        }
    }

    // 16 lanes for each row.
    private void OverRows(
        string kernel, ReadOnlySpan<ElementType> types, long rows, double moves, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (rows > 0)
            Start(kernel, types, Math.Min((rows * Lanes + Threads - 1) / Threads, 16L * _multiprocessors), Threads, moves, arguments);
    }

    // A thread for each element, or for several where there are more than the GPU runs at once.
    private void OverElements(
        string kernel, ReadOnlySpan<ElementType> types, long elements, double moves, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (elements > 0)
            Start(
                kernel, types, Math.Min((elements + Threads - 1) / Threads, (long)MostBlocks * _multiprocessors), Threads, moves,
                arguments);
    }

    // A thread for each four neighbours.
    private void OverFours(
        string kernel, ReadOnlySpan<ElementType> types, long elements, double moves, params ReadOnlySpan<KernelArgument> arguments)
        => OverElements(kernel, types, (elements + 3) / 4, moves, arguments);

    // A thread for each eight neighbours: WIDTH of memory.cuh.
    private void OverEights(
        string kernel, ReadOnlySpan<ElementType> types, long elements, double moves, params ReadOnlySpan<KernelArgument> arguments)
        => OverElements(kernel, types, (elements + 7) / 8, moves, arguments);

    // Bytes of so many elements of each, to and from memory: what is read and written is named twice. Small tables are not counted.
    private static double Moves(long elements, params ReadOnlySpan<DeviceMemory> all)
    {
        var bytes = 0;
        foreach (var one in all)
            bytes += one.ElementBytes;
        return (double)elements * bytes;
    }

    /// <param name="types">Types that the kernel's name ends with.</param>
    /// <param name="moves">Bytes to and from memory; 0 where nobody counts them.</param>
    private void Start(
        string kernel, ReadOnlySpan<ElementType> types, long blocks, int threads, double moves,
        params ReadOnlySpan<KernelArgument> arguments)
    {
        var words = stackalloc ulong[arguments.Length];
        var pointers = stackalloc void*[arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
        {
            words[i] = arguments[i].Word;
            pointers[i] = arguments[i].Structure is null ? words + i : arguments[i].Structure;
        }
        // libtorch may have made another GPU's context current.
        _driver.Enter(_context);
        var (function, name) = Find(kernel, types);
        using var measured = LaunchTimes.Of(name, bytes: moves);
        _driver.Launch(function, (uint)blocks, (uint)threads, pointers, name, _stream);
    }

    private (nint Function, string Name) Find(string kernel, ReadOnlySpan<ElementType> types)
    {
        var code = 0;
        foreach (var type in types)
            code = code * 4 + (int)type + 1;
        if (_found.TryGetValue((kernel, code), out var found))
            return found;
        var name = kernel;
        foreach (var type in types)
            name += $"_{DeviceMemory.NameOf(type)}";
        return _functions.TryGetValue(name, out var function)
            ? _found.GetOrAdd((kernel, code), (function, name))
            : throw new ArgumentException($"there is no kernel {name}", nameof(types));
    }

    // The driver may move a kernel into the GPU's memory when it is asked for first (CUDA C++ Programming Guide, "Lazy Loading"): now,
    // before libtorch takes what memory there is.
    private static Dictionary<string, nint> Load(CudaDriver driver, IReadOnlyList<byte[]> cubins)
    {
        var modules = new List<nint>();
        try
        {
            foreach (var cubin in cubins)
                modules.Add(driver.LoadModule(cubin));
            return KernelNames.All.ToDictionary(name => name, name => driver.Function([.. modules], name));
        }
        catch (CudaException)
        {
            // Another attempt loads all of them again.
            modules.ForEach(driver.DropModule);
            throw;
        }
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
