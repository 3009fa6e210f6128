using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;

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
    // CUdevice_attribute of cuda.h.
    private const int MultiprocessorCount = 16, ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76;

    private const string DriverLibrary = "libcuda.so.1";

    private static readonly string[] CublasLtLibraries = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"];

    /// <summary>E.g. "capability 9.0, 132 multiprocessors, cublasLt 120803".</summary>
    public string Text => string.Create(
        CultureInfo.InvariantCulture, $"capability {Major}.{Minor}, {Multiprocessors} multiprocessors, cublasLt {CublasLt}");

    /// <summary>Of a GPU, by its number among those that CUDA shows to this process. libtorch has been loaded.</summary>
    /// <exception cref="ElasticException">
    /// A library is missing, or does not answer: without an identity, results of other GPUs could not be told apart.
    /// </exception>
    public static CudaIdentity Of(int device)
    {
        var driver = LoadDriver();
        Check(Initialize(Export(driver, "cuInit"), 0), "cuInit");
        Check(GetDevice(Export(driver, "cuDeviceGet"), out var handle, device), $"cuDeviceGet of GPU {device}");
        var attribute = Export(driver, "cuDeviceGetAttribute");
        return new CudaIdentity(
            Attribute(ComputeCapabilityMajor), Attribute(ComputeCapabilityMinor), Attribute(MultiprocessorCount), CublasLtVersion());

        int Attribute(int which)
        {
            Check(GetAttribute(attribute, out var value, which, handle), $"cuDeviceGetAttribute {which} of GPU {device}");
            return value;
        }
    }

    private static nint LoadDriver() => NativeLibrary.TryLoad(DriverLibrary, out var driver) ? driver : throw new ElasticException(
        $"{DriverLibrary} does not load: install the driver of the GPU, and in a container pass it in (nvidia-container-toolkit)");

    // The one that libtorch has loaded and computes with: other versions may be installed beside it.
    private static unsafe long CublasLtVersion()
    {
        var library = CublasLtLibraries.Select(NativeTorch.FindLoaded).FirstOrDefault(h => h != 0);
        if (library == 0)
            throw new ElasticException(
                $"libtorch has loaded none of {string.Join(", ", CublasLtLibraries)}: this CUDA is older or newer than Elastic knows");
        return (long)((delegate* unmanaged<nuint>)Export(library, "cublasLtGetVersion"))();
    }

    private static nint Export(nint library, string name) => NativeLibrary.TryGetExport(library, name, out var address)
        ? address
        : throw new ElasticException($"the GPU's libraries have no {name}: install a driver and a libtorch that belong together");

    private static unsafe int Initialize(nint function, uint flags) => ((delegate* unmanaged<uint, int>)function)(flags);

    private static unsafe int GetDevice(nint function, out int handle, int index)
    {
        fixed (int* into = &handle)
            return ((delegate* unmanaged<int*, int, int>)function)(into, index);
    }

    private static unsafe int GetAttribute(nint function, out int value, int which, int handle)
    {
        fixed (int* into = &value)
            return ((delegate* unmanaged<int*, int, int, int>)function)(into, which, handle);
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
            throw new ElasticException($"the CUDA driver answers {call} with error {result}: see nvidia-smi, and CUDA_VISIBLE_DEVICES");
    }
}
