using System.Globalization;
using Akka.Actor;
using Akka.Cluster;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Control;

/// <summary>What a person asks of the cluster, carried out from this node.</summary>
internal sealed class NodeControl(ElasticNode node)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public ClusterControl ToControl() =>
        new(RunsAsync, node.WatchAsync, (run, origin, _) => node.StopRunAsync(run, origin), StartAsync, NodesAsync, _ => ClusterAsync());

    /// <summary>
    /// The settings with <c>model.vocabulary</c> = 0 resolved to the tokenizer's, which is known only once there is a corpus.
    /// </summary>
    /// <exception cref="ElasticException">The vocabulary is too small for the tokenizer.</exception>
    public static TrainingSettings Resolve(TrainingSettings settings, BuiltCorpus corpus) => settings.Model.Vocabulary switch
    {
        0 => settings with { Model = settings.Model with { Vocabulary = corpus.Manifest.VocabularySize } },
        // A larger vocabulary leaves rows of the embedding unused; a smaller one has no rows for some tokens of the text.
        var few when few < corpus.Manifest.VocabularySize => throw new ElasticException(
            $"model.vocabulary = {few} is smaller than the vocabulary of the tokenizer " +
            $"({corpus.Manifest.Tokenizer}: {corpus.Manifest.VocabularySize}): use 0, which takes the tokenizer's"),
        _ => settings,
    };

    private async Task<RunView[]> RunsAsync(CancellationToken cancel)
    {
        var names = await node.AskAsync<RunsAnswer.Names>(new RunsQuery.Names(), null, cancel);
        return await Task.WhenAll(names.Runs.Select(run => node.AskAsync<RunView>(new RunWatch.Look(run), Deadline, cancel)));
    }

    private async Task<RunReply> StartAsync(TrainingSettings settings, Origin origin, IProgress<string> progress, CancellationToken cancel)
    {
        var corpus = await node.BuildCorpusAsync(settings.Corpus, new CorpusLines(progress), cancel);
        return await node.StartRunAsync(Resolve(settings, corpus), corpus, origin);
    }

    private async Task<NodeView[]> NodesAsync(CancellationToken cancel) =>
        (await node.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), null, cancel)).Views;

    private async Task<ClusterMembers> ClusterAsync()
    {
        var state = Cluster.Get(node.System).State;
        string? supervisor;
        try
        {
            supervisor = (await node.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), TimeSpan.FromSeconds(1))).Supervisor;
        }
        catch (ElasticException)
        {
            supervisor = null;                                         // the singleton is moving to another seed
        }

        return new ClusterMembers(
            [.. state.Members.Select(
                m => new ClusterMember(Short(m.Address), [.. m.Roles], m.Status.ToString(), !state.Unreachable.Contains(m)))],
            state.Leader is { } leader ? Short(leader) : null, supervisor is null ? null : Short(Address.Parse(supervisor)));
    }

    private static string Short(Address address) => address.ToEndpoint().ToString();

    // Limits the lines to one per interval, however fast the documents come.
    private sealed class CorpusLines(IProgress<string> progress) : IProgress<CorpusProgress>
    {
        private static readonly TimeSpan Between = TimeSpan.FromSeconds(2);
        private long _last = System.Diagnostics.Stopwatch.GetTimestamp();

        public void Report(CorpusProgress value)
        {
            if (value.Notice is { } notice)
            {
                progress.Report(notice);
                return;
            }

            if (System.Diagnostics.Stopwatch.GetElapsedTime(_last) < Between)
                return;
            _last = System.Diagnostics.Stopwatch.GetTimestamp();
            progress.Report(string.Create(
                CultureInfo.InvariantCulture, $"corpus: {value.DocumentsRead:N0} documents, {value.TokensWritten:N0} tokens"));
        }
    }
}
