using System.Runtime.CompilerServices;
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
    /// <summary>A piece of work of this device, on its thread and stream.</summary>
    /// <param name="of">Tells pieces of one name apart that may fail for a reason of their own: how much is computed, a stage.</param>
    /// <param name="name">Its name.</param>
    /// <exception cref="DeviceFailedException">
    /// The GPU is lost: its errors stay with it until the process ends, and the others go on. Memory that did not suffice is no such error.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">The GPU is there, and has no memory for what the driver or cuBLAS needs.</exception>
    /// <exception cref="InvalidOperationException">The GPU is there, and refused the work: another attempt may do it.</exception>
    internal T OnDevice<T>(Func<T> work, string of = "", [CallerMemberName] string name = "")
    {
        Enter();
        try
        {
            _stream?.Enter();
            var result = work();
            _refusals.NoteDone(Id, Piece);
            return result;
        }
        catch (Exception e)
        {
            if (FailureOf(Id, e, Ask, FreeBytes, () => _refusals.IsOneTooMany(Id, Piece())) is { } failure)
                throw failure;
            throw;
        }

        long FreeBytes() => _update?.Kernels.FreeBytes ?? long.MaxValue;
        string Piece() => $"{Architecture.Signature}: {name} {of}";
    }

    /// <summary>What a failure on a GPU is to whoever gave the work; null where it is what it says.</summary>
    /// <param name="ask">Calls the GPU: throws where it is lost.</param>
    /// <param name="free">Bytes of the GPU's memory that nobody has, libtorch neither.</param>
    /// <param name="isOneTooMany">Counts a refusal; true where it counts as a loss.</param>
    internal static Exception? FailureOf(DeviceId device, Exception e, Action ask, Func<long> free, Func<bool> isOneTooMany) => e switch
    {
        CudaException { IsLost: true } => Lost(device, e),
        // An ElasticException would say that the work must not be tried again.
        CudaException { Code: CudaException.OutOfMemory } => new InsufficientMemoryException(e.Message, e),
        CudaException { IsPassing: true } => new InvalidOperationException(e.Message, e),
        // They do not say why. What finds no memory may have looked for it on a context that is gone.
        AttentionException or ExternalException when LossOf(ask) is { } loss => Lost(device, loss),
        // Products of cublasLt: whoever began them has asked the GPU.
        AttentionException or InvalidOperationException { InnerException: CublasLtException { MayBeLoss: true } } =>
            Refusal(device, e, free, isOneTooMany),
        ExternalException when IsOfCuda(e) => Refusal(device, e, free, isOneTooMany),
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

    // Nothing but memory is what a new handle of cuBLAS lacks on a GPU that answers. Other products, and attention, lack it where little is
    // left, or fail by themselves: a GPU that refuses what others do is of no use to the node, whose other GPUs would wait for it.
    private static Exception Refusal(DeviceId device, Exception e, Func<long> free, Func<bool> isOneTooMany)
    {
        var words = FirstLine(e);
        if (words.Contains("cublasCreate", StringComparison.Ordinal))
            return new InsufficientMemoryException(words, e);
        var needed = Math.Max(GpuAttention.EnoughBytes, (e as AttentionException)?.Bytes ?? 0);
        if (!IsOfTheCall(words) && FreeOf(free) is var left && left < needed)
            return new InsufficientMemoryException($"{device} has {left >> 20} MiB left; {words}", e);
        const string Remedy = "where its memory did not suffice, lower batch.micro";
        return !IsOfTheCall(words) && isOneTooMany()
            ? Lost(device, $"it answers, and has refused {GpuRefusals.Most} times in a row what another GPU does ({words}): {Remedy}")
            : new InvalidOperationException($"{device} answers, and has refused work ({words}): {Remedy}", e);
    }

    // Who cannot say it is not short of it.
    private static long FreeOf(Func<long> free)
    {
        try
        {
            return free();
        }
        catch (CudaException)
        {
            return long.MaxValue;
        }
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
