using Elastic.Foundation;
using Elastic.Model.Training;

namespace Elastic.Torch.Cuda.Nccl;

/// <summary>
/// How the GPUs of a replica compute together: where they reach each other's memory, by kernels that read and write it; else through NCCL;
/// where there is none, or it has failed in this process, by copies through this machine's memory. The bits are the same.
/// </summary>
/// <param name="nccl">Null where there is none of use.</param>
/// <param name="whyNot">Why there is none.</param>
internal sealed class GpuCollectives(CudaDriver driver, NcclLibrary? nccl, string? whyNot)
{
    private static readonly Lazy<GpuCollectives> Found = new(() =>
    {
        var driver = CudaDriver.OfThisMachine;
        try
        {
            return NcclLibrary.Find() is { } library
                ? new GpuCollectives(driver, library, null)
                : new GpuCollectives(driver, null, $"there is no NCCL: install {string.Join(", ", CudaLibraries.Nccl)}");
        }
        catch (ElasticException e)
        {
            return new GpuCollectives(driver, null, e.Message);
        }
        // A driver that does not start may start the next time.
    }, LazyThreadSafetyMode.PublicationOnly);

    private readonly Lock _gate = new();
    private readonly List<NcclGroup> _groups = [];
    private string? _whyNot = whyNot;

    /// <summary>The collectives of this machine's GPUs.</summary>
    /// <exception cref="ElasticException">It has no driver.</exception>
    public static GpuCollectives OfThisMachine => Found.Value;

    /// <summary>The library; null where there is none of use.</summary>
    public NcclLibrary? Nccl => nccl;

    /// <summary>Why NCCL is of no use; null where it is of use.</summary>
    public string? WhyNot => _whyNot;

    /// <summary>The collective of these devices, each of which is in one at a time.</summary>
    /// <param name="gpus">The devices' GPUs, in their order.</param>
    public ICollective Open(IReadOnlyList<IDeviceThread> devices, IReadOnlyList<int> gpus) =>
        GroupOf(gpus) is { } group ? new NcclCollective(devices, group) : new LocalCollective(devices);

    /// <summary>What GPUs of a replica would use, and why: for people.</summary>
    public string Describe(IReadOnlyList<int> gpus)
    {
        if (Apart(gpus) is not var (one, other))
            return "GPUs of one replica read and write each other's memory";
        var apart = $"because GPU {one} does not reach the memory of {other}";
        lock (_gate)
        {
            Forget();
            return _whyNot is null
                ? $"GPUs of one replica use NCCL {nccl!.Version}, {apart}"
                : $"GPUs of one replica copy through this machine's memory, {apart}, and NCCL is of no use: {_whyNot}";
        }
    }

    /// <summary>
    /// The communicators of these GPUs; null where they use none. Kept from round to round, because the ranks take a second to find each
    /// other.
    /// </summary>
    public NcclGroup? GroupOf(IReadOnlyList<int> gpus)
    {
        // NCCL refuses two ranks of one process on one GPU.
        if (gpus.Distinct().Count() < Math.Max(gpus.Count, 2) || Apart(gpus) is null)
            return null;
        lock (_gate)
        {
            Forget();
            if (_whyNot is not null)
                return null;
            if (_groups.Find(g => g.Gpus.SequenceEqual(gpus)) is { } kept)
                return kept;
            foreach (var old in _groups.Where(g => g.Gpus.Intersect(gpus).Any()).ToList())
            {
                old.Abort("its GPUs are divided anew");
                _groups.Remove(old);
            }
            var group = new NcclGroup(nccl!, driver, [.. gpus]);
            _groups.Add(group);
            return group;
        }
    }

    // Groups that have ended. What NCCL refused once it would refuse again: the replicas go on without it.
    private void Forget()
    {
        _whyNot ??= _groups.Select(g => g.Failure).FirstOrDefault(f => f is not null);
        _groups.RemoveAll(g => g.IsAborted);
    }

    // Two GPUs of which the first does not reach the second's memory.
    private (int One, int Other)? Apart(IReadOnlyList<int> gpus)
    {
        foreach (var one in gpus)
        {
            foreach (var other in gpus)
            {
                if (one != other && !driver.CanReach(one, other))
                    return (one, other);
            }
        }
        return null;
    }
}
