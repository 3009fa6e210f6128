using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Model.Training;
using Elastic.Testing;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// The ranks of the check between processes, which are threads here, with a fake NCCL between them: each has a group of its own, and only
/// the id in the folder joins them, as in processes.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class NcclProcessTests : TemporaryFolder
{
    private readonly FakeNccl _nccl = new();
    private readonly ConcurrentQueue<string> _said = new();

    public NcclProcessTests() => NativeTorch.Load();

    [Fact]
    public async Task Two_ranks_on_one_GPU_send_each_other_what_comes()
    {
        var lines = await Task.WhenAll(RunAsync(0, 2), RunAsync(1, 2));
        Assert.StartsWith("rank 0 of 2 on cuda:0: 2 exchanges of 4 MiB came as they were sent, ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("rank 1 of 2 on cuda:0: 2 exchanges", lines[1], StringComparison.Ordinal);
        Assert.Equal(
            [.. Enumerable.Range(0, 2).Select(r => $"rank {r} of 2 on cuda:0: all ranks have come, through NCCL 2.28.9 (libnccl.so.2)")],
            _said.Order(StringComparer.Ordinal));
        Assert.Equal(4, _nccl.Transfers);
        await _nccl.ClosedAsync();
    }

    [Fact]
    public async Task A_rank_that_is_gone_ends_the_other_by_its_deadline_with_a_sentence()
    {
        // It takes part in the first exchange alone.
        var (gone, left) = (RunAsync(1, 1, 100), RunAsync(0, 3, 100));
        var failure = await Assert.ThrowsAsync<ElasticException>(() => left);
        Assert.Equal(
            "rank 0 of 2 on cuda:0: exchange 1 did not end within 0.1 s: another rank hangs, is gone or never came; this rank has aborted "
            + "its communicator", failure.Message);
        await gone;
        await _nccl.ClosedAsync();
    }

    [Fact]
    public async Task A_failure_of_NCCLs_is_passed_on_and_a_damaged_id_is_named()
    {
        const int failsTransfer = 2;
        _nccl.Fault(0, failsTransfer);
        var other = RunAsync(1, 1, 50);
        var failure = await Assert.ThrowsAsync<ElasticException>(() => RunAsync(0, 1, 50));
        Assert.StartsWith(
            "rank 0 of 2 on cuda:0: another rank is gone, or NCCL failed in exchange 0: NCCL 2.28.9 answers exchange 0 of rank 0 of 2 "
            + "(GPU 0) with error 3 (internal error)", failure.Message, StringComparison.Ordinal);
        await other;
        var id = Path.Combine(Folder, "nccl-id");
        await File.WriteAllBytesAsync(id, new byte[5]);
        Assert.Equal(
            $"{id} has 5 bytes, and an id of NCCL's 128: name an empty folder",
            (await Assert.ThrowsAsync<ElasticException>(() => RunAsync(1, 1))).Message);
    }

    [Fact]
    public async Task A_rank_that_ends_outside_of_an_exchange_leaves_no_communicator()
    {
        var other = RunAsync(1, 1, 50);
        await Assert.ThrowsAsync<IOException>(() => RunAsync(0, 1, 50, _ => throw new IOException("nobody listens")));
        await other;
        await _nccl.ClosedAsync();
    }

    private Task<string> RunAsync(int rank, int exchanges, int deadlineMs = 60_000, Action<string>? say = null) => Task.Factory.StartNew(
        () => new NcclProcesses(_nccl.Library, FakeGpu.Shared.Driver, 0, TorchSharp.torch.CPU, say ?? _said.Enqueue).Run(
            new ProcessRank(rank, 2, Folder, exchanges, TimeSpan.FromMilliseconds(deadlineMs)), CancellationToken.None),
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
