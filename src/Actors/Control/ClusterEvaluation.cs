using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>The newest checkpoint of a run on this seed: what an evaluation over nodes scores.</summary>
public sealed record EvaluatedCheckpoint(RunId Run, CheckpointManifest Manifest, TrainingSettings Settings, Tokenizer Tokenizer)
{
    /// <summary>Newer ones that cannot be read, and why, a sentence each.</summary>
    public IReadOnlyList<string> PassedOver { get; init; } = [];

    /// <summary>The run's copy of the chat template that came with its tokenizer; null where it was trained without.</summary>
    public ChatFormat? Chat { get; init; }
}

/// <summary>
/// Has texts scored by the nodes of the cluster: an evaluation as a job of its own. This process keeps what the job needs and serves it;
/// the supervisors give the pieces to nodes. While this process lives the evaluation goes on, whichever seed supervises; it ends with it.
/// </summary>
internal sealed class ClusterEvaluation(ElasticNode node)
{
    /// <summary>The newest checkpoint that is whole here.</summary>
    /// <exception cref="ElasticException">There is no such run, or it has no checkpoint here.</exception>
    public async Task<EvaluatedCheckpoint> CheckpointAsync(RunName name, CancellationToken cancel)
    {
        var run = await node.RememberedAsync(name, cancel)
            ?? throw new ElasticException($"there is no run {name}: see pbm run list");
        var (folder, blobs) = (node.Paths.Checkpoints(run.Id), new BlobStore(node.Paths.Blobs(run.Id), readOnly: true));
        List<string> passedOver = [];
        foreach (var (path, manifest, unreadable) in CheckpointFiles.Read(folder))
        {
            if (manifest is not null && !blobs.IsThere(new Digest(manifest.Parameters)))
                continue;
            var problem = manifest is null ? unreadable : ProblemOf(path, manifest, blobs);
            if (problem is null)
            {
                var (place, settings) = (node.Paths.Run(run.Id), manifest!.ReadSettings());
                var tokenizer = Tokenizer.OpenStored(manifest.Tokenizer, place);
                return new EvaluatedCheckpoint(run.Id, manifest, settings, tokenizer)
                {
                    PassedOver = passedOver,
                    Chat = settings.Corpus.ChatTemplate == ChatTemplate.Tokenizer ? ChatFolder.Stored(place, tokenizer) : null,
                };
            }
            passedOver.Add($"passed over: {problem}");
        }
        throw new ElasticException(
            $"run {name} has no whole checkpoint on this seed ({folder}): wait for the first one, or ask the seed that has it, "
            + $"which pbm run status -n {name} names{string.Concat(passedOver.Select(line => $"; {line}"))}");
    }

    private static string? ProblemOf(string path, CheckpointManifest manifest, BlobStore blobs)
    {
        try
        {
            return CheckpointReader.Difference(path, manifest, blobs.ReadSet(new Digest(manifest.Parameters)));
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return $"{path}: {e.Message}";
        }
    }

    /// <summary>Scores rows with a checkpoint.</summary>
    /// <param name="pieces">The rows, cut by <see cref="ScoredPiece.Cut"/>; read as they are needed.</param>
    /// <param name="progress">Is told how far it is, and what it waits for.</param>
    /// <returns>For each piece, in order, the sum of the cross-entropies of each row.</returns>
    /// <exception cref="ElasticException">It cannot be done, and why.</exception>
    public async IAsyncEnumerable<double[]> ScoreAsync(
        EvaluatedCheckpoint checkpoint, IEnumerable<IReadOnlyList<ScoredRow>> pieces, Origin origin, IProgress<string> progress,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var job = new RunId($"eval-{checkpoint.Run.Name}-{Identifier.Drawn(RandomNumberGenerator.GetBytes(Identifier.DrawnBytes))}");
        using var asker = new JobAsker<EvaluationView>(
            (request, within, stop) => node.AskAsync<EvaluationView>(request, within, stop), node.Context.Blobs,
            node.Paths.Evaluation(job, isAsker: true), new EvaluationRequest.End(job), progress.Report);
        try
        {
            var request = await Task.Run(() => Request(job, checkpoint, origin, asker.Store), cancel);
            HashSet<Digest> kept = [.. asker.Store.BlobsOf(request.Parameters), request.Parameters, request.Manifest];
            var scored = new ScoredPieces(asker, checkpoint.Run.Name, request, kept, progress);
            await foreach (var nats in scored.RunAsync(pieces, cancel))
                yield return nats;
        }
        finally
        {
            await asker.EndAsync();
        }
    }

    private EvaluationRequest.Score Request(RunId job, EvaluatedCheckpoint checkpoint, Origin origin, BlobStore store)
    {
        var (manifest, blobs) = (checkpoint.Manifest, new BlobStore(node.Paths.Blobs(checkpoint.Run), readOnly: true));
        var parameters = new Digest(manifest.Parameters);
        // A copy: the run drops its checkpoints as it goes on.
        if (!store.CopySet(parameters, blob => blobs.Has(blob) ? blobs.Read(blob) : null))
            throw new ElasticException(
                $"the checkpoint {manifest.Version} of run {checkpoint.Run.Name} was dropped for a newer one: give the command again");
        return new EvaluationRequest.Score(job)
        {
            Origin = origin,
            Settings = SettingsText.Write(WithoutFiles(checkpoint.Settings)),
            Corpus = new Digest(manifest.Corpus),
            Manifest = store.Put(File.ReadAllBytes(CorpusManifestOf(new Digest(manifest.Corpus)))),
            Parameters = parameters,
            Source = node.HttpEndpoint.ToString(),
            Arithmetic = null,
            First = 0,
            Pieces = [],
            Rows = [],
        };
    }

    // What the run reads is no part of an evaluation, and may be thousands of names.
    private static TrainingSettings WithoutFiles(TrainingSettings settings) => settings with
    {
        Corpus = settings.Corpus with { Sources = [], Validation = [], Include = [], Exclude = [] },
    };

    private string CorpusManifestOf(Digest corpus)
    {
        string[] folders = [node.Paths.Corpus(corpus), node.Paths.FetchedCorpus(corpus)];
        return folders.Select(f => Path.Combine(f, CorpusManifest.FileName)).FirstOrDefault(File.Exists) ?? throw new ElasticException(
            $"the corpus {corpus.Short} of the run is not on this seed: evaluate on a seed that has it ({folders[0]})");
    }
}
