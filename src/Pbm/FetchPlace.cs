using Elastic.Foundation;
using Elastic.Messages.Pbm;
using Elastic.ObjectStore;

namespace Elastic.Pbm;

/// <summary>
/// Where a checkpoint goes that a seed sends: a new folder of this machine, or a prefix in a store, in which this machine puts it with
/// credentials of its own. On the way to a store it is whole and checked in a temporary folder, so that a lying seed reaches no store.
/// </summary>
internal sealed class FetchPlace : IDisposable
{
    private readonly FolderTarget? _store;
    private readonly FetchedCheckpoint _files;
    private readonly string _place;
    private bool _isUploading;

    private FetchPlace(string place, FolderTarget? store, FetchedCheckpoint files) => (_place, _store, _files) = (place, store, files);

    /// <summary>A sentence for a person who has stopped it.</summary>
    public string WhatStays => _isUploading
        ? $"stopped: {_place} keeps the files that it has already, and the manifest, without which they are no checkpoint, is stored last; "
            + "the same command goes on with them, and stores those that are missing"
        : $"stopped: this command has put nothing into {_place}; the same command fetches it from its beginning";

    /// <param name="place">A path, or s3://BUCKET/PREFIX.</param>
    /// <exception cref="PbmException">Something is at the folder's place already, or the store does not answer.</exception>
    public static async Task<FetchPlace> OpenAsync(string place, CancellationToken cancel)
    {
        if (!S3Address.Is(place))
            return new FetchPlace(place, null, FetchedCheckpoint.Begin(place));
        var store = await FailingAsync(FolderTarget.OpenAsync(place, "a checkpoint", cancel));
        try
        {
            return new FetchPlace(place, store, FetchedCheckpoint.Begin(store.Folder, store.Remedy("-o")));
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="FetchedCheckpoint.Add"/>
    public void Add(PbmMessage.FilePiece piece) => _files.Add(piece);

    /// <summary>Checks that all is there, makes it a checkpoint, and stores it where it goes to a store: the manifest last.</summary>
    /// <returns>What <see cref="FetchedCheckpoint.Finish"/> gives, with the manifest's final place.</returns>
    /// <exception cref="PbmException">It is no whole checkpoint, or the store does not take it.</exception>
    public async Task<(string Manifest, int Blobs, long Bytes, string Fingerprint)> FinishAsync(
        Action<string> notice, CancellationToken cancel)
    {
        var done = _files.Finish();
        if (_store is null)
            return done;
        var manifest = Path.GetRelativePath(_store.Folder, done.Manifest).Replace('\\', '/');
        _isUploading = true;
        // A fetch that was broken off has left blobs, which another checkpoint than the newest now may have had alone.
        await FailingAsync(_store.CompleteAsync(manifest, notice, cancel, FetchedCheckpoint.IsBlob));
        return done with { Manifest = _store.Named(manifest) };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _files.Dispose();
        _store?.Dispose();
    }

    private static async Task<T> FailingAsync<T>(Task<T> work)
    {
        await FailingAsync((Task)work);
        return await work;
    }

    private static async Task FailingAsync(Task work)
    {
        try
        {
            await work;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException || (e is ElasticException and not PbmException))
        {
            throw PbmException.Failed(e.Message, e);
        }
    }
}
