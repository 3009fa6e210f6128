using System.Security.Cryptography;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// A checkpoint that can be read on this seed: in the folder of its run, or in one of its own, which goes when it is disposed of.
/// </summary>
/// <param name="Path">Its manifest, beside whose folder the blobs and the tokenizer's files are.</param>
public sealed record PlacedCheckpoint(string Path) : IDisposable
{
    /// <summary>Newer ones that nobody has whole, and why, a sentence each.</summary>
    public IReadOnlyList<string> PassedOver { get; init; } = [];

    /// <summary>The folder of the run, or one like it.</summary>
    public string Folder => System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path)!, ".."));

    internal bool IsFetched { get; init; }

    // In the folder of its run it stays so long, though the run may drop it.
    internal IDisposable? Hold { get; init; }

    // SHA-256 of the manifest of the run's corpus, by which nodes serve it.
    internal Digest? CorpusManifest { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Hold?.Dispose();
        try
        {
            if (IsFetched)
                Directory.Delete(Folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start of this node removes it.
        }
    }
}

/// <summary>
/// The newest checkpoint of a run on whichever seed is asked: which one it is the journal says, and the manifest is made of it; what this
/// seed lacks is fetched from the nodes that have it.
/// </summary>
/// <param name="room">For what is fetched.</param>
/// <param name="nodes">The nodes that are here.</param>
internal sealed class RunCheckpoints(ElasticNode node, CheckpointRoom room, Func<CancellationToken, Task<NodeView[]>> nodes)
{
    // A run that goes on drops checkpoints, also while one is fetched.
    private const int Attempts = 3;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);

    /// <summary>The newest checkpoint that is whole here, or can be had from other nodes.</summary>
    /// <param name="progress">Is told that it is fetched.</param>
    /// <exception cref="ElasticException">There is no such run, it has no checkpoint, or nobody here has one.</exception>
    public async Task<PlacedCheckpoint> NewestAsync(RunName name, IProgress<string> progress, CancellationToken cancel)
    {
        await FetchFromNodesAsync(cancel);
        for (var attempt = 1; ; attempt++)
        {
            var run = await RunAsync(name, cancel);
            if (run.Checkpoints.IsEmpty)
                throw new ElasticException(
                    $"run {name} has no checkpoint yet: it takes one every checkpoint.every-rounds rounds, and at its end");
            var (newest, passedOver) = (run.Checkpoints[^1].Version, new List<string>());
            foreach (var checkpoint in run.Checkpoints.Reverse())
            {
                var hold = node.Context.Held.Take(run.Id, checkpoint.Version);
                if (Here(run.Id, checkpoint) is { } here)
                    return new PlacedCheckpoint(here) { PassedOver = passedOver, CorpusManifest = run.Manifest, Hold = hold };
                hold.Dispose();
                try
                {
                    var path = await FetchAsync(run, checkpoint, progress, cancel);
                    return new PlacedCheckpoint(path) { PassedOver = passedOver, IsFetched = true, CorpusManifest = run.Manifest };
                }
                catch (BlobLostException e)
                {
                    if (attempt < Attempts && (await RunAsync(name, cancel)).Checkpoints is [.., { Version: var now }] && now != newest)
                        break;
                    passedOver.Add($"round {checkpoint.Version} is passed over: it is not whole on this seed, and of the nodes that are "
                        + $"here {e.Message}");
                }
            }
            if (passedOver.Count == run.Checkpoints.Count)
                throw new ElasticException($"no checkpoint of run {name} is whole on this seed, or on the nodes that are here "
                    + $"({string.Join("; ", passedOver)}): start the nodes that took them, or wait for the next one");
        }
    }

    // Where the supervisors do not answer, what is here may do.
    private async Task FetchFromNodesAsync(CancellationToken cancel)
    {
        try
        {
            node.Agent.Tell(new NodeAgent.FetchFrom([.. (await nodes(cancel)).Select(n => n.Endpoint)]));
        }
        catch (UnavailableException)
        {
        }
    }

    private async Task<RunState> RunAsync(RunName name, CancellationToken cancel) =>
        (node.Database is { } database ? await StoredRuns.CheckpointsAsync(database, name, cancel) : null)
            ?? throw new ElasticException($"there is no run {name}: see pbm run list");

    // Null where it is not here, or damaged: a run that went back may have left a manifest of a round that came out differently.
    private string? Here(RunId run, Checkpoint checkpoint)
    {
        var path = CheckpointFiles.PathOf(node.Paths, run, checkpoint.Version);
        var blobs = new BlobStore(node.Paths.Blobs(run), readOnly: true);
        try
        {
            return File.Exists(path) && CheckpointManifest.Read(path) is var manifest && manifest.Parameters == checkpoint.Parameters.Hex
                && blobs.IsThere(checkpoint.Parameters)
                && CheckpointReader.Difference(path, manifest, blobs.ReadSet(checkpoint.Parameters)) is null
                    ? path : null;
        }
        catch (Exception e) when (e is ElasticException or InvalidDataException or IOException)
        {
            return null;
        }
    }

    // The parameters and the tokenizer's files, and then the manifest, as the node wrote it that took the checkpoint.
    private async Task<string> FetchAsync(RunState run, Checkpoint checkpoint, IProgress<string> progress, CancellationToken cancel)
    {
        var folder = node.Paths.FetchedCheckpoint(run.Id, Identifier.Drawn(RandomNumberGenerator.GetBytes(Identifier.DrawnBytes)));
        try
        {
            progress.Report($"fetches round {checkpoint.Version} of run {run.Name} from the nodes that have it");
            var round = Math.Max(0, checkpoint.Version - 1);
            var settings = SettingsInForce.At(run, round);
            var layout = Architectures.LayoutOf(settings.Model);
            if (WhyNotFetched(run, checkpoint, layout) is { } why)
                throw new ElasticException(why);
            using var place = room.Take(
                $"the parameters of run {run.Name}", layout.Length * sizeof(float), folder,
                "free some space, or ask the seed that has the checkpoint");
            Directory.CreateDirectory(folder);
            var corpus = await TokenizerAsync(run, folder, cancel);
            // The run alone has a use for an outer momentum.
            var fetching = node.Context.Fetcher.FetchVectorAsync(
                new BlobStore(Path.Combine(folder, "blobs")), checkpoint.Parameters, VectorSet.Parameters, layout.TrainedLength,
                layout.FrozenLength, cancel);
            var before = node.Context.Fetcher.ReceivedBytes;
            while (await Task.WhenAny(fetching, Task.Delay(BetweenLines, CancellationToken.None)) != fetching)
                progress.Report($"this node has received {ByteSize.Text(node.Context.Fetcher.ReceivedBytes - before)}; the parameters have "
                    + ByteSize.Text((double)layout.Length * sizeof(float)));
            await fetching;
            var path = CheckpointFiles.Write(Path.Combine(folder, "checkpoints"), new CheckpointManifest(
                1, run.Id.Value, checkpoint.Version, settings.Model.Signature,
                run.Changes.Exists(c => c.FromRound <= round) ? SettingsText.Write(settings) : run.Settings!, run.Corpus!.Value.Hex,
                corpus.Manifest.Tokenizer, checkpoint.Fingerprint.Hex, checkpoint.Parameters.Hex,
                [.. checkpoint.InnerStates.Select(s => s.Hex)], checkpoint.TokensSeen, checkpoint.ChainHead.Hex,
                CheckpointManifest.BlobFolder));
            return path;
        }
        catch (Exception e)
        {
            new PlacedCheckpoint(Path.Combine(folder, "checkpoints", "none")) { IsFetched = Directory.Exists(folder) }.Dispose();
            if (DiskSpace.IsExhausted(e))
                throw new ElasticException($"there is no room for round {checkpoint.Version} of run {run.Name} in {folder} ({e.Message}): "
                    + "free some space, or ask the seed that has it", e);
            throw;
        }
    }

    /// <summary>Why the parameters of a checkpoint are not to be had in the layout that its model has today; null where they are.</summary>
    internal static string? WhyNotFetched(RunState run, Checkpoint checkpoint, FlatLayout layout) => run.Elements == layout.TrainedLength
        ? null
        : $"round {checkpoint.Version} of run {run.Name} was written by an earlier version of Elastic, which kept frozen weights among the "
            + "trained ones: export its model with that version, and start from the folder";

    // Before the parameters, of which there may be many gigabytes: a checkpoint is nothing without it.
    private async Task<BuiltCorpus> TokenizerAsync(RunState run, string folder, CancellationToken cancel)
    {
        try
        {
            var corpus = await node.Context.Corpora.OpenAsync(run.Corpus!.Value, run.Manifest, cancel);
            // A person may have put a chat template into the run's folder here, for a corpus that has no copy of it.
            foreach (var file in CheckpointContent.FilesOfTokenizer.Where(f => File.Exists(Path.Combine(node.Paths.Run(run.Id), f))))
                File.Copy(Path.Combine(node.Paths.Run(run.Id), file), Path.Combine(folder, file));
            await node.Context.Corpora.CopyTokenizerAsync(corpus, folder, cancel);
            return corpus;
        }
        catch (BlobLostException e)
        {
            throw new ElasticException($"the corpus of run {run.Name}, which has its tokenizer, is not on this seed, and of the nodes that "
                + $"are here {e.Message}: ask the seed that has the checkpoint, or build the corpus again", e);
        }
    }
}
