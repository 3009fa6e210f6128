namespace Elastic.Corpus;

/// <summary>The terms of a folder or an archive by the places of its files LICENSE: the nearest above a file holds for it.</summary>
internal sealed class ArchiveLicences
{
    private readonly Dictionary<string, string> _byFolder = new(StringComparer.Ordinal);

    /// <param name="texts">Names of files, with '/', and their first bytes; what is no file LICENSE is passed over.</param>
    public ArchiveLicences(IEnumerable<(string Path, Func<Stream> Open)> texts)
    {
        foreach (var (written, open) in texts)
            if (Members.NameOf(written) is var path && LicenceText.IsName(NameOf(path)))
            {
                // Of several in a folder the first, as long as it says something that is known.
                var licence = Read(open);
                if (_byFolder.GetValueOrDefault(FolderOf(path)) is null or LicenceText.Unknown)
                    _byFolder[FolderOf(path)] = licence;
            }
    }

    // One that cannot be read is not known; what it holds for has no other.
    private static string Read(Func<Stream> open)
    {
        try
        {
            using var stream = open();
            return LicenceText.Read(stream);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or RejectedFileException)
        {
            return LicenceText.Unknown;
        }
    }

    /// <summary>The terms of a file; null where there are none.</summary>
    public string? Of(string path)
    {
        for (var folder = FolderOf(path); ; folder = FolderOf(folder))
            if (_byFolder.TryGetValue(folder, out var licence))
                return licence;
            else if (folder.Length == 0)
                return null;
    }

    private static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];

    private static string FolderOf(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];
}
