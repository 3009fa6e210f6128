using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda;

/// <summary>On which stream libtorch's operators run: a setting of each thread, by libtorch's stable interface (shim.h, 2.10).</summary>
/// <param name="handle">Handle of libtorch_cuda.</param>
internal sealed unsafe class TorchStreams(nint handle)
{
    private const string Library = "libtorch_cuda.so", SetCurrent = "torch_set_current_cuda_stream";

    private readonly NativeFunctions _functions = new(Library, handle, [SetCurrent]);

    /// <summary>Why there are no logical devices; null where libtorch can have them.</summary>
    public string? Problem => _functions.Has(SetCurrent) ? null : $"{Library} lacks {SetCurrent}";

    /// <summary>The streams of the libtorch that this process has loaded.</summary>
    /// <exception cref="ElasticException">It has no CUDA.</exception>
    public static TorchStreams Load()
    {
        NativeTorch.Load();
        return NativeTorch.FindLoaded(Library) is var loaded && loaded != 0
            ? new TorchStreams(loaded)
            : throw new ElasticException($"{Library} is not loaded: this libtorch was built without CUDA");
    }

    /// <summary>The calling thread's operators on a GPU go to this stream from now on.</summary>
    /// <exception cref="ElasticException">libtorch refuses it, or lacks the function.</exception>
    public void Use(nint stream, int gpu)
    {
        if (((delegate* unmanaged<nint, int, int>)_functions[SetCurrent])(stream, gpu) != 0)
            throw new ElasticException($"libtorch refuses a stream of GPU {gpu}: use cuda:{gpu} without logical devices");
    }
}
