namespace Elastic.Torch.Cuda;

/// <summary>
/// Copies of what other GPUs have made, on a stream of their own beside a GPU's kernels: libtorch would copy on the other GPU's default
/// stream, behind all that has begun there since. Both directions of waiting are the reader's, by events: a copy begins when the reader's
/// stream has done all that was begun before, since its memory may have been another tensor's till then; and what the reader begins after
/// it waits for the copy. So memory that is freed on the reader's stream is free of copies.
/// Whoever made what is copied has waited for its GPU, and keeps it until the reader has waited for its own.
/// </summary>
/// <param name="gpu">The reader's number.</param>
/// <param name="context">Context of the reader.</param>
/// <param name="stream">On which the reader computes; 0 for the default stream.</param>
internal sealed class PeerCopies(CudaDriver driver, int gpu, nint context, nint stream)
{
    // Each made with the first copy, kept until the process ends; 0 before.
    private nint _copies, _free, _copied;

    /// <summary>Begins a copy into this GPU's memory.</summary>
    /// <param name="from">In the other GPU's memory.</param>
    /// <param name="other">Whose memory that is: another GPU's number.</param>
    /// <param name="into">In this GPU's memory, allocated on its stream.</param>
    /// <exception cref="CudaException">One of the two GPUs is lost.</exception>
    public void Begin(nint from, int other, nint into, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(other, gpu);
        var itsContext = driver.ContextOf(other);
        driver.Enter(context);
        if (_copies == 0)
            _copies = driver.NewStream(isApart: true);
        if (_free == 0)
            _free = driver.NewEvent(hasTime: false);
        if (_copied == 0)
            _copied = driver.NewEvent(hasTime: false);
        driver.Record(_free, stream);
        driver.Wait(_copies, _free);
        driver.CopyFrom(from, itsContext, into, context, bytes, _copies);
        driver.Record(_copied, _copies);
        driver.Wait(stream, _copied);
    }

    /// <summary>What another GPU answers that is lost, as every call to it is answered; null where it is there.</summary>
    public CudaException? LossOf(int other)
    {
        try
        {
            driver.Enter(driver.ContextOf(other));
            driver.IsBusy();
            return null;
        }
        catch (CudaException e)
        {
            return e.IsLost ? e : null;
        }
        finally
        {
            // libtorch takes the current context for the device that the thread works on.
            driver.Enter(context);
        }
    }
}
