using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>What a node had of a corpus that is deleted.</summary>
/// <param name="Address">The node's.</param>
/// <param name="Bytes">What it had and has no more; 0 for nothing.</param>
/// <param name="Problem">Why it still has some of it; null where it has none.</param>
public sealed record CorpusOnNode(string Address, long Bytes, string? Problem);

/// <summary>A corpus that was deleted.</summary>
/// <param name="Nodes">All nodes that are here, by their addresses.</param>
/// <param name="Finished">Finished runs that have read it: they cannot be audited, evaluated or made longer without it.</param>
public sealed record DeletedCorpus(Digest Corpus, IReadOnlyList<CorpusOnNode> Nodes, IReadOnlyList<RunName> Finished);

/// <summary>Deletes a corpus from all nodes that are here, unless a run or a build needs it.</summary>
internal sealed class CorpusDeletion(ElasticNode node)
{
    // As few digits as nobody types by accident.
    private const int LeastDigits = 4;

    // Nodes are asked so many at once. Each renames its folder at once; the files of a large corpus take some seconds.
    private const int AtOnce = 16;
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    /// <param name="name">The beginning of the corpus's id, or a run that has read it.</param>
    /// <exception cref="NotFoundException">Nobody knows such a corpus.</exception>
    /// <exception cref="ElasticException">A run or a build needs it, or the database or the nodes do not answer.</exception>
    public async Task<DeletedCorpus> RunAsync(string name, Origin origin, CancellationToken cancel)
    {
        var database = node.Database ?? throw new ElasticException("this process has no journal: ask a seed");
        IReadOnlyList<StoredRun> runs;
        try
        {
            runs = await StoredRuns.ReadAsync(database, cancel);
        }
        catch (DatabaseUnavailableException e)
        {
            throw new UnavailableException($"the database cannot be read ({e.Message}): see that it runs, then try again", e);
        }

        var corpus = Find(name, runs, CorporaHere());
        var builds = (await node.Builds.ListAsync(cancel)).Where(b => b.State == BuildState.Running).Select(b => b.Build);
        if (Refusal(corpus, runs, [.. builds]) is { } why)
            throw new ElasticException(why);
        var answers = new List<CorpusOnNode>();
        foreach (var some in (await node.Control.NodesAsync(cancel)).Chunk(AtOnce))
            answers.AddRange(await Task.WhenAll(some.Select(n => AskAsync(n, corpus, origin, cancel))));
        return new DeletedCorpus(
            corpus, [.. answers.OrderBy(a => a.Address, StringComparer.Ordinal)],
            [.. runs.Where(r => Reads(r, corpus)).Select(r => r.Name)]);
    }

    /// <summary>The corpus that is meant.</summary>
    /// <param name="here">Corpora on the disk of this seed.</param>
    /// <exception cref="NotFoundException">There is none.</exception>
    /// <exception cref="ElasticException">There are several.</exception>
    internal static Digest Find(string name, IReadOnlyList<StoredRun> runs, IEnumerable<Digest> here)
    {
        if (Digest.IsDigest(name))
            return new Digest(name);                                   // it may be on other nodes only
        if (runs.LastOrDefault(r => r.Name.Value == name) is { } run)
            return run.State?.Corpus
                ?? throw new ElasticException($"the run {name} does not say which corpus it has read: {run.Problem ?? "it never began"}");
        var known = runs.Select(r => r.State?.Corpus).OfType<Digest>().Concat(here).Distinct()
            .OrderBy(c => c.Hex, StringComparer.Ordinal).ToList();
        var meant = name.Length < LeastDigits ? [] : known.FindAll(c => c.Hex.StartsWith(name, StringComparison.OrdinalIgnoreCase));
        return meant switch
        {
            [var only] => only,
            [] => throw new NotFoundException($"no corpus of this seed or of a run begins with {OneLine.Of(name, 80)}, and no run has that "
                + "name: " + (known.Count == 0 ? "there are none" : $"there are {string.Join(", ", known.Take(10).Select(c => c.Short))}"
                    + (known.Count > 10 ? $" and {known.Count - 10} more" : "")) + $"; give at least {LeastDigits} digits"),
            _ => throw new ElasticException(
                $"several corpora begin with {name}: {string.Join(", ", meant.Take(10).Select(c => c.Short))}; give more digits"),
        };
    }

    /// <summary>Why the corpus is not to be deleted, with the names of what needs it; null where nothing does.</summary>
    /// <param name="builds">Builds that go on.</param>
    internal static string? Refusal(Digest corpus, IReadOnlyList<StoredRun> runs, IReadOnlyList<string> builds)
    {
        if (runs.FirstOrDefault(r => r.Problem is not null) is { } unread)
            return $"the journal of run {unread.Name} cannot be read, so that nobody knows whether it needs the corpus {corpus.Short}: "
                + $"mend it, or delete the run first ({unread.Problem})";
        var readers = runs.Where(r => Reads(r, corpus) && !r.State!.IsFinished).Select(r => r.Name.Value).ToList();
        if (readers.Count > 0)
            return $"the corpus {corpus.Short} is needed by {Several("run", readers)}: wait until "
                + (readers.Count == 1 ? "it is finished, or delete it first" : "they are finished, or delete them first")
                + $": pbm run delete -n {readers[0]}";
        return builds.Count == 0 ? null
            : $"{Several("build", builds)} {(builds.Count == 1 ? "goes" : "go")} on, and may make the corpus {corpus.Short}: wait, or stop "
                + $"{(builds.Count == 1 ? "it" : "them")} first: pbm corpus stop -b {builds[0]}";
    }

    private static string Several(string what, IReadOnlyList<string> names) =>
        $"the {what}{(names.Count == 1 ? "" : "s")} {string.Join(", ", names)}";

    private static bool Reads(StoredRun run, Digest corpus) => run.State is { Exists: true } state && state.Corpus == corpus;

    private IEnumerable<Digest> CorporaHere() =>
        node.Paths.AllCorpora.Append(node.Paths.FetchedCorpora).Where(Directory.Exists)
            .SelectMany(Directory.EnumerateDirectories).Select(d => Path.GetFileName(d)).Where(Digest.IsDigest)
            .Select(hex => new Digest(hex));

    private async Task<CorpusOnNode> AskAsync(NodeView asked, Digest corpus, Origin origin, CancellationToken cancel)
    {
        try
        {
            var request = new NodeRequest.DeleteCorpus(asked.Node.Value, corpus, origin with { Id = Guid.NewGuid().ToString("N") });
            return await node.AskAsync<NodeReply>(request, Deadline, cancel) switch
            {
                NodeReply.CorpusDeleted deleted => new CorpusOnNode(deleted.Address, deleted.Bytes, null),
                NodeReply.Refused refused when NodeRequests.IsAbsence(refused.Why, asked.Node.Value) => new CorpusOnNode(
                    asked.Address, 0, $"node {asked.Address} has left meanwhile, and keeps what it has: give the same command again "
                        + "once it is back"),
                NodeReply.Refused refused => new CorpusOnNode(asked.Address, 0, refused.Why),
                var other => new CorpusOnNode(asked.Address, 0, $"it answers with {other.GetType().Name}: give all nodes the same version"),
            };
        }
        catch (UnavailableException)
        {
            return new CorpusOnNode(
                asked.Address, 0, $"node {asked.Address} has not said within {Deadline.TotalMinutes} minutes that it is deleted, and may "
                    + "still be at it: give the same command again");
        }
        catch (ElasticException e)
        {
            return new CorpusOnNode(asked.Address, 0, $"node {asked.Address}: {e.Message}");
        }
    }
}
