namespace Elastic.Structure.Tests;

/// <summary>The files that these tests read: those of the repository that the tests were built in.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    // Folders that are made here and that git does not keep: of builds, and a node's data, which only its user may read.
    private static readonly HashSet<string> Skipped =
        [.. Read(".gitignore").Split('\n').Where(l => l.EndsWith('/')).Select(l => l.TrimEnd('/').Split('/')[^1])];

    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    /// <summary>Paths below the root, with forward slashes, of all files with one of these endings.</summary>
    /// <param name="below">Folders of the root.</param>
    public static IReadOnlyList<string> Files(IEnumerable<string> below, params string[] endings) =>
    [
        .. below.Select(b => Path.Combine(Root, b)).Where(Directory.Exists).SelectMany(Walk)
            .Where(f => endings.Any(e => f.EndsWith(e, StringComparison.Ordinal)))
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/')).Order(StringComparer.Ordinal),
    ];

    /// <summary>Every project of src, tests and bench.</summary>
    public static IReadOnlyList<ProjectFile> Projects() =>
        [.. Files(["src", "tests", "bench"], ".csproj").Select(path => ProjectFile.Parse(path, Read(path)))];

    private static IEnumerable<string> Walk(string folder) => Directory.EnumerateFiles(folder).Concat(
        Directory.EnumerateDirectories(folder).Where(d => !Skipped.Contains(Path.GetFileName(d))).SelectMany(Walk));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Elastic.sln")))
                return folder.FullName;
        throw new InvalidOperationException(
            $"no Elastic.sln above {AppContext.BaseDirectory}: these tests read the repository that built them");
    }
}
