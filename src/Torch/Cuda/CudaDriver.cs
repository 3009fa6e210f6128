using System.Runtime.InteropServices;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Torch.Cuda;

/// <summary>The part of the CUDA driver's interface (cuda.h) that Elastic calls itself; libtorch calls its own.</summary>
internal sealed unsafe class CudaDriver
{
    /// <summary>The soname of the driver's library.</summary>
    public const string Library = "libcuda.so.1";

    // CUresult of cuda.h.
    private const int NotFound = 500, NotReady = 600, PeerAccessAlreadyEnabled = 704;

    // CUdevice_attribute of cuda.h.
    private const int MultiprocessorCount = 16, ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76;

    // CU_STREAM_NON_BLOCKING and CU_EVENT_DISABLE_TIMING.
    private const uint NonBlocking = 1, WithoutTime = 2;

    private static readonly string[] Names =
    [
        "cuInit", "cuDriverGetVersion", "cuGetErrorName", "cuGetErrorString", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName",
        "cuDeviceGetAttribute", "cuDeviceCanAccessPeer", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuCtxSynchronize",
        "cuCtxEnablePeerAccess", "cuStreamCreate", "cuStreamQuery", "cuStreamSynchronize", "cuModuleLoadData", "cuModuleGetFunction",
        "cuLaunchKernel", "cuDeviceGetPCIBusId", "cuEventCreate", "cuEventRecord", "cuEventElapsedTime", "cuEventDestroy_v2",
        "cuStreamWaitEvent", "cuMemcpyPeerAsync", "cuMemGetInfo_v2", "cuModuleUnload",
    ];

    // A driver that is not there, or does not start, may be there the next time that somebody asks.
    private static readonly Lazy<CudaDriver> Loaded = new(Load, LazyThreadSafetyMode.PublicationOnly);

    private readonly NativeFunctions _functions;

    /// <param name="handle">Handle of the loaded library.</param>
    /// <exception cref="CudaException">The driver does not start.</exception>
    public CudaDriver(nint handle)
    {
        _functions = new NativeFunctions(Library, handle, Names);
        Check(((delegate* unmanaged<uint, int>)_functions["cuInit"])(0), "cuInit");
    }

    /// <summary>The one of this machine, loaded when it is asked for first.</summary>
    /// <exception cref="ElasticException">There is none, or it does not start.</exception>
    public static CudaDriver OfThisMachine => Loaded.Value;

    /// <summary>Functions that this driver lacks.</summary>
    public IReadOnlyList<string> Missing => _functions.Missing;

    /// <summary>The version of CUDA that the driver supports, e.g. 12080 for 12.8.</summary>
    public int Version
    {
        get
        {
            int version;
            Check(((delegate* unmanaged<int*, int>)_functions["cuDriverGetVersion"])(&version), "cuDriverGetVersion");
            return version;
        }
    }

    /// <summary>GPUs that this process sees: CUDA_VISIBLE_DEVICES hides the others.</summary>
    public int Count
    {
        get
        {
            int count;
            Check(((delegate* unmanaged<int*, int>)_functions["cuDeviceGetCount"])(&count), "cuDeviceGetCount");
            return count;
        }
    }

    /// <summary>The driver's handle of a GPU, by its number among those that this process sees.</summary>
    public int Device(int index)
    {
        int device;
        Check(((delegate* unmanaged<int*, int, int>)_functions["cuDeviceGet"])(&device, index), $"cuDeviceGet of GPU {index}");
        return device;
    }

    /// <summary>E.g. "NVIDIA H100 80GB HBM3".</summary>
    public string NameOf(int index)
    {
        var name = stackalloc byte[256];
        Check(
            ((delegate* unmanaged<byte*, int, int, int>)_functions["cuDeviceGetName"])(name, 256, Device(index)),
            $"cuDeviceGetName of GPU {index}");
        return Marshal.PtrToStringUTF8((nint)name)!;
    }

    /// <summary>The compute capability, e.g. (9, 0).</summary>
    public (int Major, int Minor) CapabilityOf(int index) =>
        (AttributeOf(index, ComputeCapabilityMajor), AttributeOf(index, ComputeCapabilityMinor));

    /// <summary>How many multiprocessors the GPU has.</summary>
    public int MultiprocessorsOf(int index) => AttributeOf(index, MultiprocessorCount);

    /// <summary>Can kernels of a GPU read and write the memory of another?</summary>
    public bool CanReach(int index, int other)
    {
        int can;
        Check(
            ((delegate* unmanaged<int*, int, int, int>)_functions["cuDeviceCanAccessPeer"])(&can, Device(index), Device(other)),
            $"cuDeviceCanAccessPeer of GPUs {index} and {other}");
        return can != 0;
    }

    /// <summary>The context of a GPU that libtorch uses, too; kept until the process ends.</summary>
    public nint ContextOf(int index)
    {
        nint context;
        Check(
            ((delegate* unmanaged<nint*, int, int>)_functions["cuDevicePrimaryCtxRetain"])(&context, Device(index)),
            $"cuDevicePrimaryCtxRetain of GPU {index}");
        return context;
    }

    /// <summary>The calling thread's work goes to this context from now on.</summary>
    public void Enter(nint context)
        => Check(((delegate* unmanaged<nint, int>)_functions["cuCtxSetCurrent"])(context), "cuCtxSetCurrent");

    /// <summary>Kernels of the current context may use the memory of this one, from now on.</summary>
    public void EnablePeer(nint context)
    {
        var result = ((delegate* unmanaged<nint, uint, int>)_functions["cuCtxEnablePeerAccess"])(context, 0);
        if (result != PeerAccessAlreadyEnabled)
            Check(result, "cuCtxEnablePeerAccess");
    }

    /// <summary>Where the GPU is plugged in, e.g. "0000:3B:00.0": the same for all libraries, whichever GPUs a process sees.</summary>
    public string BusOf(int index)
    {
        var bus = stackalloc byte[64];
        Check(
            ((delegate* unmanaged<byte*, int, int, int>)_functions["cuDeviceGetPCIBusId"])(bus, 64, Device(index)),
            $"cuDeviceGetPCIBusId of GPU {index}");
        return Marshal.PtrToStringUTF8((nint)bus)!;
    }

    /// <summary>A stream of the current context, kept until the process ends.</summary>
    /// <param name="isApart">
    /// False where it waits for the default stream, and that for it; true where neither does but for <see cref="Wait"/>.
    /// </param>
    public nint NewStream(bool isApart = false)
    {
        nint stream;
        Check(
            ((delegate* unmanaged<nint*, uint, int>)_functions["cuStreamCreate"])(&stream, isApart ? NonBlocking : 0), "cuStreamCreate");
        return stream;
    }

    /// <summary>Waits for all work of the current context, or of one of its streams, and throws what went wrong in it.</summary>
    /// <param name="stream">0 for all.</param>
    public void Synchronize(string what, nint stream) => Check(
        stream == 0
            ? ((delegate* unmanaged<int>)_functions["cuCtxSynchronize"])()
            : ((delegate* unmanaged<nint, int>)_functions["cuStreamSynchronize"])(stream), what);

    /// <summary>True while the current context's default stream has work; throws what went wrong in it.</summary>
    public bool IsBusy()
    {
        var result = ((delegate* unmanaged<nint, int>)_functions["cuStreamQuery"])(0);
        if (result != NotReady)
            Check(result, "cuStreamQuery");
        return result == NotReady;
    }

    /// <summary>Loads compiled kernels into the current context.</summary>
    public nint LoadModule(ReadOnlySpan<byte> cubin)
    {
        nint module;
        fixed (byte* image = cubin)
            Check(((delegate* unmanaged<nint*, byte*, int>)_functions["cuModuleLoadData"])(&module, image), "cuModuleLoadData");
        return module;
    }

    /// <summary>Takes away a module of the current context, whatever the driver answers.</summary>
    public void DropModule(nint module) => _ = ((delegate* unmanaged<nint, int>)_functions["cuModuleUnload"])(module);

    /// <summary>A kernel of one of several modules.</summary>
    public nint Function(ReadOnlySpan<nint> modules, string name)
    {
        nint function = 0;
        var status = NotFound;
        fixed (byte* text = Encoding.ASCII.GetBytes(name + '\0'))
        {
            for (var i = 0; i < modules.Length && status == NotFound; i++)
                status = ((delegate* unmanaged<nint*, nint, byte*, int>)_functions["cuModuleGetFunction"])(&function, modules[i], text);
        }
        Check(status, $"cuModuleGetFunction {name}");
        return function;
    }

    /// <summary>Starts a kernel on a stream of the current context that libtorch uses, too. Does not wait for it.</summary>
    /// <param name="arguments">For each parameter of the kernel, where its value lies.</param>
    /// <param name="name">For messages.</param>
    /// <param name="stream">0 for the default stream.</param>
    public void Launch(nint function, uint blocks, uint threads, void** arguments, string name, nint stream)
    {
        var launch = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)
            _functions["cuLaunchKernel"];
        Check(launch(function, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, null), $"the kernel {name}");
    }

    /// <summary>A time stamp of the current context's, or what its streams wait for (<see cref="Wait"/>).</summary>
    public nint NewEvent(bool hasTime = true)
    {
        nint stamp;
        Check(((delegate* unmanaged<nint*, uint, int>)_functions["cuEventCreate"])(&stamp, hasTime ? 0 : WithoutTime), "cuEventCreate");
        return stamp;
    }

    /// <summary>Stamps when a stream of the current context has done all that was begun on it before.</summary>
    /// <param name="stream">0 for the default stream.</param>
    public void Record(nint stamp, nint stream = 0) => Check(
        ((delegate* unmanaged<nint, nint, int>)_functions["cuEventRecord"])(stamp, stream), "cuEventRecord");

    /// <summary>What begins on a stream of the current context from now on waits for the event as it was recorded last.</summary>
    /// <param name="stream">0 for the default stream.</param>
    public void Wait(nint stream, nint stamp) => Check(
        ((delegate* unmanaged<nint, nint, uint, int>)_functions["cuStreamWaitEvent"])(stream, stamp, 0), "cuStreamWaitEvent");

    /// <summary>Begins a copy from another context's memory into the current one's, whether or not they reach each other's.</summary>
    /// <param name="stream">Stream of the current context.</param>
    public void CopyFrom(nint from, nint itsContext, nint into, nint context, long bytes, nint stream) => Check(
        ((delegate* unmanaged<nint, nint, nint, nint, nuint, nint, int>)_functions["cuMemcpyPeerAsync"])(
            into, context, from, itsContext, (nuint)bytes, stream),
        "cuMemcpyPeerAsync");

    /// <summary>Bytes of a GPU that nobody has, and all. Makes its context current.</summary>
    public (long Free, long All) MemoryOf(int index)
    {
        Enter(ContextOf(index));
        nuint free, all;
        Check(((delegate* unmanaged<nuint*, nuint*, int>)_functions["cuMemGetInfo_v2"])(&free, &all), "cuMemGetInfo");
        return ((long)free, (long)all);
    }

    /// <summary>Between two stamps that the stream has passed.</summary>
    public double SecondsBetween(nint begin, nint end)
    {
        float milliseconds;
        Check(
            ((delegate* unmanaged<float*, nint, nint, int>)_functions["cuEventElapsedTime"])(&milliseconds, begin, end),
            "cuEventElapsedTime");
        return milliseconds / 1000.0;
    }

    /// <summary>Ends a time stamp.</summary>
    public void FreeEvent(nint stamp) => Check(
        ((delegate* unmanaged<nint, int>)_functions["cuEventDestroy_v2"])(stamp), "cuEventDestroy_v2");

    private static CudaDriver Load() => NativeLibrary.TryLoad(Library, out var handle)
        ? new CudaDriver(handle)
        : throw new ElasticException(
            $"{Library} does not load: install the driver of the GPU, and in a container pass it in (nvidia-container-toolkit)");

    private int AttributeOf(int index, int which)
    {
        int value;
        Check(
            ((delegate* unmanaged<int*, int, int, int>)_functions["cuDeviceGetAttribute"])(&value, which, Device(index)),
            $"cuDeviceGetAttribute {which} of GPU {index}");
        return value;
    }

    private void Check(int result, string call)
    {
        if (result != 0)
            throw new CudaException(
                result, $"the CUDA driver answers {call} with error {result}{TextOf(result)}: see nvidia-smi, and CUDA_VISIBLE_DEVICES");
    }

    private string TextOf(int result)
    {
        string? Ask(string function)
        {
            byte* text = null;
            return _functions.Has(function) && ((delegate* unmanaged<int, byte**, int>)_functions[function])(result, &text) == 0
                ? Marshal.PtrToStringUTF8((nint)text)
                : null;
        }
        return Ask("cuGetErrorName") is { } name ? $" ({name}: {Ask("cuGetErrorString")})" : "";
    }
}
