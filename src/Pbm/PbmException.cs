using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>An error for the person, with an exit code for the shell. Each line of the message becomes one of standard error.</summary>
internal sealed class PbmException : ElasticException
{
    private PbmException(int exitCode, string message, Exception? inner) : base(message, inner!) => ExitCode = exitCode;

    public int ExitCode { get; }

    /// <summary>The last line of the report: where to read more; null for none.</summary>
    public string? See { get; private init; }

    /// <summary>The command line is wrong.</summary>
    /// <param name="see">The command that explains it.</param>
    public static PbmException Usage(string message, string see) => new(ExitCodes.WrongUsage, message, null) { See = see };

    /// <summary>No seed answers, or no answer can be understood.</summary>
    public static PbmException Unreachable(string message, Exception? inner = null) => new(ExitCodes.Unreachable, message, inner);

    /// <summary>Any other error.</summary>
    public static PbmException Failed(string message, Exception? inner = null) => new(ExitCodes.Failed, message, inner);
}
