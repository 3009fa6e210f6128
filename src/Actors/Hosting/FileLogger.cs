using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Writes the actor system's log to <c>elastic.log-file</c>, one line per event, with its time in UTC. Of events that differ in numbers
/// only, such as the attempts to reach a node that is dead, it writes one a minute, and how many there were.
/// </summary>
public sealed class FileLogger : ReceiveActor
{
    private readonly LogFile? _file;
    private readonly Repetitions _repetitions = new();

    public FileLogger()
    {
        var path = Context.System.Settings.Config.GetString("elastic.log-file", "");
        if (path.Length > 0)
            _file = new LogFile(path);
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(Write);
    }

    private void Write(LogEvent e)
    {
        var text = $"{e.LogSource}: {e.Message}";
        // What Elastic itself says is said when something has happened; Akka repeats itself until somebody acts.
        if (_file is null || (IsRepeatedByAkka(e) && !_repetitions.IsDue(text, e.Timestamp)))
            return;
        _file.Append($"{e.Timestamp.ToString("o", CultureInfo.InvariantCulture)} {e.LogLevel().ToString()[..4].ToUpperInvariant()} {text}"
            + (_repetitions.TakeSkipped(text) is > 0 and var skipped ? $" (and {skipped} more like it since the last one)" : "")
            + (e.Cause is null ? "" : $"{Environment.NewLine}{e.Cause}") + Environment.NewLine);
    }

    private static bool IsRepeatedByAkka(LogEvent e) => e.LogClass.Namespace?.StartsWith("Akka", StringComparison.Ordinal) ?? true;
}
