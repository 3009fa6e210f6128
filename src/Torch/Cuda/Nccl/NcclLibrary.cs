using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda.Nccl;

/// <summary>ncclUniqueId of nccl.h: what all ranks of a communicator are given. Passed by value.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal unsafe struct NcclUniqueId
{
    private fixed byte _bytes[128];
}

/// <summary>
/// ncclConfig_t of nccl.h as it was in 2.14, which has what Elastic sets: that no call waits. Each later version of NCCL takes it by its
/// size and version, and uses its own defaults for the fields that came since.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct NcclConfig()
{
    /// <summary>2.14.0 as NCCL counts.</summary>
    public const int Version = 21400;

    public readonly nuint Size = 24;
    public readonly uint Magic = 0xcafebeef, OfVersion = Version;
    public readonly int Blocking;
    public readonly int Padding = int.MinValue;
}

/// <summary>
/// The part of NCCL's interface (nccl.h) that Elastic calls. All names are looked up when it is loaded; a missing one is an error where it
/// is called.
/// </summary>
internal sealed unsafe class NcclLibrary
{
    /// <summary>ncclResult_t: the call goes on in the background.</summary>
    public const int InProgress = 7;

    // ncclDataType_t: ncclFloat32.
    private const int Float = 7;

    private static readonly string[] Names =
    [
        "ncclGetVersion", "ncclGetErrorString", "ncclGetUniqueId", "ncclCommInitRankConfig", "ncclCommGetAsyncError", "ncclCommAbort",
        "ncclGroupStart", "ncclGroupEnd", "ncclSend", "ncclRecv",
    ];

    private readonly NativeFunctions _functions;

    /// <param name="path">For messages, e.g. "libnccl.so.2".</param>
    /// <param name="handle">Handle of the loaded library.</param>
    /// <exception cref="ElasticException">It does not tell its version, or is too old.</exception>
    public NcclLibrary(string path, nint handle)
    {
        (_functions, Path) = (new NativeFunctions(path, handle, Names), path);
        int number;
        var result = ((delegate* unmanaged<int*, int>)_functions["ncclGetVersion"])(&number);
        if (result != 0)
            throw new ElasticException($"NCCL ({path}) does not tell its version: error {result}{TextOf(result)}");
        Version = string.Create(CultureInfo.InvariantCulture, $"{number / 10000}.{number / 100 % 100}.{number % 100}");
        if (number < NcclConfig.Version)
            throw new ElasticException($"NCCL {Version} ({path}) waits in its calls: 2.14 and later need not; install a newer one");
    }

    /// <summary>The one that libtorch uses, or that is installed; null where there is none.</summary>
    /// <exception cref="ElasticException">It is of no use.</exception>
    public static NcclLibrary? Find() =>
        CudaLibraries.Find(CudaLibraries.Nccl, NativeTorch.Folder) is var (path, handle) ? new NcclLibrary(path, handle) : null;

    /// <summary>Where it was found.</summary>
    public string Path { get; }

    /// <summary>E.g. "2.28.9".</summary>
    public string Version { get; }

    /// <summary>Functions that it lacks.</summary>
    public IReadOnlyList<string> Missing => _functions.Missing;

    /// <summary>What the ranks of a new communicator are given.</summary>
    public int NewId(out NcclUniqueId id)
    {
        NcclUniqueId made = default;
        var result = ((delegate* unmanaged<NcclUniqueId*, int>)_functions["ncclGetUniqueId"])(&made);
        id = made;
        return result;
    }

    /// <summary>Begins to make a rank's communicator on the current context's GPU. Does not wait for the others.</summary>
    public int Begin(out nint communicator, int ranks, NcclUniqueId id, int rank)
    {
        nint made = 0;
        var config = new NcclConfig();
        var result = ((delegate* unmanaged<nint*, int, NcclUniqueId, int, NcclConfig*, int>)_functions["ncclCommInitRankConfig"])(
            &made, ranks, id, rank, &config);
        communicator = made;
        return result;
    }

    /// <summary>What a communicator does: <see cref="InProgress"/>, 0 where it has ended well, or an error.</summary>
    public int StateOf(nint communicator)
    {
        int state;
        var result = ((delegate* unmanaged<nint, int*, int>)_functions["ncclCommGetAsyncError"])(communicator, &state);
        return result == 0 ? state : result;
    }

    /// <summary>Ends what a communicator does, and frees it.</summary>
    public int Abort(nint communicator) => ((delegate* unmanaged<nint, int>)_functions["ncclCommAbort"])(communicator);

    /// <summary>The calling thread's calls belong together from now on.</summary>
    public int BeginGroup() => ((delegate* unmanaged<int>)_functions["ncclGroupStart"])();

    /// <summary>Begins all calls of the group. Does not wait for them.</summary>
    public int EndGroup() => ((delegate* unmanaged<int>)_functions["ncclGroupEnd"])();

    /// <summary>Sends floats to a rank, after what the default stream does now.</summary>
    public int Send(float* from, long count, int to, nint communicator) =>
        ((delegate* unmanaged<float*, nuint, int, int, nint, nint, int>)_functions["ncclSend"])(
            from, (nuint)count, Float, to, communicator, 0);

    /// <summary>Receives floats from a rank; matches its sends in their order.</summary>
    public int Receive(float* into, long count, int from, nint communicator) =>
        ((delegate* unmanaged<float*, nuint, int, int, nint, nint, int>)_functions["ncclRecv"])(
            into, (nuint)count, Float, from, communicator, 0);

    /// <summary>E.g. " (internal error)".</summary>
    public string TextOf(int result) => _functions.Has("ncclGetErrorString")
        && Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<int, byte*>)_functions["ncclGetErrorString"])(result)) is { } text
            ? $" ({text})"
            : "";
}
