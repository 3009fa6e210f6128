using System.Collections.Concurrent;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Whose memory the kernels of one GPU use in place. Another GPU is asked when its memory comes along, not before: to ask makes a context
/// on it, which takes some hundred MB, and it may be somebody else's.
/// </summary>
/// <param name="context">Context of the GPU.</param>
internal sealed class PeerMemory(CudaDriver driver, int gpu, nint context)
{
    // libtorch reads these. With the two settings it maps memory for its own GPU, and what cuCtxEnablePeerAccess allows is not that memory.
    private static readonly string[] Variables = ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"];
    private static readonly string[] Mapped = ["expandable_segments:True", "cudaMallocAsync"];

    private readonly ConcurrentDictionary<int, bool> _others = new();

    /// <summary>True for the memory of a GPU that the kernels may use, from now on.</summary>
    public bool Includes(int other) => other == gpu || _others.GetOrAdd(other, Enable);

    // A GPU that cannot be had now (another process has it for itself, it has no memory, it is lost) is no fault of this one: what lies
    // there is copied.
    private bool Enable(int other)
    {
        if (IsMapped(Variables.Select(Environment.GetEnvironmentVariable)))
            return false;
        try
        {
            if (!driver.CanReach(gpu, other))
                return false;
            var itsContext = driver.ContextOf(other);
            driver.Enter(context);
            driver.EnablePeer(itsContext);
            return true;
        }
        catch (CudaException)
        {
            return false;
        }
    }

    /// <summary>
    /// True where libtorch's memory cannot be used by other GPUs' kernels, as these variables have it. libtorch ignores white space in
    /// them.
    /// </summary>
    internal static bool IsMapped(IEnumerable<string?> settings) => settings.OfType<string>()
        .Select(s => string.Concat(s.Where(c => !char.IsWhiteSpace(c))))
        .Any(s => Mapped.Any(m => s.Contains(m, StringComparison.OrdinalIgnoreCase)));
}
