namespace Elastic.Torch.Cuda.Nccl;

/// <summary>NCCL refused a call, or tells of what went wrong in one earlier.</summary>
/// <param name="code">ncclResult_t of nccl.h.</param>
/// <param name="message">Names the call, the rank of how many, the GPU, and NCCL's text.</param>
internal sealed class NcclException(int code, string message) : Exception(message)
{
    /// <summary>ncclResult_t.</summary>
    public int Code { get; } = code;
}
