namespace Elastic.Testing;

/// <summary>The files of the repository that the tests were built from.</summary>
public static class Checkout
{
    private static readonly string Root = FindRoot();

    /// <summary>A file or a folder by its path in the repository, e.g. "docs/metrics.md".</summary>
    public static string PathOf(string path) => Path.Combine(Root, path);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Elastic.sln")))
            folder = folder.Parent ?? throw new FileNotFoundException("the tests run outside of the repository");
        return folder.FullName;
    }
}
