using Elastic.Model.Vectors;

namespace Elastic.Torch.Cuda.Nccl;

/// <summary>
/// One GPU's communicator, of its thread. No call waits within NCCL: this thread asks until a call has ended, and so sees an abort, which
/// comes from another thread. An aborted call ends like one that has succeeded, with part of its data: whoever waits asks for the abort
/// last.
/// </summary>
/// <param name="group">All ranks.</param>
/// <param name="rank">This one.</param>
/// <param name="gpu">Its number.</param>
internal sealed unsafe class NcclRank(NcclGroup group, int rank, int gpu)
{
    // ncclResult_t: a call of CUDA's failed here, or another rank's did.
    private const int UnhandledCudaError = 1, RemoteError = 6;

    // An abort waits so long for a call of the rank's thread that should have returned at once, and then aborts all the same.
    private static readonly TimeSpan AbortPatience = TimeSpan.FromSeconds(5);

    // NCCL forbids two threads in one communicator at once, but for an abort of one that hangs.
    private readonly Lock _gate = new();
    private nint _communicator;
    private volatile bool _isWaiting;

    /// <summary>This rank.</summary>
    public int Rank => rank;

    /// <summary>True while it waits for other ranks.</summary>
    public bool IsWaiting => _isWaiting;

    /// <summary>How many there are.</summary>
    public int Count => group.Gpus.Count;

    /// <summary>The first rank whose GPU it is; below 0 where it is no rank's.</summary>
    public int RankOf(int ofGpu) => group.Gpus.ToList().IndexOf(ofGpu);

    /// <summary>
    /// All that this rank sends and receives in one exchange, which begins after what its default stream does now; returns when all of it
    /// has arrived. Every rank takes part in every exchange.
    /// </summary>
    /// <param name="what">For messages, e.g. "exchange of gradients".</param>
    /// <exception cref="NcclException">NCCL refuses it, or it fails.</exception>
    /// <exception cref="OperationCanceledException">The group was aborted: what arrived is worth nothing.</exception>
    public void Exchange(string what, Action calls)
    {
        _isWaiting = true;
        try
        {
            Run(what, calls);
        }
        finally
        {
            _isWaiting = false;
        }
    }

    private void Run(string what, Action calls)
    {
        group.Driver.Enter(group.Driver.ContextOf(gpu));
        Connect();
        lock (_gate)
        {
            group.ThrowIfAborted();
            Check(group.Library.BeginGroup(), what);
            int result;
            try
            {
                calls();
            }
            finally
            {
                result = group.Library.EndGroup();
            }
            Check(result, what);
        }
        // The communicator has begun the transfers; then the stream has ended them.
        Wait(what);
        var spin = new SpinWait();
        while (group.Driver.IsBusy())
        {
            Wait(what);
            spin.SpinOnce();
        }
        group.ThrowIfAborted();
    }

    /// <summary>Within an exchange: sends a slice of a vector to another rank.</summary>
    public void Send(TorchVector vector, Slice slice, int to) => Send(vector, slice.First, slice.Count, to);

    /// <summary>Within an exchange: sends elements [first, first + count) of a vector to another rank.</summary>
    public void Send(TorchVector vector, long first, long count, int to)
    {
        if (count > 0)
            Check(group.Library.Send(vector.Data + first, count, to, _communicator), $"a transfer to rank {to}");
    }

    /// <summary>Within an exchange: sends each other rank the same slice.</summary>
    public void SendToOthers(TorchVector vector, Slice slice) => SendToOthers(vector, [.. Enumerable.Repeat(slice, Count)]);

    /// <summary>Within an exchange: sends each other rank its slice.</summary>
    public void SendToOthers(TorchVector vector, IReadOnlyList<Slice> slices)
    {
        for (var to = 0; to < Count; to++)
        {
            if (to != rank)
                Send(vector, slices[to], to);
        }
    }

    /// <summary>Within an exchange: receives a slice from another rank, in the order in which that sends.</summary>
    public void Receive(TorchVector into, Slice slice, int from) => Receive(into, slice.First, slice.Count, from);

    /// <summary>Within an exchange: receives elements [first, first + count) from another rank, in the order in which that sends.</summary>
    public void Receive(TorchVector into, long first, long count, int from)
    {
        if (count > 0)
            Check(group.Library.Receive(into.Data + first, count, from, _communicator), $"a transfer from rank {from}");
    }

    /// <summary>Ends what the rank's thread does in NCCL, from any thread; may wait.</summary>
    public void Abort()
    {
        var isAlone = _gate.TryEnter(AbortPatience);
        try
        {
            var communicator = Interlocked.Exchange(ref _communicator, 0);
            if (communicator != 0)
                group.Library.Abort(communicator);
        }
        finally
        {
            if (isAlone)
                _gate.Exit();
        }
    }

    // Once: ends when all ranks have come. CUDA may go on loading kernels lazily (no CUDA_MODULE_LOADING=EAGER): between the beginning and
    // the end of an exchange this thread loads none, so none waits for a GPU that waits for another.
    private void Connect()
    {
        lock (_gate)
        {
            group.ThrowIfAborted();
            if (_communicator != 0)
                return;
            Check(group.Id.Result, "the request for an id");
            Check(group.Library.Begin(out _communicator, Count, group.Id.Id, rank), "the start");
            // Aborted meanwhile, by somebody who saw none.
            if (group.IsAborted && Interlocked.Exchange(ref _communicator, 0) is var late and not 0)
                group.Library.Abort(late);
        }
        Wait("the start");
    }

    private void Wait(string what)
    {
        var spin = new SpinWait();
        while (true)
        {
            int state;
            lock (_gate)
            {
                group.ThrowIfAborted();
                state = group.Library.StateOf(_communicator);
            }
            if (state != NcclLibrary.InProgress)
            {
                Check(state, what);
                return;
            }
            spin.SpinOnce();
        }
    }

    private void Check(int result, string what)
    {
        if (result is 0 or NcclLibrary.InProgress)
            return;
        var failure = new NcclException(
            result, $"NCCL {group.Library.Version} answers {what} of rank {rank} of {Count} (GPU {gpu}) with error {result}" +
            $"{group.Library.TextOf(result)}: see NCCL_DEBUG=WARN");
        // A GPU that is lost says so itself, and is dropped; NCCL is as good as before.
        if (result is UnhandledCudaError or RemoteError)
            group.Driver.IsBusy();
        else
            group.Fail(failure.Message);
        throw failure;
    }
}
