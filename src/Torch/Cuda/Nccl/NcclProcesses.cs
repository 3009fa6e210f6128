using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using TorchSharp;

namespace Elastic.Torch.Cuda.Nccl;

/// <summary>
/// One rank of a check of NCCL between processes: each passes a vector around the ring of all ranks, as often as was asked for, and looks
/// at every element that comes. A rank that dies, hangs or sends something else ends the others, with a sentence.
/// </summary>
/// <param name="library">NCCL.</param>
/// <param name="gpu">This rank's GPU.</param>
/// <param name="place">Where libtorch's tensors of it lie.</param>
/// <param name="say">Gets a line when all ranks have come.</param>
/// <param name="time">Measures the deadline; null for the system's.</param>
internal sealed class NcclProcesses(
    NcclLibrary library, CudaDriver driver, int gpu, torch.Device place, Action<string> say, TimeProvider? time = null)
{
    /// <summary>Elements that a rank sends at once: 4 MiB.</summary>
    public const int Elements = 1 << 20;

    // A start of processes on a busy machine, of which the first compiles nothing: seconds.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60), AskAgain = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <summary>Takes part to the end.</summary>
    /// <returns>What came, in a line.</returns>
    /// <exception cref="ElasticException">A rank did not come, is gone, or sent other bytes; names this one.</exception>
    public string Run(ProcessRank rank, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(rank);
        var name = $"rank {rank.Rank} of {rank.Count} on cuda:{gpu}";
        var group = new NcclGroup(library, driver, [.. Enumerable.Repeat(gpu, rank.Count)], IdOf(rank, name, cancel));
        try
        {
            return Exchange(group, rank, name, cancel);
        }
        finally
        {
            // However it ended: the other ranks would wait for a communicator that nobody answers on.
            group.Abort("the check is over");
        }
    }

    private string Exchange(NcclGroup group, ProcessRank rank, string name, CancellationToken cancel)
    {
        // Nothing ends a call of NCCL's but an abort from another thread.
        using var aborted = cancel.Register(() => group.Abort("the check was interrupted"));
        using var deadline = _time.CreateTimer(
            _ => group.Abort("the deadline is over"), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using TorchVector own = new(Elements, place, gpu), came = new(Elements, place, gpu);
        var (slice, host) = (new Slice(0, Elements / FlatLayout.Tile), new float[Elements]);
        var (next, last) = ((rank.Rank + 1) % rank.Count, (rank.Rank + rank.Count - 1) % rank.Count);
        var began = 0L;
        for (var i = 0; i < rank.Exchanges; i++)
        {
            own.CopyFrom(0, Numbers(host, rank.Rank, i));
            deadline.Change(i == 0 ? StartPatience : rank.Deadline, Timeout.InfiniteTimeSpan);
            try
            {
                group[rank.Rank].Exchange($"exchange {i}", () =>
                {
                    group[rank.Rank].Send(own, slice, next);
                    group[rank.Rank].Receive(came, slice, last);
                });
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                throw new ElasticException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"{name}: exchange {i} did not end within {(i == 0 ? StartPatience : rank.Deadline).TotalSeconds:0.#} s: ") +
                    "another rank hangs, is gone or never came; this rank has aborted its communicator", e);
            }
            catch (NcclException e)
            {
                throw new ElasticException($"{name}: another rank is gone, or NCCL failed in exchange {i}: {e.Message}", e);
            }
            finally
            {
                deadline.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }

            Check(came, host, last, i, name);
            if (i > 0)
                continue;
            say($"{name}: all ranks have come, through NCCL {library.Version} ({library.Path})");
            began = _time.GetTimestamp();
        }

        var seconds = _time.GetElapsedTime(began).TotalSeconds;
        // Whoever ends a communicator while another rank still receives from it ends that, too.
        DurableFile.Write(Done(rank, rank.Rank), []);
        for (var other = 0; other < rank.Count; other++)
            IsThere(Done(rank, other), rank.Deadline, cancel);
        var rate = seconds > 0 ? (rank.Exchanges - 1) * (double)Elements * sizeof(float) / seconds / 1e9 : 0;
        return string.Create(CultureInfo.InvariantCulture,
            $"{name}: {rank.Exchanges} exchanges of {Elements * sizeof(float) >> 20} MiB came as they were sent, {rate:0.00} GB/s ") +
            "with the looking";
    }

    // Rank 0 draws the id that all ranks need, and leaves it where the others look.
    private unsafe NcclUniqueId IdOf(ProcessRank rank, string name, CancellationToken cancel)
    {
        var path = Path.Combine(rank.Folder, "nccl-id");
        NcclUniqueId id;
        if (rank.Rank == 0)
        {
            if (File.Exists(path))
                throw new ElasticException($"{name}: {rank.Folder} holds an earlier check: name an empty folder with --dir");
            driver.Enter(driver.ContextOf(gpu));
            var result = library.NewId(out id);
            if (result != 0)
                throw new ElasticException($"{name}: NCCL {library.Version} gives no id: error {result}{library.TextOf(result)}");
            Directory.CreateDirectory(rank.Folder);
            DurableFile.Write(path, MemoryMarshal.AsBytes(new ReadOnlySpan<NcclUniqueId>(in id)));
            return id;
        }

        if (!IsThere(path, StartPatience, cancel))
            throw new ElasticException(
                $"{name}: rank 0 has left no id in {path} within {StartPatience.TotalSeconds} s: start it with the same --dir");
        var bytes = File.ReadAllBytes(path);
        return bytes.Length == sizeof(NcclUniqueId)
            ? MemoryMarshal.Read<NcclUniqueId>(bytes)
            : throw new ElasticException(
                $"{path} has {bytes.Length} bytes, and an id of NCCL's {sizeof(NcclUniqueId)}: name an empty folder");
    }

    private static string Done(ProcessRank rank, int which) => Path.Combine(rank.Folder, $"nccl-done-{which}");

    private bool IsThere(string path, TimeSpan patience, CancellationToken cancel)
    {
        var began = _time.GetTimestamp();
        while (!File.Exists(path))
        {
            cancel.ThrowIfCancellationRequested();
            if (_time.GetElapsedTime(began) > patience)
                return false;
            cancel.WaitHandle.WaitOne(AskAgain);
        }

        return true;
    }

    // Other numbers in each exchange: what is left of an older one is seen.
    private static float[] Numbers(float[] into, int rank, int exchange)
    {
        for (var i = 0; i < into.Length; i++)
            into[i] = NumberOf(rank, exchange, i);
        return into;
    }

    private static void Check(TorchVector came, float[] host, int from, int exchange, string name)
    {
        came.CopyTo(0, host);
        for (var i = 0; i < host.Length; i++)
        {
            if (host[i] != NumberOf(from, exchange, i))
                throw new ElasticException(string.Create(CultureInfo.InvariantCulture,
                    $"{name}: element {i} of exchange {exchange} is {host[i]}, and rank {from} sent {NumberOf(from, exchange, i)}"));
        }
    }

    private static float NumberOf(int rank, int exchange, int i) => ((rank * 7919 + exchange * 104729 + i) & 0xffffff) / 16f;
}
