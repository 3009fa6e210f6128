using System.Globalization;

namespace Elastic.Host;

/// <summary>
/// How many files and connections this process may have open. Each assembly, shard, blob and connection takes one. Uses nothing outside of
/// the core library: <c>Program</c> asks it before anything else is loaded.
/// </summary>
internal static class OpenFiles
{
    /// <summary>Below it the program does not start: a run in one process has about 320 open.</summary>
    public const long Fewest = 512;

    /// <summary>A seed has some ten for each node, a fetch of blobs four for each peer.</summary>
    public const long Enough = 4096;

    private const string Row = "Max open files";

    /// <summary>The limit; null where the system does not say.</summary>
    public static long? Limit()
    {
        try
        {
            return Read(File.ReadAllText("/proc/self/limits"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads "Max open files    1024    4096    files"; the runtime raises the first number to the second one.</summary>
    public static long? Read(string limits)
    {
        var start = limits.IndexOf(Row, StringComparison.Ordinal);
        if (start < 0)
            return null;
        var text = limits.AsSpan(start + Row.Length).TrimStart();
        var soft = text[..text.IndexOf(' ')];
        text = text[soft.Length..].TrimStart();
        var hard = text[..text.IndexOf(' ')];
        return Number(hard) is { } most && Number(soft) is { } now ? Math.Max(now, most) : long.MaxValue;
    }

    /// <summary>Why the program cannot run; null where it can.</summary>
    public static string? Problem() => Limit() is { } limit && limit < Fewest
        ? $"this process may have {limit.ToString(CultureInfo.InvariantCulture)} files open, and needs "
            + $"{Fewest.ToString(CultureInfo.InvariantCulture)}: {Remedy}"
        : null;

    /// <summary>How to raise the limit.</summary>
    public static string Remedy => $"ulimit -n {Enough.ToString(CultureInfo.InvariantCulture)} in the shell, "
        + "LimitNOFILE= in a systemd unit, --ulimit nofile= of docker";

    // "unlimited" is no number.
    private static long? Number(ReadOnlySpan<char> text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
