using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Serialization;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Writes events of an actor system's log to <c>elastic.log-file</c>, one line per event, with its time in UTC. Of events that differ in
/// numbers only, such as the attempts to reach a node that is dead, it writes one a minute, and how many there were.
/// </summary>
internal sealed class LogWriter
{
    // Of the process: a node that finds no seed starts one actor system after the other, and each says the same.
    private static readonly Repetitions Repetitions = new();

    // Such a line holds what another process wrote: neither its length nor its variety may fill the disk.
    private const string Unreadable = "Deserialization failed for message with serializer id";
    private const int MostOfUnreadable = 500;

    private readonly LogFile? _file;
    private readonly bool _isJson;

    public LogWriter(Settings settings)
    {
        var path = settings.Config.GetString("elastic.log-file", "");
        _isJson = settings.Config.GetString("elastic.log-format", "") == NodeSettings.JsonLogs;
        if (path.Length > 0)
            _file = new LogFile(path, settings.Config.GetLong("elastic.log-file-bytes", LogFile.MostBytes));
    }

    public void Write(LogEvent e)
    {
        if (_file is null)
            return;
        // Whoever refused a message has said so, and Akka repeats it.
        if (RefusedException.In(e.Cause) is not null)
            return;
        var (source, message) = (e.LogSource, $"{e.Message}");
        var text = $"{source}: {message}";
        var skipped = 0;
        var isUnreadable = text.Contains(Unreadable, StringComparison.Ordinal);
        // What Elastic itself says is said when something has happened; Akka repeats itself until somebody acts.
        if (IsRepeatedByAkka(e) && !Repetitions.IsDue(isUnreadable ? Unreadable : text, e.Timestamp, out skipped))
            return;
        if (isUnreadable && message.Length > MostOfUnreadable)
            message = $"{message[..MostOfUnreadable]} …";
        LogFeed.OfProcess.Add(new LogLine(
            new DateTimeOffset(e.Timestamp.ToUniversalTime()), SeverityOf(e),
            e.Cause is null || isUnreadable ? $"{source}: {message}" : $"{source}: {message}: {e.Cause.Message}"));
        if (skipped > 0)
            message += $" (and {skipped} more like it since the last one)";
        var details = e.Cause is null || isUnreadable ? null : e.Cause.ToString();
        _file.Append(_isJson
            ? JsonLogLine.Of(e.Timestamp, LevelOf(e).ToLowerInvariant(), source, message, details)
            : $"{e.Timestamp.ToString("o", CultureInfo.InvariantCulture)} {LevelOf(e)[..4].ToUpperInvariant()} {source}: {message}"
                + (details is null ? "" : $"{Environment.NewLine}{details}") + Environment.NewLine);
    }

    // "Info", "Warning", "Error", "Debug".
    private static string LevelOf(LogEvent e) => e.LogLevel().ToString().Replace("Level", "", StringComparison.Ordinal);

    private static LogSeverity SeverityOf(LogEvent e) => e switch
    {
        Error => LogSeverity.Error,
        Warning => LogSeverity.Warning,
        _ => LogSeverity.Info,
    };

    private static bool IsRepeatedByAkka(LogEvent e) => e.LogClass.Namespace?.StartsWith("Akka", StringComparison.Ordinal) ?? true;
}
