using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// Where a folder of files goes: a folder of this machine, or a prefix in a store. For a store the folder is made in a temporary place
/// first: a store takes whole files, with their digests.
/// </summary>
public sealed class FolderTarget : IDisposable
{
    private readonly FolderUpload? _upload;
    private readonly StagingFolder? _temporary;

    private FolderTarget(string folder) => Folder = folder;

    private FolderTarget(FolderUpload upload)
    {
        (_upload, _temporary) = (upload, StagingFolder.Make("elastic-upload-"));
        Folder = Path.Combine(_temporary.Path, "files");
    }

    /// <summary>The full path of the folder to make. One of this machine may be there already: that is for the caller to refuse.</summary>
    public string Folder { get; }

    /// <param name="ofWhat">What goes there, for messages: "a model".</param>
    /// <exception cref="ElasticException">The address is none of a prefix, or the store does not answer.</exception>
    public static async Task<FolderTarget> OpenAsync(string place, string ofWhat, CancellationToken cancel)
    {
        if (!S3Address.Is(place))
            return new FolderTarget(Path.GetFullPath(place));

        var upload = FolderUpload.To(place, ofWhat);
        try
        {
            await upload.CheckAsync(cancel);
            return new FolderTarget(upload);
        }
        catch
        {
            upload.Dispose();
            throw;
        }
    }

    /// <summary>What a person does where the folder cannot be written.</summary>
    /// <param name="option">The option that names the place.</param>
    public string Remedy(string option) => _upload is null ? $"name another folder with {option}"
        : "set TMPDIR to a folder on another disk, for what goes to a store is made in a temporary folder first";

    /// <summary>Stores what was made, where it goes to a store.</summary>
    /// <param name="last">See <see cref="FolderUpload.RunAsync"/>.</param>
    /// <param name="mayStay">See <see cref="FolderUpload.RunAsync"/>.</param>
    /// <exception cref="ElasticException">The store does not take it, or has something else there.</exception>
    public async Task CompleteAsync(string last, Action<string> notice, CancellationToken cancel, Func<string, bool>? mayStay = null)
    {
        if (_upload is null)
            return;
        var (_, had) = await _upload.RunAsync(Folder, last, cancel, mayStay);
        if (had > 0)
            notice($"{_upload} had {had} of the files already");
    }

    /// <summary>How people name a file that is there now.</summary>
    /// <param name="name">Its path in the folder, with '/'.</param>
    public string Named(string name) => _upload?.Named(name) ?? Path.Combine(Folder, name);

    /// <inheritdoc/>
    public override string ToString() => _upload?.ToString() ?? Folder;

    /// <inheritdoc/>
    public void Dispose()
    {
        _upload?.Dispose();
        _temporary?.Dispose();
    }
}
