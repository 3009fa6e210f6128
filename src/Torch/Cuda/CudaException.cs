using Elastic.Foundation;

namespace Elastic.Torch.Cuda;

/// <summary>The CUDA driver refused a call, or tells of what went wrong on a GPU earlier.</summary>
/// <param name="code">CUresult of cuda.h.</param>
/// <param name="message">Names the call, the GPU and the driver's text.</param>
internal sealed class CudaException(int code, string message) : ElasticException(message)
{
    /// <summary>CUDA_ERROR_OUT_OF_MEMORY.</summary>
    public const int OutOfMemory = 2;

    // CUDA_ERROR_DEVICE_UNAVAILABLE: another process has the GPU for itself.
    private const int Unavailable = 46;

    // CUresult: what the caller did, or what there is not enough of. All else stays with the GPU's context until the process ends (CUDA
    // C++ Programming Guide, "Error Checking"): an illegal address, an uncorrectable memory error, a GPU that fell off the bus.
    private static readonly int[] OfTheCall =
    [
        1,   // INVALID_VALUE
        OutOfMemory,
        Unavailable,
        101, // INVALID_DEVICE
        200, // INVALID_IMAGE
        209, // NO_BINARY_FOR_GPU
        217, // PEER_ACCESS_UNSUPPORTED
        500, // NOT_FOUND
        701, // LAUNCH_OUT_OF_RESOURCES
        711, // TOO_MANY_PEERS
        801, // NOT_SUPPORTED
    ];

    /// <summary>CUresult.</summary>
    public int Code { get; } = code;

    /// <summary>True where another process has the GPU, or its memory, now: no choice for good.</summary>
    public bool IsPassing => Code is OutOfMemory or Unavailable;

    /// <summary>True where every later call to this GPU fails as well: it is lost to this process.</summary>
    public bool IsLost => !OfTheCall.Contains(Code);
}
