using Elastic.Foundation;
using Elastic.ObjectStore;

namespace Elastic.Host.Commands;

/// <summary>
/// Where an export goes: a new folder, or a prefix in a store. For a store the folder is made in a temporary place first: a store takes
/// whole files, with their digests.
/// </summary>
internal sealed class ExportTarget : IDisposable
{
    private readonly FolderUpload? _upload;
    private readonly string? _temporary;

    private ExportTarget(string folder) => Folder = folder;

    private ExportTarget(FolderUpload upload)
    {
        (_upload, _temporary) = (upload, Directory.CreateTempSubdirectory("elastic-export-").FullName);
        Folder = Path.Combine(_temporary, "model");
    }

    /// <summary>The folder to make.</summary>
    public string Folder { get; }

    /// <param name="option">That names the place, for messages.</param>
    /// <exception cref="ElasticException">The place is taken, or the store does not answer.</exception>
    public static async Task<ExportTarget> OpenAsync(string place, string option, CancellationToken cancel)
    {
        if (!S3Address.Is(place))
        {
            var path = Path.GetFullPath(place);
            NewFolder.CheckFree(path, option);
            return new ExportTarget(path);
        }

        var upload = FolderUpload.To(place, "a model");
        try
        {
            await upload.CheckAsync(cancel);
            return new ExportTarget(upload);
        }
        catch
        {
            upload.Dispose();
            throw;
        }
    }

    /// <summary>Stores what was made, where it goes to a store.</summary>
    /// <param name="last">The file without which nobody takes the others for a model.</param>
    /// <exception cref="ElasticException">The store does not take it, or has something else there.</exception>
    public async Task CompleteAsync(string last, Action<string> notice, CancellationToken cancel)
    {
        if (_upload is null)
            return;
        var (_, had) = await _upload.RunAsync(Folder, last, cancel);
        if (had > 0)
            notice($"{_upload} had {had} of the files already");
    }

    /// <inheritdoc/>
    public override string ToString() => _upload?.ToString() ?? Folder;

    /// <inheritdoc/>
    public void Dispose()
    {
        _upload?.Dispose();
        if (_temporary is not null)
            Directory.Delete(_temporary, recursive: true);
    }
}
