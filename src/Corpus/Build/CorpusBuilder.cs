using System.Collections.Concurrent;
using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// Makes clean text of the sources of a manifest: reads each piece through the stages (many at once; what was read before is used again),
/// lets the stages decide, and writes what stays and what goes, in key order. The bytes that it writes follow from the manifest and the
/// sources' files: neither threads nor an interruption show.
/// </summary>
/// <param name="store">What was read; shared by all builds.</param>
/// <param name="texts">The folder with a folder for each build.</param>
public sealed class CorpusBuilder(BuildManifest manifest, PieceStore store, string texts)
{
    /// <summary>Raised with each change to what a build writes.</summary>
    private const int Version = 6;

    /// <summary>How large parts of files are; none but <see cref="PartSize.TextBytes"/> shows in what is built.</summary>
    internal PartSize PartSize { get; init; } = PartSize.Default;

    /// <summary>
    /// Has other machines read pieces into the store; null to read all of them here. It gets the pieces that the store lacks, and calls its
    /// second argument with each one that has come; those that have not come when it ends are read here. Not used for a trial.
    /// </summary>
    public Action<IReadOnlyList<SourcePiece>, Action<SourcePiece>, CancellationToken>? Others { get; init; }

    /// <summary>Takes the pieces that the store has, while <see cref="Others"/> read those that it lacks; null for nobody.</summary>
    public Action<IReadOnlyList<SourcePiece>, CancellationToken>? Found { get; init; }

    /// <summary>Takes the name of each step before it is taken, for a test that ends the process there; null for nobody.</summary>
    public Action<string>? Step { get; init; }

    /// <summary>Builds the text, unless it is there.</summary>
    /// <param name="threads">Pieces that are read at once.</param>
    /// <exception cref="ElasticException">A source cannot be read, or nothing is left.</exception>
    public BuiltText Run(int threads, IProgress<BuildProgress>? progress, CancellationToken cancel)
    {
        // Also where the text is there: another build may have read them again since.
        store.Purge(manifest.TakeDowns, cancel);
        var rejects = new List<string>(manifest.Unfetched);
        var watch = new BuildWatch(manifest, progress, Step);
        watch.Enter(BuildWatch.Lists);
        var pieces = manifest.Limit is { } limit ? Trial(limit, rejects, watch, cancel) : List(rejects, threads, watch, cancel);
        if (BuiltText.TryOpen(FolderOf(pieces, rejects)) is { } built)
            return built;
        if (manifest.Limit is null)
            pieces = Read(pieces, rejects, threads, watch, cancel);
        cancel.ThrowIfCancellationRequested();
        var folder = FolderOf(pieces, rejects);
        return BuiltText.TryOpen(folder) ?? Write(folder, pieces, rejects, watch, cancel);
    }

    // Reads every file once, for its digest.
    private List<SourcePiece> List(List<string> rejects, int threads, BuildWatch watch, CancellationToken cancel) =>
    [
        .. Enumerable.Range(0, manifest.Sources.Count).SelectMany(rank => SourcePiece.Of(
            manifest, rank, PartSize, rejects, threads, () => watch.Step(BuildWatch.Lists), cancel)),
    ];

    private BuiltText Write(
        string folder, List<SourcePiece> pieces, List<string> rejects, BuildWatch watch, CancellationToken cancel)
    {
        using var build = new BuildFolder(folder, BuiltText.FileName);
        var work = Path.Combine(build.Current, "work");
        using (var decisions = new Decisions(
            manifest.Stages, () => pieces.SelectMany(p => store.Documents(p, cancel)), work, cancel))
        {
            IReadOnlyList<int> longestFrames;
            using (var all = new DocumentTexts(store, pieces, work, cancel))
            {
                longestFrames = all.LongestFrames;
                decisions.Make(all, document => manifest.SplitOf(document) == Split.Train, watch);
            }
            watch.Enter(BuildWatch.Writes);
            using var writer = new TextWriters(build.Current, new Digest(Path.GetFileName(folder)), manifest, watch.Step);
            writer.Reject(rejects);
            using var fates = decisions.InOrder().GetEnumerator();
            foreach (var (number, piece) in pieces.Index())
            {
                foreach (var (document, text) in store.WithTexts(piece, store.Documents(piece, cancel), longestFrames[number]))
                {
                    if (!fates.MoveNext())
                        throw new InvalidOperationException("there are more documents than decisions");
                    watch.Step(BuildWatch.Writes);
                    writer.Append(document, text, fates.Current);
                }
                writer.Append(piece, store.Summary(piece, cancel));
            }
            writer.Complete(decisions.LargeBuckets);
        }
        Directory.Delete(work, recursive: true);
        watch.Step("makes it visible");
        build.Complete();
        return BuiltText.TryOpen(folder)
            ?? throw new ElasticException($"{folder} went away while it was made: give the same command again");
    }

    // Named by files, and not by their parts: how these are cut does not show.
    private string FolderOf(List<SourcePiece> pieces, List<string> rejects) => Path.Combine(texts, CorpusIdentity.OfTexts(
    [
        $"build {Version}", .. pieces.Where(p => p.File.Part is not { Number: > 0 }).Select(p => $"{p.Source} {p.OfFile.Hex}"),
        .. manifest.Stages.Select(s => s.Identity),
        .. manifest.Sources.Where(s => s.Validation + s.Test > 0).Select(s => string.Create(
            CultureInfo.InvariantCulture, $"split {s.Name} {s.Validation:R} {s.Test:R}")), .. manifest.TakeDowns.Identity, .. rejects,
    ]).Hex);

    // The pieces that were read: without those of files that changed meanwhile, where the source says to go on.
    private List<SourcePiece> Read(
        List<SourcePiece> pieces, List<string> rejects, int threads, BuildWatch watch, CancellationToken cancel)
    {
        var changed = new ConcurrentDictionary<Digest, string>();
        var fresh = new ConcurrentDictionary<Digest, SourcePiece>();
        watch.Expect(pieces.Sum(p => p.Bytes));
        watch.Enter(Others is null ? BuildWatch.Reads : BuildWatch.Finds);
        var over = new ConcurrentDictionary<Digest, bool>();
        if (Others is not null)
        {
            var all = pieces.DistinctBy(p => p.Identity).ToLookup(p => IsRead(p, cancel));
            List<SourcePiece> missing = [.. all[false]];
            foreach (var part in missing.Where(p => p.File.Part is not null))
                fresh[part.OfFile] = part;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            // Every byte of them is hashed: nobody waits for that, unless it fails.
            var noting = Task.Factory.StartNew(
                () => Note([.. all[true]], stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            try
            {
                watch.Enter(BuildWatch.Reads);
                if (missing.Count > 0)
                    Others(missing, piece =>
                    {
                        Read(piece, watch, stop.Token);
                        over[piece.Identity] = true;
                    }, stop.Token);
            }
            catch
            {
                stop.Cancel();
                ((IAsyncResult)noting).AsyncWaitHandle.WaitOne();
                if (!cancel.IsCancellationRequested && noting.Exception?.InnerException is { } failed and not OperationCanceledException)
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failed);
                throw;
            }
            if (!noting.IsCompleted)
                watch.Enter(BuildWatch.Finds);
            noting.GetAwaiter().GetResult();
            // What no node has read is read here.
            watch.Enter(BuildWatch.Reads);
        }
        try
        {
            Parallels.For(pieces.Count, threads, i =>
            {
                if (over.TryRemove(pieces[i].Identity, out _))
                    return;
                if (!IsRead(pieces[i], cancel) && pieces[i].File.Part is not null)
                    fresh[pieces[i].OfFile] = pieces[i];
                Guarded(pieces[i], changed, () => Read(pieces[i], watch, cancel));
            }, cancel);
            // What was read of files in parts is right where these are still the same.
            SourcePiece[] parts = [.. fresh.Values];
            Parallels.For(parts.Length, threads, i => Guarded(
                parts[i], changed, () => parts[i].File.CheckUnchanged((parts[i].File with { Cancel = cancel }).Hash())), cancel);
        }
        finally
        {
            // Also where a change ends the build: the next one would take what was read for that of the file as it was.
            foreach (var piece in pieces.Where(p => changed.ContainsKey(p.OfFile)))
                store.Remove(piece);
        }
        rejects.AddRange(pieces.Select(p => p.OfFile).Distinct().Where(changed.ContainsKey).Select(id => changed[id]));
        return pieces.FindAll(p => !changed.ContainsKey(p.OfFile));
    }

    // Its failure ends what others read meanwhile.
    private void Note(IReadOnlyList<SourcePiece> pieces, CancellationTokenSource stop)
    {
        try
        {
            Found?.Invoke(pieces, stop.Token);
        }
        catch
        {
            stop.Cancel();
            throw;
        }
    }

    private void Guarded(SourcePiece piece, ConcurrentDictionary<Digest, string> changed, Action read)
    {
        try
        {
            read();
        }
        catch (ChangedFileException e)
        {
            changed[piece.OfFile] = $"source {manifest.Sources[piece.Source].Name}: {e.Message}";
            if (manifest.Sources[piece.Source].OnReject != RejectPolicy.Continue)
                throw;
        }
    }

    private bool IsRead(SourcePiece piece, CancellationToken cancel) =>
        store.Has(piece) && store.Agrees(piece, manifest.TakeDowns, cancel);

    private PieceSummary Read(SourcePiece piece, BuildWatch watch, CancellationToken cancel)
    {
        var found = IsRead(piece, cancel) ? store.Summary(piece, cancel) : store.Read(piece, manifest, cancel);
        var source = manifest.Sources[piece.Source];
        if (source.OnReject == RejectPolicy.Stop && found.Malformed > 0)
            throw new ElasticException(string.Create(CultureInfo.InvariantCulture,
                $"the source {source.Name} has {found.Malformed} records that cannot be read, and its on-reject is stop: "
                + $"{found.Rejects[0].Line}: mend them, or set on-reject = continue"));
        watch.Add(store.Documents(piece, cancel), found.Documents, piece.Bytes);
        return found;
    }

    // The first documents of each source: files behind them are not even looked at.
    private List<SourcePiece> Trial(long limit, List<string> rejects, BuildWatch watch, CancellationToken cancel)
    {
        watch.Enter(BuildWatch.Reads);
        var pieces = new List<SourcePiece>();
        for (var rank = 0; rank < manifest.Sources.Count; rank++)
        {
            var left = limit;
            foreach (var whole in SourcePiece.Of(manifest, rank, PartSize.Whole, rejects, cancel: cancel))
            {
                var piece = whole.Of(left);
                watch.Expect(piece.Bytes);
                left -= Read(piece, watch, cancel).Documents;
                pieces.Add(piece);
                if (left <= 0)
                    break;
            }
        }
        return pieces;
    }
}
