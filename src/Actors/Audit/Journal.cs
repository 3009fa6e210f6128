using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Audit;

/// <summary>Reads journals from outside the cluster, whether or not it runs.</summary>
internal static class Journal
{
    private static readonly TimeSpan ReadDeadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(30);

    /// <summary>All events of a run, oldest first; none when there is no such run.</summary>
    /// <exception cref="ElasticException">The journal is damaged.</exception>
    public static async Task<IReadOnlyList<RunEvent>> ReadAsync(DataPaths paths, DatabaseAddress database, RunId run, CancellationToken cancel)
    {
        var system = ActorSystem.Create("audit", AkkaSettings.ForReading(paths, database));
        try
        {
            var result = new TaskCompletionSource<IReadOnlyList<RunEvent>>(TaskCreationOptions.RunContinuationsAsynchronously);
            system.ActorOf(Props.Create(() => new JournalReader(run, result)));
            return await result.Task.WaitAsync(ReadDeadline, cancel);
        }
        finally
        {
            await system.Terminate().WaitAsync(EndDeadline, CancellationToken.None);
        }
    }
}
