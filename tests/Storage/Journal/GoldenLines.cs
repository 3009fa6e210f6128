using System.Text;
using Elastic.Messages.Runs;

namespace Elastic.Storage.Tests;

/// <summary>A text file of events, one a line: the manifest, a tab, the payload.</summary>
internal static class GoldenLines
{
    public static IReadOnlyList<(string Manifest, string Payload)> Of(string file)
    {
        using var stream = typeof(GoldenLines).Assembly.GetManifestResourceStream(file)!;
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return [.. lines.Select(line => line.Split('\t')).Select(parts => (parts[0], parts[1]))];
    }

    public static IEnumerable<RunEvent> Read(string file) => Of(file).Select(line => Read(line.Manifest, line.Payload));

    public static RunEvent Read(string manifest, string payload) => EventCodec.Default.Read(manifest, Encoding.UTF8.GetBytes(payload));

    public static string Write(RunEvent e) => $"{EventCodec.Default.ManifestOf(e)}\t{Encoding.UTF8.GetString(EventCodec.Default.Write(e))}";

    /// <summary>Where they differ, the lines that would be written now lie in a file beside the tests, to be looked at.</summary>
    public static void AssertWritten(string file, IEnumerable<RunEvent> events)
    {
        var written = events.Select(Write).ToList();
        var golden = Of(file).Select(line => $"{line.Manifest}\t{line.Payload}").ToList();
        if (!written.SequenceEqual(golden, StringComparer.Ordinal))
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, $"{file}.now"), string.Join('\n', written) + "\n");
        Assert.Equal(golden, written);
    }
}
