using Elastic.Foundation;
using Elastic.Host.Configuration;

namespace Elastic.Host;

/// <summary>
/// Turns an exception into lines for standard error and an exit code. A cancellation that a person asked for never reaches this class: the
/// command that listened for it ends with <see cref="ExitCodes.Interrupted"/>. Any other one is an unnamed deadline, and so a defect.
/// </summary>
internal static class ErrorReport
{
    /// <summary>
    /// Writes <paramref name="error"/> to <paramref name="to"/>; a defect's stack trace goes to <paramref name="logFile"/>.
    /// </summary>
    public static int Write(Exception error, TextWriter to, string logFile)
    {
        switch (Cause(error))
        {
            case ElasticException expected:
                foreach (var line in expected.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                    to.WriteLine($"error: {line}");
                return expected switch
                {
                    SettingsException => ExitCodes.WrongUsage,
                    NotFoundException => ExitCodes.NotFound,
                    _ => ExitCodes.Failed,
                };
            case IOException or UnauthorizedAccessException when DiskProblem.Describe(Cause(error)) is { } problem:
                to.WriteLine($"error: {problem}");
                return ExitCodes.Failed;
            case var e when OutOfMemory.Describe(e) is { } problem:
                to.WriteLine($"error: {problem}");
                return ExitCodes.Failed;
            case var defect:
                to.WriteLine($"error: unexpected {defect.GetType().Name}: {defect.Message.Split('\n')[0]}");
                to.WriteLine(TryLog(error, logFile)
                    ? $"error: this is a defect of Elastic; the details are in {logFile}"
                    : $"error: this is a defect of Elastic; the details:\n{error}");
                return ExitCodes.Failed;
        }
    }

    // Tasks and static constructors wrap the exception that was thrown.
    private static Exception Cause(Exception error) => error switch
    {
        AggregateException { InnerExceptions.Count: 1, InnerException: { } inner } => Cause(inner),
        TypeInitializationException { InnerException: { } inner } => Cause(inner),
        _ => error,
    };

    private static bool TryLog(Exception error, string logFile)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(logFile)!);
            File.AppendAllText(logFile, $"{DateTimeOffset.UtcNow:O} {error}\n");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
