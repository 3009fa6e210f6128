using Elastic.Foundation;

namespace Elastic.Host;

/// <summary>The log for a person who reads it a week later: starts, rounds, notices, failures, each with its time in UTC.</summary>
/// <param name="file">Null until the path is known; lines that are written until then wait.</param>
/// <param name="isJson">A program reads it: <c>node.log-format</c>.</param>
internal sealed class RunLog(string? file, bool isJson = false)
{
    private readonly Lock _gate = new();                              // several threads write
    private readonly List<string> _waiting = [];
    private LogFile? _file = file is null ? null : new LogFile(file);

    /// <summary>Sets the path, and writes the lines that wait.</summary>
    public void Open(string path)
    {
        lock (_gate)
        {
            _file = new LogFile(path);
            _file.Append(string.Concat(_waiting));
            _waiting.Clear();
        }
    }

    public void Write(string line)
    {
        var now = DateTime.UtcNow;
        var dated = isJson ? JsonLogLine.Of(now, "info", null, line, null) : $"{now:yyyy-MM-dd HH:mm:ss}Z {line}\n";
        lock (_gate)
        {
            if (_file is null)
                _waiting.Add(dated);
            else
                _file.Append(dated);
        }
    }
}
