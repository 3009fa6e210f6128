namespace Elastic.Torch.Cuda.Nccl;

/// <summary>
/// The communicators of some GPUs, one for each GPU and thread; of a group of several processes this one uses its own rank's. The first
/// exchange connects them. Devices that come or go have another group.
/// </summary>
internal sealed class NcclGroup
{
    private readonly IReadOnlyList<NcclRank> _ranks;
    private readonly Lazy<(int Result, NcclUniqueId Id)> _id;
    private string? _aborted;

    /// <param name="gpus">The ranks' GPUs, in order.</param>
    /// <param name="id">What the ranks of other processes were given, of whom this one has but its own; null where all are here.</param>
    public NcclGroup(NcclLibrary library, CudaDriver driver, IReadOnlyList<int> gpus, NcclUniqueId? id = null)
    {
        (Library, Driver, Gpus) = (library, driver, gpus);
        _id = new Lazy<(int, NcclUniqueId)>(() => id is { } given ? (0, given) : (library.NewId(out var made), made));
        _ranks = [.. gpus.Select((gpu, rank) => new NcclRank(this, rank, gpu))];
    }

    /// <summary>NCCL.</summary>
    public NcclLibrary Library { get; }

    /// <summary>The driver.</summary>
    public CudaDriver Driver { get; }

    /// <summary>The ranks' GPUs, in order.</summary>
    public IReadOnlyList<int> Gpus { get; }

    /// <summary>The id that is the same for all ranks, and NCCL's answer to the request for it.</summary>
    public (int Result, NcclUniqueId Id) Id => _id.Value;

    /// <summary>What NCCL answered where it refused or failed; null where it did not.</summary>
    public string? Failure { get; private set; }

    /// <summary>True once the group cannot be used any more.</summary>
    public bool IsAborted => Volatile.Read(ref _aborted) is not null;

    /// <summary>A rank.</summary>
    public NcclRank this[int rank] => _ranks[rank];

    /// <summary>Keeps the first failure of NCCL's own.</summary>
    public void Fail(string why) => Failure ??= why;

    /// <summary>
    /// Ends what the ranks do, and the group. Does not wait: each communicator is aborted by a thread of its own, because a GPU that hangs
    /// must not keep the others.
    /// </summary>
    public void Abort(string why)
    {
        if (Interlocked.CompareExchange(ref _aborted, why, null) is not null)
            return;
        foreach (var rank in _ranks)
            new Thread(rank.Abort) { IsBackground = true, Name = $"nccl-abort-{rank.Rank}" }.Start();
    }

    /// <exception cref="OperationCanceledException">The group was aborted.</exception>
    public void ThrowIfAborted()
    {
        if (Volatile.Read(ref _aborted) is { } why)
            throw new OperationCanceledException($"the communicators of {Gpus.Count} GPUs were aborted: {why}");
    }
}
