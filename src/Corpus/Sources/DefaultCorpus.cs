using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Real text on any machine with the .NET SDK: the reference documentation of the base libraries (XML, English, MIT licence). Nothing else
/// takes its place: the same command would train on another text, and end with another fingerprint, without a word.
/// </summary>
public static class DefaultCorpus
{
    // Where installers put .NET, which is not always in PATH; and the file in which they name another folder.
    private const string InstallLocation = "/etc/dotnet/install_location";
    private static readonly string[] UsualFolders =
        ["/usr/share/dotnet", "/usr/lib/dotnet", "/usr/lib64/dotnet", "/usr/local/share/dotnet", "/opt/dotnet"];

    /// <exception cref="ElasticException">The SDK is not installed.</exception>
    public static IReadOnlyList<SourceFile> Find() => Find([.. DotnetRoots().Distinct(StringComparer.Ordinal)]);

    internal static IReadOnlyList<SourceFile> Find(IReadOnlyList<string> dotnetRoots)
    {
        foreach (var root in dotnetRoots)
        {
            // <root>/packs/<pack>/<version>/ref/<framework>/*.xml
            var files = Xml(root, "packs", parts => parts.Length == 6 && parts[3] == "ref");
            if (files.Count > 0)
                return files;
        }
        throw new ElasticException(
            $"there is no default corpus: no reference documentation (packs/*/*/ref/*/*.xml) in {string.Join(", ", dotnetRoots)}; " +
            "install the .NET SDK, name its folder with DOTNET_ROOT, or name files with --corpus");
    }

    // The ASP.NET Core pack repeats the base library's files: leaves out a file with the name and content of an earlier one.
    private static List<SourceFile> Xml(string root, string below, Predicate<string[]> isDocumentation)
    {
        var folder = Path.Combine(root, below);
        if (!Directory.Exists(folder))
            return [];
        return [.. new FolderSearch(new NamePatterns([]), new NamePatterns([]), new PassedOver()).FilesIn(folder, root)
            .Where(f => f.Format == DocumentFormat.Xml && isDocumentation(f.Name.Split('/')))
            .OrderBy(f => f.Name, StringComparer.Ordinal)
            .GroupBy(f => (Path.GetFileName(f.Path), new FileInfo(f.Path).Length))
            .SelectMany(same => same.Count() == 1 ? same : same.DistinctBy(f => f.Hash()))
            .OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    private static IEnumerable<string> DotnetRoots()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } configured)
            yield return Path.GetFullPath(configured);
        // <root>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll; empty in a single-file program.
        if (typeof(object).Assembly.Location is { Length: > 0 } library && Up(library, 4) is { } running)
            yield return running;
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            var dotnet = new FileInfo(Path.Combine(folder, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));
            if (dotnet.Exists && Up(dotnet.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? dotnet.FullName, 1) is { } installed)
                yield return installed;
        }
        foreach (var folder in Installed())
            yield return folder;
    }

    private static IEnumerable<string> Installed() => OperatingSystem.IsWindows()
        ? [Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet")]
        :
        [
            .. File.Exists(InstallLocation) ? File.ReadLines(InstallLocation).Select(l => l.Trim()).Where(Path.IsPathRooted).Take(1) : [],
            .. UsualFolders,
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet"),
        ];

    private static string? Up(string path, int levels)
    {
        string? folder = path;
        for (var i = 0; i < levels && folder is not null; i++)
            folder = Path.GetDirectoryName(folder);
        return folder;
    }
}
