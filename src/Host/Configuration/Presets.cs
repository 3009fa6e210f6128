using System.Reflection;

namespace Elastic.Host.Configuration;

/// <summary>The configurations inside the executable, which therefore needs no file beside it.</summary>
internal static class Presets
{
    public const string Default = "tiny";
    private const string Folder = "hocon/";
    private const string Extension = ".conf";

    /// <summary>Names for <c>--config</c>.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(Folder, StringComparison.Ordinal))
            .Select(n => n[Folder.Length..^Extension.Length])
            .OrderDescending(StringComparer.Ordinal),
    ];

    /// <summary>The text of a preset.</summary>
    public static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Folder + name + Extension)
            ?? throw new SettingsException($"there is no preset {name}: use {string.Join(" or ", Names)}, or name a file");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
