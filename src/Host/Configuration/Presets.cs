using System.Reflection;

namespace Elastic.Host.Configuration;

/// <summary>The configurations that travel inside the executable, so that it needs no file beside it.</summary>
internal static class Presets
{
    public const string Default = "tiny";
    private const string Folder = "hocon/";
    private const string Extension = ".conf";
    private const string Reference = "reference";

    /// <summary>Names for <c>--config</c>.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(Folder, StringComparison.Ordinal))
            .Select(n => n[Folder.Length..^Extension.Length])
            .Where(n => n != Reference)
            .OrderDescending(StringComparer.Ordinal),
    ];

    /// <summary>All keys with their defaults and the reasons for them.</summary>
    public static string ReferenceText => Read(Reference);

    /// <summary>The text of a preset.</summary>
    public static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Folder + name + Extension)
            ?? throw new SettingsException($"there is no preset {name}: use {string.Join(" or ", Names)}, or name a file");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
