using System.IO.Enumeration;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Finds the supported files of a folder. Follows links to files, but not links to folders, because these may lead in circles, or to the
/// same text twice.
/// </summary>
/// <param name="include">The files that are wanted; empty for all.</param>
/// <param name="exclude">Files and folders that are not even looked at.</param>
/// <param name="passedOver">Takes what is not read.</param>
/// <param name="rejects">Takes a line for each folder that may not be read; null where that is an error.</param>
/// <param name="allFormats">Every format counts; otherwise, those that only a file's own name or a pattern asks for do not.</param>
/// <param name="cancel">Ends the search.</param>
internal sealed class FolderSearch(
    NamePatterns include, NamePatterns exclude, PassedOver passedOver, bool allFormats = false, ICollection<string>? rejects = null,
    CancellationToken cancel = default)
{
    // Hidden files and folders belong to no corpus. A folder that may not be read is an error: a corpus that silently lacks a part of its
    // text is another corpus.
    private static readonly EnumerationOptions OneFolder = new()
    {
        IgnoreInaccessible = false,
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
    };

    private readonly List<(string Path, Func<Stream> Open)> _licences = [];

    /// <summary>How the search is narrowed, for a message.</summary>
    public string Limits => include.IsEmpty && exclude.IsEmpty ? "" : " that corpus.include and corpus.exclude leave";

    /// <summary>What it looks for, for a message.</summary>
    public string Endings => allFormats || !include.IsEmpty ? DocumentFormats.Endings : DocumentFormats.EndingsOfFolders;

    /// <summary>What is in a folder and not hidden, in no order.</summary>
    /// <exception cref="IOException">It cannot be read to its end.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    internal static IEnumerable<(string Path, bool IsFolder, bool IsLink)> EntriesOf(string folder) =>
        new FileSystemEnumerable<(string, bool, bool)>(
            folder,
            (ref FileSystemEntry e) => (e.ToFullPath(), e.IsDirectory, e.Attributes.HasFlag(FileAttributes.ReparsePoint)), OneFolder)
        {
            // .git and the like: to Windows such a name hides nothing, and the same folder is to be the same corpus there.
            ShouldIncludePredicate = (ref FileSystemEntry e) => e.FileName is not ['.', ..],
        };

    /// <summary>The files below <paramref name="folder"/>, named relative to <paramref name="root"/>, in no order.</summary>
    /// <exception cref="ElasticException">A folder may not be read.</exception>
    public IReadOnlyList<SourceFile> FilesIn(string folder, string root)
    {
        var (files, folders) = (new List<SourceFile>(), new Stack<string>([folder]));
        while (folders.TryPop(out var next))
        {
            try
            {
                foreach (var (path, isFolder, isLink) in EntriesOf(next))
                {
                    cancel.ThrowIfCancellationRequested();
                    if (!isFolder || isLink)
                        Add(files, path, NameOf(path, root), isFolder);
                    else if (!exclude.Matches(NameOf(path, root)))
                        folders.Push(path);
                }
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException)
            {
                if (rejects is null)
                    throw new ElasticException(Problem(next, e.Message), e);
                rejects.Add(Problem(NameOf(next, root), SourceFile.WithoutPath(e)));
            }
        }
        return allFormats ? WithLicences(files) : files;
    }

    private static string Problem(string folder, string why) =>
        $"corpus folder {folder} cannot be read to its end ({why}): mend that, leave out what cannot be read (corpus.exclude), or name "
        + "other sources";

    // The nearest file LICENSE above holds for a file of source code.
    private List<SourceFile> WithLicences(List<SourceFile> files)
    {
        var code = files.FindAll(f => f.Format == DocumentFormat.SourceCode);
        if (code.Count == 0)
            return files;
        var licences = new ArchiveLicences(_licences);
        return [.. files.Select(f => f.Format == DocumentFormat.SourceCode ? f with { Licence = licences.Of(f.Name) } : f)];
    }

    private void Add(List<SourceFile> files, string path, string name, bool isFolder)
    {
        if (exclude.Matches(name))
            return;
        if (!isFolder && allFormats && LicenceText.IsName(Path.GetFileName(path)))
            _licences.Add((name, () => new FileStream(RegularFile.Open(path, out _), FileAccess.Read)));
        if (isFolder)
            passedOver.AddLinkedFolder();
        else if (!include.IsEmpty && !include.Matches(name))
            return;
        else if (DocumentFormats.Of(path) is var (format, packing)
            && (allFormats || format.IsFoundInFolders(path) || include.AskFor(name)))
            files.Add(new SourceFile(path, name, format.Format) { Packing = packing });
        else
            passedOver.Add(path);
    }

    private static string NameOf(string path, string root) =>
        Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/');
}
