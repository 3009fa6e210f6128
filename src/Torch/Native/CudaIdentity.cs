using System.Globalization;
using Elastic.Foundation;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;

namespace Elastic.Torch.Native;

/// <summary>
/// What libraries look at when they choose kernels for a GPU, and so what its bits depend on: read from the CUDA driver and from cublasLt.
/// </summary>
/// <param name="Major">First number of the compute capability, e.g. 9 of 9.0.</param>
/// <param name="Minor">Its second number.</param>
/// <param name="Multiprocessors">How many the GPU has: sums are split among them.</param>
/// <param name="CublasLt">cublasLt's version as it writes it, e.g. 120803 for 12.8.3.</param>
internal sealed record CudaIdentity(int Major, int Minor, int Multiprocessors, long CublasLt)
{
    /// <summary>E.g. "capability 9.0, 132 multiprocessors, cublasLt 120803".</summary>
    public string Text => string.Create(
        CultureInfo.InvariantCulture, $"capability {Major}.{Minor}, {Multiprocessors} multiprocessors, cublasLt {CublasLt}");

    /// <summary>The identity of a GPU, by its number among those that CUDA shows to this process. libtorch has been loaded.</summary>
    /// <exception cref="ElasticException">
    /// A library is missing, or does not answer: without an identity, results of other GPUs could not be told apart.
    /// </exception>
    public static CudaIdentity Of(int device)
    {
        var driver = CudaDriver.OfThisMachine;
        var (major, minor) = driver.CapabilityOf(device);
        return new CudaIdentity(major, minor, driver.MultiprocessorsOf(device), CublasLtLibrary.Loaded().Version);
    }
}
