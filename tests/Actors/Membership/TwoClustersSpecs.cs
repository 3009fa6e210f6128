using System.Collections.Concurrent;
using System.Diagnostics;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Membership;

/// <summary>Seeds that cannot see each other in their database, though both are well.</summary>
public sealed class TwoClustersSpecs : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;
    private readonly List<ElasticNode> _nodes = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        Directory.Delete(_folder, true);
    }

    [Fact]
    public async Task Seeds_that_formed_two_clusters_on_one_database_become_one()
    {
        var first = await StartAsync("first");
        await HideAsync(first, "DELETE FROM elastic_seeds");
        var second = await StartAsync("second");
        await ShowAsync();
        Assert.Equal((1, 1), (await MembersAsync(first), await MembersAsync(second)));
        await TogetherAsync(first, second);
    }

    [Fact]
    public async Task A_seed_that_has_not_been_able_to_say_that_it_is_up_is_asked_before_a_new_cluster_is_formed()
    {
        var first = await StartAsync("first");
        await HideAsync(first, "UPDATE elastic_seeds SET seen = seen - 60000");
        var said = new ConcurrentQueue<string>();
        var second = await StartAsync("second", said.Enqueue);
        await ShowAsync();
        // Whether the first one answers in time is up to the machine.
        Assert.Equal($"asking {first.Endpoint} to let this process in", said.First(s => s.StartsWith("asking ", StringComparison.Ordinal)));
        await TogetherAsync(first, second);
    }

    private async Task<ElasticNode> StartAsync(string name, Action<string>? say = null)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with
            {
                Devices = "none",
                DataDir = Path.Combine(_folder, name),
                Database = $"sqlite:{Path.Combine(_folder, "journal.db")}",
            },
            NodeDuty.Seed(), say ?? (_ => { }), deadline.Token);
        _nodes.Add(node);
        return node;
    }

    private static async Task TogetherAsync(params ElasticNode[] nodes)
    {
        var began = Stopwatch.GetTimestamp();
        while (!(await Task.WhenAll(nodes.Select(MembersAsync))).All(members => members == nodes.Length))
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, "the seeds are in one cluster");
            await Task.Delay(200);
        }
    }

    private static async Task<int> MembersAsync(ElasticNode node) =>
        (await node.Control.ClusterAsync(TestContext.Current.CancellationToken)).Members.Count(m => m is { Status: "Up", Reachable: true });

    // From now on the list of the seeds does not take what a seed says of itself, and is changed in this way.
    private Task<int> HideAsync(ElasticNode seed, string change) => ExecuteAsync($"""
        CREATE TRIGGER unheard BEFORE INSERT ON elastic_seeds WHEN NEW.address = '{seed.Endpoint}' BEGIN SELECT RAISE(IGNORE); END;
        {change};
        """);

    private Task<int> ShowAsync() => ExecuteAsync("DROP TRIGGER unheard");

    private Task<int> ExecuteAsync(string sql) => DatabaseAddress.Parse(null, _folder).RetryAsync(
        Deadline, Deadline, (connection, token) => connection.ExecuteAsync(sql, token), CancellationToken.None);
}
