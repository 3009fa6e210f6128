using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Actors.Serialization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// A seed and workers in this process, each with its own actor system and sockets, and what they really send: to see that the simulation is
/// right.
/// </summary>
internal sealed class RealRun(TrainingSettings settings, int workers, string folder, MessageTally tally)
{
    /// <summary>Runs to the end. The tally has the rounds after the first.</summary>
    /// <returns>Rounds that were counted, and how long they took.</returns>
    public async Task<(int Rounds, TimeSpan Time)> RunAsync()
    {
        var nodes = new List<ElasticNode>();
        try
        {
            nodes.Add(await StartAsync("none", NodeDuty.Seed()));
            for (var i = 0; i < workers; i++)
                nodes.Add(await StartAsync("cpu:1", NodeDuty.Worker(nodes[0].Endpoint)));
            var corpus = await nodes[0].BuildCorpusAsync(settings.Corpus, null, CancellationToken.None);
            ElasticSerializer.Written = tally.Note;
            if (await nodes[0].StartRunAsync(settings, corpus, Origins.Now("bench")) is RunReply.Refused refused)
                throw new ElasticException(refused.Why);
            var began = DateTime.UtcNow;
            await foreach (var view in nodes[0].WatchAsync(new RunName(settings.Run.Name), CancellationToken.None))
            {
                if (view.Failure is { } failure)
                    throw new ElasticException(failure);
                if (view.Round > 0)
                    continue;
                began = DateTime.UtcNow;
                tally.Clear();
            }

            return (settings.Run.Rounds!.Value - 1, DateTime.UtcNow - began);
        }
        finally
        {
            ElasticSerializer.Written = null;
            nodes.Reverse();
            foreach (var node in nodes)
                await node.DisposeAsync();
        }

        Task<ElasticNode> StartAsync(string devices, NodeDuty duty) => ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = devices, DataDir = Path.Combine(folder, $"{nodes.Count}") }, duty, _ => { });
    }
}
