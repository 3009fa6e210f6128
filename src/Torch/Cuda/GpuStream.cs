using Elastic.Foundation;

namespace Elastic.Torch.Cuda;

/// <summary>
/// A stream of a GPU: what a logical device's kernels and libtorch's operators run on, beside those of the GPU's other logical devices. It
/// is a blocking stream: work of the default stream, which other threads use to fill and read vectors, waits for it, and it for that (CUDA
/// driver API, "Stream synchronization behavior"). Kept until the process ends.
/// </summary>
internal sealed class GpuStream
{
    private readonly CudaDriver _driver;
    private readonly TorchStreams _torch;
    private readonly nint _context;
    private readonly int _gpu;

    /// <param name="gpu">The GPU's number.</param>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    /// <exception cref="ElasticException">libtorch's operators cannot be sent to a stream.</exception>
    public GpuStream(CudaDriver driver, TorchStreams torch, int gpu)
    {
        ArgumentNullException.ThrowIfNull(driver);
        ArgumentNullException.ThrowIfNull(torch);
        if (torch.Problem is { } problem)
            throw new ElasticException($"cuda:{gpu} has no logical devices: {problem}; use cuda:{gpu} without #");
        (_driver, _torch, _gpu, _context) = (driver, torch, gpu, driver.ContextOf(gpu));
        driver.Enter(_context);
        Handle = driver.NewStream();
    }

    /// <summary>The driver's CUstream, which is the runtime's cudaStream_t, too.</summary>
    public nint Handle { get; }

    /// <summary>libtorch's operators that the calling thread begins on this GPU go to this stream from now on.</summary>
    public void Enter() => _torch.Use(Handle, _gpu);

    /// <summary>Waits for all work of this stream, and throws what went wrong in it.</summary>
    public void Synchronize(string what)
    {
        _driver.Enter(_context);
        _driver.Synchronize(what, Handle);
    }
}
