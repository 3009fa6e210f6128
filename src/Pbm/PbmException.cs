using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>What a person has to hear, and the shell with it. Each line of the message becomes one of standard error.</summary>
internal sealed class PbmException : ElasticException
{
    private PbmException(int exitCode, string message, Exception? inner) : base(message, inner!) => ExitCode = exitCode;

    public int ExitCode { get; }

    /// <summary>The last line of what is told; null for none: where to read more.</summary>
    public string? See { get; private init; }

    /// <summary>The command line is wrong.</summary>
    /// <param name="see">The command that explains it.</param>
    public static PbmException Usage(string message, string see) => new(ExitCodes.WrongUsage, message, null) { See = see };

    /// <summary>No seed answers, or none that can be understood.</summary>
    public static PbmException Unreachable(string message, Exception? inner = null) => new(ExitCodes.Unreachable, message, inner);

    /// <summary>Anything else.</summary>
    public static PbmException Failed(string message, Exception? inner = null) => new(ExitCodes.Failed, message, inner);
}
