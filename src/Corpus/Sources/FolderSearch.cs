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
/// <param name="allFormats">Every format counts; otherwise, those that only a file's own name or a pattern asks for do not.</param>
internal sealed class FolderSearch(NamePatterns include, NamePatterns exclude, PassedOver passedOver, bool allFormats = false)
{
    // Hidden files and folders (.git) belong to no corpus. A folder that may not be read is an error: a corpus that silently lacks a part
    // of its text is another corpus.
    private static readonly EnumerationOptions Recursive = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = false,
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
    };

    /// <summary>How the search is narrowed, for a message.</summary>
    public string Limits => include.IsEmpty && exclude.IsEmpty ? "" : " that corpus.include and corpus.exclude leave";

    /// <summary>What it looks for, for a message.</summary>
    public string Endings => allFormats || !include.IsEmpty ? DocumentFormats.Endings : DocumentFormats.EndingsOfFolders;

    /// <summary>The files below <paramref name="folder"/>, named relative to <paramref name="root"/>, in no order.</summary>
    /// <exception cref="ElasticException">A folder may not be read.</exception>
    public IReadOnlyList<SourceFile> FilesIn(string folder, string root)
    {
        var found = new FileSystemEnumerable<(string Path, bool IsFolder)>(
            folder, (ref FileSystemEntry entry) => (entry.ToFullPath(), entry.IsDirectory), Recursive)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory || IsLink(ref entry),
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                !IsLink(ref entry) && !exclude.Matches(NameOf(entry.ToFullPath(), root)),
        };
        var files = new List<SourceFile>();
        try
        {
            foreach (var (path, isFolder) in found)
                Add(files, path, NameOf(path, root), isFolder);
            return files;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new ElasticException(
                $"corpus folder {folder} cannot be read to its end ({e.Message}): mend that, leave out what cannot be read "
                + "(corpus.exclude), or name other sources", e);
        }
    }

    private void Add(List<SourceFile> files, string path, string name, bool isFolder)
    {
        if (exclude.Matches(name))
            return;
        if (isFolder)
            passedOver.AddLinkedFolder();
        else if (!include.IsEmpty && !include.Matches(name))
            return;
        else if (DocumentFormats.Of(path) is var (format, packing)
            && (allFormats || !include.IsEmpty || format.IsFoundInFolders(path)))
            files.Add(new SourceFile(path, name, format.Format) { Packing = packing });
        else
            passedOver.Add(path);
    }

    private static bool IsLink(ref FileSystemEntry entry) => entry.Attributes.HasFlag(FileAttributes.ReparsePoint);

    private static string NameOf(string path, string root) =>
        Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/');
}
