using System.Globalization;
using Akka.Actor;
using Akka.Event;

namespace Elastic.Actors.Hosting;

/// <summary>Writes the actor system's log to <c>elastic.log-file</c>, one line per event, flushed at once.</summary>
public sealed class FileLogger : ReceiveActor
{
    // Several actor systems of a process log to the same file; each opens the file for itself and appends.
    private static readonly Lock Gate = new();

    private readonly StreamWriter? _file;

    public FileLogger()
    {
        var path = Context.System.Settings.Config.GetString("elastic.log-file", "");
        if (path.Length > 0)
            _file = new StreamWriter(
                new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite))
            { AutoFlush = true };
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(Write);
    }

    /// <inheritdoc/>
    protected override void PostStop() => _file?.Dispose();

    private void Write(LogEvent e)
    {
        if (_file is null)
            return;
        try
        {
            lock (Gate)
            {
                _file.BaseStream.Seek(0, SeekOrigin.End);
                _file.WriteLine(
                    $"{e.Timestamp.ToString("o", CultureInfo.InvariantCulture)} {e.LogLevel().ToString()[..4].ToUpperInvariant()} " +
                    $"{e.LogSource}: {e.Message}" +
                    (e.Cause is null ? "" : $"{Environment.NewLine}{e.Cause}"));
            }
        }
        catch (IOException)
        {
            // A log that meets a full disk must not end the run.
        }
    }
}
