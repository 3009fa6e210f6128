using Elastic.Actors.Nodes;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>
/// Tells of the bytes that come while work waits for what it needs. A slow link takes minutes: people want to see how far it is, and the
/// supervisor must not take the node for one that hangs.
/// </summary>
internal static class FetchReports
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    /// <summary>Tells at most once a second, and only where bytes have come, until <paramref name="work"/> ends.</summary>
    /// <param name="ofBytes">Bytes that are missing; 0 where that is not known.</param>
    public static async Task<T> DuringAsync<T>(NodeJob run, WorkKey key, long ofBytes, Action<NodeReport> tell, Task<T> work)
    {
        var before = run.Fetcher.ReceivedBytes;
        for (var told = before; await Task.WhenAny(work, Task.Delay(Between)) != work;)
        {
            if (run.Fetcher.ReceivedBytes is var received && received == told)
                continue;
            told = received;
            var bytes = received - before;
            tell(new NodeReport.Fetching(run.Node, run.Id, key, ofBytes > 0 ? Math.Min(bytes, ofBytes) : bytes, ofBytes));
        }

        return await work;
    }
}
