namespace Elastic.Testing;

/// <summary>Programs that the machine may have.</summary>
public static class Programs
{
    /// <summary>Where a shell looks for programs.</summary>
    public static IReadOnlyList<string> SearchPath { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The first of these folders, in their order, that has the first of these programs that any has; its path, or null.</summary>
    public static string? Find(IEnumerable<string> folders, params string[] names)
    {
        var all = folders.ToList();
        return names.SelectMany(name => all.SelectMany(f => new[] { Path.Combine(f, name), Path.Combine(f, name + ".exe") }))
            .FirstOrDefault(File.Exists);
    }
}
