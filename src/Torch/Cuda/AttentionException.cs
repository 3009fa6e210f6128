namespace Elastic.Torch.Cuda;

/// <summary>
/// libtorch's attention failed. libtorch writes its reason to standard error, and returns a number only: it may be memory, so that the work
/// is tried again, as it is not after an <see cref="Foundation.ElasticException"/>.
/// </summary>
/// <param name="pass">"forward" or "backward".</param>
/// <param name="bytes">What the pass allocates, at the least.</param>
internal sealed class AttentionException(string pass, long bytes) : Exception(
    $"FlashAttention-2 of libtorch failed in its {pass} pass, and libtorch has said why on standard error")
{
    /// <summary>Bytes of the GPU's memory that the pass allocates, at the least.</summary>
    public long Bytes { get; } = bytes;
}
