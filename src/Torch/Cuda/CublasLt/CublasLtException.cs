using Elastic.Foundation;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>cublasLt refused a call, or failed in it.</summary>
/// <param name="status">cublasStatus_t of cublas_api.h.</param>
/// <param name="message">Names the call, the product and the library's text.</param>
internal sealed class CublasLtException(int status, string message) : ElasticException(message)
{
    private const int ExecutionFailed = 13, InternalError = 14;
    private const int NotInitialized = 1, AllocationFailed = 3;

    /// <summary>cublasStatus_t.</summary>
    public int Status { get; } = status;

    /// <summary>True where memory is short.</summary>
    public bool IsExhausted => Status is NotInitialized or AllocationFailed;

    /// <summary>True where a GPU that is lost may be the reason, as a kernel that was refused may be: the driver knows which.</summary>
    public bool MayBeLoss => Status is ExecutionFailed or InternalError;
}
