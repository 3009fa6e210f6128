using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>The newest checkpoint of a run: what an evaluation over nodes scores.</summary>
public sealed record EvaluatedCheckpoint(RunId Run, CheckpointManifest Manifest, TrainingSettings Settings, Tokenizer Tokenizer)
    : IDisposable
{
    /// <summary>Newer ones that nobody has whole, and why, a sentence each.</summary>
    public IReadOnlyList<string> PassedOver => Place?.PassedOver ?? [];

    /// <summary>The chat template that came with its tokenizer; null where it was trained without.</summary>
    public ChatFormat? Chat { get; init; }

    internal PlacedCheckpoint? Place { get; init; }

    internal string? CorpusManifest { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Place?.Dispose();
}

/// <summary>
/// Has texts scored by the nodes of the cluster: an evaluation as a job of its own. This process keeps what the job needs and serves it;
/// the supervisors give the pieces to nodes. While this process lives the evaluation goes on, whichever seed supervises; it ends with it.
/// </summary>
/// <param name="room">For what is copied.</param>
internal sealed class ClusterEvaluation(ElasticNode node, CheckpointRoom room)
{
    /// <summary>Opens a checkpoint, and disposes of it where it cannot.</summary>
    /// <exception cref="ElasticException">It cannot be evaluated, and why.</exception>
    public async Task<EvaluatedCheckpoint> OpenAsync(PlacedCheckpoint place, CancellationToken cancel)
    {
        try
        {
            var manifest = CheckpointManifest.Read(place.Path);
            var settings = manifest.ReadSettings();
            var tokenizer = Tokenizer.OpenStored(manifest.Tokenizer, place.Folder);
            // Of one that is still being built, the part that is finished.
            var corpus = await node.Context.Corpora.OpenAsync(new Digest(manifest.Corpus), place.CorpusManifest, cancel);
            return new EvaluatedCheckpoint(new RunId(manifest.Run), manifest, settings, tokenizer)
            {
                Place = place,
                CorpusManifest = corpus.ManifestPath,
                Chat = settings.Corpus.ChatTemplate == ChatTemplate.Tokenizer ? ChatFolder.Stored(place.Folder, tokenizer) : null,
            };
        }
        catch (Exception e)
        {
            place.Dispose();
            if (e is BlobLostException)
                throw new ElasticException($"the corpus of the run is not on this seed, and of the nodes that are here {e.Message}", e);
            throw;
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
        var folder = node.Paths.Evaluation(job, isAsker: true);
        using var asker = new JobAsker<EvaluationView>(
            (request, within, stop) => node.AskAsync<EvaluationView>(request, within, stop), node.Context.Blobs, folder,
            new EvaluationRequest.End(job), progress.Report);
        try
        {
            var request = await Task.Run(() => Request(job, checkpoint, origin, asker.Store, folder), cancel);
            HashSet<Digest> kept = [.. asker.Store.ParameterBlobsOf(request.Parameters), request.Manifest];
            var scored = new ScoredPieces(asker, checkpoint.Run.Name, request, kept, progress);
            await foreach (var nats in scored.RunAsync(pieces, cancel))
                yield return nats;
        }
        finally
        {
            await asker.EndAsync();
        }
    }

    private EvaluationRequest.Score Request(
        RunId job, EvaluatedCheckpoint checkpoint, Origin origin, BlobStore store, string folder)
    {
        var (manifest, blobs) = (checkpoint.Manifest, new BlobStore(Path.Combine(checkpoint.Place!.Folder, "blobs"), readOnly: true));
        var parameters = new Digest(manifest.Parameters);
        if (checkpoint.Place.IsFetched)
            blobs.MoveParameters(parameters, store);
        else
            Copy(checkpoint, blobs, store, folder);
        return new EvaluationRequest.Score(job)
        {
            Origin = origin,
            Settings = SettingsText.Write(WithoutFiles(checkpoint.Settings)),
            Corpus = new Digest(manifest.Corpus),
            Manifest = store.Put(File.ReadAllBytes(checkpoint.CorpusManifest!)),
            Parameters = parameters,
            Source = node.HttpEndpoint.ToString(),
            Arithmetic = null,
            First = 0,
            Pieces = [],
            Rows = [],
        };
    }

    // The run drops its checkpoints as it goes on.
    private void Copy(EvaluatedCheckpoint checkpoint, BlobStore from, BlobStore to, string folder)
    {
        using var place = room.Take(
            $"the parameters of run {checkpoint.Run.Name}, which are copied for the evaluation,",
            Architectures.LayoutOf(checkpoint.Settings.Model).Length * sizeof(float), folder, "free some space");
        if (!to.CopyParameters(new Digest(checkpoint.Manifest.Parameters), blob => from.Has(blob) ? from.Read(blob) : null))
            throw new ElasticException($"the checkpoint {checkpoint.Manifest.Version} of run {checkpoint.Run.Name} was dropped for a newer "
                + "one: give the command again");
    }

    // What the run reads is no part of an evaluation, and may be thousands of names.
    private static TrainingSettings WithoutFiles(TrainingSettings settings) => settings with
    {
        Corpus = settings.Corpus with { Sources = [], Validation = [], Include = [], Exclude = [] },
    };
}
