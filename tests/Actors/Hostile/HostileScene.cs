using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Cluster;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Hostile;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>A seed that is attacked, and what it has to be like afterwards.</summary>
public abstract class HostileScene : TemporaryFolder
{
    protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>What the seed's process has said to the person in front of it.</summary>
    protected ConcurrentQueue<string> Said { get; } = [];

    /// <summary>Carries out an attack, and looks whether the node is as before and has logged the refusals.</summary>
    /// <param name="refusals">Parts of lines in the log; {0} stands for the stranger.</param>
    internal async Task UnharmedAsync(ElasticNode node, Stranger stranger, Action attack, params string[] refusals)
    {
        var (system, members) = (node.System, Cluster.Get(node.System).State.Members.Count);
        var spies = (Spy.Made, SpyException.Made);
        attack();
        // A remote deployment makes an actor of its own side, too, which tells the other side; no spy is made on either.
        var origin = Cluster.Get(stranger.System).SelfAddress.HostPort();
        foreach (var refusal in refusals)
            await UntilAsync(() => Log().Contains(refusal.Replace("{0}", origin, StringComparison.Ordinal), StringComparison.Ordinal), () =>
                $"not in the log: {refusal}{Environment.NewLine}{Log()}");
        await UntilAsync(async () =>
            (await node.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), TimeSpan.FromSeconds(5))).Views is [var only]
            && only.Address == node.Endpoint.ToString());
        Assert.Same(system, node.System);
        Assert.False(system.WhenTerminated.IsCompleted || node.Refused.IsCompleted);
        Assert.Equal(members, Cluster.Get(system).State.Members.Count(m => m.Status == MemberStatus.Up));
        Assert.Equal(spies, (Spy.Made, SpyException.Made));
        Assert.DoesNotContain(Said, s => s.Contains("has stopped", StringComparison.Ordinal));
        // One line a minute for each kind, and none from Akka beside it.
        Assert.InRange(Log().Split('\n').Count(l => l.Contains($"{origin} is refused", StringComparison.Ordinal)), refusals.Length, 20);
        Assert.DoesNotContain("Deserialization failed", Log(), StringComparison.Ordinal);
    }

    /// <param name="node">Its data directory below the scene's folder; nothing for the folder itself.</param>
    protected string Log(string node = "")
    {
        var path = Path.Combine(Folder, node, "log.txt");
        if (!File.Exists(path))
            return "";
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    protected Task<ElasticNode> StartAsync(Transport? transport = null) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Folder }, NodeDuty.Seed(), Said.Enqueue, NodeFaults.None,
        transport ?? Transport.Plain, CancellationToken.None);

    protected static Task UntilAsync(Func<bool> condition, Func<string> seen) => UntilAsync(() => Task.FromResult(condition()), seen);

    private static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? seen = null)
    {
        for (var began = Stopwatch.GetTimestamp(); !await condition(); await Task.Delay(50))
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, seen?.Invoke() ?? "within the deadline");
    }
}
