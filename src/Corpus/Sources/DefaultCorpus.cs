using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Real text on any machine with the .NET SDK: the reference documentation of the base libraries (XML, English, MIT licence), and where
/// that is not installed, the documentation files in the NuGet package folder.
/// </summary>
public static class DefaultCorpus
{
    /// <exception cref="ElasticException">Neither is installed.</exception>
    public static IReadOnlyList<SourceFile> Find()
    {
        var roots = DotnetRoots().Distinct(StringComparer.Ordinal).ToList();
        return Find(roots, PackageFolder());
    }

    internal static IReadOnlyList<SourceFile> Find(IReadOnlyList<string> dotnetRoots, string packageFolder)
    {
        foreach (var root in dotnetRoots)
        {
            // <root>/packs/<pack>/<version>/ref/<framework>/*.xml
            var files = Xml(root, "packs", parts => parts.Length == 6 && parts[3] == "ref");
            if (files.Count > 0)
                return files;
        }
        // <folder>/<package>/<version>/(lib|ref)/<framework>/*.xml
        var packages = Xml(packageFolder, "", parts => parts.Length == 5 && parts[2] is "lib" or "ref");
        return packages.Count > 0 ? packages : throw new ElasticException(
            $"there is no default corpus: no reference documentation (packs/*/*/ref/*/*.xml) in {string.Join(", ", dotnetRoots)} " +
            $"and none in {packageFolder}; " +
            "install the .NET SDK or name files with --corpus");
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
    }

    private static string PackageFolder() =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } configured
            ? Path.GetFullPath(configured)
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private static string? Up(string path, int levels)
    {
        string? folder = path;
        for (var i = 0; i < levels && folder is not null; i++)
            folder = Path.GetDirectoryName(folder);
        return folder;
    }
}
