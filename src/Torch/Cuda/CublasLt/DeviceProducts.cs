using Elastic.Foundation;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// Products on one stream of a GPU, by algorithms of cublasLt that sum each element in one order. Each call starts a kernel and returns;
/// all use the same workspace, one after the other.
/// </summary>
internal sealed class DeviceProducts
{
    /// <summary>Matrices begin at multiples of this: what the widest loads of a GPU need.</summary>
    public const int AlignmentBytes = 16;

    // Proposals that are looked at: the first one fits but for shapes whose sums are better split.
    private const int MostProposals = 16;

    private readonly CudaDriver _driver;
    private readonly CublasLtLibrary _library;
    private readonly ProductChoices _choices;
    private readonly nint _context, _stream, _handle, _preference;
    private readonly Tensor _workspace;
    private readonly Lock _gate = new();
    private readonly Dictionary<ProductShape, ProductPlan?> _plans = [];

    /// <param name="choices">Choices of all GPUs whose bits are to be the same.</param>
    /// <param name="gpu">The GPU's number among those that this process sees.</param>
    /// <param name="place">Where libtorch's tensors of the GPU lie.</param>
    /// <param name="stream">Stream of the GPU; 0 for the default stream.</param>
    /// <exception cref="ElasticException">The library lacks a function, or does not start.</exception>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    /// <exception cref="OutOfMemoryException">Memory is short.</exception>
    /// <exception cref="InvalidOperationException">The library failed in it.</exception>
    public DeviceProducts(CudaDriver driver, CublasLtLibrary library, ProductChoices choices, int gpu, Device place, nint stream = 0)
    {
        ArgumentNullException.ThrowIfNull(driver);
        ArgumentNullException.ThrowIfNull(library);
        (_driver, _library, _choices, _stream, Gpu) = (driver, library, choices, stream, gpu);
        if (library.Missing is [var missing, ..])
            throw new ElasticException($"cublasLt {library.Version} lacks {missing}: install a libtorch whose libraries belong together");
        var bytes = WorkspaceBytesOf(driver.CapabilityOf(gpu));
        _context = driver.ContextOf(gpu);
        driver.Enter(_context);
        // First what libtorch frees by itself.
        _workspace = empty(bytes, uint8, place).DetachFromDisposeScope();
        try
        {
            _handle = library.NewHandle($"on GPU {gpu}");
            _preference = library.NewPreference(bytes, AlignmentBytes);
        }
        catch (Exception e)
        {
            // Another attempt makes all of it again.
            _workspace.Dispose();
            if (_handle != 0)
                library.DropHandle(_handle);
            if (e is CublasLtException { IsExhausted: true } or CublasLtException { MayBeLoss: true })
                throw Passing((CublasLtException)e);
            throw;
        }
    }

    /// <summary>The GPU's number.</summary>
    public int Gpu { get; }

    /// <summary>The library's version.</summary>
    public long Version => _library.Version;

    /// <summary>
    /// Memory for an algorithm's own use: what the library's documentation recommends (cuBLAS, "cublasSetWorkspace"), 32 MiB since Hopper
    /// and 4 MiB before.
    /// </summary>
    public static long WorkspaceBytesOf((int Major, int Minor) capability) => (capability.Major >= 9 ? 32L : 4L) << 20;

    /// <summary>The algorithm for a shape; null where libtorch computes it.</summary>
    /// <exception cref="CublasLtException">The library refuses it.</exception>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    /// <exception cref="OutOfMemoryException">Memory is short.</exception>
    /// <exception cref="InvalidOperationException">The library failed in it.</exception>
    public AlgorithmAttributes? Choose(ProductShape shape)
    {
        lock (_gate)
        {
            _driver.Enter(_context);
            return _choices.Of(shape, () =>
            {
                try
                {
                    using var plan = Describe(shape);
                    return plan.Choose(_preference, MostProposals);
                }
                catch (CublasLtException e) when (e.IsExhausted || e.MayBeLoss)
                {
                    throw Passing(e);
                }
            });
        }
    }

    /// <summary>Begins a product.</summary>
    /// <param name="at">Multiples of <see cref="AlignmentBytes"/>.</param>
    /// <returns>False where no algorithm of cublasLt fits: nothing was computed.</returns>
    /// <exception cref="CublasLtException">The library refuses it.</exception>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    /// <exception cref="OutOfMemoryException">Memory is short.</exception>
    /// <exception cref="InvalidOperationException">The library failed in it.</exception>
    /// <exception cref="ElasticException">This GPU cannot do what others chose.</exception>
    public bool Multiply(ProductShape shape, in ProductMemory at)
    {
        try
        {
            lock (_gate)
            {
                if (!_plans.TryGetValue(shape, out var plan))
                    _plans[shape] = plan = NewPlan(shape);
                if (plan is null)
                    return false;
                // libtorch may have made another GPU's context current.
                _driver.Enter(_context);
                using var measured = LaunchTimes.Of(shape, s => ($"product {s}", s.Operations));
                plan.Run(at, _stream);
                return true;
            }
        }
        catch (CublasLtException e) when (e.IsExhausted || e.MayBeLoss)
        {
            throw Passing(e);
        }
    }

    /// <summary>Waits until all products have ended, and throws what went wrong in them.</summary>
    public void Synchronize(string what)
    {
        _driver.Enter(_context);
        _driver.Synchronize(what, _stream);
    }

    // Another attempt may find memory, or do what failed: none is made after an ElasticException. Where the GPU is lost, the driver says so
    // from now on, whatever the library answered: on a context that is gone it often finds no memory.
    private Exception Passing(CublasLtException e)
    {
        Synchronize(e.Message);
        return e.IsExhausted ? new InsufficientMemoryException(e.Message, e) : new InvalidOperationException(e.Message, e);
    }

    private unsafe ProductPlan Describe(ProductShape shape) =>
        new(_library, _handle, shape, (nint)Dispatcher.Data(_workspace), _workspace.numel());

    // Kept until the process ends: a run has some dozens of shapes.
    private ProductPlan? NewPlan(ProductShape shape)
    {
        if (Choose(shape) is not { } chosen)
            return null;
        var plan = Describe(shape);
        string? why;
        try
        {
            why = plan.Refusal(chosen);
        }
        catch (CublasLtException)
        {
            plan.Dispose();
            throw;
        }
        if (why is null)
            return plan;
        plan.Dispose();
        throw new ElasticException(
            $"GPU {Gpu} cannot compute {shape} by {chosen}, which another GPU of this arithmetic chose ({why}): " +
            "leave it out of node.devices");
    }
}
