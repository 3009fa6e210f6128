using Elastic.Foundation;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>cublasLt refused a call, or tells of what went wrong on a GPU.</summary>
/// <param name="status">cublasStatus_t of cublas_api.h.</param>
/// <param name="message">Names the call, the product and the library's text.</param>
internal sealed class CublasLtException(int status, string message) : ElasticException(message)
{
    // The GPU did not run a kernel, or did not end it; as in CudaException, that stays until the process ends.
    private const int ExecutionFailed = 13, InternalError = 14;
    private const int NotInitialized = 1, AllocationFailed = 3;

    /// <summary>cublasStatus_t.</summary>
    public int Status { get; } = status;

    /// <summary>True where memory is short.</summary>
    public bool IsExhausted => Status is NotInitialized or AllocationFailed;

    /// <summary>True where the GPU is lost to this process.</summary>
    public bool IsLost => Status is ExecutionFailed or InternalError;
}
