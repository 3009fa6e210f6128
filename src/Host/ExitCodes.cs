namespace Elastic.Host;

/// <summary>The exit code of a command, for the shell.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong; nothing was started.</summary>
    public const int WrongUsage = 2;

    public const int NotFound = 3;

    /// <summary>No seed or no supervisor answers, or the seed is leaving: the same again later may succeed.</summary>
    public const int Unreachable = 4;

    /// <summary>Stopped by Ctrl-C or SIGTERM, as shells count it: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    /// <summary>Nobody reads the output any more: the system ends the process, which shells count as 128 + SIGPIPE.</summary>
    public const int Unread = 141;
}
