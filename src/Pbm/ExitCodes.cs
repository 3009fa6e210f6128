namespace Elastic.Pbm;

/// <summary>What pbm tells the shell. A command of the server sends its own code, with the same meanings.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;

    /// <summary>No seed answers.</summary>
    public const int Unreachable = 4;

    /// <summary>Ctrl-C: 128 + SIGINT.</summary>
    public const int Interrupted = 130;
}
