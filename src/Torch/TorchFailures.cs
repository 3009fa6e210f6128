using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Training;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

// Which failures are the end of a GPU, and which another attempt may mend. libtorch's words do not say: it calls a product that cuBLAS has
// refused, for want of memory perhaps, a CUDA error as it does an illegal address. The driver knows: every call to a lost GPU fails.
internal sealed partial class TorchDevice
{
    /// <summary>Work of this device, on its thread and stream.</summary>
    /// <exception cref="DeviceFailedException">
    /// The GPU is lost: its errors stay with it until the process ends, and the others go on. Memory that did not suffice is no such error.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">The GPU is there, and has no memory for what the driver or cuBLAS needs.</exception>
    /// <exception cref="InvalidOperationException">The GPU is there, and refused the work: another attempt may do it.</exception>
    internal T OnDevice<T>(Func<T> work)
    {
        Enter();
        try
        {
            _stream?.Enter();
            return work();
        }
        catch (Exception e)
        {
            if (FailureOf(Id, e, Ask, _refusals) is { } failure)
                throw failure;
            throw;
        }
    }

    /// <summary>What a failure on a GPU is to whoever gave the work; null where it is what it says.</summary>
    /// <param name="ask">Calls the GPU: throws where it is lost.</param>
    /// <param name="refusals">What it has refused before.</param>
    internal static Exception? FailureOf(DeviceId device, Exception e, Action ask, GpuRefusals refusals) => e switch
    {
        CudaException { IsLost: true } => Lost(device, e),
        // An ElasticException would say that the work must not be tried again.
        CudaException { Code: CudaException.OutOfMemory } => new InsufficientMemoryException(e.Message, e),
        CudaException { IsPassing: true } => new InvalidOperationException(e.Message, e),
        // They do not say why. What finds no memory may have looked for it on a context that is gone.
        AttentionException or ExternalException when LossOf(ask) is { } loss => Lost(device, loss),
        // Products of cublasLt: whoever began them has asked the GPU.
        AttentionException or InvalidOperationException { InnerException: CublasLtException { MayBeLoss: true } } =>
            Refusal(device, e, refusals),
        ExternalException when IsOfCuda(e) => Refusal(device, e, refusals),
        _ => null,
    };

    /// <summary>What moves numbers between another GPU's memory and this one's.</summary>
    /// <exception cref="DeviceFailedException">Either is lost: each is asked, so that the one that is there goes on.</exception>
    internal void Across(DeviceId other, int gpu, Action work)
    {
        if (gpu == _gpu)
        {
            work();
            return;
        }
        if (_update?.Kernels.Copies.LossOf(gpu) is { } lost)
            throw Lost(other, lost);
        try
        {
            work();
        }
        catch (Exception e) when (e is CudaException { IsLost: true } or ExternalException)
        {
            if (LossOf(Ask) is { } own)
                throw Lost(Id, own);
            if (LossOf(gpu) is { } loss)
                throw Lost(other, loss);
            // The driver says that one of the two is.
            if (e is CudaException)
                throw Lost(other, e);
            throw;
        }
    }

    private static DeviceFailedException Lost(DeviceId device, Exception e) => Lost(device, FirstLine(e));

    // Without its cause, whose kind would say that the work must not be tried again: it must, elsewhere.
    private static DeviceFailedException Lost(DeviceId device, string why) =>
        new(device, isLost: true, $"{device} is lost to this process: {why}");

    // Nothing but memory is what a new handle of cuBLAS lacks on a GPU that answers. Other products may lack it, or fail by themselves: a
    // GPU of which each fails is of no use to the node, whose other GPUs would wait for it.
    private static Exception Refusal(DeviceId device, Exception e, GpuRefusals refusals)
    {
        var words = FirstLine(e);
        if (words.Contains("cublasCreate", StringComparison.Ordinal))
            return new InsufficientMemoryException(words, e);
        const string Remedy = "where its memory did not suffice, lower batch.micro";
        return !IsOfTheCall(words) && refusals.IsOneTooMany(device)
            ? Lost(device, $"it answers, and has refused work {GpuRefusals.Most} times in a row ({words}): {Remedy}")
            : new InvalidOperationException($"{device} answers, and has refused work ({words}): {Remedy}", e);
    }

    // cublasStatus_t: what every GPU would refuse.
    private static bool IsOfTheCall(string words) =>
        words.Contains("CUBLAS_STATUS_INVALID_VALUE", StringComparison.Ordinal)
        || words.Contains("CUBLAS_STATUS_NOT_SUPPORTED", StringComparison.Ordinal);

    // What the driver or libtorch calls an error of CUDA, and does not name want of memory as its reason.
    private static bool IsOfCuda(Exception e) =>
        e.Message.Contains("CUDA error", StringComparison.Ordinal) && OutOfMemory.Describe(e) is null;

    private static string FirstLine(Exception e) => e.Message.Split('\n')[0];

    // What a GPU answers that is lost; null where it is there.
    private static Exception? LossOf(Action ask)
    {
        try
        {
            ask();
            return null;
        }
        catch (CudaException e)
        {
            return e.IsLost ? e : null;
        }
        catch (ExternalException e)
        {
            return IsOfCuda(e) ? e : null;
        }
    }

    private Exception? LossOf(int gpu) => _update is { } update
        ? update.Kernels.Copies.LossOf(gpu)
        : LossOf(() => Read(new torch.Device(_device.type, gpu)));

    private void Ask()
    {
        WaitFor("what was begun before a failure");
        Read(_device);
    }

    private static void Read(torch.Device device)
    {
        using var one = zeros(1, float32, device);
        using var read = one.cpu();
    }
}
