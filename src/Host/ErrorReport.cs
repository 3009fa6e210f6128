using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Storage;

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
    public static int Write(Exception error, TextWriter to, string logFile) => Write(Of(error, logFile), to);

    /// <summary>Writes the lines, each marked as an error.</summary>
    /// <param name="json">For a command that was asked for JSON: its standard output gets one object in place of the result.</param>
    public static int Write((int ExitCode, IReadOnlyList<string> Lines) failure, TextWriter to, TextWriter? json = null)
    {
        foreach (var line in failure.Lines)
            to.WriteLine($"error: {line}");
        json?.WriteLine(Json(failure.ExitCode, string.Join('\n', failure.Lines)));
        return failure.ExitCode;
    }

    /// <summary>What a command that was asked for JSON writes where it has no result.</summary>
    public static string Json(int exitCode, string error) => new JsonObject { ["error"] = error, ["exitCode"] = exitCode }.ToJsonString();

    /// <summary>The exit code and what is to be said.</summary>
    public static (int ExitCode, IReadOnlyList<string> Lines) Of(Exception error, string logFile) => Cause(error) switch
    {
        ElasticException expected => (
            expected switch
            {
                SettingsException => ExitCodes.WrongUsage,
                NotFoundException => ExitCodes.NotFound,
                UnavailableException => ExitCodes.Unreachable,
                _ => ExitCodes.Failed,
            }, expected.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
        DatabaseUnavailableException database =>
            (ExitCodes.Unreachable, [$"the database cannot be used ({OneLine.Of(database.Message)}): see that it runs, then try again"]),
        (IOException or UnauthorizedAccessException) and var disk when DiskProblem.Describe(disk) is { } problem =>
            (ExitCodes.Failed, [problem]),
        var e when OutOfMemory.Describe(e) is { } problem => (ExitCodes.Failed, [problem]),
        var defect => (ExitCodes.Failed,
        [
            $"unexpected {defect.GetType().Name}: {defect.Message.Split('\n')[0]}",
            TryLog(error, logFile)
                ? $"this is a defect of Elastic; the details are in {logFile}"
                : $"this is a defect of Elastic; the details:\n{error}",
        ]),
    };

    // Tasks and static constructors wrap the exception that was thrown.
    private static Exception Cause(Exception error) => error switch
    {
        AggregateException { InnerExceptions.Count: 1, InnerException: { } inner } => Cause(inner),
        TypeInitializationException { InnerException: { } inner } => Cause(inner),
        _ => error,
    };

    private static bool TryLog(Exception error, string logFile) =>
        new LogFile(logFile).Append($"{DateTimeOffset.UtcNow:O} {error}\n");
}
